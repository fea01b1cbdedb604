"""No step: a "private" optimizer that never updates.

The snippet subclasses Optimizer, and its `step()` clips the gradients and adds noise. Nothing applies them: there is no
inner optimizer and no update, so the weights stay as they were, and the flat loss is blamed on the noise. The fix adds
the step; the optimizer still isn't private, since it clips the batch's gradient (see `regdemo pitfalls clipped-batch`).
"""

import torch
from torch.nn.utils import clip_grad_norm_

from regdemo.bounds import EXACT, rounding
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Claim

BREAKS = "dp_sgd"
CARDS = ("Q18.410", "Q18.190", "Q18.192")
SAY = (
    "An optimizer's step() must end in an update. A wrapper that only changes gradients has to call the step of the "
    "optimizer it wraps; the first test of an optimizer is that the loss falls in one step on a simple problem. The "
    "step alone doesn't make this optimizer private: it still clips the batch's gradient, not each example's."
)
WRONG_ANSWER = (
    "'The loss does not fall because privacy costs accuracy.' Weights that do not change at all point to a missing "
    "update."
)

C, LR, SIZE, STEPS = 1.0, 0.1, 10, 20


class broken(torch.optim.Optimizer):
    def __init__(self, parameters, lr, max_norm, noise):
        defaults = {"lr": lr, "max_norm": max_norm, "noise": noise}
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            clip_grad_norm_(group["params"], group["max_norm"])
            for w in group["params"]:
                w.grad += group["noise"] * torch.randn_like(w)


class fixed(torch.optim.Optimizer):
    def __init__(self, parameters, lr, max_norm, noise):
        defaults = {"lr": lr, "max_norm": max_norm, "noise": noise}
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            clip_grad_norm_(group["params"], group["max_norm"])
            for w in group["params"]:
                w.grad += group["noise"] * torch.randn_like(w)
                w -= group["lr"] * w.grad


def measure() -> tuple[list[Claim], list[Block]]:
    start = torch.randn(SIZE, dtype=torch.float64)
    start *= 5 / start.norm()

    def moved(snippet) -> float:
        """How much nearer some steps lead to the minimum of |w|^2 / 2, whose gradient is longer than C all the way."""
        w = start.clone().requires_grad_()
        optimizer = snippet([w], LR, C, 0.0)
        for _ in range(STEPS):
            optimizer.zero_grad()
            (w.square().sum() / 2).backward()
            optimizer.step()
        return (start.norm() - w.detach().norm()).item()

    return [
        Claim(
            f"How much nearer {STEPS} steps without noise lead to the minimum",
            0,
            "no update = 0",
            moved(broken),
            *EXACT,
        ),
        fixed_claim(
            f"How much nearer {STEPS} steps without noise lead to the minimum",
            STEPS * LR * C,
            r"$n \eta C$",
            moved(fixed),
            *rounding(1),
        ),
    ], []


WRONG = [
    Wrong(
        "w = w - lr w.grad, which rebinds the name",
        f"{__name__}.fixed",
        lambda right, *a: _with(lambda w, lr: w - lr * w.grad, *a),
    ),
    Wrong(
        "an update of a copy",
        f"{__name__}.fixed",
        lambda right, *a: _with(lambda w, lr: w.data.clone().sub_(lr * w.grad), *a),
    ),
    Wrong(
        "the sign turned: w += lr w.grad",
        f"{__name__}.fixed",
        lambda right, *a: _with(lambda w, lr: w.add_(lr * w.grad), *a),
    ),
]


def _with(update, parameters, lr, max_norm, noise):
    class Stepping(broken):
        @torch.no_grad()
        def step(self, closure=None):
            super().step(closure)
            for group in self.param_groups:
                for w in group["params"]:
                    update(w, lr)

    return Stepping(parameters, lr, max_norm, noise)
