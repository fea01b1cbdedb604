"""Clipped batch: a "private" gradient that one example can turn around.

Differential privacy needs a bound on what adding or removing one example can change. Clipping the batch's gradient
comes too late: the mean has been taken, and one outlier may be nearly all of it. If each example's own gradient is
clipped to C, an example adds at most C/B to the mean, and the noise is scaled to that.
"""

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from regdemo.bounds import mean_of_squares, rounding
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Claim, Table

BREAKS = "dp_sgd"
CARDS = ("Q18.192", "Q18.190", "Q18.191")
SAY = (
    r"DP-SGD clips each example's gradient to norm $C$, sums, adds noise of standard deviation $\sigma C$, and divides "
    "by the batch size B. clip_grad_norm_ on the batch's gradient bounds its norm, but one example can still change "
    "the gradient by up to 2C, while the noise is scaled to C/B."
)
WRONG_ANSWER = "'The gradient's norm is at most C, so it is private.' One example can still change it by up to 2C."

BATCH, INPUTS, C, OUTLIER = 64, 500, 2.0, 1_000.0
NOISE = 1.5


def broken(model, loss, x, y, max_norm, noise):
    loss(model(x), y).mean().backward()
    clip_grad_norm_(model.parameters(), max_norm)
    for w in model.parameters():
        w.grad += noise * max_norm * torch.randn_like(w) / len(x)


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

    def gradient(snippet, inputs: torch.Tensor, noise: float = 0.0) -> torch.Tensor:
        model.zero_grad()
        snippet(model, lambda output, label: output.squeeze(-1), inputs, y, C, noise)
        return model.weight.grad.clone()

    moved = {snippet: (gradient(snippet, outlier) - gradient(snippet, x)).norm().item() for snippet in (broken, fixed)}
    noise = (gradient(fixed, x, NOISE) - gradient(fixed, x)).square().mean().item()
    variance = (NOISE * C / BATCH) ** 2
    return [
        Claim(
            f"With C = {C:g}, one outlier among {BATCH} changes the gradient by",
            C,
            "$C$, the whole norm",
            moved[broken],
            3e-3,
            "the other examples, 0.001 each",
        ),
        fixed_claim(
            "The outlier changes the gradient by",
            (C - 1e-3) / BATCH,
            "$(C - 0.001)/B$",
            moved[fixed],
            *rounding(1),
        ),
        fixed_claim(
            f"With sigma = {NOISE:g} the variance of the noise on a coordinate is",
            variance,
            r"$(\sigma C/B)^2$",
            noise,
            *mean_of_squares([variance], INPUTS),
        ),
    ], [
        Table(
            f"C = {C:g}, B = {BATCH}: an example whose gradient is {OUTLIER:g} long instead of 0.001, noise left out",
            ["code", "changes the gradient by", "in units of $C/B$"],
            [[snippet.__name__, value, value * BATCH / C] for snippet, value in moved.items()],
            "The noise is scaled to hide a change of 1 in the last column.",
        )
    ]


WRONG = [
    Wrong(
        "noise of sigma/B",
        f"{__name__}.fixed",
        lambda right, model, loss, x, y, c, noise: right(model, loss, x, y, c, noise / c),
    ),
    Wrong(
        "each entry of the batch's gradient clipped",
        f"{__name__}.fixed",
        lambda right, model, loss, x, y, c, noise: _clip_entries(model, loss, x, y, c, noise),
    ),
    Wrong(
        "each example's loss clipped",
        f"{__name__}.fixed",
        lambda right, model, loss, x, y, c, noise: right(
            model, lambda output, label: loss(output, label).clamp(max=c), x, y, 1e9, noise * c / 1e9
        ),
    ),
]


def _clip_entries(model, loss, x, y, c, noise):
    loss(model(x), y).mean().backward()
    torch.nn.utils.clip_grad_value_(model.parameters(), c)
    for w in model.parameters():
        w.grad += noise * c / len(x) * torch.randn_like(w)
