r"""Adam L2: weight_decay in Adam is a penalty that Adam rescales.

`torch.optim.Adam` adds $\lambda w$ to the gradient and then divides by a running root mean square of that sum. In the
first step a weight whose data gradient is 0 moves by about $\eta$, the learning rate, as long as $\lambda |w|$ is far
above $\epsilon$ = 1e-8; one with a data gradient of 1 is hardly decayed. AdamW subtracts $\eta \lambda w$ in a step of
its own, whatever the gradient is.
"""

import torch

from regdemo.bounds import rounding
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Claim, Table

BREAKS = "weight_decay"
CARDS = ("Q18.153", "Q18.151", "Q18.150")
SAY = (
    "In Adam, weight_decay is an L2 term inside the gradient, and Adam divides it by the running size of the "
    r"gradient: how fast a weight decays depends on its gradients. AdamW multiplies each weight by $1 - \eta "
    r"\lambda$, whatever its gradients. For weight decay with Adam, use AdamW."
)
WRONG_ANSWER = (
    "'Weight decay and L2 are the same.' Under plain SGD they are, up to a factor; after Adam's division they are not."
)

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
            f"At lr = {LR:g}, wd = {least:g} and a data gradient of 0, Adam's first step decays a weight of 1 by",
            LR * least / (least + 1e-8),
            r"$\eta \lambda/(\lambda + \epsilon)$",
            moved(broken, least),
            *exact,
        ),
        Claim(
            "A hundred times the wd multiplies that decay by",
            1,
            "ratio of the two",
            moved(broken, 100 * least) / moved(broken, least),
            1e-4,
            r"$\epsilon$ next to $\lambda$",
        ),
        Claim(
            "At a data gradient of 1, Adam's first step decays the weight by next to nothing",
            0,
            r"at most $\eta\epsilon$",
            moved(broken, least, 1.0),
            1e-11,
            r"$\eta\epsilon$",
        ),
        fixed_claim(
            "At a data gradient of 0, AdamW's first step decays the weight by",
            LR * least,
            r"$\eta\lambda$",
            moved(fixed, least),
            *exact,
        ),
        fixed_claim(
            "At a data gradient of 1, AdamW's first step decays the weight by",
            LR * least,
            r"$\eta\lambda$",
            moved(fixed, least, 1.0),
            *exact,
        ),
    ], [
        Table(
            f"Decay of a weight of 1 in the first step, at a data gradient of 0, lr = {LR:g}",
            ["wd", "Adam", "AdamW", "Adam / AdamW"],
            [[f"{wd:g}", moved(broken, wd), moved(fixed, wd), moved(broken, wd) / moved(fixed, wd)] for wd in DECAYS],
        )
    ]


WRONG = [
    Wrong(
        "a larger weight_decay",
        f"{__name__}.fixed",
        lambda right, w, lr, weight_decay: torch.optim.Adam(w, lr=lr, weight_decay=100 * weight_decay),
    ),
    Wrong(
        "amsgrad=True",
        f"{__name__}.fixed",
        lambda right, w, lr, weight_decay: torch.optim.Adam(w, lr=lr, weight_decay=weight_decay, amsgrad=True),
    ),
    Wrong(
        "a larger eps",
        f"{__name__}.fixed",
        lambda right, w, lr, weight_decay: torch.optim.Adam(w, lr=lr, weight_decay=weight_decay, eps=1e-3),
    ),
]
