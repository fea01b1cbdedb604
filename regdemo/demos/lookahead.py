"""Lookahead: k steps forward, one step back.

Lets a base optimizer take k steps, then moves back to a point between where it was and where it is. Checks where that
point is, and compares what is left of SGD's noise with its formula.
"""

from __future__ import annotations

from typing import Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import mean_of_normal, rounding
from regdemo.measure import Wrong, gap, mean_square, normal, seeded
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

ACTS_ON = "optimizers"
SAY = (
    "Lookahead keeps a second, slow copy of the weights. Every $k$ steps of the base optimizer the slow copy "
    r"moves a fraction $\alpha$ of the way to the fast weights, and the fast weights are reset to it. With $\alpha < "
    "1$ that reduces the noise in the weights; it costs one more copy of them and hardly any time."
)
WRONG_ANSWER = (
    "Storing the slow weights for the first time at the first synchronization. They must begin at the initial weights; "
    "stored later, they do not pull back the first k steps. Close second: 'it is an EMA of the weights'. An EMA, as "
    "usually used, does not change training; Lookahead resets the weights that are trained."
)
CARDS = ("Q18.164", "Q18.165", "Q18.166", "Q18.167")

LR, CURVATURE = 0.1, 2.0
CLOSE = rounding(2, digits=1e-12)  # float64 throughout
SYNCS = 12
ALPHAS = (0.2, 0.5, 0.8, 1.0)


