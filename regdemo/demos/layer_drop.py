"""LayerDrop: skip whole layers, to prune them later.

Counts how many layers run, shows on layers that compute x + 1 that nothing is rescaled, unlike in DropPath, and checks
that a network pruned to every other layer computes what the whole one computes under one of the masks.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, NamedTuple

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, FALSE_ALARM, proportion, rounding
from regdemo.measure import Wrong, gap, normal, seeded
from regdemo.parameters import SEED, count, rate
from regdemo.report import Claim, HeatMap, Measurement, Table, Text

if TYPE_CHECKING:
    from torch import Generator, Tensor

ACTS_ON = "paths"
SAY = (
    "LayerDrop skips whole layers in training, with one draw for each layer and batch, so that layers can be "
    "pruned afterwards: every other one, say, without fine-tuning. Nothing is rescaled, and a skipped layer saves "
    "its time. DropPath drops branches by example and rescales."
)
WRONG_ANSWER = (
    "'The mean output in training is what eval computes.' That holds for one block under DropPath, which divides by "
    "1-p. LayerDrop in the paper's code does not divide: eval runs all layers, more than a training pass does on "
    "average. And a draw made once, when the network is built, is pruning, not LayerDrop."
)
CARDS = ("Q18.220", "Q18.221", "Q18.222", "Q18.223")

RATES = (0.1, 0.2, 0.5)
SHOWN = 24


def layer_drop(
    *,
    p: Annotated[float, rate("Probability that a layer is skipped.")] = 0.2,
    depth: Annotated[int, count("Layers of the network.", 1, 64)] = 12,
    draws: Annotated[int, count("Passes in training.", 10, 20_000)] = 2_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure LayerDrop at rate p on a stack of `depth` residual layers."""
    generator = seeded(seed)
    passes = _passes(p, depth, draws, generator)
    run = passes.ran.sum(1)
    return Measurement(
        title=f"LayerDrop at p = {p} and depth {depth}",
        claims=[*_passes_claims(p, passes), *_pruning_claims(p, depth, generator)],
        picture=[
            HeatMap(
                title=f"Which layers run in the first {min(draws, SHOWN)} passes",
                values=passes.ran[:SHOWN].T.tolist(),
                low=0.0,
                high=1.0,
                row_label="layer",
                column_label="pass",
                note=f"Over all {draws:,} passes, {run.mean().item():.4g} of {depth} run on average, and at "
                f"least {int(run.min())}.",
            ),
        ],
        blocks=[
            Text(
                f"Each training pass skips each layer with probability p = {p}: one draw for a layer and the whole "
                "batch, drawn again each time. A layer that is skipped is not computed, and its input goes on to the "
                "next one. A network trained like this can be pruned afterwards."
            ),
            _rates_table(p, depth),
            Table(
                title=f"Mean output at depth L = {depth} for an input of 0, where each layer adds 1",
                columns=["method", "one draw per", "rescaled", "training", "eval"],
                rows=[
                    ["LayerDrop", "layer", "no", passes.output, passes.in_eval],
                    ["DropPath", "layer and example", "by $1/(1-p)$", passes.by_drop_path, passes.in_eval],
                ],
                note="In training DropPath keeps eval's mean here; LayerDrop's is $1-p$ times that. LayerDrop prepares "
                "for networks with fewer layers.",
            ),
        ],
    )


class _Passes(NamedTuple):
    """Passes of an input of 0 through layers that each add 1."""

    ran: Tensor  # (draws, layers): 1 where a layer was computed in training
    output: float  # the mean in training
    by_drop_path: float
    in_eval: float


def _passes(p: float, depth: int, draws: int, generator: Generator) -> _Passes:
    calls: list[int] = []
    stack = [partial(_add_one, calls, number) for number in range(depth)]
    zero, ones = torch.zeros(1, dtype=torch.float64), torch.ones(draws, 1, dtype=torch.float64)
    total, ran = 0.0, torch.zeros(draws, depth, dtype=torch.float64)
    for draw in range(draws):
        calls.clear()
        total += regularizers.layer_drop(zero, stack, p, generator=generator).item()
        ran[draw, calls] = 1
    in_eval = regularizers.layer_drop(zero, stack, p, training=False).item()
    by_drop_path = sum(regularizers.drop_path(ones, p, generator=generator).mean().item() for _ in stack)
    return _Passes(ran, total / draws, by_drop_path, in_eval)


