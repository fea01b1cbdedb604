"""A task from your own table as it is: categories, booleans, dates, gaps, decimal commas, the usual encodings."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

try:
    import pandas as pd
except ModuleNotFoundError:  # the extra `tables`, which `data.load` asks for before anything here is called
    pd = None

from regdemo.errors import ArgumentError, FileError
from regdemo.lab.preparation import Preparation, of_rows
from regdemo.lab.splits import Split, strata
from regdemo.lab.task import Task
from regdemo.words import pluralize

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_ROWS = 20
MOST_NUMBERED = 20  # whole numbers up to so many different ones are taken for classes, more for quantities
MOST_BYTES = 2e9  # of the numbers that a table becomes
MISSING = ["", "?", "-", "na", "n/a", "nan", "null", "none", "NA", "N/A", "NaN", "NULL", "None", "Null", "#N/A", "NAN"]
DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}([T ].*)?|\d{1,2}\.\d{1,2}\.\d{4}|\d{1,2}/\d{1,2}/\d{4}")
DECIMAL_COMMA = re.compile(r"[-+]?\d{1,3}(\.\d{3})*,\d+|[-+]?\d+(,\d+)?")


@dataclass
class Columns:
    """The features of a table, sorted by kind, and what there is to say of the others."""

    numbers: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    categories: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_table(
    path: Path,
    target: str | None = None,
    *,
    drop: Sequence[str] = (),
    group: str | None = None,
    regression: bool = False,
    folds: int = 0,
) -> Task:
    """The task of predicting one column of a table from the others, with new training and test rows for each seed.

    target: a column's name; the last one if not given.  drop: columns to leave out.  group: a column whose values are
    kept together, such as a patient's id; it isn't a feature.  regression: predict numbers, even if they are few.
    Texts, and at most MOST_NUMBERED different whole numbers, are classes; other numbers are predicted as such. Rows
    whose features an earlier row has are left out, as are columns that are constant or number the rows.
    Raises FileError, with the line, for what cannot be read or learned from; ArgumentError for an unknown column.
    """
    table = _read(path)
    for name in [*([target] if target is not None else []), *drop, *([group] if group is not None else [])]:
        if list(table.columns).count(name) != 1:
            raise ArgumentError(
                f"{path.name} has {list(table.columns).count(name)} columns named {name!r}: "
                f"choose one of {', '.join(map(str, table.columns))}"
            )
    names = [name for name in table.columns if name not in (*drop, group)]
    target = (str(names[-1]) if names else "") if target is None else target
    if target not in names:
        raise ArgumentError(f"target = {target!r} can't be dropped or be the group: it is what is predicted")
    if len(names) < 2:
        raise FileError(f"{path}: there is one column: a target and at least one feature are needed")
    notes: list[str] = []
    unlabelled = table[target].isna()
    if unlabelled.any():
        notes.append(f"{int(unlabelled.sum()):,} rows without a {target!r} left out.")
        table = table[~unlabelled]
    before = len(table)
    table = table.drop_duplicates(subset=[name for name in names if name != target])
    if len(table) < before:
        notes.append(f"{before - len(table):,} rows left out that repeat the features of another.")
    if len(table) < LEAST_ROWS:
        raise FileError(
            f"{path}: there are {len(table)} rows with a target and features of their own; at least {LEAST_ROWS} are "
            "needed"
        )
    y, labels, values = _target(path, table[target], regression)
    columns = _columns(path, table, [name for name in names if name != target], target, y if values is None else values)
    return _task(path, target, columns, y, labels, values, [*notes, *columns.notes], _codes(table, group), folds)


# Reading.


def _read(path: Path) -> pd.DataFrame:
    """The table, numbers as numbers and everything else as text."""
    try:
        if path.suffix.lower() == ".parquet":
            table = pd.read_parquet(path)
            table.columns = [str(name).strip() for name in table.columns]
        else:
            table = _read_text(path, path.read_bytes())
    except (OSError, ImportError) as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise FileError(f"{path} cannot be read: {reason}") from None
    except ValueError as error:
        raise FileError(f"{path} cannot be read: {str(error).partition(chr(10))[0]}") from None
    for name in table.columns:
        table[name] = _converted(table[name])
    return table


def _read_text(path: Path, raw: bytes) -> pd.DataFrame:
    if b"\0" in raw[:4096]:
        raise FileError(
            f"{path} isn't a table: it has zero bytes, as a spreadsheet or a text in UTF-16 has; save it as CSV"
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", errors="replace")
    shown = [line for line in text.split("\n", 20)[:20] if line.strip()]
    delimiter = max("\t;,|", key=lambda mark: min((_parts(line, mark) for line in shown), default=0))
    skip, width = 0, 0
    first: list[str] = []
    sample: list[list[str]] = []
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if not width:
                width, first = len(row), [cell.strip() for cell in row]
                skip = reader.line_num
            elif len(row) != width:
                raise FileError(
                    f"{path}:{reader.line_num}: there are {len(row)} cells, where the first row has {width}; parted by "
                    f"{_SPOKEN[delimiter]}"
                )
            elif len(sample) < 1000:
                sample.append([cell.strip() for cell in row])
    except csv.Error as error:
        raise FileError(f"{path}:{reader.line_num}: {error}") from None
    if not width:
        raise FileError(f"{path} is empty: there must be a row for each example")
    headed = _is_header(first, sample)
    names = [(headed and name) or f"column {i}" for i, name in enumerate(first, 1)]
    if headed and len(set(names)) < width:
        twice = next(name for name in names if names.count(name) > 1)
        raise FileError(f"{path}:{skip}: two columns are named {twice!r}: rename one of them")
    table: pd.DataFrame = pd.read_csv(
        StringIO(text),
        sep=delimiter,
        header=None,
        names=names,
        skiprows=skip if headed else 0,
        index_col=False,
        na_values=MISSING,
        keep_default_na=False,
        skipinitialspace=True,
        low_memory=False,
    )
    return table.dropna(how="all")


_SPOKEN = {"\t": "tabs", ";": "semicolons", ",": "commas", "|": "bars"}


def _parts(line: str, mark: str) -> int:
    """How often a delimiter is in a line, quoted texts aside."""
    return re.sub(r'"[^"]*"', "", line).count(mark)


def _is_header(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns.

    It does if it has no number, or a text that is in its column nowhere else, or numbers that count up, as years do.
    """
    found = [_number(cell) for cell in first]
    texts = [i for i, value in enumerate(found) if value is None]
    if len(texts) == len(first):
        return True
    if texts:
        return not any(row[i] == first[i] for row in rows for i in texts)
    steps = {b - a for a, b in pairwise(found) if a is not None and b is not None}
    return len(first) > 2 and steps == {1.0}


