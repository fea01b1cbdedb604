"""Batch norm noise: an output varies with its batch.

Follows one example through batch norm in many random batches of several sizes. Compares the variance of the example's
output with a formula that falls as one over the batch size; in eval, and under layer norm, the output does not vary.
"""

from __future__ import annotations

from math import erf, log2
from typing import TYPE_CHECKING, Annotated

import torch

from regdemo.bounds import EXACT, mean_of_bounded, mean_of_squares, rounding
from regdemo.measure import Wrong, gap, normal, seeded
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

if TYPE_CHECKING:
    from torch import Tensor

ACTS_ON = "models"
PROVIDED_BY = "torch.nn.BatchNorm1d"
SAY = (
    "In training, batch norm normalizes by the statistics of the batch, so an example's output depends on the examples "
    "that it happens to share the batch with. If the others are standard normal, the output of an activation $x$ has a "
    "variance of about $(1 + x^2/2)/B$ at a large batch size $B$: noise from the batch's mean, and from its scale. "
    "This noise can act as a weak regularizer. It fades in large batches, and in eval it is gone."
)
WRONG_ANSWER = (
    "'Batch norm is deterministic: it draws no random numbers.' The batch is the random draw: in the next, "
    "shuffled epoch the same image meets other images and gets other activations. Close second: taking a larger batch "
    "to be a pure gain in speed. It also takes away noise: at large sizes, four times the batch roughly halves the "
    "noise's standard deviation."
)
CARDS = ("Q18.511", "Q18.512", "Q18.516", "Q18.513", "Q18.628")

DRAWS, SHOWN = 20_000, 2_000  # batches behind a claim, and behind a point of the picture
SIZES = (2, 4, 8, 16, 32, 64, 128, 256)
FEATURES = 100  # of an example under layer norm
EPS = 1e-30  # in the denominator: torch refuses 0


