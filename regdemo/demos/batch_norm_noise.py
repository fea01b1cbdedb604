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
from regdemo.report import Cell, Claim, Curves, Measurement, Series, Table, Text

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
    whole = norm(batches)
    norm.eval()
    others = torch.cat([batches[:1], -batches[1:]])
    pairs = _outputs(value, 2, DRAWS, generator)
    first, large = whole[0], _outputs(value, 4 * batch, DRAWS // 4, generator)
    expected = (1 + value**2 / 2) / batch
    example = normal(generator, 1, FEATURES)
    alone, again = (
        torch.nn.functional.layer_norm(torch.cat([example, normal(generator, batch - 1, FEATURES)]), (FEATURES,))
        for _ in range(2)
    )
    claims = [
        Claim(
            "The variance of the output is about $(1 + x^2/2)/B$",
            expected,
            "$(1 + x^2/2)/B$",
            _variance(first),
            *_bound(value, batch, DRAWS),
        ),
        Claim(
            "With four times the batch the variance is about a quarter",
            expected / 4,
            "$(1 + x^2/2)/(4B)$",
            _variance(large),
            *_bound(value, 4 * batch, DRAWS // 4),
        ),
        Claim(
            "Over each batch the outputs have a mean square of 1",
            0,
            r"$\max |\overline{y^2} - 1|$",
            gap(whole.square().mean(0), 1.0),
            *rounding(1),
        ),
        Claim("Over each batch the outputs have mean 0", 0, r"$\max |\overline{y}|$", gap(whole.mean(0)), *rounding(1)),
        Claim(
            "In a batch of two only the sign is left",
            1,
            "$|y|$",
            1 + gap(pairs.abs(), 1.0),
            *rounding(1),
        ),
        Claim(
            "In a batch of two the mean output is the example's chance of being larger minus that of being smaller",
            erf(value / 2**0.5),
            r"$\mathrm{erf}(x/\sqrt{2})$",
            pairs.mean().item(),
            *mean_of_bounded(1 - erf(value / 2**0.5) ** 2, 2, DRAWS),
        ),
        Claim(
            "In eval the other examples don't matter",
            0,
            r"$\max |y - y'|$ in other batches",
            gap(norm(others)[0], norm(batches)[0]),
            *EXACT,
        ),
        Claim(
            "Under layer norm the other examples don't matter",
            0,
            r"$\max |y - y'|$ in other batches",
            gap(alone[0], again[0]),
            *EXACT,
        ),
    ]
    measured = {size: _outputs(value, size, SHOWN, generator) for size in SIZES}
    deviations = [_variance(outputs) ** 0.5 for outputs in measured.values()]
    formula = [((1 + value**2 / 2) / size) ** 0.5 for size in SIZES]
    places = [log2(size) for size in SIZES]
    rows: list[list[Cell]] = [
        [size, outputs.mean().item(), deviation, first_order]
        for (size, outputs), deviation, first_order in zip(measured.items(), deviations, formula, strict=True)
    ]
    return Measurement(
        title=f"Batch norm noise: an activation of {value:g} in batches of {batch}",
        claims=claims,
        picture=[
            Curves(
                title=f"Standard deviation of the output for an activation of {value:g}, over {SHOWN:,} batches of "
                "each size",
                x_label="log2 of the batch size",
                y_label="standard deviation",
                series=[
                    Series("measured", places, deviations, style="points"),
                    Series("formula", places, formula),
                ],
                note="By the formula, each doubling of the batch divides the standard deviation by about 1.4.",
            )
        ],
        blocks=[
            Text(
                f"The example's activation is {value:g} in all batches; the other activations are drawn from "
                "$N(0, 1)$. There is no learned scale or shift, and eps is almost 0."
            ),
            Table(
                title=f"Output for an activation of {value:g}, in {SHOWN:,} batches of each size",
                columns=["batch size", "mean", "standard deviation", r"$\sqrt{(1 + x^2/2)/B}$"],
                rows=rows,
                note="The formula is of first order in $1/B$: it can be far off in the smallest batches.",
            ),
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


def _variance(outputs: Tensor) -> float:
    return outputs.var().item()


def _higher_orders(value: float, size: int) -> float:
    """The most by which the variance differs from its first order: a test compares it with the exact one."""
    return (4 + 1.5 * value**4) / size**2


def _bound(value: float, size: int, draws: int) -> tuple[float, str]:
    """The bound on the variance of outputs that are close to normal."""
    slip = _higher_orders(value, size)
    tolerance, reason = mean_of_squares([(1 + value**2 / 2) / size + slip], draws - 1)
    return slip + tolerance, f"{reason}; $(4 + 1.5 x^4)/B^2$ for higher orders"


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
