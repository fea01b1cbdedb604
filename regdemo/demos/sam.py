"""SAM: step by the gradient found uphill.

Sharpness-aware minimization climbs a distance rho along the gradient, takes a new gradient there, and applies it at the
point where it started. Follows SAM and SGD in a valley that is sharp at one end, and checks a step on a quadratic loss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, rounding
from regdemo.measure import Wrong, gap, seeded
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

ACTS_ON = "optimizers"
SAY = (
    r"SAM minimizes, to first order, the worst loss within $\rho$ of the weights: it goes $\rho$ uphill, takes the "
    r"gradient there, and applies it at the starting point. That adds about $\rho |g|$ to the loss, and favors "
    "flat valleys. Each step takes two forward and backward passes, so about twice a plain step's time."
)
WRONG_ANSWER = (
    "'Perturb the weights and call optimizer.step() with the same gradient.' Without a second gradient and the "
    r"way back, the update under plain SGD is $-(\eta - \rho/|g|)\,g$: it climbs wherever $|g| < \rho/\eta$. Close "
    "second: the gradient is taken uphill, but the step is made from there, not from the starting point."
)
CARDS = ("Q18.160", "Q18.161", "Q18.162", "Q18.163")

LR = 0.01
CLOSE = rounding(1, digits=1e-9)  # float64, and the 1e-12 next to |g|
STEPS = 150


def sam(
    *,
    rho: Annotated[float, Parameter("How far uphill the second gradient is taken.", 0.001, 1)] = 0.05,
    size: Annotated[int, count("Weights of the quadratic.", 2, 10_000)] = 20,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure SAM in a valley, and one step on a quadratic loss of `size` weights in two tensors."""
    claims, table = _step(rho, size, seeded(seed))
    paths = {name: _descend(rho, name) for name in ("SGD", "SAM")}
    at = [x / 5 for x in range(46)]
    walls = [_sharpness(torch.tensor(a)).rsqrt().item() * 3 for a in at]
    curves = Curves(
        title="A valley, sharp on the left and flat on the right, with the same loss all along its bottom",
        x_label=r"along the valley, in units of $\rho$",
        y_label=r"across, in units of $\rho$",
        series=[
            *(Series(name, along, across) for name, (along, across) in paths.items()),
            Series("equal loss", at, walls),
            Series("equal loss, other side", at, [-y for y in walls]),
        ],
        note=f"{STEPS} steps each. SGD stops soon after it reaches the bottom. SAM goes on to where the valley is "
        "flatter.",
    )
    ends = {name: _sharpness(torch.tensor(along[-1])).item() for name, (along, _) in paths.items()}
    claims.append(
        Claim(
            f"After {STEPS} steps SAM is where the valley is less than half as sharp as at SGD's place",
            0,
            "sharpness at SAM's end over that at SGD's",
            ends["SAM"] / ends["SGD"],
            0.5,
            "half",
        )
    )
    return Measurement(
        title=f"SAM at rho = {rho:g}",
        claims=claims,
        picture=[curves],
        blocks=[
            Text(
                f"The quadratic loss below has {size} weights in two tensors. On a quadratic, the gradient uphill is "
                r"exactly that of $L + \rho |g|$; on other losses, to first order. How much accuracy SAM gains on a "
                "network is not measured here."
            ),
            table,
        ],
    )


