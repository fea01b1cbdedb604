"""Zeros after ReLU: a count of dropped neurons that finds 75% at p = 0.5.

To show dropout at work, the snippet counts zeros after it. If the ReLU's inputs are symmetric about 0, half of the
activations were zero before dropout: the snippet reports $1 - (1-p)/2$ as the fraction that dropout has dropped.
"""

import torch
import torch.nn.functional as F

from regdemo.bounds import proportion
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Claim, Table

BREAKS = "dropout"
CARDS = ("Q18.6",)
SAY = (
    "A zero after a ReLU need not be a dropped neuron: if the inputs are symmetric about 0, half were zero anyway. To "
    "see what dropout dropped, count zeros among the activations that were not zero before it."
)
WRONG_ANSWER = (
    "'75% are zero, so the dropout is stronger than set.' ReLU zeroed half; dropout dropped half of the "
    "rest, which adds 25%."
)

N, RATES = 100_000, (0.1, 0.3, 0.5)


def broken(x, p):
    hidden = F.dropout(F.relu(x), p)
    return (hidden == 0).float().mean()


def fixed(x, p):
    active = F.relu(x)
    hidden = F.dropout(active, p)
    return (hidden[active > 0] == 0).float().mean()


def measure() -> tuple[list[Claim], list[Block]]:
    x = torch.randn(N)
    counted = {p: (broken(x, p).item(), fixed(x, p).item()) for p in RATES}
    p = RATES[-1]
    zeros, active = 1 - (1 - p) / 2, int((x > 0).sum())
    return [
        Claim(
            f"At p = {p} the fraction counted as dropped is",
            zeros,
            "$1 - (1-p)/2$",
            counted[p][0],
            *proportion(zeros, N),
        ),
        fixed_claim(f"At p = {p} the fraction counted as dropped is", p, "$p$", counted[p][1], *proportion(p, active)),
    ], [
        Table(
            f"The fraction that is reported as dropped, for {N:,} normal inputs of the ReLU",
            ["p", "broken", "$1 - (1-p)/2$", "fixed"],
            [[str(p), wrong, 1 - (1 - p) / 2, right] for p, (wrong, right) in counted.items()],
        )
    ]


WRONG = [
    Wrong(
        "dropout before the ReLU",
        f"{__name__}.fixed",
        lambda right, x, p: (F.relu(F.dropout(x, p)) == 0).float().mean(),
    ),
    Wrong("a half subtracted", f"{__name__}.fixed", lambda right, x, p: broken(x, p) - 0.5),
    Wrong("divided by two", f"{__name__}.fixed", lambda right, x, p: broken(x, p) / 2),
]
