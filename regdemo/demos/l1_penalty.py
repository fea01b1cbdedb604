"""L1 penalty: pull weights to exactly zero.

Fits a sparse linear model with the penalty in the loss, with a proximal step after each gradient step instead, and
under L2. Counts exact zeros, checks the proximal fit against the optimum, which is known for orthonormal inputs, and
draws the weights over the strength next to L2's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, rounding
from regdemo.measure import Wrong, gap, normal, seeded
from regdemo.parameters import SEED, Parameter
from regdemo.report import Block, Claim, Curves, Measurement, Series, Table, Text

if TYPE_CHECKING:
    from torch import Generator, Tensor

ACTS_ON = "weights"
SAY = (
    "L1 pulls each weight toward 0 with a constant force, L2 with one proportional to the weight, so L1 can make "
    "weights exactly zero, which in a linear model selects inputs. With the penalty in the loss, gradient descent "
    "steps over zero and back; the proximal step, soft thresholding by the learning rate times the strength, "
    "lands on zero."
)
WRONG_ANSWER = (
    r"'Add $\lambda \sum |w|$ to the loss, and count the zeros.' As a rule there are none: autograd's sign(w) "
    "moves a weight near 0 to the other side. Close second: pruning small weights by hand and calling that L1."
)
CARDS = ("Q18.180", "Q18.181", "Q18.182", "Q18.183")

WEIGHTS, USED = 50, 5
EXAMPLES, STEPS, LR = 100, 200, 0.3
NOISE = 0.5


def l1_penalty(
    *,
    strength: Annotated[float, Parameter("The penalty's coefficient, for a mean loss.", 0.05, 1)] = 0.2,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Fit a linear model of WEIGHTS weights, USED of them needed, under an L1 penalty."""
    generator = seeded(seed)
    fit, one_step = _fit(strength, generator), _one_step(strength, generator)
    return Measurement(
        title=f"L1 penalty at strength {strength:g}",
        claims=[*fit.claims, *one_step.claims],
        picture=fit.picture,
        blocks=[
            Text(
                f"The loss, half the mean squared error, gains {strength:g} times the sum of |w|. This penalty's pull "
                "is the same for a small weight as for a large one, so a weight on which the data pull less than that "
                "is exactly 0 at the minimum. L2's pull fades with the weight: it makes weights small instead."
            ),
            *fit.blocks,
            *one_step.blocks,
        ],
    )


def _fit(strength: float, generator: Generator) -> Measurement:
    """The same sparse regression by the subgradient, by the proximal step, and under L2."""
    # Orthonormal columns, X'X = n: the optimum is known, each weight by itself.
    x, _ = torch.linalg.qr(normal(generator, EXAMPLES, WEIGHTS))
    x = x * EXAMPLES**0.5
    true = torch.zeros(WEIGHTS, dtype=torch.float64)
    true[:USED] = 2 + torch.rand(USED, generator=generator, dtype=torch.float64)
    y = x @ true + NOISE * normal(generator, EXAMPLES)
    least_squares = x.T @ y / EXAMPLES
    fits = {name: _fitted(x, y, strength, name) for name in ("proximal", "subgradient", "L2")}
    table = Table(
        title=f"{STEPS} steps on {EXAMPLES} examples: {WEIGHTS} weights, {USED} of them needed",
        columns=["fit", "exact zeros", "smallest |w|", "mean of the needed", "mean |w| of the rest"],
        rows=[
            [name, _zeros(w), w.abs().min().item(), w[:USED].mean().item(), w[USED:].abs().mean().item()]
            for name, w in fits.items()
        ],
        note=f"The true needed weights are {true[:USED].mean().item():.4g} on average. The proximal fit is "
        f"{strength:g} short of least squares on each weight that it keeps.",
    )
    claims = _fit_claims(fits["proximal"], fits["subgradient"], least_squares, strength)
    return Measurement("", claims, [table], _pictures(least_squares))


def _fitted(x: Tensor, y: Tensor, strength: float, penalty: str) -> Tensor:
    """The weights after STEPS steps of gradient descent."""
    w = torch.full((WEIGHTS,), 0.1, dtype=torch.float64)
    for _ in range(STEPS):
        leaf = w.clone().requires_grad_()
        loss = (x @ leaf - y).square().mean() / 2
        if penalty == "subgradient":
            loss = loss + regularizers.l1_penalty([leaf], strength)
        if penalty == "L2":
            loss = loss + strength / 2 * leaf.square().sum()
        (gradient,) = torch.autograd.grad(loss, leaf)
        w = w - LR * gradient
        if penalty == "proximal":
            w = regularizers.soft_threshold(w, LR * strength)
    return w


