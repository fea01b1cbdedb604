"""Zoneout: random recurrent units keep their state.

Draws which units keep their previous state at each time step, and checks how many do, for how long, and what eval uses
instead. Then it compares the memory left after many steps with that under dropout on the state.
"""

from __future__ import annotations

from typing import Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import mean_of_bounded, proportion, rounding
from regdemo.measure import Wrong, fraction, gap, mean_square, normal, one_of_two, seeded
from regdemo.parameters import SEED, count, rate
from regdemo.report import Claim, Curves, HeatMap, Measurement, Series, Text

ACTS_ON = "activations"
SAY = (
    "At each time step zoneout lets a unit of a recurrent network keep its previous state with probability $p$, where "
    "dropout would set it to zero. The noise regularizes, yet the memory survives and the gradient has an identity "
    "path through the kept units. In eval the state is the mean, $(1-p)$ new plus $p$ previous, so eval does "
    "not switch zoneout off."
)
WRONG_ANSWER = (
    "'Zoneout is dropout on the hidden state, so eval switches it off.' Where units are to hold a value "
    "for $T$ steps, dropout on the state spares a fraction $(1-p)^T$ of them, zoneout all. And a network that was "
    "trained with zoneout and runs without it updates its state faster than in training: eval needs the mean."
)
CARDS = ("Q18.900", "Q18.901", "Q18.902", "Q18.903")

UNITS, SHOWN = 12, 24  # of the picture: units, time steps


