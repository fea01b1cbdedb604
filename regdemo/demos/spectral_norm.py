"""Spectral norm: no vector gets longer.

Normalizes weights by torch's own parametrization. Checks that the largest singular value becomes 1 while the others
keep their ratios to it, that the estimate comes from below, and that a chain of such layers brings no two inputs
farther apart.
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Annotated, Any

import torch

from regdemo.bounds import EXACT, rounding
from regdemo.measure import Wrong, gap, global_generator, normal, seeded
from regdemo.parameters import SEED, count
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

if TYPE_CHECKING:
    from torch import Tensor

ACTS_ON = "weights"
PROVIDED_BY = "torch.nn.utils.parametrizations.spectral_norm"
SAY = (
    "Spectral normalization divides a weight matrix by its largest singular value, so the matrix makes no vector "
    "longer. A chain of such layers with ReLU between them brings no two inputs farther apart: its Lipschitz "
    "constant is at most 1. The singular value is estimated from below, by a step of power iteration in each training "
    "pass, so the bound holds once the estimate has converged."
)
WRONG_ANSWER = (
    "'It keeps weights small, like weight decay.' Decay shrinks all singular values a little and bounds none; "
    "spectral norm sets the largest to 1, so a small matrix is scaled up. Close second: dividing by the Frobenius "
    "norm. That bounds the largest singular value as well, but if a matrix has many singular values of similar size, "
    "all of them end far below 1."
)
CARDS = ("Q18.580", "Q18.927", "Q18.928", "Q18.428")

POINTS = 20  # inputs at which the chain's Jacobian is measured
PASSES = 30  # of training, each with one step of power iteration


def spectral_norm(
    *,
    size: Annotated[int, count("Inputs and outputs of each layer.", 4, 128)] = 32,
    layers: Annotated[int, count("Layers in the chain.", 1, 8)] = 4,
    steps: Annotated[int, count("Steps of power iteration before the weights are measured.", 200, 2_000)] = 300,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Normalize the weights of a chain of square layers, and measure how far each stretches a vector."""
    generator = seeded(seed)
    plain = [normal(generator, size, size) / size**0.5 for _ in range(layers)]
    weights = [_normalized(weight, steps, generator).weight.detach() for weight in plain]
    tiny = _normalized(plain[0] / 1_000, steps, generator).weight.detach()
    slow = _normalized(plain[0], 1, generator)
    passes = [_largest(slow.weight.detach()) for _ in range(PASSES)]
    slow.eval()
    slack = log(size) / steps
    bound = slack, f"power iteration: about ln(n)/steps = {slack:.1g}"
    return Measurement(
        title=f"Spectral norm: units {size}, layers {layers}",
        claims=[
            *_weight_claims(plain[0], weights[0], tiny, bound),
            Claim(
                "The estimate comes from below, so the result is too large until it has converged",
                0,
                "by how much the largest singular value is below 1",
                max(0.0, 1 - min(passes)),
                *rounding(1),
            ),
            _chain_claim(weights, normal(generator, POINTS, size), bound),
            # In training each reading of the weight takes a step; in eval two readings agree.
            Claim("In eval the weight stays as it is", 0, "largest change", gap(slow.weight, slow.weight), *EXACT),
        ],
        picture=[_picture(plain[0], weights[0])],
        blocks=[
            Text(
                f"The chain has square layers of {size} units with ReLU between them, normalized by torch's "
                "parametrization, which takes 15 steps of power iteration when it is registered, and by default one "
                f"more in each training pass; the chain's layers take {steps:,} in each."
            ),
            Table(
                title="Largest singular value of layer 1's normalized weight, one step of power iteration per pass",
                columns=["pass", "largest singular value"],
                rows=[[number, passes[number - 1]] for number in (1, 2, 5, 10, 20, PASSES)],
            ),
        ],
    )


