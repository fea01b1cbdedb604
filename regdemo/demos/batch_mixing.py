"""Batch mixing: the "MixOut" that mixes examples, not weights.

A snippet in circulation calls p x + (1-p) x[perm] "MixOut". Measures what it does: it reduces the variance in training
and not in eval, leaves the labels unmixed, and lets an example depend on the others of its batch. Mixout, the technique
of that name, mixes weights with pretrained ones, and leaves the examples alone.
"""

from __future__ import annotations

from typing import Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import mean_of_bounded, rounding
from regdemo.measure import Wrong, fraction, gap, normal, seeded
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

ACTS_ON = "models"
SAY = (
    "Mixout puts weights back to their pretrained values at random while fine-tuning, and rescales so that "
    "each weight keeps its mean. Mixing the examples of a batch is another technique: if you want that, use "
    "mixup, which mixes the labels in the same proportion."
)
WRONG_ANSWER = (
    "'MixOut: `p * x + (1-p) * x[perm]` in the forward pass.' It mixes in other examples and leaves the label as "
    "it was, shrinks the variance in training alone, and in a language model lets one text's tokens leak into "
    "another's prediction. It uses no pretrained weight."
)
CARDS = ("Q18.234", "Q18.235", "Q18.236", "Q18.237")

CLASSES = 4
FRACTIONS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def mix(x: torch.Tensor, order: torch.Tensor, p: float) -> torch.Tensor:
    """The snippet: each example keeps p of itself and gets 1-p of another."""
    return p * x + (1 - p) * x[order]


def batch_mixing(
    *,
    p: Annotated[float, Parameter("How much of itself an example keeps.", 0, 1)] = 0.7,
    examples: Annotated[int, count("Examples in the batch.", 2, 1_000)] = 64,
    draws: Annotated[int, count("Permutations drawn.", 10, 10_000)] = 1_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure p x + (1-p) x[perm] on one batch, over `draws` permutations."""
    generator = seeded(seed)
    x = normal(generator, examples)
    labels = torch.randint(CLASSES, (examples,), generator=generator)
    orders = torch.rand(draws, examples, generator=generator).argsort(1)
    variance = x.var(correction=0)

    def kept(fraction_: float) -> float:
        return (mix(x, orders, fraction_).var(1, correction=0) / variance).mean().item()

    foreign = fraction(labels[orders] != labels)
    # What an example is made of can be read off a batch in which each example is its own unit vector.
    small = min(examples, 8)
    made_of = mix(torch.eye(small, dtype=torch.float64), torch.arange(small).roll(1), p)

    weight, pretrained = normal(generator, 3, 3), normal(generator, 3, 3)
    inputs = normal(generator, 2, 3)
    mask = torch.rand(3, 3, generator=generator) >= 0.5
    by_mixout = regularizers.mixout(weight, pretrained, 0.5, mask=mask)
    by_formula = pretrained + 2 * mask * (weight - pretrained)
    spread, reason = mean_of_bounded(1 / (examples - 1), 1, draws)
    claims = [
        Claim(
            "The variance kept in training",
            p**2 + (1 - p) ** 2,
            "$p^2 + (1-p)^2$",
            kept(p),
            2 * p * (1 - p) * spread + 1e-9,
            reason,
        ),
        Claim("The weight of an example in its own mixture", p, "$p$", made_of.diagonal().mean().item(), *rounding(1)),
        Claim(
            "How far a mixture moves when the other example in it moves by 1",
            1 - p,
            "$1 - p$",
            (made_of.sum() - made_of.trace()).item() / small,
            *rounding(1),
        ),
        Claim(
            "Under Mixout an example's output depends on its own row alone",
            0,
            "largest difference from one row at a time",
            gap(inputs @ by_mixout.mT, torch.stack([row @ by_formula.mT for row in inputs])),
            *rounding(10),
        ),
    ]
    at = sorted({*FRACTIONS, p})
    line = [at[0] + (1 - at[0]) * i / 20 for i in range(21)]
    return Measurement(
        title=f"Batch mixing at p = {p}",
        claims=claims,
        picture=[
            Curves(
                title="The variance that training sees, relative to eval",
                x_label="p, what an example keeps of itself",
                y_label="variance kept",
                series=[
                    Series("measured", at, [kept(q) for q in at], style="points"),
                    Series(
                        "$p^2 + (1-p)^2$",
                        line,
                        [q**2 + (1 - q) ** 2 for q in line],
                    ),
                    Series("eval", [line[0], 1.0], [1.0, 1.0]),
                ],
                note="Nothing is rescaled, and eval does not mix. The snippet's p is what is kept: p = 1 "
                "mixes nothing.",
            )
        ],
        blocks=[
            Text(
                f"{CLASSES} classes, {examples} examples: on average {(1 - p) * foreign:.1%} of an input comes "
                "from an example of another class, while the label stays."
            ),
            Table(
                title="Three techniques that sound alike",
                columns=["", "mixes", "labels", "in eval"],
                rows=[
                    [
                        "batch mixing",
                        "examples of a batch",
                        "left as they are",
                        "off; the variance differs from training's",
                    ],
                    ["mixup", "examples of a batch", "mixed in proportion", "off"],
                    [
                        "Mixout",
                        "weights with pretrained ones",
                        "not touched",
                        "off; each weight equals its mean in training",
                    ],
                ],
            ),
        ],
    )


MIX = "regdemo.demos.batch_mixing.mix"
WRONG = [
    Wrong("p and 1-p swapped", MIX, lambda right, x, order, p: right(x, order, 1 - p)),
    Wrong(
        "rescaled to keep the variance",
        MIX,
        lambda right, x, order, p: right(x, order, p) / (p**2 + (1 - p) ** 2) ** 0.5,
    ),
    Wrong("mixes nothing", MIX, lambda right, x, order, p: x + 0 * right(x, order, p)),
    Wrong("Mixout without its rescale", "mixout", lambda right, w, w0, p, mask: torch.where(mask, w, w0)),
]