def _add_one(calls: list[int], number: int, x: Tensor) -> Tensor:
    """A layer x + f(x) with f(x) = 1, so that the output counts the layers run; its number is added to the calls."""
    calls.append(number)
    return x + 1


def _passes_claims(p: float, passes: _Passes) -> list[Claim]:
    ran, (draws, depth) = passes.ran, passes.ran.shape
    mean = ran.sum(1).mean().item()
    slip, reason = proportion(p, draws * depth)
    differ = Claim(
        "Passes run different sets of layers",
        1,
        "1 if any differs from the first",
        float((ran != ran[0]).any()),
        *EXACT,
    )
    return [
        Claim("Layers run in training, on average", (1 - p) * depth, "$(1-p) L$", mean, slip * depth, reason),
        *([differ] if max(p, 1 - p) ** (depth * (draws - 1)) < FALSE_ALARM else []),
        Claim("In eval all layers run", depth, "L", passes.in_eval, *EXACT),
        Claim(
            "Nothing is rescaled: training's mean output over eval's",
            1 - p,
            "$1 - p$",
            passes.output / passes.in_eval,
            slip,
            reason,
        ),
    ]


def _pruning_claims(p: float, depth: int, generator: Generator) -> list[Claim]:
    """A network pruned to every other layer against the whole one, in training, under the mask that skips the rest."""
    weights = [normal(generator, 4, 4).requires_grad_() for _ in range(depth)]
    layers = [lambda x, w=w: x + torch.tanh(x @ w) for w in weights]
    x = normal(generator, 3, 4)
    trained = regularizers.layer_drop(x, layers, p, mask=torch.arange(depth) % 2 == 0)
    pruned = regularizers.layer_drop(x, layers[::2], p, training=False)
    torch.autograd.backward(trained.sum())
    without_gradient = sum(w.grad is None for w in weights)
    return [
        Claim(
            "Pruned to every other layer, the network computes the same as under a mask that skips the others",
            0,
            "max difference",
            gap(trained, pruned),
            *rounding(1),
        ),
        Claim("A skipped layer gets no gradient at all", depth // 2, "floor(L/2)", without_gradient, *EXACT),
    ]


def _rates_table(p: float, depth: int) -> Table:
    return Table(
        title=f"How many layers run in a pass, at depth L = {depth}",
        columns=["p", "mean $(1-p) L$", "standard deviation"],
        rows=[[str(q), (1 - q) * depth, (depth * q * (1 - q)) ** 0.5] for q in sorted({*RATES, p})],
        note="On average the layers cost a fraction p less in training; eval runs all of them, unless pruned.",
    )


NAME = "layer_drop"
WRONG = [
    Wrong(
        "drawn once",
        NAME,
        lambda right, x, layers, p, generator=None, **kw: right(x, layers, p, generator=generator and seeded(1), **kw),
    ),
    Wrong(
        "rescaled",
        NAME,
        lambda right, x, layers, p, training=True, **kw: (
            right(x, layers, p, training=training, **kw) / (1 - p if training else 1)
        ),
    ),
    Wrong(
        "drops in eval",
        NAME,
        lambda right, x, layers, p, training=True, **kw: (
            right(
                x,
                layers,
                p,
                mask=kw.get("mask", torch.arange(len(layers)) != 0),
                **{k: v for k, v in kw.items() if k != "mask"},
            )
            if not training
            else right(x, layers, p, **kw)
        ),
    ),
    Wrong("keeps with probability p", NAME, lambda right, x, layers, p, **kw: right(x, layers, 1 - p, **kw)),
    Wrong(
        "a skipped layer runs all the same",
        NAME,
        lambda right, x, layers, p, **kw: (
            right(x, [lambda x, layer=layer: layer(x) for layer in layers], p, **kw)
            + 0 * sum(layer(x) for layer in layers)
        ),
    ),
]
