"""The cells of a grid: some networks of one arm on one task, trained anywhere, and kept in a file, a line each."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from math import ceil, isfinite, nan
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Any, Self

from regdemo import __version__
from regdemo.errors import ArgumentError, FileError
from regdemo.lab.choices import NONE
from regdemo.lab.compare import Source, clock_on
from regdemo.lab.techniques import TECHNIQUES

if TYPE_CHECKING:
    from regdemo.lab.data import Task
    from regdemo.lab.recipe import Recipe, Technique

BEGINNING = '{"sweep": 1, '  # of each line of a results file, its format's number with it


@dataclass(frozen=True)
class Setting:
    """What is trained, but for which members: all that a member's result depends on beside its number.

    technique: a name, or none.  values: its parameters, each by name.  train_size: examples, before any are held out.
    digest: of the user's own data file, so that a file that has changed is another setting; empty for a task by name.
    hold_out: whether some of the examples are set apart for validation, as they are where a technique of the grid asks.
    device: its type, whichever of several it was.  What has a default came later, and is not written where it has it.
    """

    task: str
    digest: str
    target: str | None
    train_size: int
    label_noise: float
    hold_out: bool
    technique: str
    values: tuple[tuple[str, float], ...]
    epochs: int
    seed: int
    device: str = "cpu"
    precision: str = "float32"

    @property
    def key(self) -> str:
        """The setting as JSON, the same for the same setting."""
        return json.dumps(self.as_dict(), sort_keys=True)

    def as_dict(self) -> dict[str, Any]:
        """The setting as JSON-ready values."""
        found = asdict(self) | {"values": dict(self.values)}
        return {field.name: found[field.name] for field in fields(self) if found[field.name] != field.default}

    def recipe(self) -> Recipe:
        """The arm."""
        from regdemo.lab.recipe import Recipe, describe

        if self.technique == NONE:
            return Recipe(NONE)
        technique = TECHNIQUES[self.technique](**dict(self.values))
        return Recipe(describe(technique), (technique,))


@dataclass(frozen=True)
class Cell:
    """A setting's members start to stop - 1, trained as one.

    data: where the user's own file is.  device: which of the setting's type, as the worker that trains it calls it.
    measured: the techniques of the grid that have more to measure in every arm; it changes nothing of the training.
    """

    setting: Setting
    start: int
    stop: int
    data: Path | None = None
    device: str = "cpu"
    measured: tuple[Technique, ...] = ()

    def __len__(self) -> int:
        """How many members it has."""
        return self.stop - self.start

    @property
    def name(self) -> str:
        """The cell in words."""
        setting = self.setting
        return f"{setting.recipe().name} at {setting.train_size:,} examples, seeds {self.start} to {self.stop - 1}"


@dataclass(frozen=True)
class Member:
    """What became of one network: each metric, its time, and marks that a network paired with it shares.

    by: the versions, and the GPU if any, that trained it.
    """

    scores: dict[str, float]
    seconds: float
    start: int  # a checksum of its initial weights
    seen: int  # a number made of the batches that it saw, in order
    by: str


def values_of(technique: Technique) -> tuple[tuple[str, float], ...]:
    """A technique's parameters with their values, those at their default too: a default may change."""
    from regdemo.lab.recipe import parameters

    return tuple((name, vars(technique)[name]) for name in parameters(type(technique)))


