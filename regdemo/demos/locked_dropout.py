"""Locked dropout: one mask for all time steps.

Draws masks for a batch of sequences and checks that a unit is dropped at every time step or at none. Then it compares
what is left of a state after many steps, and the noise on an average over time, with those under fresh masks.
"""

from __future__ import annotations

from typing import Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, mean_of_bounded, proportion, rounding
from regdemo.measure import Wrong, fraction, gap, identity_in_eval, keeps_mean, mean_square, normal, one_of_two, seeded
from regdemo.parameters import SEED, count, rate
from regdemo.report import Claim, Curves, HeatMap, Measurement, Series, Table

ACTS_ON = "activations"
SAY = (
    "Locked, or variational, dropout draws one mask for each sequence and uses it at every time step, scaled by "
    "$1/(1-p)$ as usual. A dropped unit is missing throughout its sequence, so the noise is not averaged out over "
    "time, and a recurrent state loses the same units at each step, not new ones."
)
WRONG_ANSWER = (
    "'Put nn.Dropout after each step of the recurrent layer.' That draws a fresh mask at each step: on "
    "average, only $(1-p)^T$ of a state's units escape all $T$ masks. Close second: one mask for the whole batch. Each "
    "sequence needs its own mask."
)
CARDS = ("Q18.908", "Q18.909", "Q18.926", "Q18.911")

X = 2.0  # the activation dropped: not 1, or its square in the variance would not show
UNITS = 12  # of the picture


