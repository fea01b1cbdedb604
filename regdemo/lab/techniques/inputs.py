"""What is done to the examples before the network sees them."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch

from regdemo import regularizers
from regdemo.lab.recipe import Technique
from regdemo.parameters import Parameter, rate

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from regdemo.lab.recipe import RunProtocol

CONTINUOUS = frozenset({"inputs"})


@dataclass(eq=False)
class InputNoiseTechnique(Technique):
    """`regularizers.input_noise` on each example."""

    NAME: ClassVar = "input-noise"
    requires: ClassVar = CONTINUOUS
    std: Annotated[float, Parameter("Size of the Gaussian noise.", 0, 10)] = 0.1

    def batch(self, run: RunProtocol, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return regularizers.input_noise(x, self.std, noise=self.streams.normal(x.shape[1:])), y


@dataclass(eq=False)
class MixupTechnique(Technique):
    """`regularizers.mixup`: a weight and a permutation for each member's batch."""

    NAME: ClassVar = "mixup"
    requires: ClassVar = CONTINUOUS
    alpha: Annotated[float, Parameter("Both parameters of mixup's Beta distribution.", 0.001, 100)] = 0.4

    def batch(self, run: RunProtocol, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        members, size = x.shape[:2]
        weight = torch.stack([regularizers.inputs.draw_beta(self.alpha, x.device, g) for g in self.streams.generators])
        order = self.streams.order(size) + size * torch.arange(members, device=x.device)[:, None]
        y = run.soft(y)
        mixed_x, mixed_y = regularizers.mixup(
            x.flatten(0, 1), y.flatten(0, 1), weight=weight.repeat_interleave(size), order=order.flatten()
        )
        return mixed_x.view_as(x), mixed_y.view_as(y)


@dataclass(eq=False)
class CutMixTechnique(Technique):
    """`regularizers.cutmix`: a box and a permutation for each member's batch of square images."""

    NAME: ClassVar = "cutmix"
    requires: ClassVar = CONTINUOUS | {"images"}
    alpha: Annotated[
        float, Parameter("Both parameters of the Beta distribution of the area that stays.", 0.001, 100)
    ] = 1.0

    def batch(self, run: RunProtocol, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        side = isqrt(x.shape[-1])
        images, soft = x.view(*x.shape[:-1], side, side), run.soft(y)
        members = zip(images, soft, self.streams.generators, strict=True)
        mixed = [regularizers.cutmix(image, label, self.alpha, generator=g) for image, label, g in members]
        return torch.stack([image for image, _ in mixed]).view_as(x), torch.stack([label for _, label in mixed])


@dataclass(eq=False)
class BatchMixingTechnique(Technique):
    """Mixing the inputs and leaving the labels: what is sometimes passed off as Mixout."""

    NAME: ClassVar = "batch-mixing"
    requires: ClassVar = CONTINUOUS
    p: Annotated[float, rate("Fraction of the example that stays; the rest is its partner's.")] = 0.7

    def batch(self, run: RunProtocol, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        order = self.streams.order(x.shape[1])
        return self.p * x + (1 - self.p) * x[torch.arange(len(x), device=x.device)[:, None], order], y


@dataclass(eq=False)
class FgsmTechnique(Technique):
    """Adversarial training: half of the loss on the examples, half on them after an FGSM step.

    Goodfellow et al. 2014, section 6, https://arxiv.org/abs/1412.6572
    """

    NAME: ClassVar = "fgsm"
    requires: ClassVar = CONTINUOUS | {"classes"}
    exclusive: ClassVar = "what the inputs are attacked with"
    epsilon: Annotated[float, Parameter("Length of the step along the gradient's sign.", 0, 10)] = 0.1

    def attacked_weight(self) -> float:
        """The weight of the attacked examples in the loss."""
        return 0.5

    def penalty(self, run: RunProtocol, x: Tensor, y: Tensor, outputs: Tensor) -> Tensor:
        # At the same masks or noise there would be nothing to average over: each pass draws its own.
        attacked = run.losses(run.forward(self._attack(run.forward, run, x, y)), y)
        return self.attacked_weight() * (attacked.flatten(1).mean(1) - run.losses(outputs, y).flatten(1).mean(1))

    def _attack(self, predict: Callable[[Tensor], Tensor], run: RunProtocol, x: Tensor, y: Tensor) -> Tensor:
        probe = x.detach().clone().requires_grad_()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(run.losses(predict(probe), y).sum(), probe)
        # `regularizers.fgsm` raises on a gradient that isn't finite; here that is one member's divergence, not the end.
        return x + self.epsilon * gradient.sign()

    def measures(self) -> dict[str, Callable[[RunProtocol], Tensor]]:
        """Accuracy on test examples attacked through the network that judges them, in eval mode."""

        def accuracy(run: RunProtocol) -> Tensor:
            x, y = run.examples.test_x, run.examples.test_y
            with torch.no_grad():
                attacked = self._attack(run.eval_forward, run, x, y)
                return 100 * (run.eval_forward(attacked).argmax(-1) == y).double().mean(1)

        return {f"accuracy under FGSM {self.epsilon:g}, %": accuracy}


@dataclass(eq=False)
class AdversarialTrainingTechnique(FgsmTechnique):
    """`regularizers.adversarial_training`: as fgsm, with a chosen weight of the loss on the examples as they are."""

    NAME: ClassVar = "adversarial-training"
    clean: Annotated[float, Parameter("The clean loss's weight.", 0, 1)] = 0.5

    def attacked_weight(self) -> float:
        return 1 - self.clean
