"""A task from the user's own CSV file: numbers in every column but the target's, which may be names of classes."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from regdemo.errors import ArgumentError, FileError
from regdemo.lab.data import CLASSIFIER, Task

if TYPE_CHECKING:
    from torch import Tensor

LEAST_ROWS = 20
MOST_NUMBERED = 20  # whole numbers up to so many different ones are taken for classes, more for quantities
TEST_SHARE = 0.25
MISSING = {"", "?", "na", "n/a", "nan", "null", "none"}


def read_table(path: Path, target: str | None) -> Task:
    """The task of predicting one column of a CSV file from the others.

    The first row names the columns if no cell of it is a number. target: a column's name; the last one if not given.
    Texts, and at most MOST_NUMBERED different whole numbers, are classes; other numbers are predicted as such. Rows
    whose features an earlier row has are left out; a quarter of the rest is the test, by one random split for everyone.
    Features, and numbers to predict, are standardized by the training rows' mean and deviation, computed in float64,
    where what differs by little, as times in seconds do, stays apart.
    Raises FileError, with the line, for what cannot be read or learned from; ArgumentError for an unknown target.
    """
    rows = _rows(path)
    line, first = rows[0]
    names = [f"column {i}" for i in range(1, len(first) + 1)]
    if not any(_number(cell) is not None for cell in first):
        names, rows = first, rows[1:]
    if len(names) < 2:
        raise FileError(
            f"{path}:{line}: there is one column: a target and at least one feature are needed, parted by commas, "
            "semicolons or tabs"
        )
    column = _column(names, target)
    for at, row in rows:
        if len(row) != len(names):
            raise FileError(f"{path}:{at}: there are {len(row)} cells, where the first row has {len(names)}")
    labels = [_target(path, at, names[column], row[column]) for at, row in rows]
    features = [[_feature(path, at, names[i], cell) for i, cell in enumerate(row) if i != column] for at, row in rows]
    kept = {tuple(values): i for i, values in reversed(list(enumerate(features)))}
    order = sorted(kept.values())
    if len(order) < LEAST_ROWS:
        raise FileError(
            f"{path}: rows with features that no earlier row has: {len(order)}; at least {LEAST_ROWS} are needed"
        )
    return _task(
        path,
        names,
        column,
        [features[i] for i in order],
        {rows[i][0]: labels[i] for i in order},
        len(rows) - len(order),
    )


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Each row that is not empty, with the line that it ends on."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            delimiter = max("\t;,", key=head.count)
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(map(str.strip, row))]
    except UnicodeDecodeError as error:
        raise FileError(f"{path} is no text in UTF-8 ({error.reason} at byte {error.start})") from None
    except csv.Error as error:
        raise FileError(f"{path}:{reader.line_num}: {error}") from None
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}") from None
    if not rows:
        raise FileError(f"{path} is empty: there must be a row for each example")
    return rows


def _column(names: list[str], target: str | None) -> int:
    if target is None:
        return len(names) - 1
    if names.count(target) != 1:
        raise ArgumentError(
            f"target = {target!r} names {names.count(target)} columns: choose one of {', '.join(names)}"
        )
    return names.index(target)


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if isfinite(value) and "_" not in cell else None  # Python reads 1_0 as 10


def _feature(path: Path, line: int, name: str, cell: str) -> float:
    value = _number(cell)
    if value is None:
        raise FileError(
            f"{path}:{line}: {name!r} has no value: fill it in, or leave the row out"
            if cell.lower() in MISSING
            else f"{path}:{line}: {name!r} is {cell!r}: a feature must be a finite number"
        )
    return value


def _target(path: Path, line: int, name: str, cell: str) -> str:
    if cell.lower() in MISSING:
        raise FileError(f"{path}:{line}: the target {name!r} has no value: fill it in, or leave the row out")
    return cell


def _task(
    path: Path, names: list[str], column: int, features: list[list[float]], lines: dict[int, str], repeated: int
) -> Task:
    """The task of these features.  lines: where each row's label stands, and what it is."""
    import torch

    target, labels = names[column], list(lines.values())
    numbers = [_number(label) for label in labels]
    values = [number for number in numbers if number is not None]
    numeric = len(values) == len(labels)
    different: Sequence[float | str] = sorted(set(values)) if numeric else sorted(set(labels))
    if len(different) == 1:
        raise FileError(f"{path}: {target!r} is {labels[0]!r} in every row: there is nothing to learn")
    classified = not numeric or (len(different) <= MOST_NUMBERED and all(value.is_integer() for value in values))
    if classified and len(different) > len(labels) // 2:
        if 2 * len(values) > len(labels):
            at = next(line for line, label in lines.items() if _number(label) is None)
            raise FileError(
                f"{path}:{at}: {target!r} is {lines[at]!r}, where most rows have a number: it must be finite"
            )
        raise FileError(
            f"{path}: {target!r} has {len(different)} different texts in {len(labels)} rows: that is a name, no class"
        )

    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    test, train = order[: round(TEST_SHARE * len(order))], order[round(TEST_SHARE * len(order)) :]
    others = [name for i, name in enumerate(names) if i != column]
    x, _ = _standardized(path, others, torch.tensor(features, dtype=torch.float64), train)
    if len(set(map(tuple, x.tolist()))) < len(x):
        raise FileError(
            f"{path}: rows whose features differ are the same once these are standardized: a number is so far from the "
            "others that it hides what tells them apart"
        )
    scale = 1.0
    if classified:
        known: Sequence[float | str] = values if numeric else labels
        place = {value: i for i, value in enumerate(different)}
        y = torch.tensor([place[value] for value in known])
    else:
        y, deviation = _standardized(path, [target], torch.tensor(values, dtype=torch.float64)[:, None], train)
        y, scale = y[:, 0], deviation.item()
    of = f"with {len(different)} classes of" if classified else "with the number"
    return Task(
        path.name,
        f"{len(train):,} training and {len(test):,} test rows of {path.name}, split once at random, {of} {target!r} "
        f"to predict from {x.shape[1]} feature{'s' * (x.shape[1] > 1)}"
        + (f"; {repeated} left out that repeat the features of another." if repeated else "."),
        x[train],
        y[train],
        x[test],
        y[test],
        classes=len(different) if classified else 0,
        scale=scale,
        features=tuple(others),
        offers=CLASSIFIER if classified else CLASSIFIER - {"classes"},
    )


def _standardized(path: Path, names: Sequence[str], x: Tensor, train: Tensor) -> tuple[Tensor, Tensor]:
    """The columns of x in float32, after (x - mean) / deviation over the training rows; and the deviations.

    A column that is constant there is divided by 1.  Raises FileError for one with a number too large for that.
    """
    import torch

    mean, deviation = x[train].mean(0), x[train].std(0)
    rounding = 8 * torch.finfo(x.dtype).eps * x[train].abs().amax(0)
    deviation = torch.where(deviation > rounding, deviation, 1)
    x = ((x - mean) / deviation).float()
    for name, fits in zip(names, (deviation.isfinite() & x.isfinite().all(0)).tolist(), strict=True):
        if not fits:
            raise FileError(
                f"{path}: {name!r} has a number too large to be standardized: divide the column, or leave it out"
            )
    return x, deviation
