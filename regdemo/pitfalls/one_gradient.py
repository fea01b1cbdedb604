"""One gradient: a "SAM" that climbs and steps with the same gradient.

SAM climbs rho along the gradient, takes a NEW gradient there, goes back and steps with that. The snippet neither looks
again nor goes back. What is left is -(lr - rho/|g|) g: where |g| is below rho/lr it climbs, at rho/lr it stands still.
"""

import torch

from regdemo.bounds import rounding
from regdemo.measure import fixed_claim
from regdemo.report import Block, Claim, Table

BREAKS = "sam"
CARDS = ("Q18.162", "Q18.160", "Q18.161")
SAY = (
    "SAM needs two passes for a step: gradient, climb, gradient again, back, step. A step() without a closure cannot "
    "have seen the second gradient, and near a minimum such code climbs."
)
WRONG_ANSWER = "'SAM: perturb the weights, then optimizer.step().' The step then uses the gradient of where it was."

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
        w = (direction * start / direction.norm()).requires_grad_()
        optimizer = torch.optim.SGD([w], lr=LR)
        for _ in range(steps):
            snippet(optimizer, [w], lambda: w.square().sum() / 2, RHO)
        return w.detach().norm().item()

    far, near, shrink = RHO / LR, 1e-3, (1 - LR) ** STEPS
    after = {(snippet, start): distance(snippet, start, STEPS) for snippet in (broken, fixed) for start in (far, near)}
    exact = rounding(1)
    return [
        Claim(f"At |g| = rho/lr = {far:g} it does not move", far, "|w| = rho/lr", after[broken, far], *exact),
        Claim(
            f"From |w| = {near:g}, beside the minimum, {STEPS} steps lead away to",
            far - (far - near) * shrink,
            "rho/lr - (rho/lr - |w|)(1-lr)^n",
            after[broken, near],
            *exact,
        ),
        fixed_claim(
            f"From |w| = {far:g} they lead down to",
            (far + RHO) * shrink - RHO,
            "(|w| + rho)(1-lr)^n - rho",
            after[fixed, far],
            *exact,
        ),
    ], [
        Table(
            f"|w| on the loss |w|^2/2, lr = {LR}, rho = {RHO}",
            ["code", "start", "after 1 step", f"after {STEPS}"],
            [
                [snippet.__name__, start, distance(snippet, start, 1), there]
                for (snippet, start), there in after.items()
            ],
        )
    ]
