"""Dropout: zero activations at random, scale up the rest.

Draws a mask and checks the scale of the survivors, the fraction dropped, the mean and the variance against their
formulas. Then it passes a signal through twelve layers: with the rescale, without it, and with 1-p in eval as well.
"""

from __future__ import annotations

from typing import Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import mean_of_bounded, proportion, rounding
from regdemo.measure import (
    Wrong,
    agrees_with_torch,
    fraction,
    global_generator,
    identity_in_eval,
    keeps_mean,
    mean_square,
    one_of_two,
    seeded,
)
from regdemo.parameters import SEED, count, rate
from regdemo.report import Cell, Claim, Curves, HeatMap, Measurement, Series, Table, Text

ACTS_ON = "activations"
SAY = (
    "In training, dropout zeroes each activation with probability $p$ and divides the survivors by $1-p$. That "
    "keeps the mean, so in eval the layer is the identity. What it adds is noise of variance $p/(1-p) x^2$, which "
    "makes units rely less on one another. It is much like training an ensemble of thinned networks that share "
    "their weights."
)
WRONG_ANSWER = (
    "'At test time you multiply by 1-p.' The paper of 2014 did, since it did not scale in training. Today's "
    "frameworks scale in training (inverted dropout). If you do both, eval loses a factor 1-p at each layer: after 12 "
    "linear layers at p = 0.1, 28% of the signal is left."
)
CARDS = ("Q18", "Q18.1", "Q18.2", "Q18.3", "Q18.4")

X = 2.0  # the activation dropped: not 1, or its square in the variance would not show
RATES = (0.1, 0.2, 0.5, 0.8)
LAYERS = 12


