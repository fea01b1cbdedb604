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
from regdemo.measure import Wrong, identity_in_eval
from regdemo.parameters import SEED, count, rate
from regdemo.report import Cell, Claim, HeatMap, Measurement, Table, Text

if TYPE_CHECKING:
    from torch import Generator

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
CARDS = (
    "Q18.184",
    "Q18.185",
    "Q18.186",
    "Q18.187",
)

PRETRAINED, CHANGE = 1.0, 0.25  # the weight that fine-tuning began with, and how far it has moved it
RATES = (0.1, 0.5, 0.7, 0.9)


def mixout(
    *,
    p: Annotated[float, rate("Probability that a weight is put back.")] = 0.7,
    size: Annotated[int, count("Weights in each measurement.", 10_000, 1_000_000)] = 30_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure Mixout at rate p on `size` weights that fine-tuning has moved from PRETRAINED by CHANGE."""

    generator = torch.Generator().manual_seed(seed)
    scale, noise = 1 / (1 - p), p / (1 - p)
    pretrained = torch.full((size,), PRETRAINED, dtype=torch.float64)
    weight = pretrained + CHANGE
    mask = regularizers.keep_mask((size,), p, generator=generator)
    mixed = regularizers.mixout(weight, pretrained, p, mask=mask)
    m = mask.double()
    by_paper = ((1 - m) * pretrained + m * weight - p * pretrained) * scale
    free = regularizers.mixout(weight, pretrained, p, generator=generator)
    unchanged = regularizers.mixout(pretrained, pretrained, p, generator=generator)
    in_eval = regularizers.mixout(weight, pretrained, p, training=False)
    variance = noise * CHANGE**2
    if_put_back, if_kept = CHANGE**2, (CHANGE * noise) ** 2
    claims = [
        Claim(
            "The result is that of the paper's formula",
            0,
            "$((1-m) W_0 + m W - p W_0)/(1-p)$, largest difference",
            (mixed - by_paper).abs().max().item(),
            *rounding((PRETRAINED + CHANGE) * scale),
        ),
        Claim(
            "The fraction put back is p",
            p,
            "fraction equal to $W_0$",
            (free == pretrained).double().mean().item(),
            *proportion(p, size),
        ),
        Claim(
            "The mean is the weight itself",
            PRETRAINED + CHANGE,
            "$E[W'] = W$",
            free.mean().item(),
            *mean_of_bounded(variance, CHANGE * max(1, noise), size),
        ),
        Claim(
            "The noise grows with the distance from $W_0$",
            variance,
            "$p/(1-p) |W - W_0|^2$",
            (free - weight).square().mean().item(),
            *mean_of_bounded(p * (1 - p) * (if_put_back - if_kept) ** 2, max(if_put_back, if_kept), size),
        ),
        Claim(
            "At $W = W_0$ there is no noise",
            0,
            r"$\max |W' - W_0|$",
            (unchanged - pretrained).abs().max().item(),
            *EXACT,
        ),
        identity_in_eval(in_eval, weight),
    ]
    grid_start = torch.full((8, 24), PRETRAINED, dtype=torch.float64)
    grid = regularizers.mixout(grid_start + CHANGE, grid_start, p, generator=generator)
    return Measurement(
        title=f"Mixout at p = {p}",
        claims=claims,
        picture=[
            HeatMap(
                title=f"8 x 24 weights of {PRETRAINED + CHANGE:g} in one pass: {PRETRAINED:g} if put back, else "
                f"{PRETRAINED + CHANGE * scale:.4g}",
                values=grid.tolist(),
                low=PRETRAINED,
                high=PRETRAINED + CHANGE * scale,
                row_label="output",
                column_label="input",
            ),
        ],
        blocks=[
            Text(
                f"Fine-tuning has moved each weight from {PRETRAINED:g} to {PRETRAINED + CHANGE:g}. In a training "
                f"pass each is put back to {PRETRAINED:g} with probability p = {p}; otherwise its change is "
                f"multiplied by $1/(1-p)$ = {scale:.4g}: $W_0 + dropout(W - W_0)$."
            ),
            _next_to_dropout(p, size, generator),
        ],
    )


def _next_to_dropout(p: float, size: int, generator: Generator) -> Table:
    """The noise that Mixout and dropout of the weights put on the same weights."""

    pretrained = torch.full((size,), PRETRAINED, dtype=torch.float64)
    weight = pretrained + CHANGE
    rows: list[list[Cell]] = []
    for rate_ in sorted({*RATES, p}):
        mixed = regularizers.mixout(weight, pretrained, rate_, generator=generator)
        dropped = regularizers.mixout(weight, torch.zeros_like(weight), rate_, generator=generator)
        noise = rate_ / (1 - rate_)
        rows.append(
            [
                f"{rate_:g}",
                (mixed - weight).square().mean().item(),
                noise * CHANGE**2,
                (dropped - weight).square().mean().item(),
                noise * (PRETRAINED + CHANGE) ** 2,
            ]
        )
    return Table(
        title=f"Variance of the noise on a weight moved from {PRETRAINED:g} to {PRETRAINED + CHANGE:g}",
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
