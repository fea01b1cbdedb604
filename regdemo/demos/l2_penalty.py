"""L2 penalty: ridge, the pull that fades with the weight.

Fits a linear model with the penalty in the loss and compares it with ridge regression's closed form, direction by
direction. Then checks the factor of 2 between the penalty and torch's weight_decay: exact under SGD, with or without
momentum, and under Adam, but not under AdamW.
"""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING, Annotated, Any

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, rounding
from regdemo.measure import Wrong
from regdemo.parameters import SEED, Parameter
from regdemo.report import Block, Cell, Claim, Curves, Measurement, Series, Table, Text

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
CARDS = (
    "Q18.424",
    "Q18.425",
    "Q18.426",
    "Q18.427",
    "Q18.436",
)

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

    generator = torch.Generator().manual_seed(seed)
    claims, blocks = _ridge(strength, generator)
    decay_claims, decay_blocks = _weight_decay(strength, generator)
    return Measurement(
        title=f"L2 penalty at strength {strength:g}",
        claims=[*claims, *decay_claims],
        picture=blocks[:1],
        blocks=[
            Text(
                f"The loss gains {strength:g} times $|w|^2$. The penalty pulls in proportion to the weight, so it "
                "multiplies the fit along every direction by a factor below 1: the less the inputs vary along a "
                "direction, the smaller the factor, though it stays above 0."
            ),
            *blocks[1:],
            *decay_blocks,
        ],
    )