def dropout(
    *,
    p: Annotated[float, rate("Probability that an activation is dropped.")] = 0.1,
    size: Annotated[int, count("Activations in each measurement.", 1_000, 1_000_000)] = 30_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure dropout at rate p on `size` activations of value X."""
    generator = seeded(seed)
    scale = 1 / (1 - p)
    grid = regularizers.dropout(torch.ones(8, 24, dtype=torch.float64), p, generator=generator)
    x = torch.full((size,), X, dtype=torch.float64)
    y = regularizers.dropout(x, p, generator=generator)
    with global_generator(generator):
        theirs = torch.nn.functional.dropout(x, p)
    with_their_mask = regularizers.dropout(x, p, mask=theirs != 0)
    claims = [
        one_of_two(y, 0.0, x * scale, f"Each output is 0 or $x/(1-p)$ = {X * scale:.4g}"),
        Claim("The fraction dropped is p", p, "$p$", fraction(y == 0), *proportion(p, size)),
        keeps_mean(y.mean().item(), X, mean_of_bounded(_variance(p), X * max(1, p * scale), size)),
        _variance_claim(p, y - x),
        identity_in_eval(regularizers.dropout(x, p, training=False), x),
        agrees_with_torch(with_their_mask, theirs, "F.dropout", X * scale),
        Claim(
            "`F.dropout` drops as often as regdemo's dropout",
            0,
            "difference of the fractions dropped",
            fraction(theirs == 0) - fraction(y == 0),
            *mean_of_bounded(2 * p * (1 - p), 1, size),
        ),
    ]
    rows = [_moments(rate_, regularizers.dropout(x, rate_, generator=generator) - x) for rate_ in sorted({*RATES, p})]
    return Measurement(
        title=f"Dropout at p = {p}",
        claims=[*claims, *(deep := _layers(p, size, generator)).claims],
        picture=[
            HeatMap(
                title=f"One mask on 8 examples of 24 units: {int((grid == 0).sum())} of {grid.numel()} dropped",
                values=grid.tolist(),
                low=0.0,
                high=scale,
                row_label="example",
                column_label="unit",
                note=f"0 is dropped, {scale:.4g} is kept and scaled.",
            )
        ],
        blocks=[
            Table(
                title=f"An activation of x = {X:g} at several rates; draws for each: {size:,}",
                columns=["p", "1/(1-p)", "dropped", "mean", "variance", "$p/(1-p) x^2$"],
                rows=rows,
                note="The expected mean is x at each rate; the noise grows fast beyond p = 0.5.",
            ),
            *deep.blocks,
        ],
    )


def _variance(p: float) -> float:
    return X**2 * p / (1 - p)


def _variance_claim(p: float, noise: torch.Tensor) -> Claim:
    # noise^2 is x^2 when dropped and x^2 (p / (1 - p))^2 when kept.
    if_dropped, if_kept = X**2, X**2 * (p / (1 - p)) ** 2
    bound = mean_of_bounded(p * (1 - p) * (if_dropped - if_kept) ** 2, max(if_dropped, if_kept), noise.numel())
    return Claim("The variance is $p/(1-p) x^2$", _variance(p), "$p/(1-p) x^2$", mean_square(noise), *bound)


def _moments(p: float, noise: torch.Tensor) -> list[Cell]:
    dropped = fraction(noise == -X)
    return [str(p), 1 / (1 - p), dropped, X + noise.mean().item(), mean_square(noise), _variance(p)]


def _layers(p: float, size: int, generator: torch.Generator) -> Measurement:
    """What becomes of the mean through LAYERS linear layers of `size` units that each average the layer below."""
    rescaled, never, twice = [X], [X], [X]
    for _ in range(LAYERS):
        mask = regularizers.keep_mask((size,), p, generator=generator)
        layer = torch.full((size,), rescaled[-1], dtype=torch.float64)
        rescaled.append(regularizers.dropout(layer, p, mask=mask).mean().item())
        never.append(never[-1] * fraction(mask))
        twice.append(twice[-1] * (1 - p))
    slip, reason = proportion(p, size)
    claim = Claim(
        f"Rescaled, {LAYERS} layers in training have eval's mean",
        1,
        "training / eval = 1",
        rescaled[-1] / X,
        max((1 + slip / (1 - p)) ** LAYERS - 1, rounding(1)[0]),
        f"{reason}, compounded over {LAYERS} layers",
    )
    at = [float(layer) for layer in range(LAYERS + 1)]
    curves = Curves(
        title=f"The mean of x = {X:g} after each layer, where a layer averages the one below",
        x_label="layer",
        y_label="mean",
        series=[
            Series("training, rescaled", at, rescaled),
            Series("training, never rescaled", at, never),
            Series("eval, multiplied by 1-p as well", at, twice),
        ],
        note="Eval should be 2 throughout, and training should agree with it. The two wrong curves lose a factor 1-p "
        "at each layer.",
    )
    return Measurement("", [claim], [Text("Where the rescale goes wrong, it goes wrong at each layer."), curves])


WRONG = [
    Wrong("never rescaled", "dropout", lambda right, x, p, **kw: x * (right(x, p, **kw) != 0)),
    Wrong("rescaled twice", "dropout", lambda right, x, p, **kw: x * (right(x, p, **kw) != 0) / (1 - p) ** 2),
    Wrong("keeps with probability p", "dropout", lambda right, x, p, **kw: right(x, 1 - p, **kw)),
    Wrong("drops in eval", "dropout", lambda right, x, p, training=True, **kw: right(x, p, **kw)),
    Wrong(
        "one draw for all elements", "dropout", lambda right, x, p, mask=None, **kw: x * right(x[:1] / x[:1], p, **kw)
    ),
    Wrong("adds Gaussian noise", "dropout", lambda right, x, p, **kw: x + _noise(x, p)),
    Wrong("ignores the mask", "dropout", lambda right, x, p, mask=None, **kw: right(x, p, **kw)),
]


def _noise(x: torch.Tensor, p: float) -> torch.Tensor:
    return (p / (1 - p)) ** 0.5 * x * torch.randn(x.shape, generator=seeded(1), dtype=x.dtype)
