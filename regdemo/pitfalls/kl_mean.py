"""KL mean: F.kl_div divides by the classes too.

A Kullback-Leibler loss is a sum over the K classes and usually a mean over examples, or over tokens. The default
reduction of `F.kl_div`, "mean", divides by the number of all elements: a term of R-Drop or of distillation is K times
too small, 30,522 times with BERT's vocabulary. The usual fix, "batchmean", divides by the first dimension alone. That
is right for (N, K); for a language model's logits (B, T, K) it gives T times the mean over tokens. torch warns of the
default.
"""

import warnings

import torch
import torch.nn.functional as F

from regdemo.bounds import rounding
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Claim

BREAKS = "r_drop"
CARDS = ("Q18.116", "Q18.114")
SAY = (
    "Sum a divergence over the classes and average it over examples and tokens: reduction='none', then "
    "sum(-1).mean(). The default of F.kl_div divides by the classes as well, and batchmean by the first dimension "
    r"alone. And F.kl_div(input, target) is $KL(target \| input)$, with log-probabilities as its input."
)
WRONG_ANSWER = (
    "'The default is the mean, as in other losses.' It is the mean of all elements, while a divergence is a sum over "
    "classes. A close second: 'use batchmean'. On (B, T, K) it divides by B, not by B T."
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
        Claim(
            f"On logits ({B}, {T}, {K}) the default mean, in units of the divergence",
            1 / K,
            "$1/K$",
            wrong / divergence,
            *exact,
        ),
        Claim("Warnings of torch about the default", 1, "warnings = 1", len(said), 0, "exact"),
        Claim("Batchmean, in units of the divergence", T, "$T$", batchmean / divergence, *exact),
        fixed_claim(
            "The KL term, equal to the divergence",
            divergence,
            r"mean of $\sum p \ln(p/q)$",
            fixed(first, second).item(),
            *exact,
        ),
        fixed_claim(
            "On 2-D logits the KL term, equal to that of batchmean",
            F.kl_div(q[:, 0].log(), p[:, 0], reduction="batchmean").item(),
            "batchmean",
            one_token,
            *exact,
        ),
    ], []


WRONG = [
    Wrong(
        "reduction='batchmean'",
        f"{__name__}.fixed",
        lambda right, a, b: F.kl_div(b.log_softmax(-1), a.softmax(-1), reduction="batchmean"),
    ),
    Wrong(
        "the mean times K, with the two swapped", f"{__name__}.fixed", lambda right, a, b: broken(b, a) * a.shape[-1]
    ),
    Wrong(
        "reduction='sum'",
        f"{__name__}.fixed",
        lambda right, a, b: F.kl_div(b.log_softmax(-1), a.softmax(-1), reduction="sum"),
    ),
    Wrong(
        "probabilities as the input",
        f"{__name__}.fixed",
        lambda right, a, b: F.kl_div(b.softmax(-1), a.softmax(-1), reduction="none").sum(-1).mean(),
    ),
]
