"""Batch mixing: the "MixOut" that mixes examples, not weights.

A snippet in circulation calls p x + (1-p) x[perm] "MixOut". Measures what it does: it takes variance away in training
and not in eval, leaves the labels unmixed, and lets an example depend on the others of its batch. Mixout, the
technique of that name, mixes weights with pretrained ones and does none of this.
"""

from __future__ import annotations

from typing import Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import mean_of_bounded, rounding
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Cell, Claim, Measurement, Table, Text

ACTS_ON = "models"
SAY = (
    "Mixout puts single weights back to their pretrained values at random while fine-tuning, and rescales so that the "
    "mean weight is unchanged. Mixing the examples of a batch is another thing: if at all, it is done as mixup, with "
    "the labels mixed in the same proportion."
)
WRONG_ANSWER = (
    "'MixOut: p x + (1-p) x[perm] in the forward pass.' It mixes embeddings of other texts in under a label that does "
    "not know of them, shrinks the variance in training alone, and in a language model lets one text's tokens leak "
    "into another's prediction. No pretrained weight is in sight."
)
CARDS = (
    "Q18.234",
    "Q18.235",
    "Q18.236",
    "Q18.237",
)

CLASSES = 4
SHARES = (0.5, 0.7, 0.9, 1.0)


def batch_mixing(
    *,
    p: Annotated[float, Parameter("Share of itself that an example keeps.", 0, 1)] = 0.7,
    examples: Annotated[int, count("Examples in the batch.", 2, 1_000)] = 64,
    draws: Annotated[int, count("Permutations drawn.", 10, 10_000)] = 1_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure p x + (1-p) x[perm] on one batch, over `draws` permutations."""

    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(examples, generator=generator, dtype=torch.float64)
    labels = torch.randint(CLASSES, (examples,), generator=generator)
    orders = torch.rand(draws, examples, generator=generator).argsort(1)
    variance = x.var(correction=0)

    def mixed(share: float) -> torch.Tensor:
        return share * x + (1 - share) * x[orders]

    kept = (mixed(p).var(1, correction=0) / variance).mean().item()
    foreign = (labels[orders] != labels).double().mean().item()
    in_batch = 1 - (labels.bincount(minlength=CLASSES) / examples).square().sum().item()

    # The first example with the second mixed in, and then with another one in the second's place.
    swap = torch.arange(examples).roll(1)
    other = x.clone()
    other[swap[0]] += 1
    moved = ((p * other + (1 - p) * other[swap]) - (p * x + (1 - p) * x[swap]))[0].item()

    weight = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    pretrained = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    inputs = torch.stack([x[:2], other[:2], x[:2]], 1)
    inputs[1] += 1
    mask = regularizers.keep_mask((3, 3), 0.5, generator=generator)
    by_mixout = regularizers.mixout(weight, pretrained, 0.5, mask=mask)
    alone, together = inputs[:1] @ by_mixout.mT, (inputs @ by_mixout.mT)[:1]

    spread, reason = mean_of_bounded(1 / (examples - 1), 1, draws)
    claims = [
        Claim(
            "The batch's mean is kept",
            0,
            "max difference",
            (mixed(p).mean(1) - x.mean()).abs().max().item(),
            *rounding(1),
        ),
        Claim(
            "The variance kept in training",
            p**2 + (1 - p) ** 2,
            "p^2 + (1-p)^2",
            kept,
            2 * p * (1 - p) * spread + 1e-9,
            reason,
        ),
        Claim(
            "An example's share that comes from another class, under its own label",
            (1 - p) * in_batch,
            "(1-p) (1 - sum of squared class shares)",
            (1 - p) * foreign,
            (1 - p) * mean_of_bounded(0.25, 1, draws)[0] + 1e-6,
            mean_of_bounded(0.25, 1, draws)[1],
        ),
        Claim("Another example moved by 1 moves this one by", 1 - p, "1 - p", moved, *rounding(1)),
        Claim(
            "Under Mixout an example does not depend on the others",
            0,
            "max difference",
            (alone - together).abs().max().item(),
            *rounding(1),
        ),
        Claim(
            "Mixout with the pretrained weights themselves changes nothing",
            0,
            "W = W0 gives W0",
            (regularizers.mixout(pretrained, pretrained, 0.5, mask=mask) - pretrained).abs().max().item(),
            *rounding(1),
        ),
    ]
    rows: list[list[Cell]] = [
        [str(q), (mixed(q).var(1, correction=0) / variance).mean().item(), q**2 + (1 - q) ** 2, (1 - q) * foreign]
        for q in sorted({*SHARES, p})
    ]
    return Measurement(
        title=f"Batch mixing at p = {p}",
        claims=claims,
        blocks=[
            Text(
                "The snippet multiplies a batch by p, adds 1-p times the same batch in another order, and is skipped "
                f"in eval. Nothing is rescaled: at p = {p} training sees {kept:.3g} of the variance that eval does. "
                "Its p is what is kept: at p = 0.5 it mixes most, and at p = 1 not at all."
            ),
            Table(
                title=f"What is left of a batch of {examples}, in training",
                columns=["p", "variance kept", "p^2 + (1-p)^2", "from other classes"],
                rows=rows,
                note=f"{CLASSES} classes. The label stays the example's own whatever is mixed in.",
            ),
            Table(
                title="Three techniques that sound alike",
                columns=["", "mixes", "labels", "in eval"],
                rows=[
                    ["batch mixing", "examples of a batch", "left as they are", "off, at another variance"],
                    ["mixup", "examples of a batch", "mixed alike", "off"],
                    ["Mixout", "weights with pretrained ones", "not touched", "off, at the same mean"],
                ],
            ),
        ],
    )
