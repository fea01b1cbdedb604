"""What is done to the gradients, and how the optimizer steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch

from regdemo import regularizers
from regdemo.lab.recipe import Technique, per_member
from regdemo.parameters import Parameter, count

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor
    from torch.optim import Optimizer

    from regdemo.lab.recipe import RunProtocol


@dataclass(eq=False)
class GradientClippingTechnique(Technique):
    """Clipping by the norm of a member's whole gradient: torch's `clip_grad_norm_`, for each member."""

    NAME: ClassVar = "gradient-clipping"
    max_norm: Annotated[float, Parameter("Largest norm that a gradient may have.", 1e-6, 1e6)] = 1.0

    def clip(self, run: RunProtocol) -> None:
        factor = (self.max_norm / (run.gradient_norms() + 1e-6)).clamp(max=1)
        for gradient in run.gradients:
            gradient *= per_member(factor, gradient)


@dataclass(eq=False)
class DPSGDTechnique(Technique):
    """Each example's own gradient is clipped, then noise is added to the sum: `regularizers.dp_sgd`'s gradient.

    An example's norm comes from what enters a linear layer, a, and the loss's gradient at what leaves it, d: its part
    of the weight's gradient is a d', of norm |a| |d|. Batches are shuffled, not Poisson samples: nothing is private.
    Goodfellow 2015, https://arxiv.org/abs/1510.01799
    """

    NAME: ClassVar = "dp-sgd"
    requires: ClassVar = frozenset({"linear"})
    max_norm: Annotated[float, Parameter("Largest norm that an example's gradient may have.", 1e-6, 1e6)] = 1.0
    noise: Annotated[float, Parameter("Noise on the sum, as a multiple of that norm.", 0, 1000)] = 0.1

    def begin(self, run: RunProtocol) -> None:
        super().begin(run)
        self._layers: list[tuple[Tensor, Tensor]] = []

    def linear(self, run: RunProtocol, inputs: Tensor, outputs: Tensor) -> None:
        self._layers.append((inputs, outputs))

    def gradient(self, run: RunProtocol, x: Tensor, y: Tensor, compute: Callable[[], None]) -> None:
        self._layers.clear()
        losses = run.losses(run.forward(x), y)
        deltas = torch.autograd.grad(losses.sum(), [z for _, z in self._layers], retain_graph=True)
        squares = [
            d.square().sum(-1) * (a.detach().square().sum(-1) + 1)
            for (a, _), d in zip(self._layers, deltas, strict=True)
        ]
        norms = torch.stack(squares).sum(0).sqrt()
        self._layers.clear()
        run.backward((losses * (self.max_norm / norms.clamp(min=self.max_norm))).mean(1))
        for gradient in run.gradients:
            gradient += self.streams.normal(gradient.shape[1:]) * (self.noise * self.max_norm / x.shape[1])


@dataclass(eq=False)
class SamTechnique(Technique):
    """Sharpness-aware minimization, as `regularizers.SAM`, each member uphill by the norm of its own gradient."""

    NAME: ClassVar = "sam"
    rho: Annotated[float, Parameter("Distance uphill to where the gradient is taken.", 0, 100)] = 0.2

    def gradient(self, run: RunProtocol, x: Tensor, y: Tensor, compute: Callable[[], None]) -> None:
        compute()
        with torch.no_grad():
            homes = [p.clone() for p in run.parameters]
            scale = self.rho / (run.gradient_norms() + 1e-12)
            for p, gradient in zip(run.parameters, run.gradients, strict=True):
                p.add_(gradient * per_member(scale, gradient))
        compute()
        with torch.no_grad():
            for p, home in zip(run.parameters, homes, strict=True):
                p.copy_(home)


@dataclass(eq=False)
class LookaheadTechnique(Technique):
    """`regularizers.Lookahead` around the optimizer."""

    NAME: ClassVar = "lookahead"
    k: Annotated[int, count("Steps forward before each step back.", 1, 1000)] = 5
    alpha: Annotated[float, Parameter("Fraction of the way that Lookahead keeps.", 0.001, 1)] = 0.5

    def optimizer(self, base: Optimizer) -> Optimizer:
        return regularizers.Lookahead(base, k=self.k, alpha=self.alpha)
