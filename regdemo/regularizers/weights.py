"""Noise on the weights: DropConnect."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regdemo.errors import ArgumentError
from regdemo.regularizers.checks import check_floating, check_mask, check_rate
from regdemo.regularizers.masks import keep_mask, scale_kept


def drop_connect(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    p: float = 0.5,
    *,
    per_sample: bool = True,
    training: bool = True,
    generator: torch.Generator | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """A linear layer that drops weights instead of activations.

        y[b] = (W * m[b] / (1 - p)) x[b] + bias,    m ~ Bernoulli(1 - p) for each weight
        per_sample: a mask for each example, as in the paper; otherwise one for the batch, as in AWD-LSTM's WeightDrop

    x: (B, in), or (..., in) as for nn.Linear, floating point.  weight: (out, in).  bias: (out,), never dropped.
    mask: broadcastable to (B, out, in), so (out, in) is one for the batch, True is kept; drawn if not given.
    Returns: (B, out); W x + bias outside training, the mean. The paper's own inference is `drop_connect_moments`.
    A mask for each example takes B * out * in elements of memory.
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError if a tensor is not floating point, or the shapes or the
    mask do not fit.
    Wan et al. 2013, https://proceedings.mlr.press/v28/wan13.html; Merity et al. 2018, https://arxiv.org/abs/1708.02182

    >>> weight, mask = torch.ones(1, 2), torch.tensor([[True, False]])
    >>> drop_connect(torch.ones(1, 2), weight, p=0.5, per_sample=False, mask=mask)
    tensor([[2.]])
    """
    _check_linear(x, weight, bias, p)
    if not training:
        return F.linear(x, weight, bias)
    batch = x.shape[:-1]
    if mask is None:
        mask = keep_mask((*(batch if per_sample else ()), *weight.shape), p, generator=generator, device=x.device)
    dropped = scale_kept(weight, check_mask(mask, (*batch, *weight.shape)), p)
    if dropped.dim() == 2:
        return F.linear(x, dropped, bias)
    y = torch.einsum("...i,...oi->...o", x, dropped)
    return y if bias is None else y + bias


def _check_linear(x: Tensor, weight: Tensor, bias: Tensor | None, p: float) -> None:
    check_rate(p)
    check_floating(x)
    check_floating(weight, "weight")
    if x.dim() < 1 or weight.dim() != 2 or x.shape[-1] != weight.shape[1]:
        raise ArgumentError(
            f"x has shape {tuple(x.shape)} and weight {tuple(weight.shape)}: they must be (B, in) and (out, in)"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ArgumentError(f"bias has shape {tuple(bias.shape)}: it must be ({weight.shape[0]},)")


def drop_connect_moments(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, p: float = 0.5
) -> tuple[Tensor, Tensor]:
    """Mean and variance of `drop_connect`'s output over its masks: what the paper samples its inference from.

        mean = W x + bias,    var = p / (1 - p) * (W * W) (x * x)

    The paper then averages f(u) over draws u ~ N(mean, var), f the layer's nonlinearity.
    x: (B, in), or (..., in).  weight: (out, in).  bias: (out,).  Returns: two tensors (B, out).
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError if a tensor is not floating point or the shapes do not fit.
    Wan et al. 2013, on inference, https://proceedings.mlr.press/v28/wan13.html

    >>> drop_connect_moments(torch.tensor([[3.0]]), torch.tensor([[2.0]]), p=0.5)
    (tensor([[6.]]), tensor([[36.]]))
    """
    _check_linear(x, weight, bias, p)
    return F.linear(x, weight, bias), p / (1 - p) * F.linear(x * x, weight * weight)


class DropConnect(nn.Linear):
    """`drop_connect` as a linear layer: drops weights in training, a plain nn.Linear in eval."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        p: float = 0.5,
        *,
        bias: bool = True,
        per_sample: bool = True,
    ) -> None:
        super().__init__(in_features, out_features, bias=bias)
        self.p = check_rate(p)
        self.per_sample = per_sample

    def forward(self, input: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Apply `drop_connect` at rate p."""
        return drop_connect(
            input,
            self.weight,
            self.bias,
            self.p,
            per_sample=self.per_sample,
            training=self.training,
            generator=generator,
        )

    def extra_repr(self) -> str:
        """nn.Linear's sizes, the rate, and whether each example draws its own mask."""
        return f"{super().extra_repr()}, p={self.p}, per_sample={self.per_sample}"
