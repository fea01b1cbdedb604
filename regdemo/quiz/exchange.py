"""A history as lines of JSON, to be carried elsewhere, merged with another, or saved from a file that is damaged.

Each line is a Review, or a Mark, with its fields by name. A row is known by its id: merging twice, or in another order,
makes no difference.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from regdemo.errors import FileError
from regdemo.quiz.history import COLUMNS_BY_VERSION, MARK_COLUMNS, History, Mark, Review, Row
from regdemo.quiz.schedule import Mode
from regdemo.text import printable

_LATEST = 253_402_300_799_999_999  # microseconds: the last of the year 9999
_GAP = 50_000  # rows in a row that cannot be read, after which no more are expected


def _text(value: Any) -> bool:
    # Not every string of JSON is one of UTF-8: "\ud800".
    return isinstance(value, str) and value == value.encode(errors="replace").decode()


def _whole(least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and least <= value <= most


def _share(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1


_NAME = (lambda value: _text(value) and value != "", "a text that is not empty")
_TIME = (_whole(0, _LATEST), "microseconds since 1970")
_TEXT = (_text, "a text")
_Rules = dict[str, tuple[Callable[[Any], bool], str]]
# What each field must be, and how that is said.
_REVIEW: _Rules = {
    "card": _NAME,
    "at": _TIME,
    "kind": _NAME,
    "rating": (_whole(1, 4), "1, 2, 3 or 4"),
    "share": (_share, "a number from 0 to 1"),
    "response": _TEXT,
    "asked": _TEXT,
    "answer": _TEXT,
    "hints": (_whole(0, 2**31), "a whole number, 0 or more"),
    "took": (_whole(-(2**62), 2**62), "milliseconds"),
    "session": _TEXT,
    "mode": (lambda value: value in list(Mode), f"one of {', '.join(Mode)}"),
    "sure": (lambda value: value is None or _share(value), "a number from 0 to 1, or null"),
    "graded_by": _NAME,
    "id": _NAME,
}
_MARK: _Rules = {
    "what": (lambda value: value in ("undo", "flag", "unflag"), "undo, flag or unflag"),
    "about": _NAME,
    "at": _TIME,
    "id": _NAME,
}
_MAY_LACK = {"mode", "sure", "graded_by"}


def lines(reviews: Iterable[Review], marks: Iterable[Mark]) -> Iterator[str]:
    """Each row as a line of JSON, without its end."""
    rows: list[Row] = [*reviews, *marks]
    for row in rows:
        yield json.dumps(row._asdict(), ensure_ascii=False, separators=(",", ":"))


def parse(text: Iterable[str], name: str) -> tuple[list[Review], list[Mark]]:
    """The rows of such lines; empty ones are skipped. name: of the file, for messages.

    Raises FileError, with the line, for the first that isn't a row.
    """
    reviews, marks = [], []
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise FileError(f"{name}:{number}: this isn't a line of JSON ({error}): nothing was imported") from error
        if fault := fault_of(row):
            raise FileError(f"{name}:{number}: {printable(fault)}: nothing was imported")
        if "what" in row:
            marks.append(Mark(**row))
        else:
            reviews.append(Review(**{**row, "share": float(row["share"])}))
    return reviews, marks


def fault_of(row: Any) -> str:
    """What is wrong with the fields of a review or a mark; nothing if they are right."""
    if not isinstance(row, dict):
        return "this isn't an answer of a history, an object of JSON"
    rules = _MARK if "what" in row else _REVIEW
    for field in rules:
        if field not in row and field not in _MAY_LACK:
            return f"{field!r} is missing"
    for field, value in row.items():
        if field not in rules:
            return f"{field[:40]!r} isn't a field of this version's; a newer regdemo may read it"
        holds, allowed = rules[field]
        if not holds(value):
            return f"{field!r} is {json.dumps(value, default=repr)[:40]}, where only {allowed} is allowed"
    return ""


def unite(history: History, reviews: Iterable[Review], marks: Iterable[Mark], name: str) -> tuple[int, int]:
    """Add the rows that the history lacks: all, or none. Returns how many were added, and how many were there already.

    Raises FileError, with nothing added, where a row contradicts one of the same id, or undoes what is not there.
    """
    rows: list[Row] = [*reviews, *marks]
    with history.transaction():  # two imports at once: the second one sees what the first one added
        added = _lacking(history, rows, name)
        if added:
            history.add_all(
                [row for row in added if isinstance(row, Review)], [row for row in added if isinstance(row, Mark)]
            )
    return len(added), len(rows) - len(added)


def _lacking(history: History, rows: list[Row], name: str) -> list[Row]:
    """The rows that the history lacks, each once. Raises FileError as `unite`."""
    kept_reviews, kept_marks = history.rows()
    kept: list[Row] = [*kept_reviews, *kept_marks]
    there = {row.id: row for row in kept}
    added: dict[str, Row] = {}
    for row in rows:
        same = there.get(row.id) or added.get(row.id)
        if same is None:
            added[row.id] = row
        elif same != row:
            raise FileError(
                f"{name}: the row of id {printable(row.id)[:40]} says something else than the history's: "
                "rows never change, so one of the two was forged; nothing was imported"
            )
    for mark in added.values():
        if not isinstance(mark, Mark) or mark.what != "undo":
            continue
        if not isinstance(there.get(mark.about) or added.get(mark.about), Review):
            raise FileError(
                f"{name}: mark {printable(mark.id)[:40]} undoes {printable(mark.about)[:40]}, an answer that is "
                "neither here nor in the history: import the file that has it first; nothing was imported"
            )
    return [*added.values()]


def salvage(path: Path) -> tuple[list[Review], list[Mark]]:
    """What can still be read of a damaged file, row by row; the file is only read.

    An undo of an answer that is lost is left out. Raises FileError if there is no such file.
    """
    if not path.is_file():
        raise FileError(f"{path} is no file: name the one that was set aside, history.db.damaged-...")
    # Immutable: not even what a killed session left next to it is touched.
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
        db.execute("PRAGMA writable_schema = ON")  # else a file cut short is refused as a whole
        db.text_factory = lambda raw: raw.decode(errors="replace")
        reviews: list[Review] = []
        for columns in reversed(COLUMNS_BY_VERSION.values()):  # of this version, or of an older one
            reviews = reviews or _readable(db, f"SELECT {columns} FROM reviews", Review)
        marks: list[Mark] = _readable(db, f"SELECT {MARK_COLUMNS} FROM marks", Mark)
    found = {review.id for review in reviews}
    return reviews, [mark for mark in marks if mark.what != "undo" or mark.about in found]


def _readable(db: sqlite3.Connection, query: str, make: Any) -> list[Any]:
    """Each row that can be read and means something, by its number: a damaged page then costs its own rows only."""
    found: dict[str, Any] = {}
    number = missed = 0
    names = make._fields
    while missed < _GAP:
        number += 1
        missed += 1
        try:
            values = db.execute(f"{query} WHERE number = ?", (number,)).fetchone()
        except sqlite3.OperationalError:
            break  # no such table or column
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorname == "SQLITE_NOTADB":
                break
            continue
        if values:
            missed = 0
            if not fault_of(dict(zip(names, values, strict=True))):
                found.setdefault(values[-1], make(*values))
    return list(found.values())
