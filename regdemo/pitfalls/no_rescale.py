"""No rescale: a hand-written dropout whose mean falls in training.

The mask alone multiplies the mean by $1-p$, in training and not in eval. Inverted dropout divides by $1-p$, so
that the mean is the same in both; the original paper multiplied by $1-p$ in eval instead. The snippet does neither, and
linear layers pass the difference on.
"""

import torch

from regdemo.bounds import EXACT, mean_of_bounded
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Claim

BREAKS = "dropout"
CARDS = ("Q18.322", "Q18.2", "Q18.3")
SAY = (
    "Dropout should keep the mean: divide the survivors by $1-p$ in training, and do nothing in eval. Without the "
    "division, after L dropout layers in a linear stack without biases, eval's mean is $(1-p)^{-L}$ times that of "
    "training."
)
WRONG_ANSWER = (
    "'Dropout just zeroes activations.' It also divides the survivors by $1-p$, which is why eval can leave "
    "dropout out."
)

P, DEPTH, N = 0.1, 12, 20_000


def broken(x, p, training):
    if not training:
        return x
    mask = torch.rand_like(x) >= p
    return x * mask


def fixed(x, p, training):
    if not training:
        return x
    mask = torch.rand_like(x) >= p
    return x * mask / (1 - p)


def measure() -> tuple[list[Claim], list[Block]]:
    def through(snippet, layers: int) -> float:
        x = torch.ones(N, dtype=torch.float64)
        for _ in range(layers):
            x = snippet(x, P, True)
        return x.mean().item()

    # After L layers an element is s with probability q = (1-p)^L, else 0.
    def bound(layers: int, scale: float) -> tuple[float, str]:
        q = (1 - P) ** layers
        return mean_of_bounded(scale**2 * q * (1 - q), scale, N)

    return [
        Claim("The mean of ones after one layer, in training", 1 - P, "$1 - p$", through(broken, 1), *bound(1, 1)),
        Claim(
            f"The mean of ones after {DEPTH} layers, in training",
            (1 - P) ** DEPTH,
            f"$(1-p)^{{{DEPTH}}}$",
            through(broken, DEPTH),
            *bound(DEPTH, 1),
        ),
        Claim("In eval the mean of ones", 1, "mean", broken(torch.ones(N), P, False).mean().item(), *EXACT),
        fixed_claim(
            f"{DEPTH} layers keep the mean",
            1,
            "eval's mean = 1",
            through(fixed, DEPTH),
            *bound(DEPTH, (1 - P) ** -DEPTH),
        ),
        fixed_claim("In eval the mean of ones", 1, "mean", fixed(torch.ones(N), P, False).mean().item(), *EXACT),
    ], []


WRONG = [
    Wrong(
        "divided by p",
        f"{__name__}.fixed",
        lambda right, x, p, training: broken(x, p, training) / (p if training else 1),
    ),
    Wrong(
        "multiplied by 1-p in training",
        f"{__name__}.fixed",
        lambda right, x, p, training: broken(x, p, training) * (1 - p),
    ),
    Wrong(
        "divided by 1-p in eval too",
        f"{__name__}.fixed",
        lambda right, x, p, training: broken(x, p, training) / (1 - p),
    ),
    Wrong(
        "multiplied by 1-p in eval as well",
        f"{__name__}.fixed",
        lambda right, x, p, training: right(x, p, training) * (1 if training else 1 - p),
    ),
]
