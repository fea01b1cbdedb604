"""Max-norm: a bound on each unit's weights.

Projects each unit's incoming weights back to a ball after every step. Checks the projection against torch.renorm and
against random points of the ball, and shows what a bound does that a penalty does not: no pull inside it, and after a
step no unit beyond it, whatever the learning rate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, rounding
from regdemo.measure import Wrong, gap, normal, seeded
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

if TYPE_CHECKING:
    from torch import Generator, Tensor

ACTS_ON = "weights"
SAY = (
    "Max-norm bounds the norm of the weights into each unit: after each step, a unit whose weight vector is longer "
    "than $c$ is scaled back to $c$. It is a projection, not a penalty: no pull below $c$, a hard bound at $c$. The "
    "dropout paper recommends it, since with it one can start with a large learning rate without weights blowing "
    "up."
)
WRONG_ANSWER = (
    "'It is gradient clipping.' That bounds the gradient; max-norm bounds the weights. Nor is it L2, which pulls "
    "short weights too, or a clamp of single weights, which can change the direction. And the norm is that of one "
    "unit's incoming weights, a row of nn.Linear's (out, in) matrix, not that of the whole matrix."
)
CARDS = ("Q18.428", "Q18.429", "Q18.430", "Q18.431")

TRIED = 2_000  # random points of the ball that could be nearer
EXAMPLES, STEPS = 40, 60
RATES = (0.1, 1.0, 10.0)
WAYS = ("max-norm", "L2", "neither")  # of holding the weights


def max_norm(
    *,
    limit: Annotated[float, Parameter("Largest norm of the weights into one unit.", 0.1, 10)] = 2.0,
    units: Annotated[int, count("Units of the layer.", 1, 1_000)] = 8,
    inputs: Annotated[int, count("Weights into each unit.", 1, 1_000)] = 20,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Project random weights, then train a logistic model with the bound, with an L2 penalty, and with neither."""
    generator = seeded(seed)
    weight = normal(generator, units, inputs)
    sizes = limit * torch.linspace(0.5, 2, units, dtype=torch.float64)  # norms from limit / 2 to limit * 2
    weight = weight / weight.norm(dim=1, keepdim=True) * sizes[:, None]
    bounded = regularizers.max_norm(weight, limit)
    norms = bounded.norm(dim=1)
    return Measurement(
        title=f"Max-norm at limit {limit:g}",
        claims=[
            *_norm_claims(weight, sizes, bounded, limit),
            *_projection_claims(weight, bounded, limit, generator),
            *(trained := _trained(limit, generator)).claims,
        ],
        picture=trained.picture,
        blocks=[
            Text(
                f"After each step a unit's weight vector that is longer than {limit:g} is scaled back to that length. "
                "Within the limit max-norm does not pull the weights, so unlike L2 it costs a short weight vector "
                "nothing. And it bounds the norm at any learning rate."
            ),
            *trained.blocks,
            Table(
                title="Norms of the weights into each unit of a random layer"
                + (f", the first 8 of {units:,}" if units > 8 else ""),
                columns=["unit", "before projection", "after"],
                rows=[[unit, sizes[unit].item(), norms[unit].item()] for unit in range(min(units, 8))],
            ),
        ],
    )


def _norm_claims(weight: Tensor, sizes: Tensor, bounded: Tensor, limit: float) -> list[Claim]:
    """The projection, unit by unit: within the limit and beyond it."""
    short = sizes < limit * (1 - 1e-12)
    return [
        Claim(
            "No unit's weight vector is longer than the limit",
            0,
            "largest excess",
            max(0.0, (bounded.norm(dim=1) - limit).max().item()),
            *rounding(limit, digits=1e-12),
        ),
        Claim(
            "A unit within the limit is left as it was, bit for bit",
            0,
            "largest change",
            (bounded - weight)[short].abs().sum().item(),
            *EXACT,
        ),
        Claim(
            "A unit beyond the limit keeps its direction",
            0,
            r"largest $w - c\, w_0/|w_0|$",
            (bounded - limit * weight / sizes[:, None])[~short].abs().sum().item(),
            *rounding(limit * len(sizes), digits=1e-9),
        ),
    ]