def _normalized(weight: Tensor, steps: int, generator: torch.Generator) -> Any:
    """A linear layer whose weight is read through torch's spectral norm, in training mode."""
    layer = torch.nn.utils.skip_init(torch.nn.Linear, *weight.T.shape, bias=False, dtype=weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
    with global_generator(generator):  # the first vector of the power iteration
        return torch.nn.utils.parametrizations.spectral_norm(layer, n_power_iterations=steps)


def _largest(matrix: Tensor) -> float:
    """The largest singular value; of several matrices, that of all."""
    return torch.linalg.matrix_norm(matrix, 2).max().item()


def _weight_claims(plain: Tensor, normalized: Tensor, tiny: Tensor, bound: tuple[float, str]) -> list[Claim]:
    """One layer's weight before and after; tiny: what becomes of a thousandth of it."""
    return [
        Claim("The largest singular value becomes 1", 1, r"$\sigma_1(W / \sigma_1) = 1$", _largest(normalized), *bound),
        Claim(
            "The result is the weights divided by their largest singular value",
            0,
            r"$\max |\bar{W} - W / \sigma_1|$",
            gap(normalized, plain / _largest(plain)),
            *bound,
        ),
        Claim(
            "Weights a thousandth as large give the same result",
            0,
            r"$\max |\bar{W} - \bar{W}'|$",
            gap(tiny, normalized),
            *bound,
        ),
    ]


def _chain_claim(weights: list[Tensor], points: Tensor, bound: tuple[float, str]) -> Claim:
    """The Jacobian at each point of the layers in a chain, with ReLU between them."""
    product = torch.eye(points.shape[1], dtype=torch.float64).expand(len(points), -1, -1)
    for weight in weights:
        points = points @ weight.T
        product = (points > 0)[..., None] * (weight @ product)
        points = points.relu()
    return Claim(
        f"The chain brings no two nearby inputs farther apart; layers: {len(weights)}",
        0,
        "by how much the Jacobian's largest singular value exceeds 1",
        max(0.0, _largest(product) - 1),
        len(weights) * bound[0],
        bound[1],
    )


def _picture(plain: Tensor, normalized: Tensor) -> Curves:
    values, size = torch.linalg.svdvals(plain), len(plain)
    places = [float(place) for place in range(1, size + 1)]
    return Curves(
        title=f"Singular values of a random {size} x {size} matrix",
        x_label="number of the singular value, largest first",
        y_label="value",
        series=[
            Series("as drawn", places, values.tolist()),
            Series("divided by the spectral norm", places, torch.linalg.svdvals(normalized).tolist()),
            Series("divided by the Frobenius norm", places, (values / values.square().sum().sqrt()).tolist()),
        ],
        note="Divided by the spectral norm, the largest value is 1; divided by the Frobenius norm, it is less.",
    )


def _instead(change: Any) -> Any:
    """A parametrization by a function. Its class is made where it is used, since a help must not load torch."""

    def call(right: Any, layer: torch.nn.Module, **options: Any) -> torch.nn.Module:
        class Changed(torch.nn.Module):
            def forward(self, weight: Tensor) -> Any:
                return change(weight)

        return torch.nn.utils.parametrize.register_parametrization(layer, "weight", Changed())

    return call


def _clipped(weight: Tensor) -> Tensor:
    left, values, right = torch.linalg.svd(weight)
    return left * values.clamp(max=1) @ right


SPECTRAL = "torch.nn.utils.parametrizations.spectral_norm"
WRONG = [
    Wrong("the Frobenius norm", SPECTRAL, _instead(lambda w: w / w.norm())),
    Wrong("each unit's norm", SPECTRAL, _instead(lambda w: w / w.norm(dim=1, keepdim=True))),
    Wrong("scales down alone", SPECTRAL, _instead(lambda w: w / torch.linalg.matrix_norm(w, 2).clamp(min=1))),
    Wrong("clips the singular values", SPECTRAL, _instead(_clipped)),
    Wrong("does nothing", SPECTRAL, _instead(lambda w: w)),
]
