"""Mixup: train on mixtures of two examples.

Checks that mixing the targets is mixing the losses, measures the law of the mixing weight and what it leaves of the
inputs' variance. And the usual slip: mix the inputs, keep the labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import mean_of_bounded, rounding
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Cell, Claim, Measurement, Table, Text

if TYPE_CHECKING:
    from torch import Generator, Tensor

ACTS_ON = "inputs"
SAY = (
    "Mixup trains on l x1 + (1-l) x2 with the target l y1 + (1-l) y2, l from Beta(alpha, alpha). For cross entropy "
    "that is l times the loss on y1 plus 1-l times the loss on y2, so no one-hot is needed. It asks for linear "
    "behaviour between examples, works against overconfidence and memorised labels, and small alphas such as 0.2 mix "
    "gently."
)
WRONG_ANSWER = (
    "'Mix the inputs and keep the labels.' Since l and 1-l are equally likely, the label of the first example then "
    "says nothing about which part of the mixture is larger: the network is taught a coin toss. Calling it Mixout is "
    "another: Mixout mixes the weights of two models."
)
CARDS = (
    "Q18.120",
    "Q18.121",
    "Q18.122",
    "Q18.123",
)

CLASSES = 5
ALPHAS = (0.1, 0.2, 0.4, 1.0)
DRAWS_SHOWN = 500


def mixup(
    *,
    alpha: Annotated[float, Parameter("The mixing weight is drawn from Beta(alpha, alpha).", 0.01, 100)] = 0.2,
    draws: Annotated[int, count("Mixing weights drawn.", 10, 20_000)] = 3_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure mixup's weights at alpha, the loss of mixed targets, and what unmixed labels teach."""

    generator = torch.Generator().manual_seed(seed)
    # Mixed with 0, an input of 1 shows the weight it was given.
    pair = torch.tensor([[1.0], [0.0]], dtype=torch.float64)
    swap = torch.tensor([1, 0])
    mixed = [regularizers.mixup(pair, pair, alpha, generator=generator, order=swap) for _ in range(draws)]
    inputs, targets = (torch.cat(column, dim=1) for column in zip(*mixed, strict=True))
    weight = inputs[0]
    first = pair.expand_as(inputs)  # the labels of the first of each pair: unmixed

    x = torch.randn(64, 8, generator=generator, dtype=torch.float64)
    labels = torch.randint(CLASSES, (64,), generator=generator)
    order = torch.randperm(64, generator=generator)
    layer = torch.randn(8, CLASSES, generator=generator, dtype=torch.float64)
    blend, soft = regularizers.mixup(
        x, torch.nn.functional.one_hot(labels, CLASSES).double(), alpha, weight=weight[0], order=order
    )
    logits = blend @ layer
    split = weight[0] * torch.nn.functional.cross_entropy(logits, labels) + (
        1 - weight[0]
    ) * torch.nn.functional.cross_entropy(logits, labels[order])

    variance = 1 / (4 * (2 * alpha + 1))
    kept = (alpha + 1) / (2 * alpha + 1)
    squares = weight.square() + (1 - weight).square()
    spread = (weight - 0.5).square()
    claims = [
        Claim(
            "Cross entropy with mixed targets is the mixture of two losses",
            split.item(),
            "l CE(y) + (1-l) CE(y[order])",
            torch.nn.functional.cross_entropy(logits, soft).item(),
            *rounding(1 + logits.abs().max().item()),
        ),
        Claim(
            "Inputs and targets get one and the same weight",
            0,
            "largest difference",
            (inputs - targets).abs().max().item(),
            *rounding(1),
        ),
        Claim(
            "The weight is 1/2 on average",
            0.5,
            "E[l] = 1/2",
            weight.mean().item(),
            *mean_of_bounded(variance, 0.5, draws),
        ),
        # A variable in [0, 1/4] with mean v has a variance of at most v / 4.
        Claim(
            "The smaller alpha, the further from it",
            variance,
            "Var[l] = 1 / (4 (2 alpha + 1))",
            spread.mean().item(),
            *mean_of_bounded(variance / 4, 0.25, draws),
        ),
        Claim(
            "A mixture keeps this share of the inputs' variance",
            kept,
            "E[l^2 + (1-l)^2] = (alpha + 1) / (2 alpha + 1)",
            squares.mean().item(),
            *mean_of_bounded(variance, 0.5, draws),
        ),
        Claim(
            "Mixed labels follow the mixture",
            variance,
            "Cov(x', y') = Var[l]",
            ((inputs - 0.5) * (targets - 0.5)).mean().item(),
            *mean_of_bounded(variance / 4, 0.25, draws),
        ),
        # Both orders of a pair together make (l - 1/2) / 2.
        Claim(
            "Unmixed labels say nothing about it",
            0,
            "Cov(x', y) = 0",
            ((inputs - 0.5) * (first - 0.5)).mean().item(),
            *mean_of_bounded(variance / 4, 0.25, draws),
        ),
    ]
    return Measurement(
        title=f"Mixup at alpha = {alpha}",
        claims=claims,
        blocks=[
            Text(
                "Mixup replaces a batch by mixtures: l parts of an example, 1-l of another, and the same of their "
                f"targets. l comes from Beta({alpha}, {alpha}), once for the batch."
            ),
            Table(
                title="The weight at several alphas",
                columns=["alpha", "std of l", "measured", "l below 0.1 or above 0.9", "variance kept"],
                rows=[_law(rate, generator) for rate in sorted({*ALPHAS, alpha})],
                note=f"Over {DRAWS_SHOWN} draws each. At 0.2 most mixtures are nearly one of their two examples.",
            ),
            Table(
                title="What a network can learn from the pair x = 0 (class 0) and x = 1 (class 1)",
                columns=["share of class 1 in the input", "mixed target", "mean of the unmixed label"],
                rows=_labels(inputs.flatten(), targets.flatten(), first.flatten()),
                note=(
                    "Beta(alpha, alpha) is symmetric: l of A with 1-l of B comes as often as 1-l of B with l of A, "
                    "labelled once A and once B. At every mixture the unmixed label is a coin toss."
                ),
            ),
        ],
    )


def _law(alpha: float, generator: Generator) -> list[Cell]:
    """Spread of the weight at one alpha, by formula and measured, and the share of nearly pure mixtures."""

    pair, swap = torch.tensor([1.0, 0.0], dtype=torch.float64), torch.tensor([1, 0])
    weight = torch.stack(
        [regularizers.mixup(pair, pair, alpha, generator=generator, order=swap)[0][0] for _ in range(DRAWS_SHOWN)]
    )
    return [
        str(alpha),
        (4 * (2 * alpha + 1)) ** -0.5,
        (weight - 0.5).square().mean().sqrt().item(),
        ((weight - 0.5).abs() > 0.4).double().mean().item(),
        (alpha + 1) / (2 * alpha + 1),
    ]


def _labels(inputs: Tensor, targets: Tensor, labels: Tensor) -> list[list[Cell]]:
    """Mean target and mean label in each fifth of the way from class 0 to class 1 that has an input."""
    rows: list[list[Cell]] = []
    for fifth in range(5):
        inside = (inputs * 5).long().clamp(max=4) == fifth
        if inside.any():
            span = f"{fifth / 5:.1f} to {(fifth + 1) / 5:.1f}"
            rows.append([span, targets[inside].mean().item(), labels[inside].mean().item()])
    return rows
