"""Many networks as one: each parameter stacked in a leading dimension, so one batched product serves them all."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Protocol

import torch
from torch import Generator, Tensor

FEW = 16  # columns, below which a matrix product does not fill the processor's vectors


class Acting(Protocol):
    """What acts inside a training pass, at the sites that the model names."""

    def weight(self, weight: Tensor) -> Tensor:
        """A weight matrix as the pass uses it."""
        ...

    def tokens(self, h: Tensor, ids: Tensor) -> Tensor:
        """The embeddings of these tokens as the pass uses them, where the model has any."""
        ...

    def activations(self, h: Tensor, site: str, layer: int, depth: int) -> Tensor:
        """What leaves a site in layer 0 to depth - 1."""
        ...

    def linear(self, inputs: Tensor, outputs: Tensor) -> None:
        """Called with what entered and left a linear layer."""
        ...


class Model(Protocol):
    """S networks of one shape. parameters: each (S, ...).  weights: those of them that penalties and decay pull on."""

    parameters: list[Tensor]
    weights: list[Tensor]

    def __call__(self, x: Tensor, acting: Acting | None = None) -> Tensor:
        """The outputs on x, (S, B, ...); in eval mode unless something is acting."""
        ...


class Ensemble:
    """S multilayer perceptrons of one shape.

        h_0 = x,    h_l = act(relu(h_{l-1} W_l + b_l)),    outputs = h_{L-1} W_L + b_L
        initially  W_l, b_l ~ Uniform(-1/sqrt(n), 1/sqrt(n)),  n = the layer's inputs: as in nn.Linear

    act is what the recipe does to the activations in training: the site "hidden".
    sizes: inputs, hidden layers, outputs.  generators: S of the CPU, one for each network's initial weights, which are
    so the same on every device.
    Nothing passes from one network to another: each is what it would be alone, within rounding.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        generators: Sequence[Generator],
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        shapes = [shape for n, m in pairwise(sizes) for shape in ((n, m), (1, m))]
        bounds = [n**-0.5 for n in sizes[:-1] for _ in range(2)]
        networks = [
            [
                torch.empty(shape, dtype=dtype).uniform_(-bound, bound, generator=generator)
                for shape, bound in zip(shapes, bounds, strict=True)
            ]
            for generator in generators
        ]
        self.parameters = [torch.stack(stack).to(device).requires_grad_() for stack in zip(*networks, strict=True)]
        self.weights = self.parameters[::2]

    def __call__(self, x: Tensor, acting: Acting | None = None) -> Tensor:
        """The outputs of each network on its own examples: x (S, B, inputs), outputs (S, B, outputs)."""
        depth = len(self.parameters) // 2 - 1
        for layer, (weight, bias) in enumerate(zip(self.parameters[::2], self.parameters[1::2], strict=True)):
            used = weight if acting is None else acting.weight(weight)
            # The bias is added in place, since baddbmm takes half as long again as this.
            z = _product(x, used).add_(bias)
            if acting is not None:
                acting.linear(x, z)
            if layer == depth:
                break
            x = z.relu_() if acting is None else acting.activations(z.relu(), "hidden", layer, depth)
        return z


def _product(x: Tensor, weight: Tensor) -> Tensor:
    """Each member's x times its weight."""
    if weight.shape[-1] >= FEW or x.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        return torch.bmm(x, weight)
    apply: Any = _FewColumns.apply  # typed in some versions of torch, untyped in others
    z: Tensor = apply(x, weight)
    return z.mT


class _FewColumns(torch.autograd.Function):
    """(x W)', a product with few rows: in both passes the CPU takes half as long for it as with few columns."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        """W' x'"""
        ctx.save_for_backward(x, weight)
        return torch.bmm(weight.mT, x.mT)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """The gradient of x laid out in memory as x is, which what comes before it is quick with."""
        x, weight = ctx.saved_tensors
        return torch.bmm(gradient.mT, weight.mT), torch.bmm(gradient, x).mT
