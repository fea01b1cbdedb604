"""KL mean: F.kl_div divides by the classes too.

The Kullback-Leibler divergence is a sum over classes and a mean over examples, or over tokens. The default reduction of
`F.kl_div`, "mean", divides by the number of all elements: R-Drop's or distillation's term is K times too small, 30,522
times with BERT's vocabulary. The usual cure, "batchmean", divides by the first dimension alone: right for (N, K), but T
times too large for the logits (B, T, K) of a language model. torch warns of the default, once.
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
    "A divergence is summed over the classes and averaged over everything else: reduction='none', then "
    "sum(-1).mean(). The default of F.kl_div divides by the classes as well, and batchmean by the first dimension "
    "alone. And kl_div takes log-probabilities first: KL(target || input)."
)
WRONG_ANSWER = (
    "'The default is the mean, like any loss.' Of all elements, while a divergence is a sum over classes. Close "
    "second: 'batchmean is always right'. Not for (B, T, K): it divides by B, not by B T."
)

B, T, K = 16, 7, 50


def broken(first, second):
    q, p = second.log_softmax(-1), first.softmax(-1)
    return F.kl_div(q, p)


def fixed(first, second):
    q, p = second.log_softmax(-1), first.softmax(-1)
    return F.kl_div(q, p, reduction="none").sum(-1).mean()


def measure() -> tuple[list[Claim], list[Block]]:
    first, second = torch.randn(2, B, T, K, dtype=torch.float64)
    p, q = first.softmax(-1), second.softmax(-1)
    divergence = (p * (p / q).log()).sum(-1).mean().item()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        wrong = broken(first, second).item()
    batchmean = F.kl_div(q.log(), p, reduction="batchmean").item()
    exact = rounding(1)
    one_token = fixed(first[:, 0], second[:, 0]).item()
    return [
        Claim(f"On logits ({B}, {T}, {K}) it is too small by the factor", 1 / K, "1/K", wrong / divergence, *exact),
        Claim("torch warns of the default: warnings", 1, "warnings = 1", len(said), 0, "exact"),
        Claim("With batchmean instead it is too large by the factor", T, "T", batchmean / divergence, *exact),
        fixed_claim(
            "It is the divergence", divergence, r"mean of $\sum p \ln(p/q)$", fixed(first, second).item(), *exact
        ),
        fixed_claim(
            "On logits of two dimensions it is batchmean's",
            F.kl_div(q[:, 0].log(), p[:, 0], reduction="batchmean").item(),
            "batchmean",
            one_token,
            *exact,
        ),
    ], []
