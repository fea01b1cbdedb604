"""Silent inf: clipping turns one inf into zeros and a NaN.

One infinite entry makes the norm infinite and the factor c/norm zero. Then inf times 0 is NaN, every other entry is 0,
and the step writes the NaN into a weight. `clip_grad_norm_` says nothing unless it is told to.
"""

import torch
from torch.nn.utils import clip_grad_norm_

from regdemo.bounds import EXACT
from regdemo.measure import fixed_claim
from regdemo.report import Block, Claim

BREAKS = "gradient_clipping"
CARDS = ("Q18.329", "Q18.156", "Q18.154")
SAY = (
    "Clipping does not cure an inf: it makes a NaN of it and zeros of the rest. Pass error_if_nonfinite=True, or look "
    "at the norm that it returns and skip the batch."
)
WRONG_ANSWER = (
    "'Clipping protects against exploding gradients.' Against long ones; an infinite one passes through it as NaN."
)

SIZE = 5


def broken(optimizer, parameters, max_norm):
    clip_grad_norm_(parameters, max_norm)
    optimizer.step()


def fixed(optimizer, parameters, max_norm):
    clip_grad_norm_(parameters, max_norm, error_if_nonfinite=True)
    optimizer.step()


def measure() -> tuple[list[Claim], list[Block]]:
    def run(snippet) -> tuple[torch.Tensor, bool]:
        w = torch.ones(SIZE, requires_grad=True)
        w.grad = torch.ones(SIZE)
        w.grad[0] = float("inf")
        try:
            snippet(torch.optim.SGD([w], lr=1.0), [w], 1.0)
        except RuntimeError:
            return w.detach(), True
        return w.detach(), False

    (wrong, said), (right, said_fixed) = run(broken), run(fixed)
    return [
        Claim("Errors", 0, "errors = 0", int(said), *EXACT),
        Claim("Weights that are NaN after the step", 1, "where the inf was = 1", wrong.isnan().sum().item(), *EXACT),
        Claim(
            "Weights that did not move, though their gradient was 1",
            SIZE - 1,
            f"all the others = {SIZE - 1}",
            (wrong == 1).sum().item(),
            *EXACT,
        ),
        fixed_claim("Errors", 1, "errors = 1", int(said_fixed), *EXACT),
        fixed_claim("Weights that are as they were", SIZE, f"all = {SIZE}", (right == 1).sum().item(), *EXACT),
    ], []
