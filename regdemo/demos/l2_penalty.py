"""L2 penalty: ridge, the pull that fades with the weight.

Fits a linear model with the penalty in the loss and compares it with ridge regression's closed form, direction by
direction. Then checks the factor of 2 between the penalty and torch's weight_decay: exact under SGD, with or without
momentum, and under Adam, but not under AdamW.
"""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING, Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, rounding
from regdemo.measure import Wrong, gap, normal, seeded
from regdemo.parameters import SEED, Parameter
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Generator, Tensor
    from torch.optim import Optimizer

ACTS_ON = "weights"
SAY = (
    r"With half the mean squared error as the loss, an L2 penalty $\lambda |w|^2$ (ridge) multiplies the "
    r"least-squares fit along each principal direction of centered inputs by $s^2/(s^2 + 2\lambda)$, where s is the "
    "inputs' standard deviation along it: what the data hardly determine is shrunk most. The penalty corresponds to a "
    r"Gaussian prior on the weights. It is weight_decay = $2\lambda$ in SGD and Adam, not in AdamW."
)
WRONG_ANSWER = (
    "'It shrinks large weights and leaves small ones.' It shrinks along the principal directions of the inputs, most "
    r"where the inputs vary least. And 'weight_decay = $\lambda$': the gradient of $\lambda w^2$ is $2 \lambda w$. Nor "
    "does the penalty select, as L1 does: in general, no weight becomes exactly 0."
)
CARDS = ("Q18.424", "Q18.425", "Q18.426", "Q18.427", "Q18.436")

EXAMPLES, WEIGHTS = 60, 6
NOISE = 0.5
SPREADS = (4.0, 2.0, 1.0, 0.5, 0.25, 0.125)  # the inputs' standard deviation along each direction
STEPS, LR = 40, 0.01