def batch_norm_noise(
    *,
    value: Annotated[float, Parameter("The example's activation (the others are standard normal).", -2, 2)] = 1.0,
    batch: Annotated[int, count("Examples in a batch.", 16, 128)] = 32,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Normalize an activation in DRAWS batches of `batch` examples, in larger ones, and in batches of two."""
    generator = seeded(seed)
    batches = _batches(value, batch, DRAWS, generator)
    norm = torch.nn.BatchNorm1d(DRAWS, eps=EPS, affine=False, dtype=torch.float64)
    outputs = norm(batches)
    others = torch.cat([batches[:1], -batches[1:]])
    norm.eval()
    moved = gap(norm(others)[0], norm(batches)[0])
    pairs, large = _outputs(value, 2, DRAWS, generator), _outputs(value, 4 * batch, DRAWS // 4, generator)
    claims = [
        _variance_claim(
            "The variance of the output is about $(1 + x^2/2)/B$", "$(1 + x^2/2)/B$", value, batch, outputs[0]
        ),
        _variance_claim(
            "With four times the batch the variance is about a quarter", "$(1 + x^2/2)/(4B)$", value, 4 * batch, large
        ),
        *_normalized_claims(outputs),
        *_pair_claims(value, pairs),
        Claim("In eval the other examples don't matter", 0, r"$\max |y - y'|$ in other batches", moved, *EXACT),
        _layer_norm_claim(batch, generator),
    ]
    by_size = _sizes(value, generator)
    return Measurement(
        title=f"Batch norm noise: an activation of {value:g} in batches of {batch}",
        claims=claims,
        picture=by_size.picture,
        blocks=[
            Text(
                f"The example's activation is {value:g} in all batches; the other activations are drawn from "
                "$N(0, 1)$. There is no learned scale or shift, and eps is almost 0."
            ),
            *by_size.blocks,
        ],
    )


def _batches(value: float, size: int, draws: int, generator: torch.Generator) -> Tensor:
    """Batches of standard normal activations, one per column, whose first example has this value."""
    batches = normal(generator, size, draws)
    batches[0] = value
    return batches


def _outputs(value: float, size: int, draws: int, generator: torch.Generator) -> Tensor:
    """What batch norm makes of the example in training."""
    norm = torch.nn.BatchNorm1d(draws, eps=EPS, affine=False, dtype=torch.float64)
    outputs: Tensor = norm(_batches(value, size, draws, generator))[0]
    return outputs


def _variance_claim(statement: str, formula: str, value: float, size: int, outputs: Tensor) -> Claim:
    first_order, higher = _first_order(value, size), _higher_orders(value, size)
    tolerance, reason = mean_of_squares([first_order + higher], len(outputs) - 1)
    reason = f"{reason}; $(4 + 1.5 x^4)/B^2$ for higher orders"
    return Claim(statement, first_order, formula, outputs.var().item(), higher + tolerance, reason)


def _first_order(value: float, size: int) -> float:
    """Of the variance, in 1/B."""
    return (1 + value**2 / 2) / size


def _higher_orders(value: float, size: int) -> float:
    """The most by which the variance differs from its first order: a test compares it with the exact one."""
    return (4 + 1.5 * value**4) / size**2


def _normalized_claims(outputs: Tensor) -> list[Claim]:
    square, mean = gap(outputs.square().mean(0), 1.0), gap(outputs.mean(0))
    return [
        Claim(
            "Over each batch the outputs have a mean square of 1",
            0,
            r"$\max |\overline{y^2} - 1|$",
            square,
            *rounding(1),
        ),
        Claim("Over each batch the outputs have mean 0", 0, r"$\max |\overline{y}|$", mean, *rounding(1)),
    ]


def _pair_claims(value: float, pairs: Tensor) -> list[Claim]:
    larger = erf(value / 2**0.5)  # the chance of being larger minus that of being smaller
    return [
        Claim("In a batch of two only the sign is left", 1, "$|y|$", 1 + gap(pairs.abs(), 1.0), *rounding(1)),
        Claim(
            "In a batch of two the mean output is the example's chance of being larger minus that of being smaller",
            larger,
            r"$\mathrm{erf}(x/\sqrt{2})$",
            pairs.mean().item(),
            *mean_of_bounded(1 - larger**2, 2, len(pairs)),
        ),
    ]


def _layer_norm_claim(batch: int, generator: torch.Generator) -> Claim:
    example = normal(generator, 1, FEATURES)
    alone, again = (
        torch.nn.functional.layer_norm(torch.cat([example, normal(generator, batch - 1, FEATURES)]), (FEATURES,))[0]
        for _ in range(2)
    )
    return Claim(
        "Under layer norm the other examples don't matter",
        0,
        r"$\max |y - y'|$ in other batches",
        gap(alone, again),
        *EXACT,
    )


def _sizes(value: float, generator: torch.Generator) -> Measurement:
    """The noise in batches of several sizes."""
    measured = {size: _outputs(value, size, SHOWN, generator) for size in SIZES}
    deviations = [outputs.var().item() ** 0.5 for outputs in measured.values()]
    formula = [_first_order(value, size) ** 0.5 for size in SIZES]
    places = [log2(size) for size in SIZES]
    curves = Curves(
        title=f"Standard deviation of the output for an activation of {value:g}, over {SHOWN:,} batches of each size",
        x_label="log2 of the batch size",
        y_label="standard deviation",
        series=[Series("measured", places, deviations, style="points"), Series("formula", places, formula)],
        note="By the formula, each doubling of the batch divides the standard deviation by about 1.4.",
    )
    means = [outputs.mean().item() for outputs in measured.values()]
    table = Table(
        title=f"Output for an activation of {value:g}, in {SHOWN:,} batches of each size",
        columns=["batch size", "mean", "standard deviation", r"$\sqrt{(1 + x^2/2)/B}$"],
        rows=[list(row) for row in zip(SIZES, means, deviations, formula, strict=True)],
        note="The formula is of first order in $1/B$: it can be far off in the smallest batches.",
    )
    return Measurement("", [], [table], [curves])


def _own(x: Tensor, eps: float) -> Tensor:
    """Layer norm of the examples."""
    return (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True, correction=0) + eps).sqrt()


BATCH_NORM = "torch.nn.functional.batch_norm"
WRONG = [
    Wrong(
        "divides by the root of the unbiased variance",
        BATCH_NORM,
        lambda right, x, mean, var, w, b, training, *rest: (
            (x - x.mean(0)) / x.std(0) if training else right(x, mean, var, w, b, training, *rest)
        ),
    ),
    Wrong(
        "subtracts the mean and does not divide",
        BATCH_NORM,
        lambda right, x, mean, var, w, b, training, *rest: x - x.mean(0),
    ),
    Wrong(
        "divides and does not subtract the mean",
        BATCH_NORM,
        lambda right, x, mean, var, w, b, training, *rest: x / x.std(0, correction=0),
    ),
    Wrong(
        "normalizes each example over its features",
        BATCH_NORM,
        lambda right, x, mean, var, w, b, training, momentum, eps: _own(x, eps),
    ),
    Wrong(
        "running statistics in training",
        BATCH_NORM,
        lambda right, x, mean, var, w, b, training, *rest: right(x, mean, var, w, b, False, *rest),
    ),
    Wrong(
        "the batch's statistics in eval",
        BATCH_NORM,
        lambda right, x, mean, var, w, b, training, *rest: right(x, None, None, w, b, True, *rest),
    ),
]
