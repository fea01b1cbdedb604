"""Gaussian dropout: noise of dropout's mean and variance.

Multiplies each activation by a draw from N(1, p/(1-p)) instead of by 0 or 1/(1-p). Puts both kinds of noise side by
side, and counts what the first two moments don't tell: dropout makes zeros, Gaussian noise flips signs.
"""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist
from typing import Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, mean_of_normal, mean_of_squares, proportion, rounding
from regdemo.measure import Wrong, fraction, gap, identity_in_eval, mean_square, seeded
from regdemo.parameters import SEED, count, rate
from regdemo.report import Block, Cell, Claim, HeatMap, Measurement, Table, Text

ACTS_ON = "activations"
SAY = (
    "Gaussian dropout multiplies each activation by a draw from $N(1, p/(1-p))$: the mean and the variance of "
    "dropout's noise, without its zeros. In eval it is the identity; in the dropout paper it regularizes about as "
    "well as dropout."
)
WRONG_ANSWER = (
    "'It adds Gaussian noise.' It multiplies, so the noise grows with the activation and an activation of 0 stays "
    "0; added noise has one size everywhere. Nor is the noise's variance $p$: it is $p/(1-p)$, so that $p = 0.5$ "
    "means a standard deviation as large as the signal."
)
CARDS = ("Q18.70", "Q18.71", "Q18.72")

RATES = (0.1, 0.2, 0.5, 0.8)


def gaussian_dropout(
    *,
    p: Annotated[float, rate("Drop probability of the dropout whose noise is matched.")] = 0.2,
    size: Annotated[int, count("Activations multiplied in each measurement.", 1_000, 1_000_000)] = 30_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure the noise of Gaussian dropout and of dropout at rate p on `size` activations of value 1."""
    generator = seeded(seed)
    grid = torch.ones(8, 16, dtype=torch.float64)
    zeros_grid = regularizers.dropout(grid, p, generator=generator)
    noise_grid = regularizers.gaussian_dropout(grid, p, generator=generator)
    x = torch.ones(size, dtype=torch.float64)
    dropped = regularizers.dropout(x, p, generator=generator)
    noisy = regularizers.gaussian_dropout(x, p, generator=generator)
    at_zero = regularizers.gaussian_dropout(0 * x, p, generator=generator)
    variance = p / (1 - p)
    return Measurement(
        title=f"Gaussian dropout at p = {p}",
        claims=[
            *_noise_claims(p, noisy),
            identity_in_eval(regularizers.gaussian_dropout(x, p, training=False), x),
            Claim("An activation of 0 stays 0", 0, r"$\max |y|$ at x = 0", gap(at_zero), *EXACT),
        ],
        picture=_pictures(p, zeros_grid, noise_grid),
        blocks=[
            Text(
                f"Dropout multiplies by noise too: 0 with probability p = {p}, else {1 / (1 - p):.4g}. That noise "
                f"has mean 1 and variance $p/(1-p)$ = {variance:.4g}. Gaussian dropout keeps these two numbers and "
                "changes the rest."
            ),
            Table(
                title="Two moments agree, zeros and signs need not",
                columns=["noise", "mean", "variance", "exactly zero", "sign flipped"],
                rows=[
                    ["dropout, by formula", 1.0, variance, p, 0.0],
                    ["dropout, measured", *_moments(dropped)],
                    ["Gaussian, by formula", 1.0, variance, 0.0, _flips(p)],
                    ["Gaussian, measured", *_moments(noisy)],
                ],
                note=f"Draws: {size:,}.",
            ),
            _rates_table(p, x, generator),
        ],
    )


def _noise_claims(p: float, noise: torch.Tensor) -> list[Claim]:
    mean, spread, zeros, flipped = _moments(noise)
    size, variance = len(noise), p / (1 - p)
    # The noise is drawn in float32: what it may lose is added to each bound.
    rounded, _ = rounding(1 + variance)
    mean_slip, normal = mean_of_normal(sqrt(variance), size)
    variance_slip, chi_square = mean_of_squares([variance], size)
    return [
        Claim("The mean of the noise is 1", 1, "E[n] = 1", mean, mean_slip + rounded, normal),
        Claim("The noise's variance is $p/(1-p)$", variance, "$p/(1-p)$", spread, variance_slip + rounded, chi_square),
        # In float32 about one draw in 10^8 does round to 0; 10^-7 is a bound on that at every p.
        Claim("Gaussian dropout makes no zeros", 0, "P(n = 0) = 0", zeros, *proportion(1e-7, size)),
        Claim(
            "The fraction of activations whose sign Gaussian dropout flips",
            _flips(p),
            r"$\Phi(-\sqrt{(1-p)/p})$",
            flipped,
            *proportion(_flips(p), size),
        ),
    ]


def _moments(noise: torch.Tensor) -> tuple[float, float, float, float]:
    """Mean, variance around 1, fraction of zeros, fraction below zero."""
    return noise.mean().item(), mean_square(noise - 1), fraction(noise == 0), fraction(noise < 0)


def _flips(p: float) -> float:
    """P(N(1, p/(1-p)) < 0)."""
    return NormalDist().cdf(-sqrt((1 - p) / p)) if p else 0.0


def _pictures(p: float, zeros_grid: torch.Tensor, noise_grid: torch.Tensor) -> list[Block]:
    """Both kinds of noise in the same colours."""
    both = torch.stack([zeros_grid, noise_grid])
    low, high = min(0.0, both.min().item()), both.max().item()
    zeros = f"8 x 16 ones after dropout: 0 or {1 / (1 - p):.4g}"
    noise = f"8 x 16 ones after Gaussian dropout: draws from N(1, {p / (1 - p):.4g})"
    return [
        HeatMap(title, grid.tolist(), low, high, row_label="example", column_label="unit")
        for title, grid in ((zeros, zeros_grid), (noise, noise_grid))
    ]


def _rates_table(p: float, x: torch.Tensor, generator: torch.Generator) -> Table:
    """The noise's deviation and how many signs it flips, at the usual rates and at p."""
    rows: list[list[Cell]] = []
    for rate_ in sorted({*RATES, p}):
        y = regularizers.gaussian_dropout(x, rate_, generator=generator)
        deviation = sqrt(rate_ / (1 - rate_))
        rows.append([str(rate_), deviation, (y - 1).square().mean().sqrt().item(), _flips(rate_), fraction(y < 0)])
    return Table(
        title="How strong the noise is at several rates",
        columns=["p", r"$\sqrt{p/(1-p)}$", "std, measured", "signs flipped", "flips, measured"],
        rows=rows,
        note="At p = 0.5 the noise is as large as the signal: about one activation in six changes its sign.",
    )


NAME = "gaussian_dropout"
WRONG = [
    Wrong("variance p", NAME, lambda right, x, p, **kw: right(x, p / (1 + p), **kw)),
    Wrong("added, not multiplied", NAME, lambda right, x, p, **kw: x - 1 + right(torch.ones_like(x), p, **kw)),
    Wrong("dropout", NAME, lambda right, x, p, **kw: regularizers.dropout(x, p, **kw)),
    Wrong("left on in eval", NAME, lambda right, x, p, training=True, **kw: right(x, p, **kw)),
    Wrong("clamped at 0", NAME, lambda right, x, p, **kw: right(x, p, **kw).clamp(min=0)),
    Wrong("one draw for all", NAME, lambda right, x, p, **kw: x * right(torch.ones(1, dtype=x.dtype), p, **kw)),
]
