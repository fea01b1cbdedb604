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
    foreign = fraction(labels[orders] != labels)
    kept = {q: _variance_kept(x, orders, q) for q in sorted({*FRACTIONS, p})}
    spread, reason = mean_of_bounded(1 / (examples - 1), 1, draws)
    return Measurement(
        title=f"Batch mixing at p = {p}",
        claims=[
            Claim(
                "The variance kept in training",
                p**2 + (1 - p) ** 2,
                "$p^2 + (1-p)^2$",
                kept[p],
                2 * p * (1 - p) * spread + 1e-9,
                reason,
            ),
            *_made_of_claims(p, min(examples, 8)),
            _mixout_claim(generator),
        ],
        picture=[_variance_curves(kept)],
        blocks=[
            Text(
                f"{CLASSES} classes, {examples} examples: on average {(1 - p) * foreign:.1%} of an input comes "
                "from an example of another class, while the label stays."
            ),
            _techniques_table(),
        ],
    )


def _variance_kept(x: torch.Tensor, orders: torch.Tensor, p: float) -> float:
    """The variance of the mixed batch relative to the batch's own, on average over the permutations."""
    return (mix(x, orders, p).var(1, correction=0) / x.var(correction=0)).mean().item()


def _made_of_claims(p: float, examples: int) -> list[Claim]:
    """What an example is made of can be read off a batch in which each example is its own unit vector."""
    made_of = mix(torch.eye(examples, dtype=torch.float64), torch.arange(examples).roll(1), p)
    return [
        Claim("The weight of an example in its own mixture", p, "$p$", made_of.diagonal().mean().item(), *rounding(1)),
        Claim(
            "How far a mixture moves when the other example in it moves by 1",
            1 - p,
            "$1 - p$",
            (made_of.sum() - made_of.trace()).item() / examples,
            *rounding(1),
        ),
    ]


def _mixout_claim(generator: torch.Generator) -> Claim:
    weight, pretrained, inputs = (normal(generator, rows, 3) for rows in (3, 3, 2))
    mask = torch.rand(3, 3, generator=generator) >= 0.5
    by_mixout = regularizers.mixout(weight, pretrained, 0.5, mask=mask)
    by_formula = pretrained + 2 * mask * (weight - pretrained)
    return Claim(
        "Under Mixout an example's output depends on its own row alone",
        0,
        "largest difference from one row at a time",
        gap(inputs @ by_mixout.mT, torch.stack([row @ by_formula.mT for row in inputs])),
        *rounding(10),
    )


def _variance_curves(kept: dict[float, float]) -> Curves:
    """The variance kept, by p."""
    lowest = min(kept)
    line = [lowest + (1 - lowest) * i / 20 for i in range(21)]
    return Curves(
        title="The variance that training sees, relative to eval",
        x_label="p, what an example keeps of itself",
        y_label="variance kept",
        series=[
            Series("measured", list(kept), list(kept.values()), style="points"),
            Series("$p^2 + (1-p)^2$", line, [p**2 + (1 - p) ** 2 for p in line]),
            Series("eval", [lowest, 1.0], [1.0, 1.0]),
        ],
        note="Nothing is rescaled, and eval does not mix. The snippet's p is what is kept: p = 1 mixes nothing.",
    )


def _techniques_table() -> Table:
    return Table(
        title="Three techniques that sound alike",
        columns=["", "mixes", "labels", "in eval"],
        rows=[
            ["batch mixing", "examples of a batch", "left as they are", "off; the variance differs from training's"],
            ["mixup", "examples of a batch", "mixed in proportion", "off"],
            ["Mixout", "weights with pretrained ones", "not touched", "off; each weight equals its mean in training"],
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
