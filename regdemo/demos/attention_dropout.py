"""Attention dropout: drop attention weights after the softmax.

Drops the weights of one causal attention head many times over: what becomes of the rows that summed to 1, whether
torch's scaled_dot_product_attention (SDPA) does the same, and what SDPA does when the model is in eval.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, mean_of_bounded, proportion, rounding
from regdemo.parameters import SEED, count, rate
from regdemo.report import Block, Cell, Claim, HeatMap, Measurement, Table, Text

if TYPE_CHECKING:
    from torch import Tensor

ACTS_ON = "attention"
SAY = (
    "Attention dropout zeroes entries of the attention matrix after the softmax and scales the rest by 1/(1-p), "
    "without renormalising. So a row no longer sums to 1, only its expectation does: its variance is p/(1-p) times "
    "the sum of its squared weights, largest where attention is peaked. And with SDPA I pass 0 in eval myself, since "
    "a function does not know about model.eval()."
)
WRONG_ANSWER = (
    "'The dropped rows are renormalised, so they still sum to 1.' They are not: renormalising would bias the output, "
    "and a row that is dropped whole would divide by 0. Close second: 'model.eval() turns it off', true of a module "
    "such as torch.nn.Dropout, false of torch.nn.functional.scaled_dot_product_attention."
)
CARDS = (
    "Q18.10",
    "Q18.11",
    "Q18.12",
)

WIDTH = 16  # of a query and a key
BRIGHTEST = 0.5  # the end of the heat maps' scale: most weights of 8 tokens lie below
ROWS_SHOWN = 8


def attention_dropout(
    *,
    p: Annotated[float, rate("Probability that an attention weight is dropped.")] = 0.1,
    tokens: Annotated[int, count("Length of the sequence.", 2, 32)] = 8,
    draws: Annotated[int, count("Masks drawn in each measurement.", 10, 10_000)] = 5_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure attention dropout at rate p on one causal head, against formulas and against SDPA."""

    generator = torch.Generator().manual_seed(seed)
    query, key, value = torch.randn(3, tokens, WIDTH, generator=generator)
    weights = regularizers.attention_weights(query, key, is_causal=True)
    # With V = I the output is the dropped weights themselves: what any implementation dropped can be read off.
    identity = torch.eye(tokens)
    q, k, v = (x.expand(draws, -1, -1) for x in (query, key, identity))
    ours = regularizers.attention_dropout(q, k, v, p, is_causal=True, generator=generator)

    class Careless(torch.nn.Module):
        """Hands its rate to SDPA without asking whether it is training: the bug."""

        def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            return torch.nn.functional.scaled_dot_product_attention(query, key, value, dropout_p=p, is_causal=True)

    head = Careless()
    with torch.random.fork_rng(devices=[]):  # SDPA takes no generator: lend it the global one, and put it back
        torch.default_generator.manual_seed(int(torch.randint(2**31, (), generator=generator)))
        theirs = head.train()(q, k, v)
        in_eval, again = head.eval()(q, k, v), head.eval()(q, k, v)

    safe = regularizers.AttentionDropout(p).eval()
    ours_in_eval, ours_again = (safe(query, key, identity, is_causal=True, generator=generator) for _ in range(2))
    mask = regularizers.keep_mask(weights.shape, p, generator=generator)
    handed_in = regularizers.attention_dropout(query, key, value, p, is_causal=True, mask=mask)
    by_hand = (weights * mask / (1 - p)) @ value

    visible = weights > 0
    coins = draws * int(visible.sum())
    claims = [
        *_law("ours", ours, weights, p),
        *_law("SDPA", theirs, weights, p),
        Claim(
            "Given a mask, the output is (A * mask / (1-p)) V",
            0,
            "largest difference",
            (handed_in - by_hand).abs().max().item(),
            *rounding(value.abs().max().item() / (1 - p)),
        ),
        Claim(
            "In eval ours is plain attention",
            0,
            "max |output - A|",
            (ours_in_eval - weights).abs().max().item(),
            *EXACT,
        ),
        Claim(
            "SDPA given p in eval: two calls disagree on a share 2p(1-p) of the weights",
            2 * p * (1 - p),
            "2p(1-p)",
            (in_eval != again)[..., visible].double().mean().item(),
            *proportion(2 * p * (1 - p), coins),
        ),
    ]
    before, after = weights.double(), ours[0].double()
    blocks: list[Block] = [
        Text(
            "The weights of a head are a softmax: each row sums to 1. Dropout comes after it, zeroes each weight with "
            f"probability p = {p}, multiplies the rest by 1/(1-p) = {1 / (1 - p):.4g}, and does not renormalise."
        ),
        HeatMap(
            title="Attention weights before",
            values=before.tolist(),
            low=0.0,
            high=BRIGHTEST,
            row_label="query",
            column_label="key",
            note=f"Causal: query i sees keys 0 to i, the first one only itself. {BRIGHTEST} and above look alike.",
        ),
        HeatMap(
            title=f"After one mask: {int((after == 0)[visible].sum())} of {int(visible.sum())} visible weights dropped",
            values=after.tolist(),
            low=0.0,
            high=BRIGHTEST,
            row_label="query",
            column_label="key",
            note="The same scale. Survivors have grown by 1/(1-p), even where their whole row survived.",
        ),
        _row_sums(ours, weights, p),
        Text(
            "SDPA is a function: it has no training flag, and model.eval() cannot reach it. Whoever passes "
            "`dropout_p=self.p` goes on dropping in production (pytorch issue #124464, timm PR #1978)."
        ),
        Table(
            title="One input, twice, in eval",
            columns=["call", "weights dropped", "differ between calls"],
            rows=[
                ["SDPA(dropout_p=self.p)", *_eval_row(in_eval, again, visible)],
                ["AttentionDropout(p), here", *_eval_row(ours_in_eval, ours_again, visible)],
            ],
            note="The cure: `dropout_p=self.p if self.training else 0.0`. nn.MultiheadAttention does this itself.",
        ),
    ]
    return Measurement(
        title=f"Attention dropout at p = {p}",
        claims=claims,
        blocks=blocks,
    )