def digest(file: Path) -> str:
    """What tells a file's content from another's."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise FileError(f"cannot read {file}: {error.strerror or error}") from error


def missing(
    settings: Sequence[Setting], seeds: int, done: dict[str, dict[int, Member]], size: int, **same: Any
) -> list[Cell]:
    """The cells that are not done, of the first seeds of every setting first, so that what is there can be paired.

    A cell has `size` members at most, and only such as are missing.  same: what else every cell has.
    """
    cells = []
    for start in range(0, seeds, size):
        for setting in settings:
            have = done.get(setting.key, {})
            wanted = [k for k in range(start, min(start + size, seeds)) if k not in have]
            cells += [Cell(setting, first, last + 1, **same) for first, last in _runs(wanted)]
    return cells


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """The first and last of each run of consecutive numbers.

    >>> _runs([0, 1, 4, 5, 7])
    [(0, 1), (4, 5), (7, 7)]
    """
    found: list[tuple[int, int]] = []
    for n in numbers:
        found[-1:] = [(found[-1][0], n)] if found and n == found[-1][1] + 1 else [*found[-1:], (n, n)]
    return found


def task_of(cell: Cell) -> Task:
    """The task of a cell, made anew where the cell is trained.

    Raises FileError if the data file is another one than the grid was made for, ArgumentError if there is no such GPU.
    """
    setting = cell.setting
    if cell.data is not None and digest(cell.data) != setting.digest:
        raise FileError(f"{cell.data} is another file here than where the sweep was started")
    source = Source(
        setting.task, cell.data, setting.target, setting.label_noise, setting.train_size, cell.device, setting.precision
    )
    try:
        task = source.prepared()
    except ArgumentError as error:
        raise ArgumentError(f"on {platform.node()}, {error}") from error
    return task.hold_out() if setting.hold_out else task


def train_cell(cell: Cell) -> dict[str, Any]:
    """Train a cell's networks and return its line. Leaves torch with one thread: processes are how cells run at once.

    Each member's result is the one that `compare` has for it, whoever else is in the cell.
    """
    from zlib import crc32

    import torch

    from regdemo.lab.training import Learner

    torch.set_num_threads(1)
    setting, task = cell.setting, task_of(cell)
    steps = setting.epochs * ceil(len(task.x) / task.batch)
    learner = Learner(task, setting.recipe(), range(cell.start, cell.stop), seed=setting.seed, steps=steps)
    learner.measures = {name: measure for t in cell.measured for name, measure in t.measures().items()}
    weights = torch.cat([p.detach().flatten(1) for p in learner.parameters], dim=1).cpu().numpy()
    starts = [crc32(member.tobytes()) for member in weights]
    clock = clock_on(cell.device)
    start = clock()
    for _ in range(setting.epochs):
        learner.epoch()
    seconds = clock() - start
    on = f", {torch.cuda.get_device_name(cell.device)}" if setting.device == "cuda" else ""
    return {
        "setting": setting.as_dict(),
        "members": list(range(cell.start, cell.stop)),
        "scores": {name: [v if isfinite(v) else None for v in some] for name, some in learner.scores().items()},
        "seconds": round(seconds / len(cell), 4),
        "starts": starts,
        "seen": learner.seen.tolist(),
        "by": f"regdemo {__version__}, torch {torch.__version__}{on}",
    }


class Results:
    """A file of finished cells, only ever appended to; a context manager, made if it is not there.

    done: each member's result, by its setting's key.  cut: how many lines were cut short by a kill or a full disk; they
    are passed over, and their cells are missing.
    While it is open, no other process can open it. Raises FileError if it can't be written or is of something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.done: dict[str, dict[int, Member]] = {}
        self.cut = 0
        with _faults(path):
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o666)
        try:
            if not S_ISREG(os.fstat(self._file).st_mode):
                raise FileError(f"cannot keep results in {path}: it is no regular file, name another")
            self._lock()
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
        """The results, open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        os.close(self._file)

    def add(self, line: dict[str, Any]) -> None:
        """Append a cell's line; when this returns it is on the disk."""
        text = BEGINNING + json.dumps(line)[1:] + "\n"
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
                f"{self.path}:{number}: this line is no cell of a sweep ({error}); name another file, or take it out"
            ) from error

    def _read(self, line: dict[str, Any]) -> None:
        setting = Setting(**line["setting"] | {"values": tuple(line["setting"]["values"].items())})
        members = self.done.setdefault(setting.key, {})
        for i, k in enumerate(line["members"]):
            if k in members:
                raise ValueError(f"seed {k} of the same setting stands in a line before")
            scores = {name: nan if some[i] is None else some[i] for name, some in line["scores"].items()}
            members[k] = Member(scores, line["seconds"], line["starts"][i], line["seen"][i], line["by"])

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # no such lock on Windows
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise FileError(f"{self.path} is in use by another sweep: wait for it, or name another file") from error


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    """Within it, what the system refuses is a FileError."""
    try:
        yield
    except OSError as error:
        raise FileError(f"cannot keep results in {path}: {error.strerror or error}") from error
