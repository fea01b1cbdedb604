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
    scale = 1 / (1 - p)
    x = torch.full((2, steps, size), X, dtype=torch.float64)
    y = regularizers.locked_dropout(x, p, generator=generator)
    fresh = regularizers.dropout(x, p, generator=generator)
    kept = y != 0
    z = normal(generator, 2, 3, 5)
    mask = regularizers.keep_mask((2, 1, 5), p, generator=generator)
    by_hand = z * mask * scale
    time_first = regularizers.locked_dropout(z.transpose(0, 1), p, time_dim=0, mask=mask.transpose(0, 1))
    agree = p**2 + (1 - p) ** 2
    survivors = kept.cumprod(1).double().mean((0, 2)), (fresh != 0).cumprod(1).double().mean((0, 2))
    claims = [
        one_of_two(y, 0.0, x * scale, f"Each output is 0 or $x/(1-p)$ = {X * scale:.4g}"),
        Claim(
            "A unit is dropped at every time step or at none",
            0,
            "fraction of units dropped in part",
            fraction(kept.any(1) != kept.all(1)),
            *EXACT,
        ),
        Claim("The fraction of units dropped is p", p, "$p$", fraction(~kept[:, 0]), *proportion(p, 2 * size)),
        Claim(
            "Two sequences have independent masks",
            agree,
            "$p^2 + (1-p)^2$ agree",
            fraction(kept[0, 0] == kept[1, 0]),
            *proportion(agree, size),
        ),
        keeps_mean(y[:, 0].mean().item(), X, mean_of_bounded(X**2 * p * scale, X * max(1, p * scale), 2 * size)),
        Claim(
            "A given mask is used at each step",
            0,
            r"$\max |y - x m / (1-p)|$",
            gap(regularizers.locked_dropout(z, p, mask=mask), by_hand),
            *rounding(5 * scale),
        ),
        Claim(
            "With time as the first dimension the result is the same",
            0,
            r"$\max |y - x m / (1-p)|$",
            gap(time_first.transpose(0, 1), by_hand),
            *rounding(5 * scale),
        ),
        identity_in_eval(regularizers.locked_dropout(x, p, training=False), x),
        _noise(p, y, 1, "Under a locked mask an average over time keeps all of the noise"),
        _noise(p, fresh, steps, "Under fresh masks an average over time keeps $1/T$ of the noise's variance"),
        Claim(
            f"The fraction of units that fresh masks spare up to step {steps}",
            (1 - p) ** steps,
            "$(1-p)^T$",
            survivors[1][-1].item(),
            *proportion((1 - p) ** steps, 2 * size),
        ),
    ]
    shown = regularizers.locked_dropout(torch.ones(1, 24, UNITS, dtype=torch.float64), p, generator=generator)[0]
    at = [float(step) for step in range(1, steps + 1)]
    return Measurement(
        title=f"Locked dropout at p = {p}",
        claims=claims,
        picture=[
            HeatMap(
                title=f"An example of {len(shown)} steps: {int((shown[0] == 0).sum())} of {UNITS} units are dropped, "
                "each throughout",
                values=shown.T.tolist(),
                low=0.0,
                high=scale,
                row_label="unit",
                column_label="time step",
                note=f"0 is dropped, {scale:.4g} is kept and scaled.",
            )
        ],
        blocks=[
            Curves(
                title="The fraction of a state's units that no mask has dropped so far",
                x_label="time step",
                y_label="fraction",
                series=[
                    Series("one mask for all steps", at, survivors[0].tolist()),
                    Series("a fresh mask at each step", at, survivors[1].tolist()),
                ],
            ),
            Table(
                title=f"The noise on a unit of x = {X:g}, averaged over {steps} steps",
                columns=["mask", "variance", "formula"],
                rows=[
                    ["one for all steps", mean_square(y.mean(1) - X), X**2 * p * scale],
                    ["a fresh one at each step", mean_square(fresh.mean(1) - X), X**2 * p * scale / steps],
                ],
            ),
        ],
    )


def _noise(p: float, y: torch.Tensor, masks: int, statement: str) -> Claim:
    """The variance of a unit's average over time, where so many masks were drawn over the time steps."""
    noise = y.mean(1) - X
    variance = X**2 * p / (1 - p) / masks
    # A fourth moment of the mean of n draws of variance v and fourth moment m is (m + 3 (n-1) v^2) / n^3.
    fourth = X**4 * (p + (1 - p) * (p / (1 - p)) ** 4)
    squared = (fourth + 3 * (masks - 1) * (X**2 * p / (1 - p)) ** 2) / masks**3 - variance**2
    bound = mean_of_bounded(max(squared, 0), X**2 * max(1, p / (1 - p)) ** 2, noise.numel())
    return Claim(statement, variance, "$p/(1-p) x^2$" + (" / T" if masks > 1 else ""), mean_square(noise), *bound)


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
