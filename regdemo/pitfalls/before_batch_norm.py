"""Before batch norm: dropout whose noise the norm takes for signal.

Dropout keeps the mean and raises the variance, in training alone. A batch norm directly after it divides by the larger
standard deviation and stores the larger variance; in eval the noise is gone, and the normalized activations come out
too small. What that costs in accuracy depends on the network and may be nothing: only the ratio of the variances is
measured here.
"""

import torch
from torch import nn

from regdemo.bounds import proportion, rounding
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Claim, Table

BREAKS = "dropout_batch_norm"
CARDS = ("Q18.200", "Q18.201")
SAY = (
    "Put dropout after the last batch norm, not before one: the variance that a norm directly after dropout stores "
    "in training is $1 + p/(1-p) E[x^2]/Var[x]$ times the variance in eval."
)
WRONG_ANSWER = (
    "'Inverted dropout makes training and eval agree.' Their means agree, their variances do not, and a batch norm "
    "divides by the root of the variance."
)

N, RATES = 100_000, (0.1, 0.3, 0.5)


def broken(width, p):
    return nn.Sequential(nn.Dropout(p), nn.BatchNorm1d(width, momentum=None))


def fixed(width, p):
    return nn.Sequential(nn.BatchNorm1d(width, momentum=None), nn.Dropout(p))


def measure() -> tuple[list[Claim], list[Block]]:
    x = torch.tensor([0.0, 2.0]).repeat(N // 2)[:, None]  # mean 1, variance 1, so E[x^2]/Var = 2

    def ratio(snippet, p: float) -> float:
        """The variance that the norm stored in training, over the variance of its input in eval."""
        model = snippet(1, p).train()
        model(x)
        norm = next(module for module in model if isinstance(module, nn.BatchNorm1d))
        return (norm.running_var.item() / x.var()).item()

    # What dropout leaves is 2/(1-p) with probability q = (1-p)/2, else 0: its variance is (2/(1-p))^2 q(1-q).
    def bound(p: float) -> tuple[float, str]:
        tolerance, reason = proportion(1 - p, N // 2)
        return (2 / (1 - p)) ** 2 * tolerance / 2 + 1e-4, reason

    measured = {p: (ratio(broken, p), ratio(fixed, p)) for p in RATES}
    return [
        *(
            Claim(
                f"At p = {p} the stored variance over that of eval is",
                1 + 2 * p / (1 - p),
                "$1 + p/(1-p) E[x^2]/Var[x]$",
                measured[p][0],
                *bound(p),
            )
            for p in RATES
        ),
        fixed_claim(
            f"At p = {RATES[-1]} the stored variance over that of eval is",
            1,
            "no noise before the norm = 1",
            measured[RATES[-1]][1],
            *rounding(1, digits=1e-4),
        ),
    ], [
        Table(
            "Variance stored in training, over that of eval",
            ["p", "broken", "$1 + 2 p/(1-p)$", "fixed"],
            [[str(p), wrong, 1 + 2 * p / (1 - p), right] for p, (wrong, right) in measured.items()],
            "Activations that are 0 or 2 with probability 1/2 each: $E[x^2]/Var[x]$ = 2.",
        )
    ]


WRONG = [
    Wrong(
        "the default momentum of 0.1",
        f"{__name__}.fixed",
        lambda right, width, p: nn.Sequential(nn.Dropout(p), nn.BatchNorm1d(width)),
    ),
    Wrong(
        "alpha dropout before the norm",
        f"{__name__}.fixed",
        lambda right, width, p: nn.Sequential(nn.AlphaDropout(p), nn.BatchNorm1d(width, momentum=None)),
    ),
    Wrong("half the rate", f"{__name__}.fixed", lambda right, width, p: broken(width, p / 2)),
]