def _number(cell: str) -> float | None:
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def _converted(column: pd.Series[Any]) -> pd.Series[Any]:
    """A column of texts as numbers or dates where they are that; the others stay as they are."""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return column
    texts = column.dropna().astype(str).str.strip()
    if len(texts) and texts.str.fullmatch(DECIMAL_COMMA).all() and texts.str.contains(",").any():
        plain = column.astype(str).str.strip().str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
        return pd.to_numeric(plain.where(column.notna()), errors="coerce")
    if len(texts) and texts.str.fullmatch(DATE).all():
        first_is_day = bool(texts.str.contains(r"^\d{1,2}[./]", regex=True).all())
        dates = pd.to_datetime(column, format="mixed", dayfirst=first_is_day, errors="coerce", utc=True)
        if bool(dates[texts.index].notna().all()):
            return dates
    return column.where(column.isna(), column.astype(str).str.strip())


# What is predicted, and from what.


def _target(
    path: Path, column: pd.Series[Any], regression: bool
) -> tuple[NDArray[np.int64], tuple[str, ...], NDArray[np.float64] | None]:
    """Codes of the classes with their names, or, where numbers are predicted, the numbers."""
    name, numeric = column.name, pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if pd.api.types.is_datetime64_any_dtype(column):
        raise FileError(f"{path}: the target {name!r} is a date: predict a number or a class")
    different = column.nunique()
    if different == 1:
        raise FileError(f"{path}: {name!r} is {column.iloc[0]!r} in every row: there is nothing to learn")
    if regression and not numeric:
        odd = next(value for value in column.astype(str) if _number(value) is None)
        raise FileError(f"{path}: --regression needs numbers, and {name!r} has {odd!r}")
    if numeric:
        values = column.to_numpy(dtype=np.float64)
        if not np.isfinite(values).all():
            raise FileError(f"{path}: the target {name!r} has an infinite number: leave the row out")
        few = different <= MOST_NUMBERED and bool((values == np.round(values)).all())
        if regression or not few:
            return np.zeros(len(values), dtype=np.int64), (), values
    codes, names = pd.factorize(column, sort=True)
    if different > len(column) // 2:
        odd = [value for value in column.astype(str) if _number(value) is None]
        remedy = (
            f": most are numbers, but one is {odd[0]!r}" if len(odd) < len(column) / 2 else ": that is a name, no class"
        )
        raise FileError(f"{path}: {name!r} has {different} different texts in {len(column)} rows{remedy}")
    return codes.astype(np.int64), tuple(map(str, names)), None


