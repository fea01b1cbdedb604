"""KL mean: F.kl_div divides by the classes too.

The Kullback-Leibler divergence is a sum over classes and a mean over examples. The default reduction of `F.kl_div`,
"mean", divides by the number of all elements, N K: R-Drop's or distillation's term is K times too small, 30,522 times
with BERT's vocabulary. torch warns of it, once, among other warnings.
"""

import warnings

import torch
import torch.nn.functional as F

from regdemo.bounds import rounding
from regdemo.measure import fixed_claim
from regdemo.report import Block, Claim

BREAKS = "r_drop"
CARDS = ("Q18.116", "Q18.114")
SAY = (
    'F.kl_div needs reduction="batchmean": its default divides by the classes as well, so alpha does not mean what '
    "the paper's does. And it takes log-probabilities first, KL(target || input)."
)
WRONG_ANSWER = "'The default is the mean, like any loss.' Of all elements, while a divergence is a sum over classes."

N, K = 16, 50


def broken(first, second):
    q, p = second.log_softmax(-1), first.softmax(-1)
    return F.kl_div(q, p)


def fixed(first, second):
    q, p = second.log_softmax(-1), first.softmax(-1)
    return F.kl_div(q, p, reduction="batchmean")


def measure() -> tuple[list[Claim], list[Block]]:
    first, second = torch.randn(2, N, K, dtype=torch.float64)
    p, q = first.softmax(-1), second.softmax(-1)
    divergence = (p * (p / q).log()).sum(-1).mean().item()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        wrong = broken(first, second).item()
    exact = rounding(1)
    return [
        Claim(f"With {K} classes it is too small by the factor", 1 / K, "1/K", wrong / divergence, *exact),
        Claim("torch says so: warnings", 1, "warnings = 1", len(said), 0, "exact"),
        fixed_claim(
            "It is the divergence",
            divergence,
            "mean of sum p ln(p/q)",
            fixed(first, second).item(),
            *exact,
        ),
    ], []
