"""Which weights are judged in the end: averages over the steps, or those that validated best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch

from regdemo.lab.recipe import Technique, per_member
from regdemo.parameters import Parameter, count

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from regdemo.lab.recipe import RunProtocol

JUDGED_WEIGHTS = "the weights that are judged"


class _Average(Technique):
    """An average of the weights, judged in their place once there is one. `_count`: of how many."""

    exclusive: ClassVar = JUDGED_WEIGHTS

    def begin(self, run: RunProtocol) -> None:
        super().begin(run)
        self._average: list[Tensor] = []
        self._count = 0

    def _take(self, run: RunProtocol, update: Callable[[list[Tensor], list[Tensor], int], None]) -> None:
        """Copy the first weights, and average in those that follow."""
        if self._count:
            update(self._average, run.parameters, self._count)
        else:
            self._average = [p.detach().clone() for p in run.parameters]
        self._count += 1

    def evaluated(self, run: RunProtocol, parameters: list[Tensor]) -> list[Tensor]:
        return self._average or parameters


@dataclass(eq=False)
class EMATechnique(_Average):
    """A running average of the weights, by torch's `get_ema_multi_avg_fn`; the first step's are copied."""

    NAME: ClassVar = "ema"
    decay: Annotated[float, Parameter("Fraction of the average that stays at each step.", 0, 1)] = 0.99

    def stepped(self, run: RunProtocol) -> None:
        self._take(run, torch.optim.swa_utils.get_ema_multi_avg_fn(self.decay))  # type: ignore[no-untyped-call]


@dataclass(eq=False)
class SWATechnique(_Average):
    """The equal average of the weights at the end of each epoch, once a fraction of the training is over."""

    NAME: ClassVar = "swa"
    start: Annotated[float, Parameter("Fraction of the training before the first average.", 0, 0.99)] = 0.5

    def epoch_ended(self, run: RunProtocol) -> None:
        if run.step_count >= run.after(self.start):
            self._take(run, torch.optim.swa_utils.get_swa_multi_avg_fn())  # type: ignore[no-untyped-call]


@dataclass(eq=False)
class EarlyStoppingTechnique(Technique):
    """The weights that validated best, until `patience` epochs in a row were no better: `regularizers.EarlyStopping`.

    A member that has stopped is trained on with the others, and judged by what it stopped with.
    """

    NAME: ClassVar = "early-stopping"
    exclusive: ClassVar = JUDGED_WEIGHTS
    requires: ClassVar = frozenset({"validation"})
    patience: Annotated[int, count("Epochs without a better validation loss before training stops.", 1, 1000)] = 5

    def begin(self, run: RunProtocol) -> None:
        super().begin(run)
        self._best = [p.detach().clone() for p in run.parameters]
        self._since = torch.zeros(len(run.members), dtype=torch.int64, device=run.task.device)
        self._loss = torch.full_like(self._since, torch.inf, dtype=torch.float64)

    def epoch_ended(self, run: RunProtocol) -> None:
        current = [p.detach() for p in run.parameters]
        loss = run.validation_loss(current)
        better = (loss < self._loss) & (self._since < self.patience)
        self._since = torch.where(better, 0, self._since + (self._since < self.patience))
        self._loss = torch.where(better, loss, self._loss)
        for best, p in zip(self._best, current, strict=True):
            best.copy_(torch.where(per_member(better, p), p, best))

    def evaluated(self, run: RunProtocol, parameters: list[Tensor]) -> list[Tensor]:
        return self._best
