"""What is done to the gradients, and how the optimizer steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from regdemo.lab.recipe import Technique
from regdemo.parameters import Parameter, count

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor
    from torch.optim import Optimizer

    from regdemo.lab.training import Learner


@dataclass(eq=False)
class GradientClipping(Technique):
    """Clipping by the norm of a member's whole gradient: torch's `clip_grad_norm_`, for each member."""

    NAME: ClassVar = "gradient-clipping"
    SITE: ClassVar = "gradients"
    max_norm: Annotated[float, Parameter("Largest norm that a gradient may have.", 1e-6, 1e6)] = 1.0

    def clip(self, learner: Learner) -> None:
        factor = (self.max_norm / (learner.gradient_norms() + 1e-6)).clamp(max=1)
        for gradient in learner.gradients:
            gradient *= factor.view(-1, 1, 1)


@dataclass(eq=False)
class DPSGD(Technique):
    """Each example's own gradient is clipped, then noise is added to the sum: `regularizers.dp_sgd`'s gradient.

    An example's norm comes from what enters a linear layer, a, and the loss's gradient at what leaves it, d: its part
    of the weight's gradient is a d', of norm |a| |d|. Batches are shuffled, not Poisson samples: nothing is private.
    Goodfellow 2015, https://arxiv.org/abs/1510.01799
    """

    NAME: ClassVar = "dp-sgd"
    SITE: ClassVar = "gradients"
    NEEDS: ClassVar = frozenset({"linear"})
    max_norm: Annotated[float, Parameter("Largest norm that an example's gradient may have.", 1e-6, 1e6)] = 1.0
    noise: Annotated[float, Parameter("Noise on the sum, as a multiple of that norm.", 0, 1000)] = 0.1

    def begin(self, learner: Learner) -> None:
        super().begin(learner)
        self._layers: list[tuple[Tensor, Tensor]] = []

    def linear(self, learner: Learner, inputs: Tensor, outputs: Tensor) -> None:
        self._layers.append((inputs, outputs))

    def gradient(self, learner: Learner, x: Tensor, y: Tensor, compute: Callable[[], None]) -> None:
        import torch

        self._layers.clear()
        losses = learner.losses(learner.forward(x), y)
        deltas = torch.autograd.grad(losses.sum(), [z for _, z in self._layers], retain_graph=True)
        squares = [
            d.square().sum(-1) * (a.detach().square().sum(-1) + 1)
            for (a, _), d in zip(self._layers, deltas, strict=True)
        ]
        norms = torch.stack(squares).sum(0).sqrt()
        self._layers.clear()
        learner.backward((losses * (self.max_norm / norms.clamp(min=self.max_norm))).mean(1))
        for gradient in learner.gradients:
            gradient += self.draws.normal(gradient.shape[1:]) * (self.noise * self.max_norm / x.shape[1])


@dataclass(eq=False)
class Sam(Technique):
    """Sharpness-aware minimization, as `regularizers.SAM`, each member uphill by the norm of its own gradient."""

    NAME: ClassVar = "sam"
    SITE: ClassVar = "optimizer"
    rho: Annotated[float, Parameter("Distance uphill to where the gradient is taken.", 0, 100)] = 0.2

    def gradient(self, learner: Learner, x: Tensor, y: Tensor, compute: Callable[[], None]) -> None:
        import torch

        compute()
        with torch.no_grad():
            homes = [p.clone() for p in learner.parameters]
            scale = self.rho / (learner.gradient_norms() + 1e-12)
            for p, gradient in zip(learner.parameters, learner.gradients, strict=True):
                p.add_(gradient * scale.view(-1, 1, 1))
        compute()
        with torch.no_grad():
            for p, home in zip(learner.parameters, homes, strict=True):
                p.copy_(home)


@dataclass(eq=False)
class Lookahead(Technique):
    """`regularizers.Lookahead` around the optimizer."""

    NAME: ClassVar = "lookahead"
    SITE: ClassVar = "optimizer"
    k: Annotated[int, count("Steps forward before each step back.", 1, 1000)] = 5
    alpha: Annotated[float, Parameter("Share of the way that Lookahead keeps.", 0.001, 1)] = 0.5

    def optimizer(self, base: Optimizer) -> Optimizer:
        from regdemo.regularizers import Lookahead

        return Lookahead(base, k=self.k, alpha=self.alpha)
