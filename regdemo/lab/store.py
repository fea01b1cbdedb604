"""The jobs of a grid: some members of one arm on one task, trained anywhere, and kept in a file, a line each."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from itertools import pairwise
from math import isfinite, nan
from pathlib import Path
from stat import S_ISREG
from typing import Any, Self
from zlib import crc32

import torch

from regdemo import __version__
from regdemo.errors import ArgumentError, FileError
from regdemo.lab import choices, metrics
from regdemo.lab.recipe import Recipe, Technique, parameters
from regdemo.lab.source import Source
from regdemo.lab.task import Task, device_type
from regdemo.lab.training import TrainingRun
from regdemo.storage import try_lock

BEGINNING = '{"sweep": 2, '  # of each line of a results file, its format's number with it
QUICK_JOB_SECONDS = (
    5.0  # seconds that a job should take at most; more networks than one are trained together if they are quick
)
RATE = 1e10  # multiplications a second, a rough guess


@dataclass(frozen=True)
class Setting:
    """What is trained, but for which members: all that a member's result depends on, but for its number.

    arm: the recipe in words, with the value of each parameter, those at their default too: a default may change.
    train_size: training examples of a network.  digest: of your own data, so that other data are another setting.
    source: the rest of what was asked for, where it is not at its default.  device: its type.
    """

    task: str
    digest: str
    arm: str
    train_size: int
    epochs: int
    seed: int
    learning_rate: float
    source: tuple[tuple[str, Any], ...] = ()
    device: str = "cpu"

    @property
    def key(self) -> str:
        """The setting as JSON, the same for the same setting."""
        return json.dumps(self.as_dict(), sort_keys=True)

    def as_dict(self) -> dict[str, Any]:
        """The setting as JSON-ready values."""
        return asdict(self) | {"source": dict(self.source)}


@dataclass(frozen=True)
class TrainingJob:
    """Some members of one setting, trained as one: what a worker is given.

    task: what they learn, or how to make it.  recipe: the arm.  condition: which of the experiment's it is.
    measured: the techniques of the grid that have more to measure in every arm; it changes nothing of the training.
    """

    setting: Setting
    members: tuple[int, ...]
    task: Task | Source
    recipe: Recipe
    condition: int = 0
    measured: tuple[Technique, ...] = ()

    @property
    def name(self) -> str:
        """The job in words."""
        first, last = self.members[0], self.members[-1]
        run = len(self.members) > 2 and last - first + 1 == len(self.members)
        seeds = f"{first} to {last}" if run else ", ".join(map(str, self.members))
        return f"{self.recipe.name} at {self.setting.train_size:,} examples, seeds {seeds}"

    def prepared(self) -> Task:
        """The task as this job's networks learn it."""
        whole = self.task if isinstance(self.task, Task) else _prepared(self.task, self.setting.digest)
        return replace(whole, learning_rate=self.setting.learning_rate)

    def begin(self, task: Task | None = None, **options: Any) -> TrainingRun:
        """The networks before their first step."""
        made = task or self.prepared()
        run = TrainingRun(
            made, self.recipe, self.members, seed=self.setting.seed, epochs=self.setting.epochs, **options
        )
        run.measures = {name: measure for t in self.measured for name, measure in t.measures().items()}
        return run


@dataclass(frozen=True)
class Network:
    """What became of one member: each metric, its time, and marks that are equal in a member paired with it.

    trained_on, tested_on: how many examples.  start: a checksum of its initial weights.  seen: a number made of the
    batches that it saw, in order.  by: the versions, and the hardware, that trained it.
    """

    scores: dict[str, float]
    seconds: float
    trained_on: int
    tested_on: int
    epochs: int
    learning_rate: float
    start: int
    seen: int
    by: str

    @property
    def finite(self) -> bool:
        """Whether it did not diverge. An AUC may lack a class to judge by."""
        return all(isfinite(value) for name, value in self.scores.items() if name != metrics.AUC)


def words_of(recipe: Recipe) -> str:
    """An arm in words that `choices.recipes` reads, every parameter with its value."""
    parts = []
    for technique in recipe.techniques:
        values = [f"{name}={vars(technique)[name]!r}" for name in parameters(type(technique))]
        parts.append(":".join([technique.NAME, ",".join(values)]) if values else technique.NAME)
    return "+".join(parts) or choices.NONE


