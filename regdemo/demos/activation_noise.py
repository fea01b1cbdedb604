"""Activation noise: add Gaussian noise of one size.

Measures the noise, and the penalty on the next layer's weights that it amounts to. Then shows how the noise matters
less as the activations grow, unlike multiplicative noise.
"""

from __future__ import annotations

from math import sqrt
from typing import Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import mean_of_normal, mean_of_squares, rounding
from regdemo.measure import Wrong, identity_in_eval, keeps_mean, mean_square, normal, seeded
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

ACTS_ON = "activations"
SAY = (
    r"For a linear layer and a squared error, noise of deviation $\sigma$ on the layer's input adds on average "
    r"$\sigma^2 |w|^2$ to the loss: an L2 penalty on the layer's weights. In a network, small noise acts roughly as a "
    "penalty on how strongly the output reacts to the activations. The noise has a fixed size, so a network can "
    "outgrow it by larger activations, unless weight decay, or a gain-free norm layer right before the noise, holds "
    "their scale. Dropout's noise grows with the activation."
)
WRONG_ANSWER = (
    "'It is Gaussian dropout.' That multiplies, so its noise grows with the activation. Also wrong: leaving the "
    "noise on in eval. A bare `x + std * torch.randn_like(x)` in forward does that, since it does not check "
    "`self.training`."
)
CARDS = ("Q18.224", "Q18.225", "Q18.226", "Q18.227")

FEATURES, EXAMPLES = 8, 200
SCALES = (1.0, 2.0, 4.0, 8.0, 16.0)
P = 0.2  # of the Gaussian dropout next to it


def activation_noise(
    *,
    std: Annotated[float, Parameter("Standard deviation of the noise.", 0, 10)] = 0.5,
    draws: Annotated[int, count("Draws of the noise on the whole batch.", 1, 1_000)] = 100,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure noise of size std on a linear layer's input, in `draws` passes over one batch."""
    generator = seeded(seed)
    x, w = normal(generator, EXAMPLES, FEATURES), normal(generator, FEATURES)
    target = x @ w + normal(generator, EXAMPLES)
    passes = x.expand(draws, EXAMPLES, FEATURES)
    y = regularizers.activation_noise(passes, std, generator=generator)
    larger = regularizers.activation_noise(10 * passes, std, generator=generator) - 10 * passes
    clean, noisy = mean_square(target - x @ w), mean_square(target - y @ w)
    n, penalty = draws * EXAMPLES, std**2 * w.square().sum().item()
    rounded, _ = rounding(100 + penalty)
    return Measurement(
        title=f"Activation noise of size {std:g}",
        claims=[
            *_noise_claims(std, y - x, larger, rounded),
            _penalty_claim(penalty, clean, noisy, n, rounded),
            identity_in_eval(regularizers.activation_noise(x, std, training=False), x),
        ],
        picture=[_relative_sizes(std, n, generator)],
        blocks=[
            Text(
                f"In training, noise $n$ from $N(0, {std:g}^2)$ is added to each activation. The output of a linear "
                r"layer with weights $w$ then contains $w \cdot n$ as well."
            ),
            Table(
                title=f"The squared error of a linear model of {FEATURES} features on {EXAMPLES} examples; "
                f"passes: {draws:,}",
                columns=["", "loss"],
                rows=[
                    ["without noise", clean],
                    ["with noise, measured", noisy],
                    [r"without noise, plus $\sigma^2 |w|^2$", clean + penalty],
                ],
                note="Noise left on in eval adds this penalty to the squared error, on average.",
            ),
        ],
    )


def _noise_claims(std: float, noise: torch.Tensor, larger: torch.Tensor, rounded: float) -> list[Claim]:
    """The moments of the noise, on activations and on ten times as large ones."""
    slip, reason = mean_of_normal(std, noise.numel())
    tolerance, chi_square = mean_of_squares([std**2], noise.numel())
    value, bound = (std**2, r"$\sigma^2$"), (tolerance + rounded, chi_square)
    return [
        keeps_mean(noise.mean().item(), 0, (slip + rounded, reason)),
        Claim(r"The variance is $\sigma^2$", *value, mean_square(noise), *bound),
        Claim(r"The variance is $\sigma^2$ on activations ten times as large too", *value, mean_square(larger), *bound),
    ]


def _penalty_claim(penalty: float, clean: float, noisy: float, outputs: int, rounded: float) -> Claim:
    cross, _ = mean_of_normal(2 * sqrt(penalty * clean), outputs)
    square, reason = mean_of_squares([penalty], outputs)
    return Claim(
        "In front of a linear layer the noise adds a penalty on its weights to the squared error",
        penalty,
        r"$\sigma^2 |w|^2$",
        noisy - clean,
        cross + square + rounded,
        f"{reason}, and a normal one",
    )


def _relative_sizes(std: float, n: int, generator: torch.Generator) -> Curves:
    """How large the noise on n activations of one size is in proportion to them, added and multiplied."""
    sizes = [k * torch.ones(n, dtype=torch.float64) for k in SCALES]
    added = [regularizers.activation_noise(x, std, generator=generator) / x for x in sizes]
    multiplied = [regularizers.gaussian_dropout(x, P, generator=generator) / x for x in sizes]
    relative = {"added": added, f"multiplied, Gaussian dropout at p = {P}": multiplied}
    return Curves(
        title="The size of the noise relative to the activations, as they grow",
        x_label="scale of the activations",
        y_label="std of the noise / activation",
        series=[Series(name, list(SCALES), [mean_square(y - 1) ** 0.5 for y in ys]) for name, ys in relative.items()],
        note="Added noise of one size matters less for larger activations. "
        "Multiplied noise grows with them, so its relative size stays the same.",
    )


WRONG = [
    Wrong("multiplied, not added", "activation_noise", lambda right, x, std, **kw: x * right(x / x, std, **kw)),
    Wrong("std taken for the variance", "activation_noise", lambda right, x, std, **kw: right(x, std**0.5, **kw)),
    Wrong("left on in eval", "activation_noise", lambda right, x, std, training=True, **kw: right(x, std, **kw)),
    Wrong(
        "one draw for all", "activation_noise", lambda right, x, std, **kw: x + right(x.flatten()[:1] * 0, std, **kw)
    ),
    Wrong("noise of one sign", "activation_noise", lambda right, x, std, **kw: x + (right(x, std, **kw) - x).abs()),
]
