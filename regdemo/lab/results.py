"""What an experiment found: every network's values, and what they let you conclude about the differences."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

import torch

from regdemo.errors import ArgumentError
from regdemo.lab import metrics
from regdemo.lab.recipe import Recipe
from regdemo.lab.source import Source
from regdemo.lab.statistics import Change, change
from regdemo.lab.store import Network, Setting, TrainingJob
from regdemo.lab.task import Task
from regdemo.lab.training import TrainingRun
from regdemo.storage import write_file

if TYPE_CHECKING:
    import pandas as pd

FORMATS = (".json", ".csv", ".parquet")
PACKAGES = ("regdemo", "torch", "numpy", "scipy", "scikit-learn", "pandas")


@dataclass(frozen=True)
class Condition:
    """An arm at a size of training data.  made_from: what another machine makes its task from."""

    recipe: Recipe
    task: Task
    setting: Setting
    made_from: Task | Source

    @property
    def name(self) -> str:
        """The arm's."""
        return self.recipe.name


@dataclass(frozen=True)
class Evaluation:
    """The scores of every network after an epoch: of each condition, by member and metric."""

    epoch: int
    scores: list[dict[int, dict[str, float]]]


@dataclass(frozen=True)
class Pilot:
    """Where the reference is best: its mean loss on validation examples after some epochs, in a run of its own."""

    losses: list[tuple[int, float]]
    networks: int
    held_out: bool

    @property
    def best(self) -> int:
        """The epoch with the lowest loss."""
        return min(self.losses, key=lambda pair: pair[1])[0]


