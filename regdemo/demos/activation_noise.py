"""Activation noise: add Gaussian noise of one size.

Measures the noise, and the penalty on the next layer's weights that it amounts to. Then shows how a network gets out of
its way, by larger activations, and that multiplied noise leaves no such way; and what noise costs that is left on in
eval.
"""

from __future__ import annotations

from math import sqrt
from typing import Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, mean_of_normal, mean_of_squares, rounding
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Cell, Claim, Measurement, Table, Text

ACTS_ON = "activations"
SAY = (
    "Noise added to activations acts, to second order, as a penalty on how much the output reacts to them: std^2 "
    "|w|^2 for a linear layer and a squared error, which is weight decay. Its size is absolute, so a network can "
    "outgrow it, unless a norm layer or weight decay holds the scale. Dropout's noise is relative."
)
WRONG_ANSWER = (
    "'It is Gaussian dropout.' That multiplies, and its noise grows with the activation. Also wrong: leaving it on in "
    "eval, where each prediction pays std^2 |w|^2; a bare x + std * torch.randn_like(x) in forward does that, since "
    "it does not ask self.training."
)
CARDS = (
    "Q18.224",
    "Q18.225",
    "Q18.226",
    "Q18.227",
)

FEATURES, EXAMPLES = 8, 200
SCALES = (1, 10, 100)
P = 0.2  # of the Gaussian dropout beside it


def activation_noise(
    *,
    std: Annotated[float, Parameter("Standard deviation of the noise.", 0, 10)] = 0.5,
    draws: Annotated[int, count("Draws of the noise on the whole batch.", 1, 1_000)] = 100,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure noise of size std on a linear layer's input, in `draws` passes over one batch."""

    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    x, w = normal(EXAMPLES, FEATURES), normal(FEATURES)
    target = x @ w + normal(EXAMPLES)
    clean = (target - x @ w).square()
    passes = x.expand(draws, EXAMPLES, FEATURES)
    y = regularizers.activation_noise(passes, std, generator=generator)
    noisy = (target - y @ w).square().mean().item()
    in_eval = regularizers.activation_noise(x, std, training=False)

    n, penalty = draws * EXAMPLES, std**2 * w.square().sum().item()
    cross, _ = mean_of_normal(2 * sqrt(penalty * clean.mean().item()), n)
    square, reason = mean_of_squares([penalty], n)
    rounded, _ = rounding(1 + penalty)
    rows: list[list[Cell]] = []
    claims = [
        Claim("The mean is kept", 0, "E[y - x] = 0", (y - x).mean().item(), *mean_of_normal(std, n * FEATURES)),
        Claim(
            "The variance is std^2, whatever x is",
            std**2,
            "std^2",
            (y - x).square().mean().item(),
            *_with(rounded, mean_of_squares([std**2], n * FEATURES)),
        ),
        Claim(
            "Behind a linear layer it adds a penalty on the weights to the loss",
            penalty,
            "std^2 |w|^2",
            noisy - clean.mean().item(),
            cross + square + rounded,
            f"{reason}, and a normal one",
        ),
        Claim("In eval nothing changes", 0, "max |y - x|", (in_eval - x).abs().max().item(), *EXACT),
    ]
    ones = torch.ones(n, dtype=torch.float64)
    for scale in SCALES:
        added = regularizers.activation_noise(scale * ones, std, generator=generator) / scale - 1
        multiplied = regularizers.gaussian_dropout(scale * ones, P, generator=generator) / scale - 1
        rows.append([scale, std / scale, *(each.square().mean().sqrt().item() for each in (added, multiplied))])
        claims.append(
            Claim(
                f"Activations {scale} times as large: the noise's variance relative to them",
                (std / scale) ** 2,
                "(std / k)^2",
                added.square().mean().item(),
                *_with(rounded / scale**2, mean_of_squares([(std / scale) ** 2], n)),
            )
        )
    claims.append(
        Claim(
            f"Multiplied noise of p = {P}: the same at {SCALES[-1]} times as large",
            P / (1 - P),
            "p/(1-p)",
            multiplied.square().mean().item(),
            *_with(1e-6, mean_of_squares([P / (1 - P)], n)),
        )
    )
    return Measurement(
        title=f"Activation noise of size {std:g}",
        claims=claims,
        blocks=[
            Text(
                f"Each activation gets noise from N(0, {std:g}^2) added in training. A linear layer behind it passes "
                "on w . n, noise of variance std^2 |w|^2, and for a squared error that is what the loss grows by: "
                "training with the noise is training with weight decay."
            ),
            Table(
                title=f"The squared error of a linear model, {FEATURES} features, over {draws} passes",
                columns=["", "loss"],
                rows=[
                    ["without noise", clean.mean().item()],
                    ["with noise, measured", noisy],
                    ["without, plus std^2 |w|^2", clean.mean().item() + penalty],
                ],
                note="Noise that is left on in eval costs just this penalty, in every prediction.",
            ),
            Table(
                title="The noise relative to activations k times as large",
                columns=["k", "std / k", "added, measured", f"multiplied (p = {P})"],
                rows=rows,
                note="By growing its activations a network gets rid of added noise. Multiplied noise grows along.",
            ),
        ],
    )


def _with(more: float, bound: tuple[float, str]) -> tuple[float, str]:
    """A bound, wider by what rounding may lose."""
    return bound[0] + more, bound[1]
