"""Attention dropout: drop attention weights after the softmax.

Drops the weights of one causal attention head many times, and shows what becomes of the rows that summed to 1, whether
torch's scaled_dot_product_attention (SDPA) does the same, and what SDPA does when the model is in eval.
"""

from __future__ import annotations

from typing import Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import mean_of_bounded, proportion, rounding
from regdemo.measure import Wrong, fraction, gap, global_generator, identity_in_eval, mean_square, one_of_two, seeded
from regdemo.parameters import SEED, count, rate
from regdemo.report import Cell, Claim, HeatMap, Measurement, Table, Text

ACTS_ON = "attention"
SAY = (
    "Attention dropout zeroes entries of the attention matrix after the softmax and scales the rest by $1/(1-p)$, "
    r"without renormalizing. So a row of weights $a$ sums to 1 only on average: the variance of its sum is "
    r"$p/(1-p) \sum a^2$, largest where attention is peaked. In eval I pass dropout_p=0 to "
    "F.scaled_dot_product_attention myself, since a function does not know about model.eval()."
)
WRONG_ANSWER = (
    "'After dropout the rows are renormalized, so they still sum to 1.' They are not: renormalizing would in general "
    "bias the output, and a row that is dropped whole would be divided by 0. Close second: 'model.eval() turns the "
    "dropout off', true of a module such as nn.Dropout, false of F.scaled_dot_product_attention."
)
CARDS = ("Q18.10", "Q18.11", "Q18.12")

WIDTH = 16  # of a query and a key
ROWS_SHOWN = 8


def attention_dropout(
    *,
    p: Annotated[float, rate("Probability that an attention weight is dropped.")] = 0.1,
    tokens: Annotated[int, count("Length of the sequence.", 2, 32)] = 8,
    draws: Annotated[int, count("Masks drawn in each measurement.", 10, 10_000)] = 5_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure attention dropout at rate p on one causal head, against formulas and against SDPA."""
    generator = seeded(seed)
    sdpa = torch.nn.functional.scaled_dot_product_attention
    query, key, value = torch.randn(3, tokens, WIDTH, generator=generator)
    visible = torch.ones(tokens, tokens).tril().bool()
    weights = torch.softmax((query @ key.T / WIDTH**0.5).masked_fill(~visible, -torch.inf), -1)
    # With V = I the output is the dropped weights themselves: what any implementation dropped can be read off.
    identity = torch.eye(tokens)
    q, k, v = (x.expand(draws, -1, -1) for x in (query, key, identity))
    ours = regularizers.attention_dropout(q, k, v, p, is_causal=True, generator=generator)
    with global_generator(generator):
        theirs, again = (sdpa(q, k, v, dropout_p=p, is_causal=True) for _ in range(2))
    in_eval = regularizers.attention_dropout(query, key, identity, p, is_causal=True, training=False)
    mask = torch.rand(tokens, tokens, generator=generator) >= p
    handed_in = regularizers.attention_dropout(query, key, value, p, is_causal=True, mask=mask)
    dropped = int((ours[0] == 0)[visible].sum())
    return Measurement(
        title=f"Attention dropout at p = {p}",
        claims=[
            one_of_two(ours, 0.0, weights / (1 - p), "Each weight is 0 or $a/(1-p)$"),
            *_moments("ours", ours, weights, p),
            *_moments("SDPA", theirs, weights, p),
            _formula_claim(handed_in, weights * mask, value, p),
            *(twice := _passed_twice(theirs[:, visible], again[:, visible], in_eval[visible], p)).claims,
            identity_in_eval(in_eval, regularizers.attention_weights(query, key, is_causal=True)),
            *_same_key_claims(ours, p),
        ],
        picture=[
            _map("Attention weights before dropout", weights, p, "Query 0 sees only key 0."),
            _map(
                f"After one mask: {dropped} of {int(visible.sum())} weights dropped",
                ours[0],
                p,
                f"Survivors are {1 / (1 - p):.3g} times as large.",
            ),
        ],
        blocks=[_row_sums(ours, weights, p), *twice.blocks],
    )


def _moments(whose: str, dropped: torch.Tensor, weights: torch.Tensor, p: float) -> list[Claim]:
    """Mean and variance of the rows' sums in many draws of dropped weights (draws, T, T)."""
    sums = dropped.double().sum(-1)
    variance = p / (1 - p) * weights.double().square().sum(-1).mean().item()
    # A row sum is at least 0 and at most 1/(1-p), so its squared deviation from 1 is at most `most`. A variable in
    # [0, most] with mean v has a variance of at most v * most.
    most = max(1.0, p / (1 - p)) ** 2
    return [
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
            r"$p/(1-p) \sum a^2$",
            mean_square(sums - 1),
            *mean_of_bounded(variance * most, most, sums.numel()),
        ),
    ]


def _formula_claim(output: torch.Tensor, kept: torch.Tensor, value: torch.Tensor, p: float) -> Claim:
    return Claim(
        "With a given mask the output is that of the formula",
        0,
        "$(A m/(1-p)) V$, largest difference",
        gap(output, (kept / (1 - p)) @ value),
        *rounding(value.abs().max().item() / (1 - p)),
    )