def _closure(optimizer: torch.optim.Optimizer, loss: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    return closure


def _sharpness(along: torch.Tensor) -> torch.Tensor:
    """How fast the loss of the picture's valley rises to its sides."""
    return 1 + 9 * torch.exp(-along / 3)


def _descend(rho: float, name: str) -> tuple[list[float], list[float]]:
    """Where a weight in the valley L = h(a) b^2 / 2 is after each step, a along the valley and b across, over rho."""
    w = torch.nn.Parameter(rho * torch.tensor([0.0, 2.0], dtype=torch.float64))
    base = torch.optim.SGD([w], lr=0.08 * rho**2)
    optimizer = regularizers.SAM(base, rho) if name == "SAM" else base
    path = [(w.detach() / rho).tolist()]
    for _ in range(STEPS):
        optimizer.step(_closure(base, lambda: _sharpness(w[0] / rho) * (w[1] / rho).square() / 2))
        path.append((w.detach() / rho).tolist())
    along, across = zip(*path, strict=True)
    return list(along), list(across)


def _step(rho: float, size: int, generator: torch.Generator) -> tuple[list[Claim], Table]:
    """One step on L = sum h w^2 / 2, against the gradient of L + rho |g|."""
    curvature = 1 + torch.rand(size, generator=generator, dtype=torch.float64)
    start = 1 + torch.rand(size, generator=generator, dtype=torch.float64)
    start[: size // 2] *= 3  # two tensors whose gradients differ in length

    def loss(w: torch.Tensor) -> torch.Tensor:
        return (curvature * w.square()).sum() / 2

    parts = [torch.nn.Parameter(part.clone()) for part in (start[: size // 2], start[size // 2 :])]
    optimizer = regularizers.SAM(torch.optim.SGD(parts, lr=LR), rho)
    visited: list[torch.Tensor] = []

    def recorded() -> torch.Tensor:
        visited.append(torch.cat([part.detach().clone() for part in parts]))
        return loss(torch.cat(list(parts)))

    optimizer.step(_closure(optimizer, recorded))
    step = torch.cat([part.detach() for part in parts]) - start
    g = curvature * start
    uphill = visited[-1] - start
    leaf = start.clone().requires_grad_()
    (inner,) = torch.autograd.grad(loss(leaf), leaf, create_graph=True)
    (penalized,) = torch.autograd.grad(loss(leaf) + rho * inner.norm(), leaf)
    gained = (loss(visited[-1]) - loss(start)).item()
    second_order = (rho**2 / 2 * (curvature * g.square()).sum() / g.square().sum()).item()
    scale = 1 + g.norm().item()
    claims = [
        Claim("A step calls the closure twice", 2, "calls", len(visited), *EXACT),
        Claim(
            r"The second gradient is taken $\rho$ along the whole gradient, not tensor by tensor",
            0,
            r"$\max |w' - (w + \rho g/|g|)|$",
            gap(uphill, rho * g / g.norm()),
            *CLOSE,
        ),
        Claim(
            "On this quadratic the loss uphill is higher by the penalty and a term of second order",
            rho * g.norm().item() + second_order,
            r"$\rho |g| + \rho^2/2 \, g^\top H g/|g|^2$",
            gained,
            *rounding(1 + gained + loss(start).item(), digits=1e-9),
        ),
        Claim(
            r"On this quadratic the step is the one on $L + \rho |g|$",
            0,
            r"step + $\eta \nabla (L + \rho |g|)$",
            gap(step, -LR * penalized),
            *rounding(scale, digits=1e-9),
        ),
    ]
    return claims, _steps_table(start, g, step, rho)


def _steps_table(start: torch.Tensor, g: torch.Tensor, step: torch.Tensor, rho: float) -> Table:
    """SAM's step from start next to SGD's, and to what is left where the weights are not put back."""
    once = -(LR - rho / g.norm().item())
    return Table(
        title=f"A step on the quadratic from $|w|$ = {start.norm().item():.4g}, where $|g|$ = {g.norm().item():.4g}, "
        f"lr = {LR:g}",
        columns=["step", "multiple of g", "length"],
        rows=[
            ["plain SGD", -LR, LR * g.norm().item()],
            ["SAM", (step @ g / g.square().sum()).item(), step.norm().item()],
            [r"one gradient, no return: $-(\eta - \rho/|g|)$", once, abs(once) * g.norm().item()],
        ],
        note="For SAM, the multiple describes the part of the step along g. A positive multiple climbs.",
    )


def _one_gradient(right, self, closure):
    closure()
    self.ascend()
    self.restore()
    self.base.step()


WRONG = [
    Wrong("one gradient used twice", "SAM.step", _one_gradient),
    Wrong(
        "the weights are not restored",
        "SAM.restore",
        lambda right, self: [s.pop("home", 0) for s in self.state.values()],
    ),
    Wrong("climbs twice as far", "SAM", lambda right, base, rho: right(base, 2 * rho)),
    Wrong("does not climb", "SAM", lambda right, base, rho: right(base, 0.0)),
    Wrong(
        "a norm for each tensor",
        "regdemo.regularizers.optimizers.get_total_norm",
        lambda right, tensors: right(tensors[:1]),
    ),
]
