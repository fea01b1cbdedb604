"""Noise on the attention weights."""

from __future__ import annotations

from math import inf, sqrt

import torch
from torch import Tensor

from regdemo.errors import ArgumentError
from regdemo.regularizers.activations import dropout
from regdemo.regularizers.checks import check_broadcast, check_floating, check_mask
from regdemo.regularizers.masks import RateModule


def attention_weights(
    query: Tensor,
    key: Tensor,
    *,
    is_causal: bool = False,
    attn_mask: Tensor | None = None,
    key_padding_mask: Tensor | None = None,
) -> Tensor:
    """How much each query attends to each key.

        A = softmax(Q K^T / sqrt(d) + bias),    each row sums to 1

    query: (..., Tq, d).  key: (..., Tk, d).  is_causal: query i sees keys 0 to i only.
    attn_mask: broadcastable to (..., Tq, Tk); bool, True may attend, or floating point, added to the scores: as in
    scaled_dot_product_attention. In nn.MultiheadAttention a bool True means the opposite, for both masks.
    key_padding_mask: bool, (..., Tk) without the heads' dimension for a query of (B, H, Tq, d), so (B, Tk); True is a
    key that counts, False is padding.
    Returns: (..., Tq, Tk); a query that may attend to no key has weights of 0, as in torch 2.5 and later.
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
        scores = scores.masked_fill(~visible, -inf)
    if attn_mask is not None and attn_mask.is_floating_point():
        scores = scores + check_broadcast(attn_mask, scores.shape, "attn_mask").to(scores.dtype)
    elif attn_mask is not None:
        check_mask(attn_mask, scores.shape, "attn_mask")
        scores = scores.masked_fill(~attn_mask, -inf)
    if key_padding_mask is not None:
        batch = scores.shape[:1] if scores.dim() > 2 else ()
        check_mask(key_padding_mask, (*batch, scores.shape[-1]), "key_padding_mask")
        between = (1,) * (scores.dim() - 1 - len(batch))
        padding = ~key_padding_mask.expand(*batch, scores.shape[-1]).reshape(*batch, *between, -1)
        scores = scores.masked_fill(padding, -inf)
    if attn_mask is None and key_padding_mask is None:
        return scores.softmax(dim=-1)
    blind = (scores == -inf).all(-1, keepdim=True)  # whose softmax would be NaN
    return scores.masked_fill(blind, 0).softmax(dim=-1).masked_fill(blind, 0)


@torch.fx.wrap
def attention_dropout(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    p: float = 0.1,
    training: bool = True,
    *,
    is_causal: bool = False,
    attn_mask: Tensor | None = None,
    key_padding_mask: Tensor | None = None,
    generator: torch.Generator | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Attend with dropout on the weights, after the softmax and without renormalising.

        out = dropout(A, p) V,    A = softmax(Q K^T / sqrt(d) + bias) of `attention_weights`
        E[out] = A V

    query: (..., Tq, d).  key: (..., Tk, d).  value: (..., Tk, dv).
    is_causal, attn_mask, key_padding_mask: as in `attention_weights`: which keys may be attended to.
    mask: which weights dropout keeps, broadcastable to (..., Tq, Tk), True is kept; drawn if not given.
    Returns: (..., Tq, dv).  A row of dropped weights does not sum to 1; its expectation does.
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError if a tensor is not floating point, the shapes or a mask
    do not fit, or there is no key to attend to.
    Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, for attention, whose paper drops elsewhere; GPT-1 (Radford et
    al. 2018) names dropout on attention.
    `torch.nn.functional.scaled_dot_product_attention` has the same distribution, but no eval mode: it drops whenever
    p > 0.

    >>> q = k = torch.zeros(1, 2)
    >>> attention_dropout(q, k, torch.ones(1, 2), 0.5, mask=torch.tensor([[True]]))
    tensor([[2., 2.]])
    """
    weights = attention_weights(query, key, is_causal=is_causal, attn_mask=attn_mask, key_padding_mask=key_padding_mask)
    check_floating(value, "value")
    if value.dim() < 2 or value.shape[-2] != key.shape[-2]:
        raise ArgumentError(
            f"value has shape {tuple(value.shape)} and key {tuple(key.shape)}: "
            "they must be (..., Tk, dv) and (..., Tk, d)"
        )
    return dropout(weights, p, training, generator=generator, mask=mask) @ value


class AttentionDropout(RateModule):
    """`attention_dropout` as a Module: drops weights in training; plain attention in eval.

    p: the drop probability of a weight, 0 <= p < 1.
    Input: query (..., Tq, d), key (..., Tk, d), value (..., Tk, dv).  Output: (..., Tq, dv).

    >>> q = k = v = torch.ones(2, 8, 5, 4)  # batch, heads, tokens, width
    >>> AttentionDropout(0.1)(q, k, v, is_causal=True).shape
    torch.Size([2, 8, 5, 4])
    """

    def __init__(self, p: float = 0.1) -> None:
        super().__init__(p)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        *,
        is_causal: bool = False,
        attn_mask: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Apply `attention_dropout` at rate p."""
        return attention_dropout(
            query,
            key,
            value,
            self.p,
            self.training,
            is_causal=is_causal,
            attn_mask=attn_mask,
            key_padding_mask=key_padding_mask,
            generator=generator,
        )