def locked_dropout(
    *,
    p: Annotated[float, rate("Probability that a unit is dropped for a whole sequence.")] = 0.5,
    steps: Annotated[int, count("Time steps.", 2, 100)] = 20,
    size: Annotated[int, count("Units of each of two sequences.", 1, 20_000)] = 3_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure locked dropout at rate p on two sequences of `steps` steps and `size` units of value X."""
    generator = seeded(seed)
    variance = X**2 * p * (1 / (1 - p))
    x = torch.full((2, steps, size), X, dtype=torch.float64)
    y = regularizers.locked_dropout(x, p, generator=generator)
    fresh = regularizers.dropout(x, p, generator=generator)
    return Measurement(
        title=f"Locked dropout at p = {p}",
        claims=[
            *_unit_claims(p, x, y),
            *_mask_claims(p, generator),
            identity_in_eval(regularizers.locked_dropout(x, p, training=False), x),
            _noise(p, y, 1, "Under a locked mask an average over time keeps all of the noise"),
            _noise(p, fresh, steps, "Under fresh masks an average over time keeps $1/T$ of the noise's variance"),
            Claim(
                f"The fraction of units that fresh masks spare up to step {steps}",
                (1 - p) ** steps,
                "$(1-p)^T$",
                _spared(fresh)[-1],
                *proportion((1 - p) ** steps, 2 * size),
            ),
        ],
        picture=[_picture(p, generator)],
        blocks=[
            _spared_curves(y, fresh),
            Table(
                title=f"The noise on a unit of x = {X:g}, averaged over {steps} steps",
                columns=["mask", "variance", "formula"],
                rows=[
                    ["one for all steps", mean_square(y.mean(1) - X), variance],
                    ["a fresh one at each step", mean_square(fresh.mean(1) - X), variance / steps],
                ],
            ),
        ],
    )


def _unit_claims(p: float, x: torch.Tensor, y: torch.Tensor) -> list[Claim]:
    """What becomes of the units of two sequences."""
    scale, size = 1 / (1 - p), x.shape[-1]
    kept, agree = y != 0, p**2 + (1 - p) ** 2
    split, alike = fraction(kept.any(1) != kept.all(1)), fraction(kept[0, 0] == kept[1, 0])
    return [
        one_of_two(y, 0.0, x * scale, f"Each output is 0 or $x/(1-p)$ = {X * scale:.4g}"),
        Claim("A unit is dropped at every time step or at none", 0, "fraction of units dropped in part", split, *EXACT),
        Claim("The fraction of units dropped is p", p, "$p$", fraction(~kept[:, 0]), *proportion(p, 2 * size)),
        Claim("Two sequences have independent masks", agree, "$p^2 + (1-p)^2$ agree", alike, *proportion(agree, size)),
        keeps_mean(y[:, 0].mean().item(), X, mean_of_bounded(X**2 * p * scale, X * max(1, p * scale), 2 * size)),
    ]


def _mask_claims(p: float, generator: torch.Generator) -> list[Claim]:
    """A mask that is given, on two sequences of 3 steps and 5 units, and on the same with time first."""
    x = normal(generator, 2, 3, 5)
    mask = regularizers.keep_mask((2, 1, 5), p, generator=generator)
    scale = 1 / (1 - p)
    by_hand, formula, bound = x * mask * scale, r"$\max |y - x m / (1-p)|$", rounding(5 * scale)
    off = gap(regularizers.locked_dropout(x, p, mask=mask), by_hand)
    time_first = regularizers.locked_dropout(x.transpose(0, 1), p, time_dim=0, mask=mask.transpose(0, 1))
    off_time_first = gap(time_first.transpose(0, 1), by_hand)
    return [
        Claim("A given mask is used at each step", 0, formula, off, *bound),
        Claim("With time as the first dimension the result is the same", 0, formula, off_time_first, *bound),
    ]


def _noise(p: float, y: torch.Tensor, masks: int, statement: str) -> Claim:
    """The variance of a unit's average over time, where so many masks were drawn over the time steps."""
    noise = y.mean(1) - X
    variance = X**2 * p / (1 - p) / masks
    # A fourth moment of the mean of n draws of variance v and fourth moment m is (m + 3 (n-1) v^2) / n^3.
    fourth = X**4 * (p + (1 - p) * (p / (1 - p)) ** 4)
    squared = (fourth + 3 * (masks - 1) * (X**2 * p / (1 - p)) ** 2) / masks**3 - variance**2
    bound = mean_of_bounded(max(squared, 0), X**2 * max(1, p / (1 - p)) ** 2, noise.numel())
    return Claim(statement, variance, "$p/(1-p) x^2$" + (" / T" if masks > 1 else ""), mean_square(noise), *bound)


def _spared(y: torch.Tensor) -> list[float]:
    """The fraction of units that were not dropped at any step so far."""
    return (y != 0).cumprod(1).double().mean((0, 2)).tolist()


def _picture(p: float, generator: torch.Generator) -> HeatMap:
    shown = regularizers.locked_dropout(torch.ones(1, 24, UNITS, dtype=torch.float64), p, generator=generator)[0]
    return HeatMap(
        title=f"An example of {len(shown)} steps: {int((shown[0] == 0).sum())} of {UNITS} units are dropped, "
        "each throughout",
        values=shown.T.tolist(),
        low=0.0,
        high=1 / (1 - p),
        row_label="unit",
        column_label="time step",
        note=f"0 is dropped, {1 / (1 - p):.4g} is kept and scaled.",
    )


def _spared_curves(y: torch.Tensor, fresh: torch.Tensor) -> Curves:
    at = [float(step) for step in range(1, y.shape[1] + 1)]
    return Curves(
        title="The fraction of a state's units that no mask has dropped so far",
        x_label="time step",
        y_label="fraction",
        series=[
            Series("one mask for all steps", at, _spared(y)),
            Series("a fresh mask at each step", at, _spared(fresh)),
        ],
    )


WRONG = [
    Wrong(
        "a fresh mask at each step",
        "locked_dropout",
        lambda right, x, p, training=True, generator=None, **kw: regularizers.dropout(
            x, p, training=training, generator=generator
        ),
    ),
    Wrong(
        "one mask for the batch",
        "locked_dropout",
        lambda right, x, p, **kw: right(x, p, **kw) if "mask" in kw else x / x[:1] * right(x[:1], p, **kw),
    ),
    Wrong(
        "drops whole time steps",
        "locked_dropout",
        lambda right, x, p, time_dim=1, **kw: right(x, p, time_dim=2, **{**kw, "mask": None}),
    ),
    Wrong("never rescaled", "locked_dropout", lambda right, x, p, **kw: (1 - p) * right(x, p, **kw)),
    Wrong("drops in eval", "locked_dropout", lambda right, x, p, training=True, **kw: right(x, p, **kw)),
    Wrong("drops half as often", "locked_dropout", lambda right, x, p, **kw: right(x, p / 2, **kw)),
    Wrong("ignores the mask", "locked_dropout", lambda right, x, p, mask=None, **kw: right(x, p, **kw)),
]