def _passed_twice(first: torch.Tensor, second: torch.Tensor, in_eval: torch.Tensor, p: float) -> Measurement:
    """What two calls of SDPA leave of the weights, and what our module leaves in eval."""
    differ, chance = fraction(first != second), 2 * p * (1 - p)
    claim = Claim(
        "Two calls of SDPA at `dropout_p=p` differ in this fraction of the weights, in eval too",
        chance,
        "$2p(1-p)$",
        differ,
        *proportion(chance, first.numel()),
    )
    text = Text(
        "SDPA is a function: it has no training flag, and model.eval() cannot reach it. If you pass "
        "`dropout_p=self.p`, it goes on dropping in production (pytorch issue 124464, timm PR 1978)."
    )
    table = Table(
        title="One input, passed twice in eval",
        columns=["call", "fraction dropped", "fraction that differs"],
        rows=[
            ["SDPA(dropout_p=self.p)", fraction(first == 0), differ],
            ["regdemo's AttentionDropout(p)", fraction(in_eval == 0), 0.0],
        ],
        note="The fix: `dropout_p=self.p if self.training else 0.0`. nn.MultiheadAttention does this itself.",
    )
    return Measurement("", [claim], [text, table])


def _same_key_claims(dropped: torch.Tensor, p: float) -> list[Claim]:
    """Whether the second query and the last one, if they are two, lose key 0 independently of each other."""
    draws, tokens, _ = dropped.shape
    both = fraction((dropped[:, [1, -1], 0] == 0).all(1))
    claim = Claim("Two queries lose the same key only by chance", p**2, "$p^2$", both, *proportion(p**2, draws))
    return [claim] if tokens > 2 else []


def _map(title: str, weights: torch.Tensor, p: float, note: str) -> HeatMap:
    values = weights.double().tolist()
    return HeatMap(title, values, low=0.0, high=1 / (1 - p), row_label="query", column_label="key", note=note)


def _row_sums(dropped: torch.Tensor, weights: torch.Tensor, p: float) -> Table:
    """The sum of each of the first rows: in one draw, and over all."""
    sums = dropped.double().sum(-1)
    deviations = (p / (1 - p) * weights.double().square().sum(-1)).sqrt()
    rows: list[list[Cell]] = [
        [query, 1.0, sums[0, query].item(), sums[:, query].mean().item(), spread, deviations[query].item()]
        for query, spread in enumerate((sums[:, :ROWS_SHOWN] - 1).square().mean(0).sqrt().tolist())
    ]
    queries = sums.shape[1]
    first = f": the first {ROWS_SHOWN} of {queries} queries" if queries > ROWS_SHOWN else ""
    return Table(
        title=f"What a row of weights sums to{first}",
        columns=["query", "before", "one mask", "mean", "std", r"$\sqrt{p/(1-p) \sum a^2}$"],
        rows=rows,
        note=(
            f"Mean and std over {len(sums):,} masks. The more evenly the attention is spread over keys, the smaller "
            "the std; query 0 sees one key, so its sum is 0 or $1/(1-p)$."
        ),
    )


def _from_mask(right, shape, query, key, value, p, *, training=True, mask=None, **kw):
    """Attention with one draw for each element of this shape, which the whole matrix shares."""
    if mask is None and training:
        weights = regularizers.attention_weights(query, key, is_causal=True)
        drawn = torch.rand([shape(n, i) for i, n in enumerate(weights.shape)], generator=seeded(1)) >= p
        mask = drawn.expand(weights.shape)
    return right(query, key, value, p, training=training, mask=mask, **kw)


def _renormalized(right, query, key, value, p, **kw):
    out = right(query, key, torch.eye(key.shape[-2]).expand(*key.shape[:-2], -1, -1), p, **kw)
    return out / out.sum(-1, keepdim=True).clamp(min=1e-9) @ value


NAME = "attention_dropout"
WRONG = [
    Wrong(
        "one draw per key, shared by the queries",
        NAME,
        lambda right, *a, **kw: _from_mask(
            right, lambda n, i: 1 if i == max(0, 1 + len(a[0].shape) - 3) else n, *a, **kw
        ),
    ),
    Wrong(
        "one mask for all draws",
        NAME,
        lambda right, *a, **kw: _from_mask(right, lambda n, i: 1 if n > 100 else n, *a, **kw),
    ),
    Wrong("rows renormalized", NAME, _renormalized),
    Wrong(
        "never rescaled",
        NAME,
        lambda right, q, k, v, p, training=True, **kw: (
            right(q, k, v, p, training=training, **kw) * (1 - p if training else 1)
        ),
    ),
    Wrong(
        "drops in eval",
        NAME,
        lambda right, *a, training=True, **kw: right(
            *a, generator=seeded(1), **{k: v for k, v in kw.items() if k != "generator"}
        ),
    ),
    Wrong("not causal", NAME, lambda right, *a, is_causal=False, **kw: right(*a, **kw)),
]
