"""What is done to the weights: noise on those a pass uses, and pulls on those that are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch

from regdemo import regularizers
from regdemo.lab.recipe import Technique
from regdemo.parameters import Parameter, rate

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from regdemo.lab.recipe import RunProtocol


PRETRAINED = frozenset({"pretrained"})


@dataclass(eq=False)
class DropConnectTechnique(Technique):
    """Dropout of single weights, one mask for a batch as in WeightDrop; biases stay.

    Merity et al. 2018, https://arxiv.org/abs/1708.02182
    """

    NAME: ClassVar = "drop-connect"
    p: Annotated[float, rate("Probability that a weight is dropped.")] = 0.2

    def weight(self, run: RunProtocol, weight: Tensor) -> Tensor:
        return regularizers.dropout(weight, self.p, mask=self.streams.keep(weight.shape[1:], self.p))


@dataclass(eq=False)
class WeightNoiseTechnique(Technique):
    """Gaussian noise on the weights, one draw for a batch; biases stay.

    Graves 2011, https://papers.nips.cc/paper/4329-practical-variational-inference-for-neural-networks
    """

    NAME: ClassVar = "weight-noise"
    std: Annotated[float, Parameter("Size of the Gaussian noise.", 0, 10)] = 0.05

    def weight(self, run: RunProtocol, weight: Tensor) -> Tensor:
        return weight + self.std * self.streams.normal(weight.shape[1:])


@dataclass(eq=False)
class L2PenaltyTechnique(Technique):
    """The sum of the squared weights, added to the loss; biases stay."""

    NAME: ClassVar = "l2-penalty"
    strength: Annotated[float, Parameter("What the penalty is multiplied by.", 0, 1000)] = 1e-3

    def penalty(self, run: RunProtocol, x: Tensor, y: Tensor, outputs: Tensor) -> Tensor:
        return self.strength * torch.stack([w.square().flatten(1).sum(1) for w in run.model.weights]).sum(0)


@dataclass(eq=False)
class L1PenaltyTechnique(Technique):
    """The sum of the weights' sizes, followed by a proximal step after each step, which leaves exact zeros.

    Under Adam the gradient is rescaled and the threshold is not, so the strength isn't that of a plain L1 penalty.
    """

    NAME: ClassVar = "l1-penalty"
    strength: Annotated[float, Parameter("What the penalty is multiplied by.", 0, 1000)] = 1e-3

    def stepped(self, run: RunProtocol) -> None:
        with torch.no_grad():
            for w in run.model.weights:
                w.copy_(regularizers.soft_threshold(w, run.task.learning_rate * self.strength))

    def measures(self) -> dict[str, Callable[[RunProtocol], Tensor]]:
        """The fraction of weights that are exactly 0."""

        def zeros(run: RunProtocol) -> Tensor:
            return 100 * torch.cat([w.flatten(1) == 0 for w in run.model.weights], 1).double().mean(1)

        return {"weights at 0, %": zeros}


@dataclass(eq=False)
class MaxNormTechnique(Technique):
    """A bound on the norm of the weights into each unit, kept after each step as by `regularizers.max_norm`."""

    NAME: ClassVar = "max-norm"
    requires: ClassVar = frozenset({"linear"})
    limit: Annotated[float, Parameter("Largest norm of the weights into one unit.", 0.01, 100)] = 2.0

    def stepped(self, run: RunProtocol) -> None:
        # `regularizers.max_norm` raises on a weight that is not finite; here that is one member's divergence.
        with torch.no_grad():
            for w in run.model.weights:
                w.mul_((self.limit / torch.linalg.vector_norm(w, dim=1, keepdim=True)).clamp(max=1))


@dataclass(eq=False)
class SpectralNormTechnique(Technique):
    """A bound on each weight matrix's largest singular value, kept after each step; biases stay.

    One step of power iteration a training step estimates it, as in Miyato et al. 2018,
    https://arxiv.org/abs/1802.05957. They divide in the forward pass; here the weights are projected, as by max-norm.
    """

    NAME: ClassVar = "spectral-norm"
    requires: ClassVar = frozenset({"linear"})
    limit: Annotated[float, Parameter("Largest singular value of a layer's weights.", 0.01, 100)] = 4.0

    def begin(self, run: RunProtocol) -> None:
        super().begin(run)
        self._directions = [self.streams.normal((w.shape[1], 1)) for w in run.model.weights]

    def stepped(self, run: RunProtocol) -> None:
        with torch.no_grad():
            for w, left in zip(run.model.weights, self._directions, strict=True):
                # Sums, not matrix products: these stay in float32 where the network multiplies in bfloat16.
                right = torch.nn.functional.normalize((w * left).sum(1, keepdim=True), dim=2)
                moved = (w * right).sum(2, keepdim=True)
                size = torch.linalg.vector_norm(moved, dim=1, keepdim=True)
                left.copy_(moved / size.clamp(min=1e-12))
                w.mul_((self.limit / size).clamp(max=1))


@dataclass(eq=False)
class WeightDecayTechnique(Technique):
    """AdamW's decay of the weights; biases stay."""

    NAME: ClassVar = "weight-decay"
    exclusive: ClassVar = "the optimizer's weight decay"
    weight_decay: Annotated[
        float, Parameter("Decay of each weight, times the learning rate, at each step.", 0, 100)
    ] = 1.0


@dataclass(eq=False)
class PretrainedDecayTechnique(Technique):
    """Decay towards the weights that fine-tuning began with, at each step and decoupled as AdamW's; biases stay.

    w <- w - lr decay (w - w0):    L2-SP's pull, of Li et al. 2018, https://arxiv.org/abs/1802.01483
    """

    NAME: ClassVar = "l2-sp"
    requires: ClassVar = PRETRAINED
    exclusive: ClassVar = "the optimizer's weight decay"
    decay: Annotated[float, Parameter("Fraction of the way back, times the learning rate, at each step.", 0, 100)] = 1.0

    def begin(self, run: RunProtocol) -> None:
        super().begin(run)
        self._start = [w.detach().clone() for w in run.model.weights]

    def stepped(self, run: RunProtocol) -> None:
        with torch.no_grad():
            for w, start in zip(run.model.weights, self._start, strict=True):
                w.lerp_(start, run.task.learning_rate * self.decay)


@dataclass(eq=False)
class MixoutTechnique(Technique):
    """`regularizers.mixout`: single weights go back, for one pass, to those that fine-tuning began with."""

    NAME: ClassVar = "mixout"
    requires: ClassVar = PRETRAINED
    p: Annotated[float, rate("Probability that a weight goes back.")] = 0.5

    def begin(self, run: RunProtocol) -> None:
        super().begin(run)
        self._start = [w.detach().clone() for w in run.model.weights]
        self._place = {id(w): i for i, w in enumerate(run.model.weights)}

    def weight(self, run: RunProtocol, weight: Tensor) -> Tensor:
        start = self._start[self._place[id(weight)]]
        return regularizers.mixout(weight, start, self.p, mask=self.streams.keep(weight.shape[1:], self.p))
