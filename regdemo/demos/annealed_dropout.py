"""Annealed dropout: the rate falls to 0 as training goes on.

And its relatives: early dropout, which only the beginning has, and late dropout, which only the rest has. Draws the
three schedules, follows them on a model step by step, and shows what goes wrong when the rate is set once an epoch, or
only where it is a module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, mean_of_bounded, rounding
from regdemo.parameters import SEED, count, rate
from regdemo.report import Cell, Claim, Curves, Measurement, Series, Table, Text

if TYPE_CHECKING:
    from torch import Tensor

ACTS_ON = "schedules"
SAY = (
    "Annealed dropout lowers the rate to 0 during training; early dropout, for models that underfit, switches it off "
    "after the first part; late dropout, for models that overfit, switches it on after it. The rate is a function of "
    "the step, set on every module before each one, and it has to arrive at exactly 0."
)
WRONG_ANSWER = (
    "'Lower p after each epoch.' With three epochs of fine-tuning that makes three stairs, and the last one is not 0. "
    "And 'set .p on every nn.Dropout' leaves the rate of an F.dropout call, or of an attention's float, where it was."
)
CARDS = (
    "Q18.204",
    "Q18.205",
    "Q18.206",
    "Q18.207",
)

UNITS = 2_000  # activations dropped in each step


def annealed_dropout(
    *,
    p: Annotated[float, rate("Drop probability that the schedules begin with, or end with.")] = 0.5,
    epochs: Annotated[int, count("Epochs of the run.", 2, 50)] = 5,
    steps: Annotated[int, count("Steps in each epoch.", 2, 50)] = 20,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Follow the schedules of rate p over `epochs` times `steps` steps; early and late dropout meet halfway."""

    generator = torch.Generator().manual_seed(seed)
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

    model = torch.nn.Sequential(torch.nn.Identity(), regularizers.Dropout(0.9))
    x, dropped = torch.ones(UNITS), []
    for rate_ in rates["annealed"]:
        regularizers.set_dropout(model, rate_)
        dropped.append(_zeros(model[1](x, generator=generator)))

    annealed = rates["annealed"]
    mean = p * (total + 1) / (2 * total)
    with torch.random.fork_rng(
        devices=[]
    ):  # torch.nn.functional.dropout takes no generator: lend it the global one, and put it back
        torch.default_generator.manual_seed(int(torch.randint(2**31, (), generator=generator)))
        written_in_the_code = _zeros(torch.nn.functional.dropout(x, p))
    claims = [
        Claim(
            "The mean rate of the annealed run is about p/2",
            mean,
            "p (T+1) / (2T)",
            sum(annealed[:-1]) / total,
            *rounding(1),
        ),
        Claim(
            "The share that the model dropped, over all steps",
            sum(annealed) / (total + 1),
            "mean of p_t",
            sum(dropped) / (total + 1),
            *mean_of_bounded(sum(q * (1 - q) for q in annealed) / (total + 1), 1, UNITS * (total + 1)),
        ),
        *(
            Claim(f"{name} ends at exactly 0", 0, "p_T = 0", rates[name][-1], *EXACT)
            for name in ("annealed", "early, linear", "early, constant")
        ),
        Claim(
            "Late and constant early dropout add up to plain dropout",
            0,
            "max |late + early - p|",
            max(abs(a + b - p) for a, b in zip(rates["late"], rates["early, constant"], strict=True)),
            *EXACT,
        ),
        Claim(
            "Set once an epoch, the last epoch is still dropped at p / epochs",
            p / epochs,
            "p / epochs",
            by_epoch[-1],
            *rounding(1),
        ),
        Claim(
            "Set once an epoch, the mean rate is higher",
            p * (epochs + 1) / (2 * epochs),
            "p (epochs + 1) / (2 epochs)",
            sum(by_epoch) / total,
            *rounding(1),
        ),
        Claim(
            "After the end, torch.nn.functional.dropout(x, p) in a forward drops a share of",
            p,
            "p: set_dropout cannot see it",
            written_in_the_code,
            *mean_of_bounded(p * (1 - p), 1, UNITS),
        ),
    ]
    shown = sorted({round(i * total / 10) for i in range(11)})
    rows: list[list[Cell]] = [[step, *(each[step] for each in rates.values()), dropped[step]] for step in shown]
    at = [float(step) for step in run]
    return Measurement(
        title=f"Annealed dropout from p = {p}, with early and late dropout",
        claims=claims,
        blocks=[
            Text(
                f"Three schedules of the drop rate over {total} steps. Annealed dropout goes down all the way, so that "
                f"the end is trained as it will be used. Early dropout is off from step {half} on, late dropout "
                "until then. The rate is a function of the step: it is set before each one, with `set_dropout`."
            ),
            Curves(
                title="The drop rate",
                x_label="step",
                y_label="p",
                series=[Series(name, at, each) for name, each in rates.items()],
            ),
            Table(
                title="The rates at a few steps, and the share a model dropped under the first",
                columns=["step", *rates, "dropped (annealed)"],
                rows=rows,
                note=f"{UNITS:,} activations are dropped in each step.",
            ),
            Table(
                title="Annealed by the step, and by the epoch",
                columns=["rate set", "first", "last step", "mean"],
                rows=[
                    ["each step", annealed[0], annealed[total - 1], sum(annealed[:-1]) / total],
                    ["each epoch", by_epoch[0], by_epoch[-1], sum(by_epoch) / total],
                ],
                note="With few epochs, as in fine-tuning, stairs are far from the line, and do not come down to 0.",
            ),
            Text(
                "What is shown are schedules; no effect on accuracy is measured or claimed. The papers report theirs "
                "on speech and on ImageNet, and a network small enough for a demo is no test of them."
            ),
        ],
    )


def _zeros(y: Tensor) -> float:
    return (y == 0).double().mean().item()