def zoneout(
    *,
    p: Annotated[float, rate("Probability that a unit keeps its previous state.")] = 0.1,
    steps: Annotated[int, count("Time steps.", 1, 100)] = 20,
    size: Annotated[int, count("Units in each measurement.", 1, 20_000)] = 5_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure zoneout at rate p on `size` units over `steps` time steps."""
    generator = seeded(seed)
    new, previous = normal(generator, size) + 3, normal(generator, size) - 3
    return Measurement(
        title=f"Zoneout at p = {p}",
        claims=[
            *_state_claims(p, new, previous, generator),
            _age_claim(p, size, steps, generator),
            *(memory := _memory(p, size, steps, generator)).claims,
        ],
        picture=[_picture(p, generator)],
        blocks=memory.blocks,
    )


def _state_claims(p: float, new: torch.Tensor, previous: torch.Tensor, generator: torch.Generator) -> list[Claim]:
    """What becomes of the states in one time step, in training and in eval."""
    state = regularizers.zoneout(new, previous, p, generator=generator)
    mask = regularizers.keep_mask((len(new),), p, generator=generator)
    kept = fraction((state - previous).abs() < (state - new).abs())
    mean, span = (1 - p) * new + p * previous, gap(new, previous)
    off = gap(regularizers.zoneout(new, previous, p, training=False), mean)
    return [
        one_of_two(state, new, previous, "Each unit has its new or its previous state"),
        Claim("The fraction that keeps its state is p", p, "$p$", kept, *proportion(p, len(new))),
        Claim(
            "With a given mask the units marked True are updated",
            0,
            r"$\max |h - (m h_{new} + (1-m) h_{old})|$",
            gap(regularizers.zoneout(new, previous, p, mask=mask), torch.where(mask, new, previous)),
            *rounding(span),
        ),
        Claim("In eval the state is the mean", 0, r"$\max |h - ((1-p) h_{new} + p h_{old})|$", off, *rounding(span)),
        Claim(
            "The mean state in training is the one that eval uses",
            0,
            r"mean of $h - ((1-p) h_{new} + p h_{old})$",
            (state - mean).mean().item(),
            *mean_of_bounded(p * (1 - p) * mean_square(new - previous), span, len(new)),
        ),
    ]


def _age_claim(p: float, size: int, steps: int, generator: torch.Generator) -> Claim:
    # An age is at least k with probability p^k, up to the first step.
    age = sum(p**k for k in range(1, steps + 1))
    variance = sum((2 * k - 1) * p**k for k in range(1, steps + 1)) - age**2
    return Claim(
        f"The mean age of a state at time step {steps}",
        age,
        r"$\sum_k p^k$",
        _ages(p, size, steps, generator)[:, -1].mean().item(),
        *mean_of_bounded(variance, steps, size),
    )


def _ages(p: float, units: int, steps: int, generator: torch.Generator) -> torch.Tensor:
    """How many steps ago each unit was updated, after each step: (units, steps). A new state holds its step."""
    state = torch.zeros(units, dtype=torch.float64)
    ages = []
    for step in range(1, steps + 1):
        state = regularizers.zoneout(torch.full_like(state, step), state, p, generator=generator)
        ages.append(step - state)
    return torch.stack(ages, dim=1)


def _memory(p: float, size: int, steps: int, generator: torch.Generator) -> Measurement:
    """The fraction of units that hold the 1 that their cell stores, after each step of zoneout and of dropout."""
    state, other = torch.ones(2, size, dtype=torch.float64)
    kept, dropped = [1.0], [1.0]
    for _ in range(steps):
        state = regularizers.zoneout(state, state, p, generator=generator)
        other = regularizers.dropout(other, p, generator=generator)
        kept.append(fraction(state == 1))
        dropped.append(fraction(other != 0))
    claims = [
        Claim(
            f"The fraction of stored values that zoneout leaves at time step {steps}",
            1,
            "fraction = 1",
            kept[-1],
            *rounding(1, digits=0),
        ),
        Claim(
            f"The fraction that dropout on the state leaves at time step {steps}",
            (1 - p) ** steps,
            "$(1-p)^T$",
            dropped[-1],
            *proportion((1 - p) ** steps, size),
        ),
    ]
    at = [float(step) for step in range(steps + 1)]
    text = Text(
        "Let each unit store a value that its cell carries on unchanged. Zoneout chooses between the new and "
        "the old state, which are then the same. Dropout sets a unit to 0 with probability p at each step, and "
        "the value is lost."
    )
    curves = Curves(
        title="The fraction of units that still hold what was stored",
        x_label="time step",
        y_label="fraction",
        series=[Series("zoneout", at, kept), Series("dropout on the state", at, dropped)],
    )
    return Measurement("", claims, [text, curves])


def _picture(p: float, generator: torch.Generator) -> HeatMap:
    shown = _ages(p, UNITS, SHOWN, generator)
    return HeatMap(
        title=f"An example of {UNITS} units and {SHOWN} steps: how old each state is; "
        f"{int((shown > 0).sum())} of {shown.numel()} were kept",
        values=shown.tolist(),
        low=0,
        high=max(1.0, shown.max().item()),
        row_label="unit",
        column_label="time step",
        note="0 means updated in this step. A state that is kept grows older by one step.",
    )


WRONG = [
    Wrong("drops to 0", "zoneout", lambda right, new, old, p, **kw: right(new, torch.zeros_like(new), p, **kw)),
    Wrong("keeps with probability 1-p", "zoneout", lambda right, new, old, p, **kw: right(old, new, p, **kw)),
    Wrong(
        "the new state in eval",
        "zoneout",
        lambda right, new, old, p, training=True, **kw: right(new, old, p, **kw) if training else new,
    ),
    Wrong("random in eval", "zoneout", lambda right, new, old, p, training=True, **kw: right(new, old, p, **kw)),
    Wrong("rescaled as dropout is", "zoneout", lambda right, new, old, p, **kw: right(new / (1 - p), old, p, **kw)),
    Wrong(
        "one draw for all steps",
        "zoneout",
        lambda right, new, old, p, generator=None, **kw: right(new, old, p, generator=generator and seeded(1), **kw),
    ),
    Wrong("ignores the mask", "zoneout", lambda right, new, old, p, mask=None, **kw: right(new, old, p, **kw)),
    Wrong("the mean in training", "zoneout", lambda right, new, old, p, **kw: right(new, old, p, training=False)),
]