@dataclass
class Results:
    """Every network's values, by condition (an arm at a size, the reference first) and member.

    arms, seeds, seed, tune: of the experiment.
    evaluations, runs, pilot, footprints: of experiments that were trained in step.  timed: whether seconds mean
    anything.  shared: test examples that were trained on, which there must not be.  tuned: settings that tuning chose.
    lost: jobs that could not be done, and why.  kept_in: the file that has the networks.  cut: its damaged lines.
    """

    arms: Sequence[Recipe]
    seeds: int
    seed: int
    tune: int
    conditions: list[Condition]
    networks: list[dict[int, Network]]
    evaluations: list[Evaluation] = field(default_factory=list)
    runs: list[list[TrainingRun]] = field(default_factory=list)
    stopped: bool = False
    pilot: Pilot | None = None
    footprints: list[tuple[int, int]] = field(default_factory=list)
    timed: bool = False
    shared: int = 0
    tuned: dict[tuple[int, int], Setting] = field(default_factory=dict)
    lost: list[tuple[TrainingJob, BaseException]] = field(default_factory=list)
    kept_in: Path | None = None
    cut: int = 0

    @property
    def task(self) -> Task:
        """The task, at its largest size."""
        return max(self.conditions, key=lambda condition: condition.setting.train_size).task

    @property
    def per_size(self) -> int:
        """How many arms there are at each size."""
        return len(self.arms)

    @property
    def metrics(self) -> list[str]:
        """Every metric that some network has, the primary one first."""
        return list(dict.fromkeys(name for some in self.networks for n in some.values() for name in n.scores))

    @property
    def judged(self) -> list[str]:
        """The metrics for which one way is better, the primary one first."""
        better = metrics.better(self.task)
        return [name for name in self.metrics if name in better]

    @property
    def epoch(self) -> int:
        """The last epoch that all networks have come to."""
        return self.evaluations[-1].epoch if self.evaluations else self.conditions[0].setting.epochs

    @property
    def overlap(self) -> float:
        """Test rows over training rows, where each seed has its own split of the same rows; otherwise 0.

        The part of the training rows that is used doesn't count: splits share the rows that they do not test on.
        """
        if not self.task.resplit:
            return 0.0
        assert self.task.split is not None
        test = self.task.split.sizes(0, 0)[1]
        return test / (self.task.split.n - test)

    def values(self, condition: int, metric: str, members: Sequence[int] | None = None) -> dict[int, float]:
        """A metric of a condition's networks that did not diverge, by member."""
        return {
            member: n.scores[metric]
            for member, n in sorted(self.networks[condition].items())
            if n.finite and metric in n.scores and (members is None or member in members)
        }

    def differences(
        self, condition: int, metric: str, against: int | None = None, members: Sequence[int] | None = None
    ) -> list[float]:
        """How much more of a metric a condition has, seed by seed, than another or else the reference at its size."""
        base = condition - condition % self.per_size if against is None else against
        own, other = self.values(condition, metric, members), self.values(base, metric, members)
        return [own[member] - other[member] for member in own if member in other]

    def change(
        self,
        condition: int,
        metric: str,
        against: int | None = None,
        members: Sequence[int] | None = None,
        *,
        comparisons: int = 1,
    ) -> Change:
        """The mean difference with its interval: over new splits of rows, if that is what the seeds are."""
        found = self.differences(condition, metric, against, members)
        return change(found, overlap=self.overlap, comparisons=comparisons)

    def diverged(self, condition: int) -> list[int]:
        """The members of a condition that have a metric that is not a finite number."""
        return [member for member, network in sorted(self.networks[condition].items()) if not network.finite]

    def test_set_error(self, condition: int) -> float | None:
        """The standard error that a fixed test set leaves in a difference in the primary metric.

            sqrt(var_i(mean over seeds of (b_i - a_i)) / m),    a_i, b_i what test example i adds to the metric

        None where the test rows change with the seed, or the networks are not available.
        """
        if self.task.resplit or not self.runs or self.stopped:
            return None
        primary = self.metrics[0]
        if primary not in (metrics.TEST_ACCURACY, metrics.TEST_LOSS, metrics.TEST_ERROR):
            return None
        if primary == metrics.TEST_LOSS and not (self.task.metric or "tokens" in self.task.offers):
            return None
        parts = []
        for where in (condition - condition % self.per_size, condition):
            rows = torch.cat([run.per_example()[0] for run in self.runs[where]])
            if primary == metrics.TEST_ERROR:  # the derivative of the root of the mean
                rows = rows / (2 * rows.mean(1, keepdim=True).sqrt()) * self.task.scale
            parts.append(rows.mean(0))
        found = (parts[1] - parts[0]).tolist()
        unit = 100 if primary == metrics.TEST_ACCURACY else 1
        return float(unit * stdev(found) / len(found) ** 0.5)

    # What makes it fair.

    def unequal_starts(self) -> int:
        """How many networks do not start from the weights of their pair's reference."""
        return sum(a.start != b.start for a, b in self._pairs())

    def unequal_batches(self) -> int:
        """How many networks did not see the batches of their pair's reference, of those that train on as many rows."""
        return sum(a.seen != b.seen for a, b in self._pairs() if a.trained_on == b.trained_on)

    def _pairs(self) -> list[tuple[Network, Network]]:
        return [
            (self.networks[i - i % self.per_size][member], network)
            for i, some in enumerate(self.networks)
            if i % self.per_size
            for member, network in some.items()
            if member in self.networks[i - i % self.per_size]
        ]

    # What comes out.

    def records(self) -> list[dict[str, Any]]:
        """A row for each network: its arm, training size, seed, split, metrics, cost and training."""
        folds = self.task.split.folds if self.task.split is not None else 0
        found = []
        for condition, some in zip(self.conditions, self.networks, strict=True):
            for member, network in sorted(some.items()):
                split = {"repeat": member // folds, "fold": member % folds} if folds else {}
                found.append(
                    {
                        "arm": condition.name,
                        "train_size": condition.setting.train_size,
                        "seed": member,
                        "split": member if self.task.resplit else 0,
                        **split,
                        **network.scores,
                        "epochs": network.epochs,
                        "learning_rate": network.learning_rate,
                        "trained_on": network.trained_on,
                        "tested_on": network.tested_on,
                        "seconds": network.seconds if self.timed else None,
                    }
                )
        return found

    def to_pandas(self) -> pd.DataFrame:
        """`records()` as a DataFrame; raises ArgumentError without pandas."""
        if find_spec("pandas") is None:
            raise ArgumentError("a DataFrame needs the package pandas: pip install 'regdemo[tables]'")
        import pandas

        return pandas.DataFrame.from_records(self.records())

    def settings(self) -> dict[str, Any]:
        """All that the networks' values depend on: what was asked for, and what ran it."""
        task, first = self.task, self.conditions[0].setting
        return {
            "task": task.title,
            "asked": first.as_dict()["source"],
            "data_digest": first.digest,
            "arms": {condition.name: condition.setting.arm for condition in self.conditions[: self.per_size]},
            "seeds": self.seeds,
            "seed": self.seed,
            "epochs": first.epochs,
            "learning_rate": first.learning_rate,
            "batch_size": task.batch_size,
            "optimizer": task.optimizer,
            "network": task.network,
            "precision": task.precision,
            "tune": self.tune,
            "primary_metric": self.metrics[0],
            "split": "each seed its own" if task.resplit else "one test set",
            "folds": task.split.folds if task.split is not None else 0,
            "variance_added_for_overlap": self.overlap,
            "stopped": self.stopped,
            "versions": {name: found for name in PACKAGES if (found := _version(name))},
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}",
            "device": str(task.device) if task.device.type == "cpu" else torch.cuda.get_device_name(task.device),
        }

    def as_dict(self) -> dict[str, Any]:
        """Settings and networks as JSON-ready values."""
        rows = [
            {name: None if isinstance(v, float) and not abs(v) < float("inf") else v for name, v in row.items()}
            for row in self.records()
        ]
        return {"settings": self.settings(), "networks": rows}

    def save(self, path: Path) -> None:
        """Write every network's values; the ending chooses .json (with the settings), .csv or .parquet."""
        kind = path.suffix.lower()
        if kind not in FORMATS:
            raise ArgumentError(f"{path} must end in {', '.join(FORMATS)}")
        data: str | bytes
        try:
            if kind == ".json":
                data = json.dumps(self.as_dict(), indent=1, allow_nan=False) + "\n"
            elif kind == ".csv":
                data = self.to_pandas().to_csv(index=False)
            else:
                data = self.to_pandas().to_parquet(index=False)
        except ImportError:
            raise ArgumentError(f"{path} needs the package pyarrow: pip install 'regdemo[tables]'") from None
        write_file(path, data, remedy="name another file")


def _version(package: str) -> str:
    if package == "torch":
        return torch.__version__
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def mean_seconds(some: dict[int, Network]) -> float:
    """What a network took, on average."""
    return fmean(n.seconds for n in some.values()) if some else 0.0
