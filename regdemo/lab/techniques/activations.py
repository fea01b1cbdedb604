"""What is done to the activations in training: dropout and its kin, at a rate that layer and step may set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch

from regdemo import regularizers
from regdemo.lab.recipe import Technique
from regdemo.parameters import Parameter, count, rate

if TYPE_CHECKING:
    from torch import Tensor

    from regdemo.lab.recipe import RunProtocol

HIDDEN = frozenset({"hidden"})
PART = Parameter("Fraction of the training after which the rate changes.", 0.01, 0.99)


@dataclass(eq=False)
class DropoutTechnique(Technique):
    """`regularizers.dropout` on what leaves each hidden layer."""

    NAME: ClassVar = "dropout"
    requires: ClassVar = HIDDEN
    exclusive: ClassVar = "the drop rate of the hidden layers"
    p: Annotated[float, rate("Probability that a hidden activation is dropped.")] = 0.2

    def rate(self, run: RunProtocol, layer: int, depth: int) -> float:
        """The drop rate now, after this layer."""
        return self.p

    def activations(self, run: RunProtocol, h: Tensor, site: str, layer: int, depth: int) -> Tensor:
        p = self.rate(run, layer, depth)
        return regularizers.dropout(h, p, mask=self.streams.keep(h.shape[1:], p)) if p else h


@dataclass(eq=False)
class LayerwiseDropoutTechnique(DropoutTechnique):
    """Dropout at rates that grow with depth, from 0 after the first hidden layer to p after the last."""

    NAME: ClassVar = "layerwise-dropout"

    def rate(self, run: RunProtocol, layer: int, depth: int) -> float:
        return regularizers.layerwise_rates(depth, self.p)[layer]


@dataclass(eq=False)
class AnnealedDropoutTechnique(DropoutTechnique):
    """Dropout at a rate that falls to 0 over the training."""

    NAME: ClassVar = "annealed-dropout"

    def rate(self, run: RunProtocol, layer: int, depth: int) -> float:
        return regularizers.annealed_dropout(run.step_count, run.steps, self.p)


@dataclass(eq=False)
class EarlyDropoutTechnique(DropoutTechnique):
    """Dropout at the beginning only, at a rate that falls to 0."""

    NAME: ClassVar = "early-dropout"
    part: Annotated[float, PART] = 0.2

    def rate(self, run: RunProtocol, layer: int, depth: int) -> float:
        return regularizers.early_dropout(run.step_count, run.after(self.part), self.p)


@dataclass(eq=False)
class LateDropoutTechnique(DropoutTechnique):
    """Dropout in the rest of the training only."""

    NAME: ClassVar = "late-dropout"
    part: Annotated[float, PART] = 0.2

    def rate(self, run: RunProtocol, layer: int, depth: int) -> float:
        return regularizers.late_dropout(run.step_count, run.after(self.part), self.p)


@dataclass(eq=False)
class MCDropoutTechnique(DropoutTechnique):
    """Dropout in training and in prediction too, where the probabilities of several passes are averaged."""

    NAME: ClassVar = "mc-dropout"
    requires: ClassVar = frozenset({"hidden", "classes"})
    samples: Annotated[int, count("Passes averaged in prediction.", 1, 1000)] = 20

    def begin(self, run: RunProtocol) -> None:
        # Trained as under dropout, so that only the prediction differs.
        self.streams = run.streams(DropoutTechnique.NAME)
        self._prediction = run.streams(f"{self.NAME} in prediction")

    def predict(self, run: RunProtocol, x: Tensor) -> Tensor:
        """The logarithm of the mean probabilities, everything but this dropout in eval mode."""

        alone, training = Only(self, run), self.streams
        try:
            self.streams = self._prediction  # judging a network must not change what training draws next
            passes = [run.apply(x, alone).softmax(-1) for _ in range(self.samples)]
        finally:
            self.streams = training
        return torch.stack(passes).mean(0).log()


class Only:
    """One technique acting on the activations, and nothing else."""

    def __init__(self, technique: Technique, run: RunProtocol) -> None:
        self.technique, self.run = technique, run

    def weight(self, weight: Tensor) -> Tensor:
        """The weight as it is."""
        return weight

    def tokens(self, h: Tensor, ids: Tensor) -> Tensor:
        """The embeddings as they are."""
        return h

    def activations(self, h: Tensor, site: str, layer: int, depth: int) -> Tensor:
        """What the technique makes of them."""
        return self.technique.activations(self.run, h, site, layer, depth)

    def linear(self, inputs: Tensor, outputs: Tensor) -> None:
        """Does nothing: there is no running average to keep."""


@dataclass(eq=False)
class GaussianDropoutTechnique(Technique):
    """`regularizers.gaussian_dropout` on what leaves each hidden layer."""

    NAME: ClassVar = "gaussian-dropout"
    requires: ClassVar = HIDDEN
    p: Annotated[float, rate("Drop rate of the dropout with the same mean and variance.")] = 0.2

    def activations(self, run: RunProtocol, h: Tensor, site: str, layer: int, depth: int) -> Tensor:
        noise = self.streams.normal(h.shape[1:]).mul_((self.p / (1 - self.p)) ** 0.5).add_(1)
        return regularizers.gaussian_dropout(h, self.p, noise=noise)


@dataclass(eq=False)
class ActivationNoiseTechnique(Technique):
    """`regularizers.activation_noise` on what leaves each hidden layer."""

    NAME: ClassVar = "activation-noise"
    requires: ClassVar = HIDDEN
    std: Annotated[float, Parameter("Size of the Gaussian noise.", 0, 10)] = 0.1

    def activations(self, run: RunProtocol, h: Tensor, site: str, layer: int, depth: int) -> Tensor:
        return regularizers.activation_noise(h, self.std, noise=self.streams.normal(h.shape[1:]))
