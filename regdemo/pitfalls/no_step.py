"""No step: a "private" optimizer that never updates.

The snippet subclasses Optimizer and writes `step()`: clip the gradients, add noise, done. The gradients are treated as
they should be (if not each example's), and nothing applies them: no inner optimizer, no update of its own. The loss
stays where it was, which is then put down to the noise.
"""

import torch
from torch.nn.utils import clip_grad_norm_

from regdemo.bounds import EXACT, rounding
from regdemo.measure import fixed_claim
from regdemo.report import Block, Claim

BREAKS = "dp_sgd"
CARDS = ("Q18.410", "Q18.190", "Q18.192")
SAY = (
    "An optimizer's step() must end in an update. A wrapper that only changes gradients has to call the step of the "
    "optimizer it wraps; the first test of any optimizer is that one step moves the weights."
)
WRONG_ANSWER = (
    "'The loss does not fall because privacy costs accuracy.' It costs some; a flat line is a missing update."
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
        """How far some steps without noise lead on the loss |w|^2 / 2, whose gradient is longer than C all the way."""
        w = start.clone().requires_grad_()
        optimizer = snippet([w], LR, C, 0.0)
        for _ in range(STEPS):
            optimizer.zero_grad()
            (w.square().sum() / 2).backward()
            optimizer.step()
        return (w.detach() - start).norm().item()

    return [
        Claim(f"How far {STEPS} steps move the weights", 0, "nowhere = 0", moved(broken), *EXACT),
        fixed_claim(f"How far {STEPS} steps of length lr C do", STEPS * LR * C, "n lr C", moved(fixed), *rounding(1)),
    ], []
