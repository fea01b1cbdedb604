"""What is learned, how and where, as it is asked for: by names and numbers that can be sent to another machine."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from regdemo.errors import ArgumentError
from regdemo.lab import data, metrics
from regdemo.lab.choices import LABEL_NOISE, TRAIN_SIZE
from regdemo.lab.splits import FOLDS
from regdemo.lab.task import Task


@dataclass(frozen=True)
class Source:
    """A task by name or your own file, and what is done to its training examples and its training.

    The fields are the arguments of `compare`.
    """

    task: str = ""
    data: Path | None = None
    target: str | None = None
    drop: tuple[str, ...] = ()
    group: str | None = None
    regression: bool = False
    folds: int = 0
    label_noise: float = 0.0
    train_size: int | None = None
    lr: float | None = None
    width: int | None = None
    depth: int | None = None
    batch_size: int | None = None
    optimizer: str | None = None
    metric: str | None = None
    device: str = "cpu"
    precision: str = "float32"

    def prepared(self) -> Task:
        """The task, as it is to be trained on, on its device. Raises ArgumentError or FileError on what can't be."""
        LABEL_NOISE.check("label_noise", self.label_noise)
        if self.folds:
            FOLDS.check("folds", self.folds)
        task = data.load(
            self.task,
            self.data,
            self.target,
            drop=self.drop,
            group=self.group,
            regression=self.regression,
            folds=self.folds,
        )
        if self.train_size is not None:
            TRAIN_SIZE.check("train_size", self.train_size)
            task = task.first(self.train_size)
        task = task.trained_with(self.lr, self.width, self.depth, self.batch_size, self.optimizer)
        if self.metric is not None:
            task = replace(task, metric=_metric(self.metric, task))
        return task.with_label_noise(self.label_noise).on(self.device, self.precision)

    @property
    def display_values(self) -> dict[str, Any]:
        """What a report shows of it: the file or the task, and what else is not at its default."""
        values = vars(self) | ({} if self.data is None else {"task": "", "data": self.data.name})
        found = {field.name: values[field.name] for field in fields(self) if values[field.name] != field.default}
        return {name: ", ".join(value) if isinstance(value, tuple) else value for name, value in found.items()}


def _metric(name: str, task: Task) -> str:
    """The metric of this name, if the task has it."""
    fits = [short for short, long in metrics.NAMES.items() if (long == metrics.TEST_ERROR) == (not task.classes)]
    if "tokens" in task.offers:
        fits = ["accuracy", "loss", "calibration"]
    if name not in fits:
        raise ArgumentError(f"metric = {name!r} is not allowed on {task.title}: it must be {' or '.join(fits)}")
    return metrics.NAMES[name]
