"""Mixup: train on mixtures of two examples.

Checks that mixing the targets is mixing the losses, and measures the distribution of the mixing weight. Then it shows
the usual mistake: mix the inputs, keep the labels.
"""

from __future__ import annotations

from math import log, log10
from typing import Annotated

import scipy
import torch

from regdemo import regularizers
from regdemo.bounds import mean_of_bounded, rounding
from regdemo.measure import Wrong, gap, mean_square, mixed_targets_claim, normal, seeded
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

ACTS_ON = "inputs"
SAY = (
    r"Mixup trains on $l x_1 + (1-l) x_2$ with the target $l y_1 + (1-l) y_2$, $l$ from Beta$(\alpha, \alpha)$. "
    "For cross entropy that is $l$ times the loss on $y_1$ plus $1-l$ times the loss on $y_2$, so no one-hot is "
    r"needed. Mixup asks for linear behavior between examples; a small $\alpha$ such as 0.2 mixes gently."
)
WRONG_ANSWER = (
    "'Mix the inputs and keep the labels.' Since $l$ is as likely to be below 1/2 as above, the label of the first "
    "example then says nothing about which part of the mixture is larger."
)
CARDS = ("Q18.120", "Q18.121", "Q18.122", "Q18.123")

CLASSES = 5
ALPHAS = (0.1, 0.2, 0.4, 1.0)
LEAST = 1e-12


