"""Noise left in: weight noise that is never taken off again.

Weight noise is drawn for one pass: the gradient is taken at W + noise, and applied to W. Added to the parameters
themselves and left there, it piles up: in directions that the loss does not hold, the weights do a random walk whose
variance grows with every step.
"""

from math import sqrt

import torch
from torch import nn

from regdemo.bounds import EXACT, mean_of_normal
from regdemo.measure import fixed_claim
from regdemo.report import Block, Cell, Claim, Table

BREAKS = "weight_noise"
CARDS = ("Q18.232", "Q18.230")
SAY = (
    "Weight noise belongs to the pass, not to the weights: perturb, take the gradient, restore, step. Left in, it is "
    "a random walk of standard deviation std sqrt(T) after T steps, in directions that the loss does not hold."
)
WRONG_ANSWER = "'The noise has mean 0, so it averages out.' Its sum does not: its variance is T std^2."

STD, STEPS, SIZE = 0.01, 100, 100


def broken(model, loss, std):
    with torch.no_grad():
        for w in model.parameters():
            w += std * torch.randn_like(w)
    loss(model).backward()


def fixed(model, loss, std):
    clean = [w.detach().clone() for w in model.parameters()]
    with torch.no_grad():
        for w in model.parameters():
            w += std * torch.randn_like(w)
    loss(model).backward()
    with torch.no_grad():
        for w, before in zip(model.parameters(), clean, strict=True):
            w.copy_(before)


def measure() -> tuple[list[Claim], list[Block]]:
    x = torch.randn(8, SIZE)
    shifts: dict[object, float] = {}
    rows: list[list[Cell]] = []
    for snippet in (broken, fixed):
        model = nn.Linear(SIZE, SIZE, bias=False)
        start, at = model.weight.detach().clone(), []
        for step in range(1, STEPS + 1):
            snippet(model, lambda model: model(x).square().mean(), STD)  # no optimizer: nothing is learned
            if step in (1, STEPS):
                at.append((model.weight.detach() - start).double().square().mean().item())
        shifts[snippet] = at[-1]
        rows.append([snippet.__name__, *(sqrt(value) for value in at)])
    variance = STEPS * STD**2
    return [
        Claim(
            f"The variance of the weights' shift after {STEPS} passes without a step",
            variance,
            "T std^2",
            shifts[broken],
            *mean_of_normal(sqrt(2) * variance, SIZE**2),
        ),
        fixed_claim("The weights are where they were", 0, "mean square shift", shifts[fixed], *EXACT),
    ], [
        Table(
            f"How far the weights have wandered, std = {STD}",
            ["code", "after 1 pass", f"after {STEPS}"],
            rows,
            "Root mean square; no optimizer has run.",
        )
    ]