def setting_of(task: Task, source: Source | None, recipe: Recipe, epochs: int, seed: int, digest: str) -> Setting:
    """The setting of an arm on a task.  source: what the task was made from, if it can be made again."""
    asked: dict[str, Any] = {} if source is None else source.display_values
    for name in ("task", "data", "train_size", "device", "lr"):
        asked.pop(name, None)
    return Setting(
        source.task if source is not None and source.data is None else "",
        digest,
        words_of(recipe),
        task.train_size,
        epochs,
        seed,
        task.learning_rate,
        tuple(sorted(asked.items())),
        task.device.type if source is None else device_type(source.device),
    )


def digest_of(task: Task | Source) -> str:
    """What tells the content of your own file or arrays from another's; empty for a shipped task."""
    if isinstance(task, Source):
        try:
            return hashlib.sha256(task.data.read_bytes()).hexdigest()[:16] if task.data else ""
        except OSError as error:
            raise FileError(f"cannot read {task.data}: {error.strerror or error}") from error
    parts = [task.x, task.y, task.test_x, task.test_y] + ([] if task.fit is None else [torch.tensor([])])
    found = hashlib.sha256(b"".join(part.cpu().numpy().tobytes() for part in parts))
    numbers = getattr(task.fit, "numbers", None)
    if numbers is not None:
        found.update(numbers.tobytes())
    return found.hexdigest()[:16]


@lru_cache(4)
def _prepared(source: Source, digest: str) -> Task:
    """The task, made again where a job is done; the same for the jobs that follow.

    Raises FileError if the data file is another one than the grid was made for, ArgumentError if there is no such GPU.
    """
    if source.data is not None and digest_of(source) != digest:
        raise FileError(f"{source.data} is another file here than where the sweep was started")
    try:
        return source.prepared()
    except ArgumentError as error:
        raise ArgumentError(f"on {platform.node()}, {error}") from error


def chunks(task: Task, members: Sequence[int], seed: int, most: int) -> list[tuple[int, ...]]:
    """The members in groups of at most so many whose splits have the same sizes, so that they can be stacked."""
    sizes: dict[tuple[int, int], list[int]] = {}
    for member in members:
        shape = task.split.sizes(member, seed) if task.split is not None else (0, 0)
        sizes.setdefault(shape, []).append(member)
    return [tuple(some[i : i + most]) for some in sizes.values() for i in range(0, len(some), most)]


def quick_enough(task: Task, epochs: int, most: int) -> int:
    """How many networks a job may have, at most `most`, so that a kill costs about QUICK_JOB_SECONDS."""
    return max(1, min(most, int(QUICK_JOB_SECONDS / max(1e-9, cost(task, epochs)))))


def cost(task: Task, epochs: int) -> float:
    """Roughly how many seconds a network takes to train."""
    sizes = (task.inputs, *task.hidden, task.classes or 1) if task.x.dim() == 2 else (512, 512, 512)
    products = sum(a * b for a, b in pairwise(sizes))
    places = task.x[0].numel() if "tokens" in task.offers else 1
    return 6 * products * places * task.train_size * epochs / RATE


def train_job(job: TrainingJob) -> list[dict[str, Any]]:
    """Train a job's networks and return their lines. Leaves torch with one thread: jobs run in processes.

    Each network's result is the one that `compare` has for it, with any other networks in the job.
    """
    torch.set_num_threads(1)
    run = job.begin()
    starts = checksums(run)
    clock = clock_on(str(run.task.device))
    start = clock()
    for _ in range(run.epochs):
        run.epoch()
    run.seconds = clock() - start
    return lines_of(job, run, starts, run.scores())


def checksums(run: TrainingRun) -> list[int]:
    """A number made of each network's weights."""
    weights = torch.cat([p.detach().flatten(1) for p in run.parameters], dim=1).cpu().numpy()
    return [crc32(member.tobytes()) for member in weights]


