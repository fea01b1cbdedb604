"""Clipped batch: a "private" gradient that one example can turn round.

Differential privacy needs a bound on what any one example can do. Clipping the batch's gradient comes too late: the
mean was taken, and one outlier may already be all of it. Clipping each example's own gradient bounds its share to C/B,
and the noise is scaled to that.
"""

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from regdemo.bounds import rounding
from regdemo.measure import fixed_claim
from regdemo.report import Block, Claim, Table

BREAKS = "dp_sgd"
CARDS = ("Q18.192", "Q18.190", "Q18.191")
SAY = (
    "DP-SGD clips each example's gradient, sums, adds noise of deviation sigma C, divides by the batch. "
    "clip_grad_norm_ on the batch bounds the step, not an example's influence, and then no noise of that size hides "
    "it."
)
WRONG_ANSWER = "'The gradient's norm is at most C, so nobody can move it by more.' One example can be the whole of it."

BATCH, INPUTS, C, OUTLIER = 64, 10, 1.0, 1_000.0


def broken(model, loss, x, y, max_norm, noise):
    loss(model(x), y).mean().backward()
    clip_grad_norm_(model.parameters(), max_norm)
    for w in model.parameters():
        w.grad += noise * torch.randn_like(w)


def fixed(model, loss, x, y, max_norm, noise):
    weights = list(model.parameters())
    for w in weights:
        w.grad = noise * max_norm * torch.randn_like(w) / len(x)
    for one, label in zip(x, y, strict=True):
        gradients = torch.autograd.grad(loss(model(one), label), weights)
        norm = torch.stack([g.norm() for g in gradients]).norm()
        for w, g in zip(weights, gradients, strict=True):
            w.grad += g * min(1, max_norm / norm) / len(x)


def measure() -> tuple[list[Claim], list[Block]]:
    model = nn.Linear(INPUTS, 1, bias=False).double()
    x, y = torch.randn(BATCH, INPUTS, dtype=torch.float64), torch.zeros(BATCH)
    x /= 1_000 * x.norm(dim=1, keepdim=True)  # with the loss w.x an example's gradient is x itself: 0.001 long
    outlier = x.clone()
    outlier[-1] *= 1_000 * OUTLIER

    def gradient(snippet, inputs: torch.Tensor) -> torch.Tensor:
        model.zero_grad()
        snippet(model, lambda output, label: output.squeeze(-1), inputs, y, C, 0.0)
        return model.weight.grad.clone()

    moved = {snippet: (gradient(snippet, outlier) - gradient(snippet, x)).norm().item() for snippet in (broken, fixed)}
    return [
        Claim(
            f"One outlier among {BATCH} moves the gradient by",
            C,
            "C, the whole norm",
            moved[broken],
            3 * C / 1_000,
            "what the other examples add: 0.001 each",
        ),
        fixed_claim(
            "It moves it by",
            (C - 1e-3) / BATCH,
            "(C - 0.001)/B",
            moved[fixed],
            *rounding(1),
        ),
    ], [
        Table(
            f"An example whose gradient is {OUTLIER:g} long instead of 0.001, noise left out",
            ["code", "moves the gradient by", "in units of C/B"],
            [[snippet.__name__, value, value * BATCH / C] for snippet, value in moved.items()],
            "The noise is made to hide 1 in the last column.",
        )
    ]
