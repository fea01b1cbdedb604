"""Lookahead: k steps forward, one step back.

Lets a base optimizer take k steps, then moves back to a point between where it began and where it is. Checks that line,
shows the copy whose slow weights begin too late, and measures how much of the noise of SGD is left beside its formula.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import mean_of_normal, rounding
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Block, Cell, Claim, Measurement, Table, Text

if TYPE_CHECKING:
    from torch import Generator, Tensor

ACTS_ON = "optimizers"
SAY = (
    "Lookahead keeps a second, slow copy of the weights. Every k steps of the base optimizer the slow copy moves a "
    "share alpha towards the fast weights and the fast ones are reset to it. That averages out noise along the way, "
    "for one more copy of the weights and next to no time."
)
WRONG_ANSWER = (
    "Taking the slow weights for the first time at the first synchronization. Then the first k steps are never pulled "
    "back: slow weights begin at the initial weights. Close second: 'it is an EMA of the weights'. An EMA watches; "
    "Lookahead puts the training back."
)
CARDS = (
    "Q18.164",
    "Q18.165",
    "Q18.166",
    "Q18.167",
)

LR, CURVATURE = 0.1, 2.0
ROUNDING = rounding(1, digits=1e-12)  # float64 throughout
SYNCS = 12
ALPHAS = (0.2, 0.5, 0.8, 1.0)


def lookahead(
    *,
    k: Annotated[int, count("Steps of the base optimizer between two moves back.", 1, 20)] = 5,
    alpha: Annotated[float, Parameter("How far the slow weights go along; 1 is the base optimizer.", 0.05, 1)] = 0.5,
    size: Annotated[int, count("Weights, each with noise of its own.", 10_000, 50_000)] = 20_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure Lookahead around SGD on a quadratic loss with noisy gradients."""

    generator = torch.Generator().manual_seed(seed)
    claims, blocks = _first_sync(k, alpha, generator)
    noise_claims, noise_blocks = _noise(k, alpha, size, generator)
    return Measurement(
        title=f"Lookahead at k = {k}, alpha = {alpha:g}",
        claims=[*claims, *noise_claims],
        blocks=[
            Text(
                f"The base optimizer moves the fast weights. Every k = {k} steps the slow weights go alpha = {alpha:g} "
                "of the way to them, and the fast weights start again from there."
            ),
            *blocks,
            *noise_blocks,
        ],
    )


def _run(optimizer_of: str, start: Tensor, noise: Tensor, k: int, alpha: float) -> Tensor:
    """Where `noise` steps on CURVATURE w^2 / 2 lead from start."""

    w = torch.nn.Parameter(start.clone())
    base = torch.optim.SGD([w], lr=LR)
    optimizer = regularizers.Lookahead(base, k=k, alpha=alpha) if optimizer_of == "Lookahead" else base
    for row in noise:
        w.grad = CURVATURE * w.detach() + row
        optimizer.step()
    return w.detach()


def _first_sync(k: int, alpha: float, generator: Generator) -> tuple[list[Claim], list[Block]]:
    """The first k steps, without noise: from the initial weights, and by a copy that caches too late."""

    start = 1 + torch.rand(8, generator=generator, dtype=torch.float64)
    still = torch.zeros(2 * k, 8, dtype=torch.float64)
    fast = _run("SGD", start, still[:k], k, alpha)
    ours = _run("Lookahead", start, still[:k], k, alpha)
    one_short = _run("Lookahead", start, still[: k - 1], k, alpha)
    keep = (1 - LR * CURVATURE) ** k
    claims = [
        Claim(
            "After k steps the weights are between start and fast",
            0,
            "w - (start + alpha (fast - start))",
            (ours - (start + alpha * (fast - start))).abs().max().item(),
            *ROUNDING,
        ),
        Claim(
            "One step before, they are where the base optimizer is",
            0,
            "largest difference",
            (one_short - _run("SGD", start, still[: k - 1], k, alpha)).abs().max().item(),
            *ROUNDING,
        ),
        Claim(
            "What is left after two moves back",
            (1 - alpha + alpha * keep) ** 2 * start.mean().item(),
            "(1 - alpha + alpha r)^2 mean(w), r = (1 - lr h)^k",
            _run("Lookahead", start, still, k, alpha).mean().item(),
            *rounding(2, digits=1e-12),
        ),
    ]
    block = Table(
        title=f"The mean of 8 weights on a quadratic, at the first synchronization after {k} steps",
        columns=["slow weights begin", "before", "after"],
        rows=[
            ["at the initial weights", start.mean().item(), ours.mean().item()],
            ["at the first synchronization (a known bug)", start.mean().item(), fast.mean().item()],
        ],
        note="Begun too late, the first synchronization changes nothing: it is the base optimizer until the second.",
    )
    return claims, [block]


def _variance(k: int, alpha: float) -> float:
    """The variance of the weights after SYNCS moves back, from a start at the minimum, noise of variance 1.

    A round takes slow to rho slow + alpha n with r = (1 - lr h)^k, rho = 1 - alpha + alpha r, where n is the noise
    that k steps of SGD gather, of variance lr^2 (1 - r^2) / (1 - (1 - lr h)^2).
    """
    shrink = 1 - LR * CURVATURE
    r = shrink**k
    gathered = LR**2 * (1 - r**2) / (1 - shrink**2)
    rho = 1 - alpha + alpha * r
    return alpha**2 * gathered * (1 - rho ** (2 * SYNCS)) / (1 - rho**2)


def _noise(k: int, alpha: float, size: int, generator: Generator) -> tuple[list[Claim], list[Block]]:
    """How far noisy gradients carry the weights from the minimum, with Lookahead and without."""

    start = torch.zeros(size, dtype=torch.float64)
    noise = torch.randn(SYNCS * k, size, generator=generator)
    by_alpha = {a: _run("Lookahead", start, noise, k, a).square().mean().item() for a in sorted({alpha, *ALPHAS})}
    by_sgd = _run("SGD", start, noise, k, alpha).square().mean().item()

    def claim(statement: str, expected: float, formula: str, measured: float) -> Claim:
        # A squared Gaussian of variance v has the standard deviation v sqrt(2).
        return Claim(statement, expected, formula, measured, *mean_of_normal(2**0.5 * expected, size))

    claims = [
        claim(
            "The variance that SGD gathers",
            _variance(k, 1.0),
            "lr^2 (1 - (1 - lr h)^(2n)) / (1 - (1 - lr h)^2)",
            by_sgd,
        ),
        claim(
            "The variance that Lookahead gathers",
            _variance(k, alpha),
            "alpha^2 v (1 - rho^(2n)) / (1 - rho^2)",
            by_alpha[alpha],
        ),
    ]
    rows: list[list[Cell]] = [[f"{a:g}", by_alpha[a], _variance(k, a), by_alpha[a] / by_sgd] for a in by_alpha]
    block = Table(
        title=f"Variance of the weights around the minimum after {SYNCS * k} noisy steps, k = {k}",
        columns=["alpha", "measured", "formula", "share of SGD's"],
        rows=rows,
        note="Less noise, and slower as well: towards the minimum it goes at alpha of the pace.",
    )
    return claims, [block]