def mixup(
    *,
    alpha: Annotated[float, Parameter("Parameter of the weight's distribution, Beta(alpha, alpha).", 0.01, 100)] = 0.2,
    draws: Annotated[int, count("Mixing weights drawn.", 10, 1_000_000)] = 10_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure mixup's weights at alpha, the loss of mixed targets, and what unmixed labels teach."""
    generator = seeded(seed)
    # Mixed with 0, an input of 1 shows the weight it was given; a 0 mixed with 1 shows the rest.
    first = torch.tensor([1.0, 0.0], dtype=torch.float64).repeat_interleave(draws // 2)
    swap = torch.arange(len(first)).roll(draws // 2)
    inputs, targets = regularizers.mixup(first, first, alpha, per_example=True, generator=generator, order=swap)
    weight = torch.where(first > 0, inputs, 1 - inputs)
    return Measurement(
        title=f"Mixup at alpha = {alpha}",
        claims=[
            _loss_claim(alpha, weight[0], generator),
            Claim(
                "Inputs and targets get one and the same weight",
                0,
                "largest difference",
                gap(inputs, targets),
                *rounding(1),
            ),
            *_weight_claims(alpha, weight, ((inputs - 0.5) * (targets - 0.5)).mean().item()),
        ],
        picture=[_weights(alpha, weight), _mean_targets(inputs, targets, first)],
        blocks=[
            Text(
                "Mixup replaces each example by l times itself plus 1-l times another one, and does the same to the "
                f"targets. l comes from Beta({alpha}, {alpha}): usually one draw for the batch, in the measurements "
                "of l here one for each example."
            ),
            Table(
                title="The weight at several alphas, by formula",
                columns=["alpha", "std of l", "l below 0.1 or above 0.9", "fraction of input variance kept"],
                rows=[
                    [
                        f"{a:g}",
                        (4 * (2 * a + 1)) ** -0.5,
                        2 * float(scipy.special.betainc(a, a, 0.1)),
                        (a + 1) / (2 * a + 1),
                    ]
                    for a in sorted({*ALPHAS, alpha})
                ],
            ),
        ],
    )


def _loss_claim(alpha: float, weight: torch.Tensor, generator: torch.Generator) -> Claim:
    """Cross entropy of a linear model on a batch mixed with this weight."""
    x = normal(generator, 64, 8)
    labels = torch.randint(CLASSES, (64,), generator=generator)
    order = torch.randperm(64, generator=generator)
    layer = normal(generator, 8, CLASSES)
    one_hot = torch.nn.functional.one_hot(labels, CLASSES).double()
    mixed, targets = regularizers.mixup(x, one_hot, alpha, weight=weight, order=order)
    logits = mixed @ layer
    formula = "$l$ CE(y) + $(1-l)$ CE(y[order])"
    return mixed_targets_claim(logits, targets, labels, labels[order], weight, formula)


def _weight_claims(alpha: float, weight: torch.Tensor, covariance: float) -> list[Claim]:
    """The weight's distribution, and the covariance of what was mixed with it."""
    variance = 1 / (4 * (2 * alpha + 1))
    spread_of_log, mean_of_log = _log_moments(alpha)
    # A variable in [0, 1/4] with mean v has a variance of at most v / 4.
    bound = mean_of_bounded(variance / 4, 0.25, len(weight))
    return [
        Claim(
            "The weight is 1/2 on average",
            0.5,
            "$E[l] = 1/2$",
            weight.mean().item(),
            *mean_of_bounded(variance, 0.5, len(weight)),
        ),
        Claim(
            "The variance of the weight",
            variance,
            r"$Var[l] = 1/(4 (2 \alpha + 1))$",
            mean_square(weight - 0.5),
            *bound,
        ),
        Claim(
            r"How near the weight comes to 0 and 1: the mean of $\ln(l (1-l))$, cut off at $\ln 10^{-12}$",
            mean_of_log,
            "by the distribution function of Beta",
            (weight * (1 - weight)).clamp(min=LEAST).log().mean().item(),
            *mean_of_bounded(spread_of_log, -log(LEAST), len(weight)),
        ),
        Claim("Mixed labels follow the mixture", variance, "$Cov(x', y') = Var[l]$", covariance, *bound),
    ]


def _log_moments(alpha: float) -> tuple[float, float]:
    """Variance and mean of ln(l (1-l)), at least ln(LEAST), for l from Beta(alpha, alpha)."""
    edges = torch.cat([torch.zeros(1), torch.logspace(log10(LEAST), log10(0.5), 20_000, dtype=torch.float64)])
    mass = torch.from_numpy(scipy.special.betainc(alpha, alpha, edges.numpy())).diff() * 2  # both halves are alike
    middle = (edges[1:] + edges[:-1]) / 2
    logs = (middle * (1 - middle)).clamp(min=LEAST).log()
    mean = (mass * logs).sum().item()
    return (mass * (logs - mean).square()).sum().item(), mean


def _weights(alpha: float, weight: torch.Tensor) -> Curves:
    """How often the weight fell into each twentieth of the way from 0 to 1."""
    counts = (torch.histc(weight, 20, 0, 1) / len(weight)).tolist()
    return Curves(
        title=f"The weight l in {len(weight):,} draws from Beta({alpha:g}, {alpha:g})",
        x_label="l",
        y_label="fraction of draws",
        series=[Series("draws", [(i + 0.5) / 20 for i in range(20)], counts, style="bars")],
    )


def _mean_targets(inputs: torch.Tensor, targets: torch.Tensor, labels: torch.Tensor) -> Curves:
    """What is taught in each tenth of the way from class 0 to class 1 that has an input."""
    tenth = (inputs * 10).long().clamp(max=9)
    present = [i for i in range(10) if (tenth == i).any()]
    return Curves(
        title="The mean target between x = 0 (class 0) and x = 1 (class 1)",
        x_label="fraction of class 1 in the input",
        y_label="mean target",
        series=[
            Series(name, [(i + 0.5) / 10 for i in present], [values[tenth == i].mean().item() for i in present])
            for name, values in (("labels mixed", targets), ("labels of the first example", labels))
        ],
    )


def _drawn(right, x, y, alpha, change, *, weight=None, generator=None, **kw):
    """Mixup whose weight comes from another distribution."""
    if weight is None:
        a, b = change(alpha)
        seed = int(torch.randint(2**31, (), generator=generator))
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            weight = torch.distributions.Beta(torch.tensor(a).double(), torch.tensor(b).double()).sample(x.shape[:1])
    return right(x, y, alpha, weight=weight, generator=generator, **{**kw, "per_example": False})


def _unmixed(right, x, y, *a, **kw):
    return right(x, y, *a, **kw)[0], y


def _other_order(right, x, y, alpha, *, order=None, **kw):
    mixed, _ = right(x, y, alpha, order=order, **kw)
    return mixed, right(x, y, alpha, order=torch.arange(len(x)), **kw)[1]


NAME = "mixup"
WRONG = [
    Wrong("labels left unmixed", NAME, _unmixed),
    Wrong("targets mixed with themselves", NAME, _other_order),
    Wrong("Beta(1.15 alpha, 1.15 alpha)", NAME, lambda right, x, y, alpha, **kw: right(x, y, 1.15 * alpha, **kw)),
    Wrong("uniform weights", NAME, lambda right, x, y, alpha, **kw: right(x, y, 1.0, **kw)),
    Wrong(
        "Beta(alpha, 1)", NAME, lambda right, x, y, alpha, **kw: _drawn(right, x, y, alpha, lambda a: (a, 1.0), **kw)
    ),
]