def _zeros(w: Tensor) -> int:
    return int((w == 0).sum())


def _fit_claims(proximal: Tensor, subgradient: Tensor, least_squares: Tensor, strength: float) -> list[Claim]:
    optimum = least_squares.sign() * (least_squares.abs() - strength).clamp(min=0)
    return [
        Claim(
            "On orthonormal inputs the proximal fit is the lasso's optimum",
            0,
            r"$w - \mathrm{sign}(b) \max(|b| - \lambda, 0)$, b least squares",
            gap(proximal, optimum),
            *rounding(1, digits=1e-9),
        ),
        Claim(
            "The proximal fit's exact zeros are the weights within the threshold",
            int((least_squares.abs() <= strength).sum()),
            r"count of $|b| \le \lambda$",
            _zeros(proximal),
            *EXACT,
        ),
        Claim("With the penalty in the loss there are no exact zeros", 0, "exact zeros", _zeros(subgradient), *EXACT),
        Claim(
            "The subgradient fit ends at most two steps of the penalty away from the optimum",
            0,
            "largest difference",
            gap(subgradient, optimum),
            2 * LR * strength,
            r"two steps of the penalty, each $\eta \lambda$",
        ),
    ]


def _pictures(least_squares: Tensor) -> list[Block]:
    """What some weights become under L1 and under L2, over the strength."""
    strengths = [i / 10 for i in range(31)]
    shown = [0, 1, 2, USED, USED + 1]
    paths = {
        "L1": [regularizers.soft_threshold(least_squares, lam)[shown].tolist() for lam in strengths],
        "L2": [(least_squares / (1 + lam))[shown].tolist() for lam in strengths],
    }
    return [
        Curves(
            title=f"{name}: three needed weights and two others, over the strength",
            x_label="strength",
            y_label="weight",
            series=[
                Series("needed" if i < USED else "not needed", strengths, list(path))
                for i, path in zip(shown, zip(*fits, strict=True), strict=True)
            ],
        )
        for name, fits in paths.items()
    ]


def _one_step(strength: float, generator: Generator) -> Measurement:
    """A weight near 0 that no data pull on: the subgradient goes back and forth, the proximal step lands."""
    step = LR * strength
    start = step * (0.1 + 0.8 * torch.rand(1, generator=generator, dtype=torch.float64))
    by_gradient, by_proximal = [start], [start]
    for _ in range(4):
        leaf = by_gradient[-1].clone().requires_grad_()
        (gradient,) = torch.autograd.grad(regularizers.l1_penalty([leaf], strength), leaf)
        by_gradient.append(by_gradient[-1] - LR * gradient)
        by_proximal.append(regularizers.soft_threshold(by_proximal[-1], step))
    claims = [
        Claim("Two subgradient steps near 0 lead back", start.item(), "w", by_gradient[2].item(), *rounding(1)),
        Claim("One proximal step lands on 0", 0, "w", by_proximal[1].item(), *EXACT),
    ]
    table = Table(
        title=rf"A weight near 0 at a data gradient of 0, $\eta \lambda$ = {step:g}",
        columns=["step", "subgradient", "proximal"],
        rows=[[n, a.item(), b.item()] for n, (a, b) in enumerate(zip(by_gradient, by_proximal, strict=True))],
    )
    return Measurement("", claims, [table])


WRONG = [
    Wrong("a hard threshold", "soft_threshold", lambda right, w, by: torch.where(w.abs() > by, w, 0)),
    Wrong("the threshold squared", "soft_threshold", lambda right, w, by: right(w, by * by)),
    Wrong("no threshold", "soft_threshold", lambda right, w, by: w),
    Wrong("shrinks by a factor, as L2 does", "soft_threshold", lambda right, w, by: w / (1 + by)),
    Wrong("the penalty is a mean", "l1_penalty", lambda right, weights, by: right(weights, by / weights[0].numel())),
    Wrong("the penalty is L2", "l1_penalty", lambda right, weights, by: by * sum(w.square().sum() for w in weights)),
]