def _projection_claims(weight: Tensor, bounded: Tensor, limit: float, generator: Generator) -> list[Claim]:
    """It is torch's, the nearest point of the ball, and idempotent."""
    inside = normal(generator, TRIED, weight.shape[1])
    inside = inside / inside.norm(dim=1, keepdim=True)
    inside = limit * inside * torch.rand(TRIED, 1, generator=generator, dtype=torch.float64)
    nearest = (weight[-1] - bounded[-1]).norm().item()
    nearer = int(((weight[-1] - inside).norm(dim=1) < nearest * (1 - 1e-12)).sum())
    return [
        Claim(
            "The projection is that of torch.renorm",
            0,
            "largest difference",
            gap(bounded, torch.renorm(weight, 2, 0, limit)),
            *rounding(limit),
        ),
        Claim(
            f"None of {TRIED:,} random points within the limit is nearer to a unit's old weights than their projection",
            0,
            "nearer points",
            nearer,
            *EXACT,
        ),
        Claim(
            "A second projection changes nothing",
            0,
            "largest change",
            gap(regularizers.max_norm(bounded, limit), bounded),
            *rounding(limit, digits=1e-12),
        ),
    ]


def _trained(limit: float, generator: Generator) -> Measurement:
    """A logistic model on separable data, where the weights grow without end if nothing holds them."""
    x = normal(generator, EXAMPLES, 5)
    target = x[:, 0].sign()
    paths = {(rate, how): _path(x, target, rate, how, limit) for rate in RATES for how in WAYS}
    claim = Claim(
        f"Trained at lr = {RATES[-1]:g}, no step ends beyond the limit",
        0,
        "largest excess",
        max(0.0, *(norm - limit for norm in paths[RATES[-1], "max-norm"])),
        *rounding(limit, digits=1e-12),
    )
    steps = [float(step) for step in range(STEPS + 1)]
    curves = Curves(
        title=f"|w| of a logistic model on separable data, lr = {RATES[1]:g}",
        x_label="step",
        y_label="|w|",
        series=[Series(how, steps, paths[RATES[1], how]) for how in WAYS],
    )
    table = Table(
        title=f"The largest |w| of the logistic model in {STEPS} steps",
        columns=["lr", "max-norm", r"L2, $0.05 |w|^2$", "neither"],
        rows=[[f"{rate:g}", *(max(paths[rate, how]) for how in WAYS)] for rate in RATES],
    )
    return Measurement("", [claim], [table], [curves])


def _path(x: Tensor, target: Tensor, rate: float, how: str, limit: float) -> list[float]:
    """The norm of the weights before the first step and after each."""
    w, norms = torch.zeros(1, 5, dtype=torch.float64), [0.0]
    for _ in range(STEPS):
        leaf = w.clone().requires_grad_()
        loss = torch.nn.functional.softplus(-target * (x @ leaf[0])).mean()
        if how == "L2":
            loss = loss + regularizers.l2_penalty([leaf], 0.05)
        w = w - rate * torch.autograd.grad(loss, leaf)[0]
        if how == "max-norm":
            w = regularizers.max_norm(w, limit)
        norms.append(w.norm().item())
    return norms


NAME = "max_norm"
WRONG = [
    Wrong(
        "scales short ones up", NAME, lambda right, w, limit: limit * w / w.norm(dim=1, keepdim=True).clamp(min=1e-12)
    ),
    Wrong("the norm of the whole matrix", NAME, lambda right, w, limit: w * (limit / w.norm()).clamp(max=1)),
    Wrong("single weights clamped", NAME, lambda right, w, limit: w.clamp(-limit, limit)),
    Wrong("the weights out of an input", NAME, lambda right, w, limit: right(w.T, limit).T),
    Wrong("half of the limit", NAME, lambda right, w, limit: right(w, limit / 2)),
]
