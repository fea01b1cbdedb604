"""Silent inf: clipping by norm turns one inf into zeros and a NaN.

With the bound $c$, an infinite entry makes the norm infinite and the factor $c/norm$ zero. Then inf times 0 is NaN,
every finite entry is 0, and the step writes the NaN into a weight. `clip_grad_norm_` says nothing by default. Under a
GradScaler the same code is safe: `scaler.step` skips the step when `unscale_` has found an inf. Elsewhere, look at the
norm that is returned.
"""

import torch
from torch.nn.utils import clip_grad_norm_

from regdemo.bounds import EXACT
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Claim

BREAKS = "gradient_clipping"
CARDS = ("Q18.329", "Q18.156", "Q18.154")
SAY = (
    "Clipping by norm does not cure an inf: the inf becomes NaN and the finite entries become 0. Look at the norm "
    "that clip_grad_norm_ returns, and skip the step if it is not finite. A GradScaler skips the step by itself when "
    "it finds an inf."
)
WRONG_ANSWER = (
    "'Clipping protects against exploding gradients.' It shortens long gradients; clipped by norm, an infinite entry "
    "becomes NaN."
)

SIZE = 5


def broken(step, parameters, max_norm):
    clip_grad_norm_(parameters, max_norm)
    step()


def fixed(step, parameters, max_norm):
    norm = clip_grad_norm_(parameters, max_norm)
    if norm.isfinite():
        step()


def measure() -> tuple[list[Claim], list[Block]]:
    def run(snippet, first: float, *, scaled: bool = False) -> torch.Tensor:
        """The weights, 1 before, after a step with a gradient of 1 whose first entry is this."""
        w = torch.ones(SIZE, requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=1.0)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0, enabled=scaled)
        gradient = torch.ones(SIZE)
        gradient[0] = first
        scaler.scale((w * gradient).sum()).backward()
        scaler.unscale_(optimizer)
        snippet(lambda: scaler.step(optimizer), [w], 1.0)
        return w.detach()

    inf = float("inf")
    wrong, right = run(broken, inf), run(fixed, inf)
    moved = (1 - run(fixed, 1.0)).norm().item()
    return [
        Claim("Weights that are NaN after the step", 1, "where the inf was = 1", wrong.isnan().sum().item(), *EXACT),
        Claim(
            "Weights that did not move, though their gradient was 1",
            SIZE - 1,
            f"all the others = {SIZE - 1}",
            (wrong == 1).sum().item(),
            *EXACT,
        ),
        Claim(
            "Weights left unchanged under a GradScaler",
            SIZE,
            f"all = {SIZE}",
            (run(broken, inf, scaled=True) == 1).sum().item(),
            *EXACT,
        ),
        fixed_claim("Weights left unchanged", SIZE, f"all = {SIZE}", (right == 1).sum().item(), *EXACT),
        fixed_claim(
            "A finite gradient still makes a step of length",
            1,
            "lr * c",
            moved,
            1e-5,
            "1e-6 is added to the norm",
        ),
    ], []


WRONG = [
    Wrong("clip_grad_value_", f"{__name__}.fixed", lambda right, step, w, c: _value(step, w, c)),
    Wrong(
        "nan_to_num after the clip, with the bound",
        f"{__name__}.fixed",
        lambda right, step, w, c: _nan_to_num(step, w, c),
    ),
    Wrong("clipping twice", f"{__name__}.fixed", lambda right, step, w, c: (clip_grad_norm_(w, c), broken(step, w, c))),
]


def _value(step, parameters, bound):
    torch.nn.utils.clip_grad_value_(parameters, bound)
    step()


def _nan_to_num(step, parameters, max_norm):
    clip_grad_norm_(parameters, max_norm)
    for w in parameters:
        w.grad.nan_to_num_(nan=max_norm)
    step()
