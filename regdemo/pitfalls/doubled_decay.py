r"""Doubled decay: lam times the sum of squares is weight_decay 2 lam.

The gradient of $\lambda |w|^2$ is $2 \lambda w$. SGD's weight_decay $\lambda$ adds $\lambda w$ to the gradient, as the
penalty $\lambda/2\, |w|^2$ does. Moving a number from the loss into the optimizer without looking at the factor halves
the decay; moving it back doubles it. Both decays are called "L2 with 0.01", and neither raises an error.
"""

import torch

from regdemo.bounds import rounding
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Claim

BREAKS = "weight_decay"
CARDS = ("Q18.152",)
SAY = (
    "Look at the factor: $\\lambda |w|^2$ has the gradient $2\\lambda w$, $\\lambda/2\\, |w|^2$ has $\\lambda w$. "
    "weight_decay in torch's SGD and Adam is the second, a term in the gradient. In AdamW it is neither: there the "
    "decay bypasses Adam's division by the root of the second moment."
)
WRONG_ANSWER = (
    "'L2 with 0.01 is weight_decay=0.01.' With SGD or Adam it is 0.02, unless the penalty has a half in front."
)

LAM, LR = 0.01, 0.1


def broken(loss, parameters, lam):
    return loss + lam * sum(w.square().sum() for w in parameters)


def fixed(loss, parameters, lam):
    return loss + lam / 2 * sum(w.square().sum() for w in parameters)


def measure() -> tuple[list[Claim], list[Block]]:
    x, start = torch.randn(32, 10, dtype=torch.float64), torch.randn(10, dtype=torch.float64)

    def step(penalty, weight_decay: float = 0.0, optimizer=torch.optim.SGD) -> torch.Tensor:
        w = start.clone().requires_grad_()
        penalty((x @ w).square().mean(), [w], LAM).backward()
        optimizer([w], lr=LR, weight_decay=weight_decay).step()
        return w.detach()

    def plain(loss, parameters, lam):
        return loss

    def pull(w: torch.Tensor) -> float:
        """The decay per step, in units of lr w."""
        return ((step(plain) - w) @ start / (LR * start.square().sum())).item()

    # With Adam an L2 penalty and weight_decay are both in the gradient; AdamW has another update.
    adam = (step(fixed, 0, torch.optim.Adam) - step(plain, LAM, torch.optim.Adam)).abs().max().item()
    exact = rounding(1)
    return [
        Claim(
            f"Decay in one step at lam = {LAM}, in units of lr w",
            2 * LAM,
            r"$2\lambda$",
            pull(step(broken)),
            *exact,
        ),
        Claim(
            "The step differs from SGD's with weight_decay = 2 lam by",
            0,
            "max difference",
            (step(broken) - step(plain, 2 * LAM)).abs().max().item(),
            *exact,
        ),
        fixed_claim("Decay in one step, in units of lr w", LAM, r"$\lambda$", pull(step(fixed)), *exact),
        fixed_claim(
            "The step differs from SGD's with weight_decay = lam by",
            0,
            "max difference",
            (step(fixed) - step(plain, LAM)).abs().max().item(),
            *exact,
        ),
        fixed_claim(
            "Adam's step with weight_decay = lam differs from that with the penalty by",
            0,
            "max difference",
            adam,
            *exact,
        ),
    ], []


WRONG = [
    Wrong(
        "the norm, not squared",
        f"{__name__}.fixed",
        lambda right, loss, ws, lam: loss + lam / 2 * sum(w.norm() for w in ws),
    ),
    Wrong(
        "the mean of the squares",
        f"{__name__}.fixed",
        lambda right, loss, ws, lam: loss + lam / 2 * sum(w.square().mean() for w in ws),
    ),
    Wrong("twice lam in the penalty", f"{__name__}.fixed", lambda right, loss, ws, lam: broken(loss, ws, 2 * lam)),
]
