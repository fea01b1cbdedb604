"""Many networks as one: each parameter stacked in a leading dimension, so one batched product serves them all."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Generator, Tensor

from regdemo.regularizers import dropout, keep_mask


class Ensemble:
    """S multilayer perceptrons of one shape, with dropout after each hidden layer.

        h_0 = x,    h_l = dropout(relu(h_{l-1} W_l + b_l), p),    logits = h_{L-1} W_L + b_L
        initially  W_l, b_l ~ Uniform(-1/sqrt(n), 1/sqrt(n)),  n = the layer's inputs: nn.Linear's law

    sizes: inputs, hidden layers, outputs.  generators: S, one for each network's initial weights.
    Nothing passes from one network to another: each is what it would be alone, within rounding.
    """

    def __init__(self, sizes: Sequence[int], generators: Sequence[Generator], dtype: torch.dtype = torch.float32):
        shapes = [shape for n, m in pairwise(sizes) for shape in ((n, m), (1, m))]
        bounds = [n**-0.5 for n in sizes[:-1] for _ in range(2)]
        networks = [
            [
                torch.empty(shape, dtype=dtype).uniform_(-bound, bound, generator=generator)
                for shape, bound in zip(shapes, bounds, strict=True)
            ]
            for generator in generators
        ]
        self.parameters = [torch.stack(stack).requires_grad_() for stack in zip(*networks, strict=True)]

    def __call__(self, x: Tensor, *, p: float | None = None, generators: Sequence[Generator] = ()) -> Tensor:
        """The logits of each network on its own examples.

        x: (S, B, inputs).  p: the drop rate, or None for no dropout.  generators: S, one for each network's masks.
        Returns: (S, B, outputs).
        """
        weights, biases = self.parameters[::2], self.parameters[1::2]
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            x = torch.baddbmm(bias, x, weight).relu()
            if p is not None:
                masks = [keep_mask(x.shape[1:], p, generator=generator) for generator in generators]
                x = dropout(x, p, mask=torch.stack(masks))
        return torch.baddbmm(biases[-1], x, weights[-1])