def _ridge(strength: float, generator: Generator) -> tuple[list[Claim], list[Block]]:
    """The minimum of the penalized loss against the closed form, and its factor along each direction."""

    # Orthogonal directions of the inputs, with the standard deviations SPREADS in the sample itself.
    normal = torch.randn(EXAMPLES, WEIGHTS, generator=generator, dtype=torch.float64)
    left, _ = torch.linalg.qr(normal - normal.mean(0))
    directions, _ = torch.linalg.qr(torch.randn(WEIGHTS, WEIGHTS, generator=generator, dtype=torch.float64))
    spreads = torch.tensor(SPREADS, dtype=torch.float64)
    x = EXAMPLES**0.5 * left * spreads @ directions.T
    y = x @ torch.randn(WEIGHTS, generator=generator, dtype=torch.float64)
    y = y + NOISE * torch.randn(EXAMPLES, generator=generator, dtype=torch.float64)

    def gradient(w: Tensor) -> Tensor:
        """That of half the mean squared error and the penalty, by autograd."""
        leaf = w.clone().requires_grad_()
        loss = (x @ leaf - y).square().mean() / 2 + regularizers.l2_penalty([leaf], strength)
        return torch.autograd.grad(loss, leaf)[0]

    # The loss is quadratic: its gradient at 0 and its constant curvature give the minimum in one Newton step.
    zero = torch.zeros(WEIGHTS, dtype=torch.float64)
    curvature = torch.stack([gradient(unit) - gradient(zero) for unit in torch.eye(WEIGHTS, dtype=torch.float64)])
    fitted = -torch.linalg.solve(curvature, gradient(zero))
    identity = torch.eye(WEIGHTS, dtype=torch.float64)
    closed = torch.linalg.solve(x.T @ x + 2 * strength * EXAMPLES * identity, x.T @ y)
    plain = directions @ (left.T @ y / EXAMPLES**0.5 / spreads)  # least squares, by the factors of x
    ratios = (directions.T @ fitted) / (directions.T @ plain)
    factors = spreads.square() / (spreads.square() + 2 * strength)
    size = plain.abs().max().item()
    claims = [
        Claim(
            "The penalized minimum is ridge regression's",
            0,
            r"$w - (X^\top X + 2 \lambda n I)^{-1} X^\top y$",
            (fitted - closed).abs().max().item(),
            *rounding(1 + size, digits=1e-9),
        ),
        Claim(
            "Each direction is shrunk by its own factor",
            0,
            r"ratio to least squares - $s^2/(s^2 + 2\lambda)$",
            (ratios - factors).abs().max().item(),
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
    rows: list[list[Cell]] = [
        [f"{spread:g}", ratio, factor]
        for spread, ratio, factor in zip(SPREADS, ratios.tolist(), factors.tolist(), strict=True)
    ]
    at = [2 ** (i / 4) for i in range(-16, 13)]
    curves = Curves(
        title="What the penalty leaves of the least-squares fit along each direction of the inputs",
        x_label="log2 of the inputs' standard deviation s along the direction",
        y_label="fraction of the fit that is left",
        series=[
            Series("measured", [log2(spread) for spread in SPREADS], ratios.tolist(), style="points"),
            Series(r"$s^2/(s^2 + 2\lambda)$", [log2(s) for s in at], [s * s / (s * s + 2 * strength) for s in at]),
        ],
        note="The less the inputs vary along a direction, the less is left.",
    )
    block = Table(
        title="What the penalty leaves of the least-squares fit along each direction of the inputs",
        columns=["std s", "fraction left", r"$s^2/(s^2 + 2\lambda)$"],
        rows=rows,
        note="Standardize inputs first: the same penalty means another thing for meters than for millimeters.",
    )
    return claims, [curves, block]


def _weight_decay(strength: float, generator: Generator) -> tuple[list[Claim], list[Block]]:
    """The penalty in the loss against the optimizer's own weight_decay, on the same gradients."""

    start = torch.randn(WEIGHTS, generator=generator, dtype=torch.float64)
    gradients = torch.randn(STEPS, WEIGHTS, generator=generator, dtype=torch.float64)

    def run(make: Callable[..., Optimizer], in_the_loss: float = 0.0, **options: Any) -> Tensor:
        w = torch.nn.Parameter(start.clone())
        optimizer = make([w], lr=LR, **options)
        for g in gradients:
            loss = (g * w).sum() + regularizers.l2_penalty([w], in_the_loss)
            (w.grad,) = torch.autograd.grad(loss, w)
            optimizer.step()
        return w.detach()

    sgd, adam, adamw = torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW

    def difference(make: Callable[..., Optimizer], decay: float, **options: Any) -> float:
        """How far the penalty in the loss ends from `make` with weight_decay."""
        plain = run(make, strength, **{**options, "weight_decay": 0.0})  # AdamW decays unless it is told not to
        return (plain - run(make, weight_decay=decay, **options)).abs().max().item()

    found = {
        "SGD, weight_decay = 2 strength": difference(sgd, 2 * strength),
        "SGD with momentum, weight_decay = 2 strength": difference(sgd, 2 * strength, momentum=0.9),
        "SGD, weight_decay = strength": difference(sgd, strength),
        "Adam, weight_decay = 2 strength": difference(adam, 2 * strength),
        "AdamW, weight_decay = 2 strength": difference(adamw, 2 * strength),
    }
    exact = [
        "SGD, weight_decay = 2 strength",
        "SGD with momentum, weight_decay = 2 strength",
        "Adam, weight_decay = 2 strength",
    ]
    claims = [
        *(
            Claim(
                f"The penalty in the loss gives the same weights as {name}",
                0,
                "max |difference|",
                found[name],
                *rounding(1, digits=1e-9),
            )
            for name in exact
        ),
        Claim(
            "SGD with weight_decay = strength gives other weights, and so does AdamW with 2 strength",
            2,
            "differences above 1e-6",
            sum(value > 1e-6 for name, value in found.items() if name not in exact),
            *EXACT,
        ),
    ]
    block = Table(
        title=f"Weights after {STEPS} steps at lr = {LR:g}: strength $|w|^2$ in the loss against weight_decay",
        columns=["optimizer", "largest difference"],
        rows=[[name, value] for name, value in found.items()],
        note="Adam's weight_decay is the L2 penalty too; AdamW's decay bypasses the gradients.",
    )
    return claims, [block]


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
