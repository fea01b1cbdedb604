"""Adam L2: weight_decay in Adam is a penalty that Adam undoes.

`torch.optim.Adam` adds wd w to the gradient, and then divides by the gradient's own size. A weight without data
gradient is pulled by a full step lr, whatever wd is; a weight with large gradients hardly at all. AdamW takes lr wd w
off beside Adam's step, so that wd means what it says.
"""

import torch

from regdemo.bounds import rounding
from regdemo.measure import fixed_claim
from regdemo.report import Block, Claim, Table

BREAKS = "weight_decay"
CARDS = ("Q18.153", "Q18.151", "Q18.150")
SAY = (
    "In Adam, weight_decay is an L2 term inside the gradient, and Adam normalises it away: each weight is decayed at "
    "a rate that depends on its gradients. AdamW shrinks all weights by lr wd. Use AdamW."
)
WRONG_ANSWER = "'Weight decay and L2 are the same.' Under plain SGD they are; behind Adam's division they are not."

LR, DECAYS = 1e-3, (1e-4, 1e-3, 1e-2)


def broken(parameters, lr, weight_decay):
    return torch.optim.Adam(parameters, lr=lr, weight_decay=weight_decay)


def fixed(parameters, lr, weight_decay):
    return torch.optim.AdamW(parameters, lr=lr, weight_decay=weight_decay)


def measure() -> tuple[list[Claim], list[Block]]:
    def moved(snippet, weight_decay: float, gradient: float = 0.0) -> float:
        """How far one step takes a weight of 1, beyond what the same step does without decay."""
        ends = []
        for decay in (0.0, weight_decay):
            w = torch.ones(1, dtype=torch.float64, requires_grad=True)
            w.grad = torch.full_like(w, gradient)
            snippet([w], LR, decay).step()
            ends.append(w.item())
        return ends[0] - ends[1]

    least = DECAYS[0]
    exact = rounding(1, digits=1e-12)
    return [
        Claim(
            f"A weight of 1 without data gradient, wd = {least:g}: Adam decays it by",
            LR * least / (least + 1e-8),
            "lr wd/(wd + eps)",
            moved(broken, least),
            *exact,
        ),
        Claim(
            "With a hundred times the wd: by as much",
            1,
            "ratio of the two",
            moved(broken, 100 * least) / moved(broken, least),
            1e-4,
            "eps beside wd",
        ),
        Claim("With a data gradient of 1: by next to nothing", 0, "lr eps", moved(broken, least, 1.0), 1e-11, "lr eps"),
        fixed_claim("AdamW decays it by", LR * least, "lr wd", moved(fixed, least), *exact),
        fixed_claim("With a data gradient too", LR * least, "lr wd", moved(fixed, least, 1.0), *exact),
    ], [
        Table(
            f"What the decay takes off a weight of 1 in one step, lr = {LR:g}",
            ["wd", "Adam", "AdamW", "Adam / AdamW"],
            [[f"{wd:g}", moved(broken, wd), moved(fixed, wd), moved(broken, wd) / moved(fixed, wd)] for wd in DECAYS],
        )
    ]
