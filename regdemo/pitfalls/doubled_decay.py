"""Doubled decay: lam times the sum of squares is weight_decay 2 lam.

The gradient of lam |w|^2 is 2 lam w; that of SGD's weight_decay is wd w, as if the penalty were wd |w|^2 / 2. Moving
the same number from the loss into the optimizer, or from a paper into either, halves the decay or doubles it. Both are
"L2 with 0.01", and neither fails.
"""

import torch

from regdemo.bounds import rounding
from regdemo.measure import fixed_claim
from regdemo.report import Block, Claim

BREAKS = "weight_decay"
CARDS = ("Q18.152",)
SAY = (
    "Look at the factor: a penalty lam |w|^2 pulls with 2 lam w, lam/2 |w|^2 with lam w. torch's weight_decay is the "
    "second. And only under plain SGD are penalty and decay the same at all."
)
WRONG_ANSWER = "'L2 with 0.01 is weight_decay=0.01.' It is 0.02, unless the penalty has a half in front."

LAM, LR = 0.01, 0.1


def broken(loss, parameters, lam):
    return loss + lam * sum(w.square().sum() for w in parameters)


def fixed(loss, parameters, lam):
    return loss + lam / 2 * sum(w.square().sum() for w in parameters)


def measure() -> tuple[list[Claim], list[Block]]:
    x, start = torch.randn(32, 10, dtype=torch.float64), torch.randn(10, dtype=torch.float64)

    def step(penalty, weight_decay: float = 0.0) -> torch.Tensor:
        w = start.clone().requires_grad_()
        penalty((x @ w).square().mean(), [w], LAM).backward()
        torch.optim.SGD([w], lr=LR, weight_decay=weight_decay).step()
        return w.detach()

    def plain(loss, parameters, lam):
        return loss

    def pull(w: torch.Tensor) -> float:
        """The decay per step, in units of lr w."""
        return ((step(plain) - w) @ start / (LR * start.square().sum())).item()

    exact = rounding(1)
    return [
        Claim(f"With lam = {LAM} the weights are pulled by", 2 * LAM, "2 lam, times lr w", pull(step(broken)), *exact),
        Claim(
            "That is SGD's step with weight_decay = 2 lam",
            0,
            "max difference",
            (step(broken) - step(plain, 2 * LAM)).abs().max().item(),
            *exact,
        ),
        fixed_claim("Pulled by", LAM, "lam, times lr w", pull(step(fixed)), *exact),
        fixed_claim(
            "That is SGD's step with weight_decay = lam",
            0,
            "max difference",
            (step(fixed) - step(plain, LAM)).abs().max().item(),
            *exact,
        ),
    ], []
