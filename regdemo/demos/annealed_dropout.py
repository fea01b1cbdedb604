"""Annealed dropout: the rate falls toward 0 as training goes on.

Its relatives are early dropout, on in the first part of training only, and late dropout, on in the rest only.
Draws the schedules, follows the annealed one on a model step by step, and shows what goes wrong when the rate is set
once per epoch.
"""

from __future__ import annotations

from typing import Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, mean_of_bounded, rounding
from regdemo.measure import Wrong, fraction, seeded
from regdemo.parameters import SEED, count, rate
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

ACTS_ON = "schedules"
SAY = (
    "Annealed dropout lowers the rate toward 0 during training. Early dropout, for models that underfit, switches "
    "dropout off after the first part; late dropout, for models that overfit, leaves it off until then. The rate is a "
    "function of the step and is set before each step, everywhere in the model. With $p(1-t/T)$ at step $t$ of "
    "$T$, the last training step, $T-1$, still has $p/T$: the rate is 0 from step $T$ on."
)
WRONG_ANSWER = (
    "'Lower p after each epoch.' With $p(1-e/E)$ in epoch $e$ of $E = 3$, that makes three stairs, and the last "
    "one is at $p/3$. And 'set .p on every nn.Dropout' changes neither the rate of an F.dropout call nor "
    "a rate that attention holds as a float."
)
CARDS = ("Q18.204", "Q18.205", "Q18.206", "Q18.207")

UNITS = 2_000  # activations dropped in each step


def annealed_dropout(
    *,
    p: Annotated[float, rate("Drop probability that the schedules begin with, or end with.")] = 0.5,
    epochs: Annotated[int, count("Epochs of the run.", 2, 50)] = 5,
    steps: Annotated[int, count("Steps in each epoch.", 2, 50)] = 20,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Follow the schedules of rate p over `epochs` times `steps` steps; early and late dropout meet halfway."""
    total = epochs * steps
    half = total // 2
    run = range(total + 1)
    rates = {
        "annealed": [regularizers.annealed_dropout(step, total, p) for step in run],
        "early, linear": [regularizers.early_dropout(step, half, p) for step in run],
        "early, constant": [regularizers.early_dropout(step, half, p, constant=True) for step in run],
        "late": [regularizers.late_dropout(step, half, p) for step in run],
    }
    by_epoch = [regularizers.annealed_dropout(step // steps, epochs, p) for step in range(total)]
    dropped = _dropped(rates["annealed"], seeded(seed))
    at = [float(step) for step in run]
    return Measurement(
        title=f"Annealed dropout from p = {p}, with early and late dropout",
        claims=[
            *_claims(p, half, rates, dropped),
            Claim("Set once per epoch, the rate of the last epoch is", p / epochs, "$p/E$", by_epoch[-1], *rounding(1)),
        ],
        picture=[
            Curves(
                title=f"The drop rate over {total} steps, by four schedules",
                x_label="step",
                y_label="rate",
                series=[Series(name, at, each) for name, each in rates.items()],
                note=f"Early dropout is off from step {half} on, late dropout until then.",
            )
        ],
        blocks=[
            Table(
                title=f"The rates at a few steps, and the fraction of {UNITS:,} activations dropped at the "
                "annealed rate",
                columns=["step", *rates, "dropped (annealed)"],
                rows=[
                    [step, *(each[step] for each in rates.values()), dropped[step]]
                    for step in sorted({round(i * total / 10) for i in range(11)})
                ],
            ),
            Table(
                title="Annealed by the step, and by the epoch",
                columns=["rate set", "first step", "last step", "mean"],
                rows=[
                    [name, each[0], each[-1], sum(each) / total]
                    for name, each in (("each step", rates["annealed"][:-1]), ("each epoch", by_epoch))
                ],
                note="The fewer the epochs, as in fine-tuning, the higher the last stair: $p/E$.",
            ),
            Text("The schedules are measured here, not their effect on accuracy."),
        ],
    )


def _dropped(rates: list[float], generator: torch.Generator) -> list[float]:
    """The fraction that a model drops in each step, its rate set before."""
    model, x, dropped = torch.nn.Sequential(torch.nn.Identity(), regularizers.Dropout(0.9)), torch.ones(UNITS), []
    for rate_ in rates:
        regularizers.set_dropout(model, rate_)
        dropped.append(fraction(model[1](x, generator=generator) == 0))
    return dropped


def _claims(p: float, half: int, rates: dict[str, list[float]], dropped: list[float]) -> list[Claim]:
    annealed, early, late = rates["annealed"], rates["early, constant"], rates["late"]
    total = len(annealed) - 1
    mean, off = sum(annealed[:-1]) / total, max(abs(a + b - p) for a, b in zip(late, early, strict=True))
    return [
        Claim("The first step has the rate p", p, "$p$", annealed[0], *EXACT),
        Claim("The last training step, $T-1$, still has the rate", p / total, "$p/T$", annealed[-2], *rounding(1)),
        *(Claim(f"{name}: 0 at step T", 0, "$p_T$ = 0", rates[name][-1], *EXACT) for name in list(rates)[:3]),
        Claim("The mean rate of the annealed run", p * (total + 1) / (2 * total), "$p (T+1)/(2T)$", mean, *rounding(1)),
        Claim(
            "The fraction that a model drops when the rate is set before each step",
            sum(p * (1 - step / total) for step in range(total + 1)) / (total + 1),
            "mean of $p_t$",
            sum(dropped) / (total + 1),
            *mean_of_bounded(sum(q * (1 - q) for q in annealed) / (total + 1), 1, UNITS * (total + 1)),
        ),
        Claim(
            f"Early dropout is on until step {half}, late dropout from there on",
            p,
            f"$p$, late at step {half} and early one step before",
            (late[half] + early[half - 1]) / 2,
            *EXACT,
        ),
        Claim(
            "The rates of late and of constant early dropout add up to p", 0, r"$\max |late + early - p|$", off, *EXACT
        ),
    ]


NAME = "annealed_dropout"
WRONG = [
    Wrong("reaches 0 at T+1", NAME, lambda right, step, steps, p: right(step, steps + 1, p)),
    Wrong("reaches 0 at T-1", NAME, lambda right, step, steps, p: right(step, max(1, steps - 1), p)),
    Wrong("rises instead", NAME, lambda right, step, steps, p: p - right(step, steps, p)),
    Wrong("late dropout a step late", "late_dropout", lambda right, step, start, p: right(step, start + 1, p)),
    Wrong(
        "early and late swapped", "early_dropout", lambda right, step, cutoff, p, constant=False: p * (step >= cutoff)
    ),
    Wrong("the rate is not set", "set_dropout", lambda right, model, p: {}),
]
