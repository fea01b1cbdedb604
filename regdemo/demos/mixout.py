"""Mixout: drop what fine-tuning has changed.

Puts weights back to their pretrained values at random in training, with one draw per weight (the authors' code has one
per input unit), and rescales the change of the rest. Checks mean, variance and the fixed point, and compares Mixout
with dropout of the weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, mean_of_bounded, proportion, rounding
from regdemo.measure import Wrong, fraction, gap, identity_in_eval, mean_square, seeded
from regdemo.parameters import SEED, count, rate
from regdemo.report import Cell, Claim, HeatMap, Measurement, Table, Text

if TYPE_CHECKING:
    from torch import Generator, Tensor

ACTS_ON = "weights"
SAY = (
    "Mixout is dropout towards the pretrained weights: in each training pass a weight is put back to its "
    "pretrained value with probability $p$; otherwise its change by fine-tuning is scaled by $1/(1-p)$. The noise "
    "grows with the distance from the pretrained weights, so it acts like a penalty on that distance, as dropout of "
    "the weights acts like one on their size."
)
WRONG_ANSWER = (
    "'Mixout mixes examples of a batch.' That is nearer to mixup. Close second: leaving out the $-p W_0$ of "
    "$((1-m) W_0 + m W - p W_0)/(1-p)$, with $m = 0$ where a weight is put back and 1 elsewhere. The mean of the "
    "weight then depends on $p$."
)
CARDS = ("Q18.184", "Q18.185", "Q18.186", "Q18.187")

PRETRAINED, CHANGE = 1.0, 0.25  # the weight that fine-tuning began with, and how far it has moved it
TUNED = PRETRAINED + CHANGE
RATES = (0.1, 0.5, 0.7, 0.9)


def mixout(
    *,
    p: Annotated[float, rate("Probability that a weight is put back.")] = 0.7,
    size: Annotated[int, count("Weights in each measurement.", 10_000, 1_000_000)] = 30_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure Mixout at rate p on `size` weights that fine-tuning has moved from PRETRAINED by CHANGE."""
    generator = seeded(seed)
    pretrained = torch.full((size,), PRETRAINED, dtype=torch.float64)
    weight = pretrained + CHANGE
    mask = regularizers.keep_mask((size,), p, generator=generator)
    claims = [
        _formula_claim(regularizers.mixout(weight, pretrained, p, mask=mask), mask.double(), p),
        *_moments_claims(regularizers.mixout(weight, pretrained, p, generator=generator), p),
        Claim(
            "At $W = W_0$ there is no noise",
            0,
            r"$\max |W' - W_0|$",
            gap(regularizers.mixout(pretrained, pretrained, p, generator=generator), pretrained),
            *EXACT,
        ),
        identity_in_eval(regularizers.mixout(weight, pretrained, p, training=False), weight),
    ]
    return Measurement(
        title=f"Mixout at p = {p}",
        claims=claims,
        picture=[_map(p, generator)],
        blocks=[
            Text(
                f"Fine-tuning has moved each weight from {PRETRAINED:g} to {TUNED:g}. In a training "
                f"pass each is put back to {PRETRAINED:g} with probability p = {p}; otherwise its change is "
                f"multiplied by $1/(1-p)$ = {1 / (1 - p):.4g}: $W_0 + dropout(W - W_0)$."
            ),
            _next_to_dropout(p, weight, pretrained, generator),
        ],
    )


def _formula_claim(mixed: Tensor, m: Tensor, p: float) -> Claim:
    scale = 1 / (1 - p)
    by_paper = ((1 - m) * PRETRAINED + m * TUNED - p * PRETRAINED) * scale
    return Claim(
        "The result is that of the paper's formula",
        0,
        "$((1-m) W_0 + m W - p W_0)/(1-p)$, largest difference",
        gap(mixed, by_paper),
        *rounding(TUNED * scale),
    )


def _moments_claims(mixed: Tensor, p: float) -> list[Claim]:
    """How many weights are put back, and mean and variance of them all."""
    noise, size = p / (1 - p), len(mixed)
    variance = noise * CHANGE**2
    if_put_back, if_kept = CHANGE**2, (CHANGE * noise) ** 2
    return [
        Claim(
            "The fraction put back is p",
            p,
            "fraction equal to $W_0$",
            fraction(mixed == PRETRAINED),
            *proportion(p, size),
        ),
        Claim(
            "The mean is the weight itself",
            TUNED,
            "$E[W'] = W$",
            mixed.mean().item(),
            *mean_of_bounded(variance, CHANGE * max(1, noise), size),
        ),
        Claim(
            "The noise grows with the distance from $W_0$",
            variance,
            "$p/(1-p) |W - W_0|^2$",
            mean_square(mixed - TUNED),
            *mean_of_bounded(p * (1 - p) * (if_put_back - if_kept) ** 2, max(if_put_back, if_kept), size),
        ),
    ]


def _map(p: float, generator: Generator) -> HeatMap:
    kept = PRETRAINED + CHANGE * (1 / (1 - p))
    pretrained = torch.full((8, 24), PRETRAINED, dtype=torch.float64)
    values = regularizers.mixout(pretrained + CHANGE, pretrained, p, generator=generator).tolist()
    return HeatMap(
        title=f"8 x 24 weights of {TUNED:g} in one pass: {PRETRAINED:g} if put back, else {kept:.4g}",
        values=values,
        low=PRETRAINED,
        high=kept,
        row_label="output",
        column_label="input",
    )


def _next_to_dropout(p: float, weight: Tensor, pretrained: Tensor, generator: Generator) -> Table:
    """The noise that Mixout and dropout of the weights put on the same weights."""
    rows: list[list[Cell]] = []
    for rate_ in sorted({*RATES, p}):
        mixed = regularizers.mixout(weight, pretrained, rate_, generator=generator)
        dropped = regularizers.mixout(weight, torch.zeros_like(weight), rate_, generator=generator)
        noise, ours, theirs = rate_ / (1 - rate_), mean_square(mixed - weight), mean_square(dropped - weight)
        rows.append([f"{rate_:g}", ours, noise * CHANGE**2, theirs, noise * TUNED**2])
    return Table(
        title=f"Variance of the noise on a weight moved from {PRETRAINED:g} to {TUNED:g}",
        columns=["p", "Mixout", "$p/(1-p) (W-W_0)^2$", "dropout", "$p/(1-p) W^2$"],
        rows=rows,
        note="Dropout of the weights is Mixout with $W_0 = 0$: it disturbs all of the weight, Mixout the change alone.",
    )


NAME = "mixout"
WRONG = [
    Wrong("dropout of the weights", NAME, lambda right, w, w0, p, **kw: right(w, 0 * w0, p, **kw)),
    Wrong(
        "no rescale",
        NAME,
        lambda right, w, w0, p, training=True, **kw: w0 + (1 - p) * (right(w, w0, p, **kw) - w0) if training else w,
    ),
    Wrong(
        "p W0 left out of the numerator",
        NAME,
        lambda right, w, w0, p, training=True, **kw: right(w, w0, p, **kw) + p * w0 / (1 - p) if training else w,
    ),
    Wrong("keeps with probability p", NAME, lambda right, w, w0, p, **kw: right(w, w0, 1 - p, **kw)),
    Wrong("mixes in eval", NAME, lambda right, w, w0, p, training=True, **kw: right(w, w0, p, **kw)),
]
