"""Noise on the attention weights."""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor

from regdemo.errors import ArgumentError
from regdemo.regularizers.activations import dropout
from regdemo.regularizers.checks import check_floating
from regdemo.regularizers.masks import RateModule


def attention_weights(query: Tensor, key: Tensor, *, is_causal: bool = False) -> Tensor:
    """How much each query attends to each key.

        A = softmax(Q K^T / sqrt(d)),    each row sums to 1

    query: (..., Tq, d).  key: (..., Tk, d).  is_causal: query i sees keys 0 to i only.  Returns: (..., Tq, Tk).
    Raises ArgumentError if a tensor is not floating point, the shapes do not fit, or there is no key to attend to.
    Vaswani et al. 2017, https://arxiv.org/abs/1706.03762

    >>> attention_weights(torch.zeros(2, 4), torch.zeros(2, 4), is_causal=True)
    tensor([[1.0000, 0.0000],
            [0.5000, 0.5000]])
    """
    check_floating(query, "query")
    check_floating(key, "key")
    if query.dim() < 2 or key.dim() < 2 or query.shape[-1] != key.shape[-1] or 0 in key.shape[-2:]:
        raise ArgumentError(
            f"query has shape {tuple(query.shape)} and key {tuple(key.shape)}: "
            "they must be (..., Tq, d) and (..., Tk, d), Tk and d at least 1"
        )
    # The query is scaled before the product, which would overflow in float16.
    scores = query / sqrt(query.shape[-1]) @ key.transpose(-2, -1)
    if is_causal:
        visible = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        scores = scores.masked_fill(~visible, float("-inf"))
    return scores.softmax(dim=-1)


def attention_dropout(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    p: float = 0.1,
    *,
    is_causal: bool = False,
    training: bool = True,
    generator: torch.Generator | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Attend with dropout on the weights, after the softmax and without renormalising.

        out = dropout(softmax(Q K^T / sqrt(d)), p) V
        E[out] = softmax(Q K^T / sqrt(d)) V

    query: (..., Tq, d).  key: (..., Tk, d).  value: (..., Tk, dv).
    mask: broadcastable to (..., Tq, Tk), True is kept; drawn if not given.
    Returns: (..., Tq, dv).  A row of dropped weights no longer sums to 1; its expectation does.
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError if a tensor is not floating point, the shapes or the mask
    do not fit, or there is no key to attend to.
    Vaswani et al. 2017, https://arxiv.org/abs/1706.03762;
    `torch.nn.functional.scaled_dot_product_attention` has the same law, but no eval mode: it drops whenever p > 0.

    >>> q = k = torch.zeros(1, 2)
    >>> attention_dropout(q, k, torch.ones(1, 2), 0.5, mask=torch.tensor([[True]]))
    tensor([[2., 2.]])
    """
    weights = attention_weights(query, key, is_causal=is_causal)
    check_floating(value, "value")
    if value.dim() < 2 or value.shape[-2] != key.shape[-2]:
        raise ArgumentError(
            f"value has shape {tuple(value.shape)} and key {tuple(key.shape)}: "
            "they must be (..., Tk, dv) and (..., Tk, d)"
        )
    return dropout(weights, p, training=training, generator=generator, mask=mask) @ value


class AttentionDropout(RateModule):
    """`attention_dropout` as a Module: drops in training, plain attention in eval."""

    def __init__(self, p: float = 0.1) -> None:
        super().__init__(p)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        *,
        is_causal: bool = False,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Apply `attention_dropout` at rate p."""
        return attention_dropout(
            query, key, value, self.p, is_causal=is_causal, training=self.training, generator=generator
        )
