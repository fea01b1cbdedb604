"""Confidence penalty: a loss that rewards entropy.

Logits are drawn. The penalty on them is compared with the entropy that torch.distributions computes, with a divergence
from the uniform distribution, and its gradient with the derivative on paper. Then the loss of one labeled example is
minimized, where calculus says how far apart the logits are.
"""

from __future__ import annotations

from math import exp, log
from typing import TYPE_CHECKING, Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import rounding
from regdemo.measure import Wrong, gap, normal, seeded
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Block, Claim, Curves, Measurement, Series, Table

if TYPE_CHECKING:
    from torch import Tensor

ACTS_ON = "targets"
SAY = (
    "In training, the confidence penalty subtracts beta times the entropy of the predicted distribution from the loss. "
    "Up to a constant that is adding beta KL(p || uniform); label smoothing has KL(uniform || p) in its place. "
    "Cross entropy on one label has no minimum at finite logits. With the penalty there is one, at a finite difference "
    "between the label's logit and the others. I tune beta on validation data and look at calibration, not at accuracy "
    "alone."
)
WRONG_ANSWER = (
    "Adding the entropy to the loss. That is entropy minimization, which rewards confident predictions and is used on "
    "unlabeled data. The confidence penalty subtracts the entropy."
)
CARDS = ("Q18.929", "Q18.930", "Q18.931", "Q18.932", "Q18.933")

EXAMPLES = 32
TABLE_OF_BETAS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


