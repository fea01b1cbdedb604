"""Noise left in: weight noise that is never taken off again.

Weight noise is drawn for one pass: the gradient is taken at $W$ plus noise and applied to $W$. If the noise is added to
the parameters and left there, it accumulates: in directions in which the loss is flat the weights do a random walk,
whose variance grows with every step. Where the loss pulls the weights back, the variance levels off.
"""

from math import sqrt

import torch
from torch import nn

from regdemo.bounds import EXACT, mean_of_normal
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Cell, Claim, Table

BREAKS = "weight_noise"
CARDS = ("Q18.232", "Q18.230")
SAY = (
    "Weight noise belongs to the pass, not to the weights: perturb, take the gradient, restore, step. "
    "Left in, it is a random walk in directions in which the loss is flat: its standard deviation after T steps is "
    "$\\sigma \\sqrt T$."
)
WRONG_ANSWER = (
    "'The noise has mean 0, so it averages out.' The variance of the sum of T independent draws is T times that of one."
)

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
    model = nn.Linear(SIZE, SIZE, bias=False)
    fixed(model, lambda model: model.weight.square().sum() / 2, STD)  # its gradient is where it was taken
    taken_at = (model.weight.grad - model.weight.detach()).double().square().mean().item()
    return [
        Claim(
            f"The variance of the weights' shift after {STEPS} passes without a step",
            variance,
            r"$T \sigma^2$",
            shifts[broken],
            *mean_of_normal(sqrt(2) * variance, SIZE**2),
        ),
        fixed_claim("The weights after the same passes: mean square shift", 0, "none = 0", shifts[fixed], *EXACT),
        fixed_claim(
            "The gradient is taken at W plus noise of variance",
            STD**2,
            r"$\sigma^2$",
            taken_at,
            *mean_of_normal(sqrt(2) * STD**2, SIZE**2),
        ),
    ], [
        Table(
            f"How far the weights have moved, with noise of std {STD}",
            ["code", "after 1 pass", f"after {STEPS}"],
            rows,
            "Root mean square; no optimizer has run.",
        )
    ]


WRONG = [
    Wrong(
        "a new draw subtracted afterwards",
        f"{__name__}.fixed",
        lambda right, model, loss, std: _afterwards(model, loss, std),
    ),
    Wrong("smaller noise", f"{__name__}.fixed", lambda right, model, loss, std: broken(model, loss, std / 10)),
    Wrong("no noise at all", f"{__name__}.fixed", lambda right, model, loss, std: broken(model, loss, 0.0)),
]


def _afterwards(model, loss, std):
    broken(model, loss, std)
    with torch.no_grad():
        for w in model.parameters():
            w -= std * torch.randn_like(w)