def _columns(path: Path, table: pd.DataFrame, names: Sequence[str], target: str, known: NDArray[Any]) -> Columns:
    """The features by kind. Constants and columns that number the rows are named and left out; a leak is refused."""
    found, constant, numbering, dates = Columns(), [], [], []
    for name in names:
        column = table[name]
        if column.nunique(dropna=False) < 2:
            constant.append(name)
            continue
        codes, _ = pd.factorize(column, use_na_sentinel=True)
        if _is_copy(column, codes, known):
            raise FileError(
                f"{path}: {name!r} tells {target!r} in every row, one value for each: a copy of the target is a leak; "
                f"leave it out with --drop {name!r}"
            )
        if pd.api.types.is_datetime64_any_dtype(column):
            dates.append(name)
            days = column.to_numpy(dtype="datetime64[s]").astype(np.float64) / 86_400
            found.numbers[name] = np.where(column.isna(), np.nan, days)
        elif pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            values = column.to_numpy(dtype=np.float64, na_value=np.nan)
            if _numbers_rows(values):
                numbering.append(name)
                continue
            infinite = np.isinf(values)
            if infinite.any():
                found.notes.append(f"{int(infinite.sum()):,} infinite numbers in {name!r} count as missing.")
            found.numbers[name] = np.where(infinite, np.nan, values)
        elif column.nunique() > max(32, len(column) // 2):
            numbering.append(name)
        else:
            found.categories[name] = codes.astype(np.int64)
    for what, some in (("constant", constant), ("different in (nearly) every row, as an id is", numbering)):
        if some:
            found.notes.append(f"Left out, {what}: {', '.join(map(repr, some))}.")
    if dates:
        found.notes.append(f"Read as dates, in days: {', '.join(map(repr, dates))}.")
    gaps = sum(bool(np.isnan(values).any()) for values in found.numbers.values())
    if gaps:
        columns = pluralize(gaps, "column")
        found.notes.append(f"Gaps in {columns} of numbers are filled with the training median, and marked.")
    if not found.numbers and not found.categories:
        raise FileError(f"{path}: no column is left to predict {target!r} from: {' '.join(found.notes)}")
    return found


def _is_copy(column: pd.Series[Any], codes: NDArray[Any], known: NDArray[Any]) -> bool:
    """Whether a column is the target in other words: one value for each class, or a line through all numbers."""
    if (codes < 0).any():
        return False
    if known.dtype.kind == "f":
        if not pd.api.types.is_numeric_dtype(column):
            return False
        return bool(abs(np.corrcoef(column.to_numpy(dtype=np.float64), known)[0, 1]) > 1 - 1e-12)
    return (
        bool(codes.max() == known.max()) and len({*zip(codes.tolist(), known.tolist(), strict=True)}) == codes.max() + 1
    )


def _numbers_rows(values: NDArray[np.float64]) -> bool:
    """Whether a column counts the rows: whole numbers that rise by one from row to row, gaps of left-out rows aside."""
    if np.isnan(values).any() or not bool((values == np.round(values)).all()):
        return False
    steps = np.diff(values)
    return bool((steps > 0).all()) and bool(np.median(steps) == 1)


def _codes(table: pd.DataFrame, group: str | None) -> NDArray[np.int64] | None:
    return None if group is None else pd.factorize(table[group], use_na_sentinel=False)[0].astype(np.int64)


def _task(
    path: Path,
    target: str,
    columns: Columns,
    y: NDArray[np.int64],
    labels: tuple[str, ...],
    values: NDArray[np.float64] | None,
    notes: Sequence[str],
    groups: NDArray[np.int64] | None,
    folds: int,
) -> Task:
    n, classified = len(y), values is None

    def stacked(some: dict[str, NDArray[Any]], kind: type) -> NDArray[Any]:
        return np.stack(list(some.values()), axis=1) if some else np.empty((n, 0), dtype=kind)

    fit = Preparation(
        stacked(columns.numbers, np.float64), stacked(columns.categories, np.int64), values, tuple(columns.numbers)
    )
    if 4 * n * fit.width > MOST_BYTES:
        raise FileError(
            f"{path}: {n:,} rows of {fit.width:,} numbers would take {4 * n * fit.width / 1e9:.1f} GB for each seed: "
            "leave columns out with --drop, or rows"
        )
    split = Split(n, strata(y, max(2, folds)) if classified else None, groups, folds)
    many = len(columns.numbers) + len(columns.categories)
    of = f"with {len(labels)} classes of" if classified else "with the number"
    task = of_rows(
        path.name,
        f"{n:,} rows of {path.name}, {of} {target!r} to predict from {pluralize(many, 'feature')}"
        + (f" ({len(columns.categories)} of them categories)" if columns.categories else "")
        + ".",
        fit,
        torch.tensor(y) if classified else torch.tensor(values, dtype=torch.float32),
        len(labels),
        split,
    )
    return replace(task, features=(*columns.numbers, *columns.categories), labels=labels, notes=tuple(notes))