def _law(whose: str, dropped: Tensor, weights: Tensor, p: float) -> list[Claim]:
    """What makes many draws of dropped weights (draws, T, T) attention dropout: their values, their rows' moments."""
    scale, sums = 1 / (1 - p), dropped.double().sum(-1)
    squares = weights.double().square().sum(-1).mean().item()
    variance = p * scale * squares
    # A row sum is at least 0 and at most 1/(1-p), so its squared deviation from 1 is at most `most`. A variable in
    # [0, most] with mean v has a variance of at most v * most.
    most = max(1.0, p * scale) ** 2
    return [
        Claim(
            f"Each weight is 0 or a/(1-p) ({whose})",
            0,
            "distance to the nearer of the two",
            (dropped.abs().minimum((dropped - weights * scale).abs())).max().item(),
            *rounding(scale),
        ),
        Claim(
            f"A row sums to 1 on average ({whose})",
            1,
            "E[sum of a row] = 1",
            sums.mean().item(),
            *mean_of_bounded(variance, most**0.5, sums.numel()),
        ),
        Claim(
            f"The variance of a row's sum ({whose})",
            variance,
            "p/(1-p) sum a^2",
            (sums - 1).square().mean().item(),
            *mean_of_bounded(variance * most, most, sums.numel()),
        ),
    ]


def _row_sums(dropped: Tensor, weights: Tensor, p: float) -> Table:
    """The sum of each of the first rows: in one draw, and over all."""
    sums = dropped.double().sum(-1)
    deviations = (p / (1 - p) * weights.double().square().sum(-1)).sqrt()
    rows: list[list[Cell]] = [
        [query, 1.0, sums[0, query].item(), sums[:, query].mean().item(), spread, deviations[query].item()]
        for query, spread in enumerate((sums[:, :ROWS_SHOWN] - 1).square().mean(0).sqrt().tolist())
    ]
    return Table(
        title="What a row of weights sums to",
        columns=["query", "before", "this mask", "mean", "std", "sqrt(p/(1-p) sum a^2)"],
        rows=rows,
        note=(
            f"Mean and std over {len(sums):,} masks. The more keys share the attention, the steadier the sum; query 0 "
            "sees one key, so its sum is 0 or 1/(1-p)."
        ),
    )


def _eval_row(first: Tensor, second: Tensor, visible: Tensor) -> list[Cell]:
    """Share of visible weights dropped in the first of two calls, and share that differs between them."""
    return [x[..., visible].double().mean().item() for x in (first == 0, first != second)]
