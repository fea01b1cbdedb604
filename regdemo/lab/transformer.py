"""A small GPT with dropout at its four usual sites, each with a rate of its own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regdemo.errors import ArgumentError
from regdemo.regularizers import Dropout, attention_weights


@dataclass(frozen=True)
class DropoutRates:
    """The drop probability at each site of a transformer; 0 switches the site off.

    embedding: on the sum of token and position embeddings.  attention: on the attention weights, after the softmax.
    residual: on the output of both sublayers, before it is added.  feed_forward: on the hidden layer of the FFN.
    """

    embedding: float = 0.0
    attention: float = 0.0
    residual: float = 0.0
    feed_forward: float = 0.0


class TransformerBlock(nn.Module):
    """One pre-norm transformer block with causal self-attention.

        h = x + drop_residual(attend(norm1(x)))
        y = h + drop_residual(W2 drop_feed_forward(gelu(W1 norm2(h))))

    width: of the residual stream, a multiple of heads.  The FFN's hidden layer is 4 times as wide.
    Raises ArgumentError if heads does not divide width, ProbabilityError unless each rate is in [0, 1).
    Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; Radford et al. 2019, section 2.3 (GPT-2: the norms first)
    """

    def __init__(self, width: int, heads: int, rates: DropoutRates) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise ArgumentError(f"width = {width} cannot be split over heads = {heads}: choose a multiple of it")
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.attention_dropout = Dropout(rates.attention)
        self.project = nn.Linear(width, width)
        self.residual_dropout = Dropout(rates.residual)
        self.norm2 = nn.LayerNorm(width)
        self.expand = nn.Linear(width, 4 * width)
        self.feed_forward_dropout = Dropout(rates.feed_forward)
        self.contract = nn.Linear(4 * width, width)

    def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Map (B, T, width) to the same shape; position t depends on positions 0 to t only."""
        x = x + self.residual_dropout(self._attend(self.norm1(x), generator), generator=generator)
        hidden = self.feed_forward_dropout(F.gelu(self.expand(self.norm2(x))), generator=generator)
        y: Tensor = x + self.residual_dropout(self.contract(hidden), generator=generator)
        return y

    def _attend(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        # (B, T, 3 width) -> three tensors (B, heads, T, width / heads)
        query, key, value = self.query_key_value(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        weights = self.attention_dropout(attention_weights(query, key, is_causal=True), generator=generator)
        attended: Tensor = self.project((weights @ value).transpose(1, 2).flatten(2))
        return attended


class GPT(nn.Module):
    """A stack of blocks between an embedding and a linear head, with learned positions.

        logits = head(norm(blocks(drop_embedding(token[tokens] + position[0..T-1]))))

    Weights have torch's default initialisation, from its global generator: seed it inside `torch.random.fork_rng` and
    build there, to fix them and leave the global state as it was.
    Raises ArgumentError if heads does not divide width, ProbabilityError unless each rate is in [0, 1).
    """

    def __init__(
        self, vocabulary: int, context: int, width: int, heads: int, depth: int, rates: DropoutRates | None = None
    ) -> None:
        super().__init__()
        rates = rates or DropoutRates()
        self.token = nn.Embedding(vocabulary, width)
        self.position = nn.Embedding(context, width)
        self.embedding_dropout = Dropout(rates.embedding)
        self.blocks = nn.ModuleList(TransformerBlock(width, heads, rates) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)

    def forward(self, tokens: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Map token ids (B, T) to logits (B, T, vocabulary); in training, dropout draws from `generator`.

        Raises ArgumentError if T is longer than the context.
        """
        length, context = tokens.shape[-1], self.position.num_embeddings
        if length > context:
            raise ArgumentError(f"tokens has {length} positions: the context holds {context}")
        x = self.token(tokens) + self.position.weight[:length]
        x = self.embedding_dropout(x, generator=generator)
        for block in self.blocks:
            x = block(x, generator=generator)
        logits: Tensor = self.head(self.norm(x))
        return logits