def lines_of(job: TrainingJob, run: TrainingRun, starts: Sequence[int], scores: metrics.Scores) -> list[dict[str, Any]]:
    """A line for each network of a job, as it is kept in a file."""
    return [
        {
            "setting": job.setting.as_dict(),
            "seed": member,  # as a file and a report call its number; that of the setting is of every random draw
            "scores": {name: some[i] if isfinite(some[i]) else None for name, some in scores.items()},
            "seconds": round(run.seconds / len(run.members), 4),
            "trained_on": run.examples.train.shape[1],
            "tested_on": run.examples.test_x.shape[1],
            "epochs": run.epoch_count,
            "learning_rate": run.task.learning_rate,
            "start": starts[i],
            "seen": int(run.seen[i]),
            "by": versions(run.task.device),
        }
        for i, member in enumerate(run.members)
    ]


def versions(device: torch.device) -> str:
    """What trained a network."""
    on = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return f"regdemo {__version__}, torch {torch.__version__}, {on}"


def clock_on(device: str) -> Any:
    """What to time training by: the thread's processor time; on a GPU, which works on its own, the time it is done."""
    if device_type(device) == "cpu":
        return time.thread_time

    def done() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return done


def network_of(line: dict[str, Any]) -> Network:
    """The network of a line; raises KeyError, TypeError or AttributeError on a line of something else."""
    values = {f.name: line[f.name] for f in fields(Network)}
    scores = {name: nan if value is None else float(value) for name, value in line["scores"].items()}
    return Network(**values | {"scores": scores})


def key_of(line: dict[str, Any]) -> str:
    """The key of a line's setting; raises as `network_of` does."""
    return Setting(**line["setting"] | {"source": tuple(line["setting"]["source"].items())}).key


class Store:
    """A file of finished networks, only ever appended to; a context manager, made if it is not there.

    done: each network's result, by its setting's key.  cut: how many lines were cut short by a kill or a full disk;
    they are skipped, and their networks are missing.
    While it is open, no other process can open it. Raises FileError if it can't be written or is of something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.done: dict[str, dict[int, Network]] = {}
        self.cut = 0
        with _faults(path):
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o666)
        try:
            if not S_ISREG(os.fstat(self._file).st_mode):
                raise FileError(f"cannot keep results in {path}: it isn't a regular file, name another")
            if not try_lock(self._file):
                raise FileError(f"{path} is in use by another sweep: wait for it, or name another file")
            with _faults(path):
                text = path.read_bytes()
            self._whole = not text or text.endswith(b"\n")
            for number, line in enumerate(text.splitlines(), 1):
                if line:
                    self._take(line, number)
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        """The file, open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        os.close(self._file)

    def add(self, lines: Sequence[dict[str, Any]]) -> None:
        """Append the lines of some networks; when this returns they are on the disk."""
        text = "".join(BEGINNING + json.dumps(line)[1:] + "\n" for line in lines)
        for line in lines:
            self._read(line)
        data = ("" if self._whole else "\n").encode() + text.encode()
        with _faults(self.path):
            self._whole = False
            while data:  # in one piece unless the disk is full, so that a signal cannot come between
                data = data[os.write(self._file, data) :]
            self._whole = True
            os.fsync(self._file)

    def _take(self, line: bytes, number: int) -> None:
        try:
            found = json.loads(line)
        except ValueError:
            if line.startswith(BEGINNING.encode()) or BEGINNING.encode().startswith(line):
                self.cut += 1
                return
            found = None
        try:
            if not line.startswith(BEGINNING.encode()):
                raise ValueError("it is not one of a sweep")
            self._read(found)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FileError(
                f"{self.path}:{number}: this line is not from a sweep of this version ({error}); name another file, or "
                "take the line out"
            ) from error

    def _read(self, line: dict[str, Any]) -> None:
        networks = self.done.setdefault(key_of(line), {})
        if line["seed"] in networks:
            raise ValueError(f"seed {line['seed']} of the same setting is in a line before")
        networks[line["seed"]] = network_of(line)


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    """Within it, what the system refuses is a FileError."""
    try:
        yield
    except OSError as error:
        raise FileError(f"cannot keep results in {path}: {error.strerror or error}") from error
