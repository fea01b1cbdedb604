"""Techniques that change the targets or the loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from regdemo import regularizers
from regdemo.lab.recipe import Technique
from regdemo.lab.techniques.activations import DropoutTechnique
from regdemo.parameters import Parameter, rate

if TYPE_CHECKING:
    from torch import Tensor

    from regdemo.lab.recipe import RunProtocol


@dataclass(eq=False)
class LabelSmoothingTechnique(Technique):
    """(1 - e) one-hot + e/K: torch's `label_smoothing`."""

    NAME: ClassVar = "label-smoothing"
    requires: ClassVar = frozenset({"classes"})
    smoothing: Annotated[float, rate("Fraction of the target that is spread over all classes.")] = 0.1

    def batch(self, run: RunProtocol, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        y = run.soft(y)
        return x, (1 - self.smoothing) * y + self.smoothing / y.shape[-1]


@dataclass(eq=False)
class ConfidencePenaltyTechnique(Technique):
    """Cross entropy minus beta times the entropy of the predictions, as `regularizers.confidence_penalty`."""

    NAME: ClassVar = "confidence-penalty"
    requires: ClassVar = frozenset({"classes"})
    beta: Annotated[float, Parameter("What a nat of entropy takes off the loss.", 0, 100)] = 0.1

    def penalty(self, run: RunProtocol, x: Tensor, y: Tensor, outputs: Tensor) -> Tensor:
        return -self.beta * regularizers.targets.entropy(outputs).flatten(1).mean(1)


@dataclass(eq=False)
class RDropTechnique(DropoutTechnique):
    """Two passes under dropout: both cross entropies, and a penalty on their disagreement, as `regularizers.r_drop`."""

    NAME: ClassVar = "r-drop"
    requires: ClassVar = frozenset({"hidden", "classes"})
    alpha: Annotated[float, Parameter("Weight of R-Drop's disagreement.", 0, 100)] = 1.0

    def penalty(self, run: RunProtocol, x: Tensor, y: Tensor, outputs: Tensor) -> Tensor:
        again = run.forward(x)
        extra = run.losses(again, y) + self.alpha / 2 * regularizers.targets.disagreement(outputs, again)
        return extra.flatten(1).mean(1)
