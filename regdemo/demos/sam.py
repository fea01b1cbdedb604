"""SAM: step along the gradient found uphill.

Sharpness-aware minimization climbs a distance rho along the gradient, takes a fresh gradient there, and applies it at
the point where it began. On a quadratic, checks that against the penalty it stands for, and beside it the copy that
uses one gradient twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, rounding
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Block, Claim, Measurement, Table, Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Generator, Tensor
    from torch.optim import Optimizer

ACTS_ON = "optimizers"
SAY = (
    "SAM minimizes the worst loss within rho of the weights: it goes rho uphill, takes the gradient there, and "
    "applies it at the starting point. To first order that adds rho |g| to the loss, which is small where the valley "
    "is flat. It takes two passes a step, so twice the time."
)
WRONG_ANSWER = (
    "Perturb the weights and call optimizer.step() with the same gradient. Without the second pass the update is -(lr "
    "- rho/|g|) g: it climbs wherever |g| < rho/lr. Close second: forgetting to return before the step."
)
CARDS = (
    "Q18.160",
    "Q18.161",
    "Q18.162",
    "Q18.163",
)

LR = 0.01
ROUNDING = rounding(1, digits=1e-9)  # float64, and the 1e-12 beside |g|


def sam(
    *,
    rho: Annotated[float, Parameter("How far uphill the second gradient is taken.", 0.001, 1)] = 0.05,
    size: Annotated[int, count("Weights of the quadratic.", 2, 10_000)] = 20,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure one step of SAM on a quadratic loss of `size` weights."""

    generator = torch.Generator().manual_seed(seed)
    claims, blocks = _quadratic(rho, size, generator)
    return Measurement(
        title=f"SAM at rho = {rho:g}",
        claims=claims,
        blocks=[
            Text(
                f"Each step: climb rho = {rho:g} along the gradient, take a new gradient there, return, and let the "
                "base optimizer step with it. Two passes for one step."
            ),
            *blocks,
        ],
    )


def _closure(optimizer: Optimizer, loss: Callable[[], Tensor]) -> Callable[[], Tensor]:
    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    return closure


def _quadratic(rho: float, size: int, generator: Generator) -> tuple[list[Claim], list[Block]]:
    """One step on L = sum h w^2 / 2, by SAM, by the gradient of L + rho |g|, and by the copy with one gradient."""

    curvature = 1 + torch.rand(size, generator=generator, dtype=torch.float64)
    start = 1 + torch.rand(size, generator=generator, dtype=torch.float64)

    def loss(w: Tensor) -> Tensor:
        return (curvature * w.square()).sum() / 2

    w = torch.nn.Parameter(start.clone())
    optimizer = regularizers.SAM(torch.optim.SGD([w], lr=LR), rho)
    visited: list[Tensor] = []

    def recorded() -> Tensor:
        visited.append(w.detach().clone())
        return loss(w)

    optimizer.step(_closure(optimizer, recorded))
    step = w.detach() - start

    g = curvature * start
    leaf = start.clone().requires_grad_()
    (inner,) = torch.autograd.grad(loss(leaf), leaf, create_graph=True)
    (penalized,) = torch.autograd.grad(loss(leaf) + rho * inner.norm(), leaf)

    copy = torch.nn.Parameter(start + rho * g / g.norm())  # never returns, never looks again
    copy.grad = g.clone()
    torch.optim.SGD([copy], lr=LR).step()
    along = ((copy.detach() - start) @ g / g.square().sum()).item()

    small = 1e-3 * start / start.norm()
    for _ in range(100):
        small = small + rho * curvature * small / (curvature * small).norm() - LR * curvature * small
    sharpness = (rho**2 / 2 * (curvature * g.square()).sum() / g.square().sum()).item()
    uphill = (loss(visited[-1]) - loss(start)).item()
    claims = [
        Claim("A step takes two passes", 2, "calls of the closure", len(visited), *EXACT),
        Claim(
            "The second gradient is taken at distance rho", rho, "rho", (visited[-1] - start).norm().item(), *ROUNDING
        ),
        Claim(
            "The loss there is higher by the penalty and a term in rho^2",
            rho * g.norm().item() + sharpness,
            "rho |g| + rho^2/2 g'Hg/|g|^2",
            uphill,
            *rounding(uphill),
        ),
        Claim(
            "The step is the one on L + rho |g|",
            0,
            "step + lr grad(L + rho |g|)",
            (step + LR * penalized).abs().max().item(),
            *ROUNDING,
        ),
        Claim(
            "One gradient used twice moves by",
            -(LR - rho / g.norm().item()),
            "-(lr - rho/|g|), in units of g",
            along,
            *ROUNDING,
        ),
    ]
    block = Table(
        title=f"A step from |w| = {start.norm().item():.4g}, where |g| = {g.norm().item():.4g}, lr = {LR:g}",
        columns=["step", "along g", "its length"],
        rows=[
            ["plain SGD", -LR, LR * g.norm().item()],
            ["SAM", (step @ g / g.square().sum()).item(), step.norm().item()],
            ["one gradient, no return", along, (copy.detach() - start).norm().item()],
        ],
        note=f"Above 0 it climbs. From |w| = 0.001 the last one is at |w| = {small.norm().item():.3g} 100 steps later.",
    )
    text = Text(
        f"The loss here is {loss(start).item():.6g}, and {uphill:.4g} higher uphill, of which rho |g| = "
        f"{rho * g.norm().item():.4g}. It says nothing about how much accuracy SAM gains on a network: the demo checks "
        "the step, not the benefit."
    )
    return claims, [block, text]
