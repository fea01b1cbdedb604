"""Late slow: Lookahead whose slow weights start k steps too late.

Every k steps Lookahead goes back to a point between where the k steps began and where they ended. So its slow weights
must start as the initial weights. If they are stored at the first synchronization, they are the weights that the k
steps have just reached, and the first synchronization changes nothing.
"""

import torch

from regdemo.bounds import EXACT
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Claim, Curves, Series

BREAKS = "lookahead"
CARDS = ("Q18.166", "Q18.165", "Q18.164")
SAY = (
    "Lookahead's slow weights begin at the initial weights. Code that creates them lazily, at step k, as timm's "
    "Lookahead does, skips the first interpolation."
)
WRONG_ANSWER = (
    "'The slow weights are created when they are first needed.' They must hold the weights of step 0, which are gone "
    "by step k."
)

K, ALPHA, STEPS = 5, 0.5, 20


def broken(base, w, k, alpha, steps):
    slow = None
    for step in range(1, steps + 1):
        base.step()
        if step % k == 0:
            with torch.no_grad():
                slow = w.clone() if slow is None else slow.lerp(w, alpha)
                w.copy_(slow)


def fixed(base, w, k, alpha, steps):
    slow = w.detach().clone()
    for step in range(1, steps + 1):
        base.step()
        if step % k == 0:
            with torch.no_grad():
                slow = slow.lerp(w, alpha)
                w.copy_(slow)


def measure() -> tuple[list[Claim], list[Block]]:
    def path(snippet) -> list[float]:
        """Where a weight is that begins at 0 and whose base optimizer adds 1 in each step."""
        places = []
        for steps in range(STEPS + 1):
            w = torch.zeros(1, requires_grad=True)
            w.grad = -torch.ones(1)
            snippet(torch.optim.SGD([w], lr=1.0), w, K, ALPHA, steps)
            places.append(w.item())
        return places

    wrong, right = path(broken), path(fixed)
    steps = [float(step) for step in range(STEPS + 1)]
    return [
        Claim(
            f"With k = {K}, α = {ALPHA:g}: after {K} steps of 1 from 0 the weight is at",
            K,
            "$k$, as without Lookahead",
            wrong[K],
            *EXACT,
        ),
        fixed_claim(f"After {K} steps the weight is at", ALPHA * K, r"$\alpha k$", right[K], *EXACT),
        Claim(
            f"After {STEPS} steps the weight is ahead of the fixed code's weight by",
            (1 - ALPHA) * K,
            r"$(1-\alpha) k$",
            wrong[-1] - right[-1],
            *EXACT,
        ),
        fixed_claim(
            f"After {STEPS} steps the weight is at", ALPHA * STEPS, r"$\alpha$ times the steps", right[-1], *EXACT
        ),
    ], [
        Curves(
            f"A weight that starts at 0, base steps of 1, k = {K}, alpha = {ALPHA}",
            "step",
            "weight",
            [Series("broken", steps, wrong), Series("fixed", steps, right)],
        )
    ]


WRONG = [
    Wrong("slow = w, without a copy", f"{__name__}.fixed", lambda right, *a: _from(lambda base, w: w.detach(), *a)),
    Wrong("stored after the first step", f"{__name__}.fixed", lambda right, *a: _from(_after_one_step, *a)),
    Wrong("stored as ones", f"{__name__}.fixed", lambda right, *a: _from(lambda base, w: 1 + 0 * w.detach(), *a)),
]


def _after_one_step(base, w):
    base.step()
    return w.detach().clone()


def _from(start, base, w, k, alpha, steps):
    slow = start(base, w)
    for step in range(1, steps + 1):
        base.step()
        if step % k == 0:
            with torch.no_grad():
                slow = slow.lerp(w, alpha)
                w.copy_(slow)
