"""No rescale: a hand-written dropout whose mean falls in training.

The mask alone takes a share p of the signal away, in training and not in eval. Inverted dropout divides by 1-p, so that
the mean is the same in both; the original paper multiplied by 1-p in eval instead. The snippet does neither, and every
layer passes the shift on.
"""

import torch

from regdemo.bounds import EXACT, mean_of_bounded
from regdemo.measure import fixed_claim
from regdemo.report import Block, Claim

BREAKS = "dropout"
CARDS = ("Q18.322", "Q18.2", "Q18.3")
SAY = (
    "Dropout must leave the expected activation alone: divide the survivors by 1-p in training, and do nothing in "
    "eval. Without it a stack of L such layers is (1-p)^-L too loud in eval."
)
WRONG_ANSWER = "'Dropout just zeroes activations.' The factor 1/(1-p) is what lets eval leave it out."

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

    # What is left after L layers is a coin of probability q = (1-p)^L, scaled by s.
    def bound(layers: int, scale: float) -> tuple[float, str]:
        q = (1 - P) ** layers
        return mean_of_bounded(scale**2 * q * (1 - q), scale, N)

    return [
        Claim("The mean of ones after one layer, in training", 1 - P, "1 - p", through(broken, 1), *bound(1, 1)),
        Claim(f"After {DEPTH} layers", (1 - P) ** DEPTH, f"(1-p)^{DEPTH}", through(broken, DEPTH), *bound(DEPTH, 1)),
        Claim("In eval they are all there", 1, "mean", broken(torch.ones(N), P, False).mean().item(), *EXACT),
        fixed_claim(
            f"{DEPTH} layers keep the mean",
            1,
            "eval's mean = 1",
            through(fixed, DEPTH),
            *bound(DEPTH, (1 - P) ** -DEPTH),
        ),
    ], []