def lookahead(
    *,
    k: Annotated[int, count("Steps of the base optimizer between two moves back.", 1, 20)] = 5,
    alpha: Annotated[
        float, Parameter("Fraction of the way that the slow weights move (1: the base optimizer alone).", 0.05, 1)
    ] = 0.5,
    size: Annotated[int, count("Number of independently noisy weights.", 10_000, 50_000)] = 20_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure Lookahead around SGD on a quadratic loss, with gradients that are exact and that are noisy."""
    generator = seeded(seed)
    start = 1 + torch.rand(8, generator=generator, dtype=torch.float64)
    noise = torch.randn(SYNCS * k, size, generator=generator)
    zeros = torch.zeros(size, dtype=torch.float64)  # the minimum
    by_alpha = {a: mean_square(_run(regularizers.Lookahead, zeros, noise, k, a)[-1]) for a in sorted({alpha, *ALPHAS})}
    expected = _variance(k, alpha)
    return Measurement(
        title=f"Lookahead at k = {k}, alpha = {alpha:g}",
        claims=[
            *_path_claims(start, k, alpha),
            Claim(
                "The variance of the weights after noisy steps",
                expected,
                r"with $n$ moves back, $\rho = 1 - \alpha + \alpha r$ and $v$ SGD's variance after $k$ steps: "
                r"$\alpha^2 v (1 - \rho^{2n}) / (1 - \rho^2)$",
                by_alpha[alpha],
                # A squared Gaussian of variance v has the standard deviation v sqrt(2).
                *mean_of_normal(2**0.5 * expected, size),
            ),
        ],
        picture=[_picture(k, alpha, generator)],
        blocks=[
            Text(
                f"The base optimizer moves the fast weights. After every k of its steps, k = {k} here, the slow "
                f"weights go alpha = {alpha:g} of the way to them, and the fast weights start again from there."
            ),
            Table(
                title=f"Variance of the weights around the minimum after {SYNCS * k} noisy steps, k = {k}",
                columns=["alpha", "measured", "formula", "ratio to SGD's"],
                rows=[[f"{a:g}", v, _variance(k, a), v / by_alpha[1.0]] for a, v in by_alpha.items()],
                note=r"$\alpha = 1$ is SGD itself. Less noise costs speed: a move back undoes a fraction $1 - "
                r"\alpha$ of the progress of $k$ steps.",
            ),
        ],
    )


def _path_claims(start: torch.Tensor, k: int, alpha: float) -> list[Claim]:
    """The weights until the second move back, with exact gradients."""
    still = torch.zeros(2 * k, len(start), dtype=torch.float64)
    fast, ours = (_run(make, start, still, k, alpha) for make in (None, regularizers.Lookahead))
    return [
        Claim(
            "After k steps the weights are a fraction alpha of the way from the start to the fast weights",
            0,
            r"$w - (w_0 + \alpha (w_k - w_0))$",
            gap(ours[k], start + alpha * (fast[k] - start)),
            *CLOSE,
        ),
        Claim(
            "Just before the first move back, the weights are those of the base optimizer alone",
            0,
            "largest difference",
            gap(ours[k - 1], fast[k - 1]),
            *CLOSE,
        ),
        Claim(
            "What is left of the initial weights after two moves back",
            (1 - alpha + alpha * (1 - LR * CURVATURE) ** k) ** 2 * start.mean().item(),
            r"with $r = (1 - lr\,h)^k$ at curvature $h$: $(1 - \alpha + \alpha r)^2 \bar w_0$",
            ours[2 * k].mean().item(),
            *CLOSE,
        ),
    ]


def _run(make, start: torch.Tensor, noise: torch.Tensor, k: int, alpha: float) -> torch.Tensor:
    """The weights after each of the noise's steps on CURVATURE w^2 / 2; for many weights, at the end only."""
    w = torch.nn.Parameter(start.clone())
    base = torch.optim.SGD([w], lr=LR)
    optimizer = make(base, k=k, alpha=alpha) if make else base
    path = [start]
    for row in noise:
        w.grad = CURVATURE * w.detach() + row
        optimizer.step()
        if len(start) < 100:
            path.append(w.detach().clone())
    return torch.stack([*path, w.detach()] if len(start) >= 100 else path)


def _variance(k: int, alpha: float) -> float:
    """The variance of the weights after SYNCS moves back, from a start at the minimum, noise of variance 1.

    A round takes slow to rho slow + alpha n with r = (1 - lr h)^k, rho = 1 - alpha + alpha r, where n is the noise
    that k steps of SGD gather, of variance v = lr^2 (1 - r^2) / (1 - (1 - lr h)^2).
    """
    shrink = 1 - LR * CURVATURE
    r = shrink**k
    gathered = LR**2 * (1 - r**2) / (1 - shrink**2)
    rho = 1 - alpha + alpha * r
    return alpha**2 * gathered * (1 - rho ** (2 * SYNCS)) / (1 - rho**2)


def _picture(k: int, alpha: float, generator: torch.Generator) -> Curves:
    start, noise = torch.full((1,), 2.0, dtype=torch.float64), 0.8 * normal(generator, 6 * k, 1)
    at = [float(step) for step in range(len(noise) + 1)]
    return Curves(
        title=f"A weight on a quadratic with noisy gradients: SGD, and Lookahead with k = {k}",
        x_label="step",
        y_label="weight",
        series=[
            Series(name, at, _run(make, start, noise, k, alpha)[:, 0].tolist())
            for name, make in (("SGD", None), ("Lookahead", regularizers.Lookahead))
        ],
        note="The minimum is at 0. The two agree "
        + (f"until the first move back, in step {k}." if alpha < 1 else "at alpha = 1."),
    )


class _Late:
    """Lookahead whose slow weights are stored for the first time at the first synchronization."""

    def __init__(self, right, base, k, alpha):
        self.right, self.base, self.k, self.alpha, self.steps, self.inner = right, base, k, alpha, 0, None

    def step(self):
        """The base optimizer's own steps up to the first synchronization."""
        self.steps += 1
        (self.inner or self.base).step()
        if self.steps == self.k:
            self.inner = self.right(self.base, k=self.k, alpha=self.alpha)


WRONG = [
    Wrong("slow weights stored at the first synchronization", "Lookahead", _Late),
    Wrong("moves half as far", "Lookahead", lambda right, base, k, alpha: right(base, k=k, alpha=alpha / 2)),
    Wrong("synchronizes a step late", "Lookahead", lambda right, base, k, alpha: right(base, k=k + 1, alpha=alpha)),
    Wrong("only watches", "Lookahead", lambda right, base, k, alpha: base),
]