def confidence_penalty(
    *,
    beta: Annotated[float, Parameter("What a nat of entropy takes off the loss.", 0.01, 10)] = 0.5,
    classes: Annotated[int, count("Classes to predict.", 2, 1_000)] = 10,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure the penalty on random logits, and where it puts the minimum of the loss."""
    logits = 2 * normal(seeded(seed), EXAMPLES, classes)
    difference = best_difference(beta, classes)
    return Measurement(
        f"Confidence penalty on {classes:,} classes, beta = {beta:g}",
        [*claims_on_drawn_logits(logits, beta), minimum_claim(difference, beta, classes)],
        [table_of_minima(classes)],
        [picture(difference, beta, classes)],
    )


def claims_on_drawn_logits(logits: Tensor, beta: float) -> list[Claim]:
    """The value by two other ways, and the gradient by its formula."""
    logits = logits.clone().requires_grad_()
    penalty = regularizers.confidence_penalty(logits, beta)
    (gradient,) = torch.autograd.grad(penalty, logits)
    logits = logits.detach()
    classes = logits.shape[-1]
    entropy = torch.distributions.Categorical(logits=logits).entropy()
    log_p = logits.log_softmax(-1)
    log_uniform = torch.full_like(log_p, -log(classes))
    divergence = torch.nn.functional.kl_div(log_uniform, log_p, reduction="batchmean", log_target=True)  # KL(p || u)
    by_formula = beta * log_p.exp() * (log_p + entropy[:, None]) / len(logits)
    equal = torch.zeros(1, classes, dtype=torch.float64)
    tolerance = rounding(beta * log(classes))
    return [
        Claim(
            "The penalty is the mean entropy times minus beta",
            -beta * entropy.mean().item(),
            r"$-\beta H(p)$",
            penalty.item(),
            *tolerance,
        ),
        Claim(
            "Where all classes are equally likely, it is at its least",
            -beta * log(classes),
            r"$-\beta \ln K$",
            regularizers.confidence_penalty(equal, beta).item(),
            *tolerance,
        ),
        Claim(
            "With beta ln K added, it is beta times the divergence from uniform",
            beta * divergence.item(),
            r"$\beta KL(p \| u)$",
            penalty.item() + beta * log(classes),
            *tolerance,
        ),
        Claim(
            "Its gradient in a logit is that of the formula",
            0,
            r"$\max |g_i - \beta p_i (\ln p_i + H) / n|$",
            gap(gradient, by_formula),
            *rounding(beta / len(logits)),
        ),
    ]


def minimum_claim(difference: float, beta: float, classes: int) -> Claim:
    """At the minimum of the loss of one labeled example, calculus gives the product of two numbers."""
    return Claim(
        "At the minimum, the label's probability times its lead in logits",
        1 / beta,
        r"$p_y (z_y - z_i) = 1 / \beta$",
        label_probability(difference, classes) * difference,
        *rounding(1 / beta),
    )


def best_difference(beta: float, classes: int) -> float:
    """The lead of the label's logit over the others, which are equal, at which the loss of one example is lowest.

    Found by bisection, from the sign of the loss's derivative. The lead is at most 1 / beta + ln K.
    """
    low, high = 0.0, 1 / beta + log(classes)
    for _ in range(60):
        middle = (low + high) / 2
        lead = torch.tensor(middle, dtype=torch.float64, requires_grad=True)
        # The others are lowered: the derivative then is a sum of small numbers, not the difference of two near 1.
        logits = torch.cat([torch.zeros(1, dtype=torch.float64), -lead.expand(classes - 1)])[None]
        error = torch.nn.functional.cross_entropy(logits, torch.tensor([0]))
        loss = error + regularizers.confidence_penalty(logits, beta)
        (slope,) = torch.autograd.grad(loss, lead)
        low, high = (middle, high) if slope < 0 else (low, middle)
    return (low + high) / 2


def label_probability(difference: float, classes: int) -> float:
    """The probability of a label whose logit leads all others by the same difference."""
    return 1 / (1 + (classes - 1) * exp(-difference))


def picture(difference: float, beta: float, classes: int) -> Block:
    """The label's probability at the minimum over beta: the formula's curve, and what was measured."""
    leads = [0.05 * 1.02**step for step in range(400)]
    curve = [(1 / (label_probability(lead, classes) * lead), label_probability(lead, classes)) for lead in leads]
    curve = [(x, y) for x, y in reversed(curve) if x <= max(2.0, 1.5 * beta)]
    probability = label_probability(difference, classes)
    others = (classes - 1) * exp(-difference) * probability
    return Curves(
        "Probability of the label where the loss is lowest",
        "beta",
        "probability",
        [
            Series("formula", [x for x, _ in curve], [y for _, y in curve]),
            Series("measured", [beta], [probability], style="points"),
        ],
        note=f"At beta = {beta:g} the other classes share {others:.3g}. Without the penalty there is no minimum: as "
        "the lead grows, the loss falls towards 0 and the label's probability rises towards 1.",
    )


def table_of_minima(classes: int) -> Block:
    """What some values of beta leave of the lead and of the label's probability."""
    leads = [(beta, best_difference(beta, classes)) for beta in TABLE_OF_BETAS]
    return Table(
        f"The minimum of the loss of one labeled example, {classes:,} classes",
        ["beta", "lead of the label's logit", "its probability"],
        [[beta, lead, label_probability(lead, classes)] for beta, lead in leads],
    )


WRONG: list[Wrong] = [
    Wrong("adds the entropy", "confidence_penalty", lambda right, z, beta: -right(z, beta)),
    Wrong("summed over the batch", "confidence_penalty", lambda right, z, beta: len(z) * right(z, beta)),
    Wrong("entropy in bits", "confidence_penalty", lambda right, z, beta: right(z, beta) / log(2)),
    Wrong("softmax taken twice", "confidence_penalty", lambda right, z, beta: right(z.softmax(-1), beta)),
    Wrong(
        "entropy of the mean prediction",
        "confidence_penalty",
        lambda right, z, beta: right(z.softmax(-1).mean(0).log(), beta),
    ),
    Wrong(
        "the other divergence",
        "confidence_penalty",
        lambda right, z, beta: -beta * (z.log_softmax(-1).mean() + 2 * log(z.shape[-1])),
    ),
    Wrong(
        "without a gradient",
        "confidence_penalty",
        lambda right, z, beta: right(z.detach(), beta) + 0 * z.sum(),
    ),
]
