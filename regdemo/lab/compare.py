"""With and without a technique, or one against another: paired training runs, and what they allow to say."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regdemo.bounds import EXACT
from regdemo.lab.choices import EPOCHS, LABEL_NOISE, NONE, SEEDS, TRAIN_SIZE, arms, lists, shown
from regdemo.lab.data import Task, device_type, load, shared_examples
from regdemo.parameters import SEED
from regdemo.report import Claim, Report

if TYPE_CHECKING:
    from regdemo.lab.recipe import Recipe
    from regdemo.lab.training import Evaluation, PairedTraining


class Stopped(KeyboardInterrupt):
    """Ctrl-C after the first evaluation. report: what was finished by then."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.title)
        self.report = report


def compare(
    techniques: str | Sequence[str] = "dropout",
    *,
    against: str = NONE,
    task: str = "mnist1d",
    data: Path | None = None,
    target: str | None = None,
    label_noise: float = 0.0,
    train_size: int | None = None,
    seeds: int = 16,
    epochs: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    precision: str = "float32",
    clock: Callable[[], float] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    **values: float | Sequence[float],
) -> Report:
    """Train `seeds` networks of each arm, paired by seed, and report the differences.

    The networks of a pair have the same initial weights and the same batches; the arms advance in step.
    techniques: names in `techniques.TECHNIQUES`.  against: what they are compared with, a technique or none.
    task: a name in `data.TASKS`.  data, target: a text file instead, or a CSV and the column of it to predict.
    label_noise, train_size: what is done to its training examples.
    epochs: as many as make the task's steps if not given.
    device, precision: where to train, and how exactly to multiply matrices; see `data.Task.on`.
    clock: to time the arms by, such as `clock_on(device)`; without one the report has no times, and the same seed gives
    the same report.
    progress: told how much is done, of how much in all.
    values: of the techniques' parameters, such as p=0.2; several, p=[0.1, 0.2], are as many arms.
    Raises ArgumentError on a value that is not allowed, or more seeds than fit in memory; on Ctrl-C, Stopped with what
    the last evaluation shows, or KeyboardInterrupt if there was none yet.
    """
    names = [techniques] if isinstance(techniques, str) else list(techniques)
    source, given = Source(task, data, target, label_noise, train_size, device, precision), lists(values)
    learned = source.prepared()
    recipes = arms(names, given, against=against, offers=learned.offers, task=learned.title)

    from regdemo.lab.coefficients import agreement
    from regdemo.lab.findings import conclude

    training, evaluations, claims, stopped = train(learned, recipes, seeds, epochs, seed, clock, progress)
    parameters = {"technique": ", ".join(names)} | shown(given) | ({"against": against} if against != NONE else {})
    parameters |= source.shown | {"seeds": seeds, "epochs": training.epochs, "seed": seed}
    if learned.features and not learned.hidden and not stopped and training.epochs >= learned.steps:
        claims += agreement(training, recipes, evaluations[-1])
    report = conclude(training, recipes, evaluations, claims, parameters)
    if stopped:
        raise Stopped(report)
    return report


@dataclass(frozen=True)
class Source:
    """What is learned, and where: a task by name or the user's own file, and what is done to its training examples.

    The fields are the arguments of `compare`.
    """

    task: str = ""
    data: Path | None = None
    target: str | None = None
    label_noise: float = 0.0
    train_size: int | None = None
    device: str = "cpu"
    precision: str = "float32"

    def prepared(self) -> Task:
        """The task, with fewer training examples and with wrong labels where asked, on its device."""
        LABEL_NOISE.check("label_noise", self.label_noise)
        task = load(self.task, self.data, self.target)
        if self.train_size is not None:
            TRAIN_SIZE.check("train_size", self.train_size)
            task = task.first(self.train_size)
        return task.with_label_noise(self.label_noise).on(self.device, self.precision)

    @property
    def shown(self) -> dict[str, Any]:
        """What a report shows of it: the file or the task, and what else is not at its default."""
        told = vars(self) | ({} if self.data is None else {"task": "", "data": self.data.name})
        return {field.name: told[field.name] for field in fields(self) if told[field.name] != field.default}


def clock_on(device: str) -> Callable[[], float]:
    """What to time training by: the thread's processor time; on a GPU, which works on its own, the time it is done."""
    if device_type(device) == "cpu":
        return time.thread_time

    def done() -> float:
        import torch

        torch.cuda.synchronize(device)
        return time.perf_counter()

    return done


def validates(recipes: Sequence[Recipe]) -> bool:
    """Whether one of the techniques needs examples held out; then none of the arms is trained on them."""
    return any("validation" in technique.NEEDS for recipe in recipes for technique in recipe.techniques)


def passes(task: Task, epochs: int | None) -> int:
    """The epochs asked for, or as many as make the task's steps; raise ArgumentError if they are not allowed."""
    epochs = ceil(task.steps / ceil(len(task.x) / task.batch)) if epochs is None else epochs
    EPOCHS.check("epochs", epochs)
    return epochs


def train(
    task: Task,
    recipes: Sequence[Recipe],
    seeds: int,
    epochs: int | None,
    seed: int,
    clock: Callable[[], float] | None,
    progress: Callable[[int, int], None],
) -> tuple[PairedTraining, list[Evaluation], list[Claim], bool]:
    """Train the arms; return the training, its evaluations, what makes it fair, and whether Ctrl-C ended it early."""
    SEEDS.check("seeds", seeds)
    SEED.check("seed", seed)
    task = task.hold_out() if validates(recipes) else task
    epochs = passes(task, epochs)

    from regdemo.lab.memory import check_memory
    from regdemo.lab.training import PairedTraining

    check_memory(task, recipes, seeds)
    training = PairedTraining(task, recipes, range(seeds), seed=seed, epochs=epochs, clock=clock)
    apart, stopped = training.starts_apart(), False
    evaluations: list[Evaluation] = []
    try:
        for evaluation in training.run(progress):
            evaluations.append(evaluation)  # noqa: PERF402 - what is there when Ctrl-C comes is kept
    except KeyboardInterrupt:
        if not evaluations:
            raise
        stopped = True
    claims = [
        Claim("No test example was trained on", 0, "examples in both", shared_examples(task), *EXACT),
        Claim("The networks of a pair start from the same weights", 0, "largest difference", apart, *EXACT),
    ]
    if not stopped:  # otherwise one arm may be some batches ahead of the other
        claims.append(
            Claim(
                "The networks of a pair saw the same batches in the same order",
                0,
                "networks that did not",
                training.seen_apart(),
                *EXACT,
            )
        )
    return training, evaluations, claims, stopped
