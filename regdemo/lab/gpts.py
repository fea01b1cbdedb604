"""Many small GPTs as one: `lab.transformer.GPT` with each parameter stacked in a leading dimension."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from regdemo.lab.ensemble import Acting
from regdemo.regularizers import attention_weights

INITIAL_STD = 0.02
EVAL_BATCH = 64  # sequences in a pass in eval mode, so that long tests need no more memory than training


class GPTs:
    """S transformers of one shape, pre-norm and causal, with every site that dropout has in a GPT.

        x_0 = act(token[ids] + position),    h = x + act(attend(norm1(x))),    x' = h + act(W2 act(gelu(W1 norm2(h))))
        logits = head(norm(x_L));    initially W ~ N(0, 0.02^2), biases 0, as in GPT-2

    act is what the recipe does in training: to token[ids] alone, then at the sites "embedding", "attention" (the
    weights, after the softmax), "residual" (what each sublayer adds) and "hidden" (within the feed-forward net).
    generators: S of the CPU, one for each network's initial weights.  Nothing passes from one network to another.
    weights: the matrices of the linear layers, without embeddings, norms and biases.
    Radford et al. 2019, section 2.3 (GPT-2)
    """

    def __init__(
        self,
        vocabulary: int,
        context: int,
        width: int,
        heads: int,
        depth: int,
        generators: Sequence[Generator],
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self.heads, self.depth = heads, depth
        self.generators, self.dtype, self.device = generators, dtype, device
        self.weights: list[Tensor] = []
        self.token, self.position = self._normal(vocabulary, width), self._normal(context, width)
        self.parameters = [self.token, self.position]
        self.blocks = [self._block(width) for _ in range(depth)]
        self.norm, self.head = self._norm(width), self._matrix(width, vocabulary)

    def _normal(self, *shape: int) -> Tensor:
        own = [torch.randn(shape, generator=g, dtype=self.dtype) for g in self.generators]
        return torch.stack(own).mul_(INITIAL_STD).to(self.device).requires_grad_()

    def _matrix(self, inputs: int, outputs: int) -> Tensor:
        self.weights.append(self._normal(inputs, outputs))
        self.parameters.append(self.weights[-1])
        return self.weights[-1]

    def _linear(self, inputs: int, outputs: int) -> tuple[Tensor, Tensor]:
        bias = self.token.new_zeros(len(self.generators), 1, outputs, requires_grad=True)
        pair = self._matrix(inputs, outputs), bias
        self.parameters.append(bias)
        return pair

    def _norm(self, width: int) -> tuple[Tensor, Tensor]:
        shape = (len(self.generators), 1, width)
        pair = self.token.new_ones(shape), self.token.new_zeros(shape)
        self.parameters += [p.requires_grad_() for p in pair]
        return pair

    def _block(self, width: int) -> dict[str, tuple[Tensor, Tensor]]:
        return {
            "norm1": self._norm(width),
            "query_key_value": self._linear(width, 3 * width),
            "project": self._linear(width, width),
            "norm2": self._norm(width),
            "expand": self._linear(width, 4 * width),
            "contract": self._linear(4 * width, width),
        }

    def embed(self, ids: Tensor) -> Tensor:
        """The token embeddings, without positions: ids (S, B, T), embeddings (S, B, T, width)."""
        members, vocabulary, _ = self.token.shape
        rows = ids + vocabulary * torch.arange(members, device=ids.device).view(-1, 1, 1)
        return F.embedding(rows, self.token.flatten(0, 1))

    def __call__(self, x: Tensor, acting: Acting | None = None) -> Tensor:
        """The logits of each network on its own sequences: x (S, B, T) of token ids, logits (S, B, T, vocabulary)."""
        if acting is None and x.shape[1] > EVAL_BATCH:
            return torch.cat([self(part) for part in torch.split(x, EVAL_BATCH, dim=1)], dim=1)
        h = self.embed(x) if acting is None else acting.tokens(self.embed(x), x)
        h = h + self.position[:, None, : x.shape[-1]]
        h = _act(acting, h, "embedding", 0, self.depth)
        for layer, block in enumerate(self.blocks):
            h = h + _act(acting, self._attend(h, block, acting, layer), "residual", layer, self.depth)
            z = F.gelu(_linear(acting, _normed(h, *block["norm2"]), *block["expand"]))
            z = _linear(acting, _act(acting, z, "hidden", layer, self.depth), *block["contract"])
            h = h + _act(acting, z, "residual", layer, self.depth)
        return _linear(acting, _normed(h, *self.norm), self.head)

    def _attend(self, h: Tensor, block: dict[str, tuple[Tensor, Tensor]], acting: Acting | None, layer: int) -> Tensor:
        # (S, B, T, 3 width) -> three tensors (S, B, heads, T, width / heads)
        mixed = _linear(acting, _normed(h, *block["norm1"]), *block["query_key_value"])
        query, key, value = mixed.view(*h.shape[:-1], 3, self.heads, -1).permute(3, 0, 1, 4, 2, 5)
        weights = _act(acting, attention_weights(query, key, is_causal=True), "attention", layer, self.depth)
        return _linear(acting, (weights @ value).transpose(2, 3).flatten(3), *block["project"])


def _act(acting: Acting | None, h: Tensor, site: str, layer: int, depth: int) -> Tensor:
    return h if acting is None else acting.activations(h, site, layer, depth)


def _normed(h: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.addcmul(bias[:, None], F.layer_norm(h, h.shape[-1:]), weight[:, None])


def _linear(acting: Acting | None, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x (S, B, T, in) times weight (S, in, out), plus bias (S, 1, out)."""
    flat = x.flatten(1, 2)
    z = torch.bmm(flat, weight if acting is None else acting.weight(weight))
    if bias is not None:
        z = z.add_(bias)
    if acting is not None:
        acting.linear(flat, z)
    return z.view(*x.shape[:-1], -1)
