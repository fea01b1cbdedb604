r"""One gradient: a "SAM" that climbs and steps with the same gradient.

SAM climbs $\rho$ along the gradient, takes a new gradient there, goes back and steps with the new one. The snippet
climbs and steps on from there with the old one. With plain SGD its step is $-(\eta - \rho/|g|)\,g$: where $|g|$ is
below $\rho/\eta$ it climbs, at $\rho/\eta$ it does not move.
"""

import torch

from regdemo.bounds import rounding
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Claim, Table

BREAKS = "sam"
CARDS = ("Q18.162", "Q18.160", "Q18.161")
SAY = (
    "SAM needs two passes for a step: gradient, climb, gradient again, back, step. Code that calls "
    "backward() once has not seen the second gradient. If it does not go back either, with plain SGD it climbs "
    "near a minimum."
)
WRONG_ANSWER = (
    "'SAM: perturb the weights, then optimizer.step().' The step then uses the gradient taken before the climb."
)

LR, RHO, STEPS, SIZE = 0.01, 0.05, 100, 4


def broken(optimizer, parameters, loss, rho):
    optimizer.zero_grad()
    loss().backward()
    norm = torch.stack([w.grad.norm() for w in parameters]).norm()
    with torch.no_grad():
        for w in parameters:
            w += rho * w.grad / norm
    optimizer.step()


def fixed(optimizer, parameters, loss, rho):
    optimizer.zero_grad()
    loss().backward()
    norm = torch.stack([w.grad.norm() for w in parameters]).norm()
    home = [w.detach().clone() for w in parameters]
    with torch.no_grad():
        for w in parameters:
            w += rho * w.grad / norm
    optimizer.zero_grad()
    loss().backward()
    with torch.no_grad():
        for w, before in zip(parameters, home, strict=True):
            w.copy_(before)
    optimizer.step()


def measure() -> tuple[list[Claim], list[Block]]:
    direction = torch.randn(SIZE, dtype=torch.float64)

    def distance(snippet, start: float, steps: int) -> float:
        """|w| after some steps on the loss |w|^2 / 2, whose gradient is w."""
        w = [half.clone().requires_grad_() for half in (direction * start / direction.norm()).chunk(2)]
        optimizer = torch.optim.SGD(w, lr=LR)
        for _ in range(steps):
            snippet(optimizer, w, lambda: sum(half.square().sum() for half in w) / 2, RHO)
        return torch.cat(w).detach().norm().item()

    far, near, shrink = RHO / LR, 1e-3, (1 - LR) ** STEPS
    after = {(snippet, start): distance(snippet, start, STEPS) for snippet in (broken, fixed) for start in (far, near)}
    exact = rounding(1)
    return [
        Claim(
            rf"On $|w|^2/2$ with $\rho$ = {RHO:g}, $\eta$ = {LR:g}: at $|g| = \rho/\eta$ = {far:g}, $|w|$ stays at",
            far,
            r"$|w| = \rho/\eta$",
            after[broken, far],
            *exact,
        ),
        Claim(
            f"From $|w|$ = {near:g}, next to the minimum, {STEPS} steps lead $|w|$ away to",
            far - (far - near) * shrink,
            r"$\rho/\eta - (\rho/\eta - |w|)(1-\eta)^n$",
            after[broken, near],
            *exact,
        ),
        fixed_claim(
            f"From $|w|$ = {far:g}, {STEPS} steps lead $|w|$ down to",
            (far + RHO) * shrink - RHO,
            r"$(|w| + \rho)(1-\eta)^n - \rho$",
            after[fixed, far],
            *exact,
        ),
    ], [
        Table(
            f"$|w|$ on the loss $|w|^2/2$, lr = {LR}, rho = {RHO}",
            ["code", "start", "after 1 step", f"after {STEPS}"],
            [
                [snippet.__name__, start, distance(snippet, start, 1), there]
                for (snippet, start), there in after.items()
            ],
        )
    ]


WRONG = [
    Wrong("back, but no new gradient", f"{__name__}.fixed", lambda right, *a: _variant(*a, again=False)),
    Wrong("a new gradient, but not back", f"{__name__}.fixed", lambda right, *a: _variant(*a, back=False)),
    Wrong("a norm for each tensor", f"{__name__}.fixed", lambda right, *a: _variant(*a, per_tensor=True)),
    Wrong(
        "zero_grad forgotten: both gradients added", f"{__name__}.fixed", lambda right, *a: _variant(*a, cleared=False)
    ),
]


def _variant(optimizer, parameters, loss, rho, again=True, back=True, per_tensor=False, cleared=True):
    optimizer.zero_grad()
    loss().backward()
    norm = torch.stack([w.grad.norm() for w in parameters]).norm()
    home = [w.detach().clone() for w in parameters]
    with torch.no_grad():
        for w in parameters:
            w += rho * w.grad / (w.grad.norm() if per_tensor else norm)
    if again:
        optimizer.zero_grad() if cleared else None
        loss().backward()
    if back:
        with torch.no_grad():
            for w, before in zip(parameters, home, strict=True):
                w.copy_(before)
    optimizer.step()