def l2_penalty(
    *,
    strength: Annotated[float, Parameter("The penalty's coefficient, for a mean loss.", 0.001, 1)] = 0.1,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Fit a linear model whose inputs spread differently along its directions, under an L2 penalty."""
    generator = seeded(seed)
    ridge, decay = _ridge(strength, generator), _weight_decay(strength, generator)
    return Measurement(
        title=f"L2 penalty at strength {strength:g}",
        claims=[*ridge.claims, *decay.claims],
        picture=ridge.picture,
        blocks=[
            Text(
                f"The loss gains {strength:g} times $|w|^2$. The penalty pulls in proportion to the weight, so it "
                "multiplies the fit along every direction by a factor below 1: the less the inputs vary along a "
                "direction, the smaller the factor, though it stays above 0."
            ),
            *ridge.blocks,
            *decay.blocks,
        ],
    )


def _ridge(strength: float, generator: Generator) -> Measurement:
    """The minimum of the penalized loss against the closed form, and its factor along each direction."""
    # Orthogonal directions of the inputs, with the standard deviations SPREADS in the sample itself.
    drawn = normal(generator, EXAMPLES, WEIGHTS)
    left, _ = torch.linalg.qr(drawn - drawn.mean(0))
    directions, _ = torch.linalg.qr(normal(generator, WEIGHTS, WEIGHTS))
    spreads = torch.tensor(SPREADS, dtype=torch.float64)
    x = EXAMPLES**0.5 * left * spreads @ directions.T
    y = x @ normal(generator, WEIGHTS)
    y = y + NOISE * normal(generator, EXAMPLES)
    fitted = _minimum(x, y, strength)
    identity = torch.eye(WEIGHTS, dtype=torch.float64)
    closed = torch.linalg.solve(x.T @ x + 2 * strength * EXAMPLES * identity, x.T @ y)
    plain = directions @ (left.T @ y / EXAMPLES**0.5 / spreads)  # least squares, by the factors of x
    ratios = (directions.T @ fitted) / (directions.T @ plain)
    factors = spreads.square() / (spreads.square() + 2 * strength)
    table = Table(
        title="What the penalty leaves of the least-squares fit along each direction of the inputs",
        columns=["std s", "fraction left", r"$s^2/(s^2 + 2\lambda)$"],
        rows=[[f"{s:g}", *shrunk] for s, *shrunk in zip(SPREADS, ratios.tolist(), factors.tolist(), strict=True)],
        note="Standardize inputs first: the same penalty means another thing for meters than for millimeters.",
    )
    claims = _ridge_claims(fitted, closed, plain, ratios, factors)
    return Measurement("", claims, [table], [_picture(ratios.tolist(), strength)])


def _minimum(x: Tensor, y: Tensor, strength: float) -> Tensor:
    """Where half the mean squared error and the penalty are least: one Newton step from 0, the loss being quadratic."""
    at_zero = _gradient(x, y, torch.zeros(WEIGHTS, dtype=torch.float64), strength)
    units = torch.eye(WEIGHTS, dtype=torch.float64)
    curvature = torch.stack([_gradient(x, y, unit, strength) - at_zero for unit in units])
    return -torch.linalg.solve(curvature, at_zero)


def _gradient(x: Tensor, y: Tensor, w: Tensor, strength: float) -> Tensor:
    """That of the loss with the penalty, by autograd."""
    leaf = w.clone().requires_grad_()
    loss = (x @ leaf - y).square().mean() / 2 + regularizers.l2_penalty([leaf], strength)
    return torch.autograd.grad(loss, leaf)[0]


def _ridge_claims(fitted: Tensor, closed: Tensor, plain: Tensor, ratios: Tensor, factors: Tensor) -> list[Claim]:
    """plain: least squares; ratios and factors: the fit over it along each direction, measured and by the formula."""
    return [
        Claim(
            "The penalized minimum is ridge regression's",
            0,
            r"$w - (X^\top X + 2 \lambda n I)^{-1} X^\top y$",
            gap(fitted, closed),
            *rounding(1 + gap(plain), digits=1e-9),
        ),
        Claim(
            "Each direction is shrunk by its own factor",
            0,
            r"ratio to least squares - $s^2/(s^2 + 2\lambda)$",
            gap(ratios, factors),
            *rounding(1, digits=1e-6),
        ),
        Claim(
            "The penalized weight vector is shorter than that of least squares",
            1,
            "$|w|$ < that of least squares",
            float(fitted.norm() < plain.norm()),
            *EXACT,
        ),
    ]


def _picture(ratios: list[float], strength: float) -> Curves:
    at = [2 ** (i / 4) for i in range(-16, 13)]
    return Curves(
        title="What the penalty leaves of the least-squares fit along each direction of the inputs",
        x_label="log2 of the inputs' standard deviation s along the direction",
        y_label="fraction of the fit that is left",
        series=[
            Series("measured", [log2(spread) for spread in SPREADS], ratios, style="points"),
            Series(r"$s^2/(s^2 + 2\lambda)$", [log2(s) for s in at], [s * s / (s * s + 2 * strength) for s in at]),
        ],
        note="The less the inputs vary along a direction, the less is left.",
    )


def _weight_decay(strength: float, generator: Generator) -> Measurement:
    """The penalty in the loss against the optimizer's own weight_decay, on the same gradients."""
    start, gradients = normal(generator, WEIGHTS), normal(generator, STEPS, WEIGHTS)
    found = {}
    for name, make, decay, options in (
        ("SGD, weight_decay = 2 strength", torch.optim.SGD, 2 * strength, {}),
        ("SGD with momentum, weight_decay = 2 strength", torch.optim.SGD, 2 * strength, {"momentum": 0.9}),
        ("SGD, weight_decay = strength", torch.optim.SGD, strength, {}),
        ("Adam, weight_decay = 2 strength", torch.optim.Adam, 2 * strength, {}),
        ("AdamW, weight_decay = 2 strength", torch.optim.AdamW, 2 * strength, {}),
    ):
        # AdamW decays unless it is told not to.
        in_the_loss = _run(make, start, gradients, strength, weight_decay=0.0, **options)
        found[name] = gap(in_the_loss, _run(make, start, gradients, 0.0, weight_decay=decay, **options))
    others = {"SGD, weight_decay = strength", "AdamW, weight_decay = 2 strength"}
    claims = [
        *(
            Claim(
                f"The penalty in the loss gives the same weights as {name}",
                0,
                "max |difference|",
                difference,
                *rounding(1, digits=1e-9),
            )
            for name, difference in found.items()
            if name not in others
        ),
        Claim(
            "SGD with weight_decay = strength gives other weights, and so does AdamW with 2 strength",
            2,
            "differences above 1e-6",
            sum(found[name] > 1e-6 for name in others),
            *EXACT,
        ),
    ]
    table = Table(
        title=f"Weights after {STEPS} steps at lr = {LR:g}: strength $|w|^2$ in the loss against weight_decay",
        columns=["optimizer", "largest difference"],
        rows=[[name, difference] for name, difference in found.items()],
        note="Adam's weight_decay is the L2 penalty too; AdamW's decay bypasses the gradients.",
    )
    return Measurement("", claims, [table])


def _run(make: Callable[..., Optimizer], start: Tensor, gradients: Tensor, strength: float, **options: float) -> Tensor:
    """The weights that the optimizer reaches with the penalty in the loss."""
    w = torch.nn.Parameter(start.clone())
    optimizer = make([w], lr=LR, **options)
    for gradient in gradients:
        loss = (gradient * w).sum() + regularizers.l2_penalty([w], strength)
        (w.grad,) = torch.autograd.grad(loss, w)
        optimizer.step()
    return w.detach()


NAME = "l2_penalty"
WRONG = [
    Wrong("half of it", NAME, lambda right, weights, by: right(weights, by / 2)),
    Wrong(
        "the norm, not its square",
        NAME,
        lambda right, weights, by: by * sum((w.square().sum() + 1e-12).sqrt() for w in weights),
    ),
    Wrong("a mean, not a sum", NAME, lambda right, weights, by: right(weights, by / weights[0].numel())),
    Wrong("L1", NAME, lambda right, weights, by: regularizers.l1_penalty(weights, by)),
    Wrong("no gradient", NAME, lambda right, weights, by: right(weights, by).detach()),
]
