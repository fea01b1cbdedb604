"""Whether a history is whole: its file, its guards, and what each of its rows says."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from regdemo.quiz import database
from regdemo.quiz.exchange import fault_of
from regdemo.quiz.history import Row, opened, read_rows
from regdemo.quiz.schedule import DAY, microseconds
from regdemo.quiz.schema import STEPS, version
from regdemo.text import printable

MOST = 5  # faults of one kind that are told one by one


@dataclass(frozen=True)
class Checkup:
    """What was found. faults: what must not be; notes: what is odd, and may be. first, last: times in microseconds."""

    answers: int = 0
    cards: int = 0
    undone: int = 0
    flagged: int = 0
    first: int | None = None
    last: int | None = None
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def check(home: Path, now: datetime) -> Checkup:
    """Look through the whole of a folder's history; nothing is changed, and where there is none, none is made.

    Raises FileError where the file cannot be read at all, as `history.read`.
    """
    with opened(home) as db:
        if db is None:
            return Checkup()
        with database.faults(home / database.HISTORY_FILE):
            database.refuse_unsound(db, home / database.HISTORY_FILE, always=True)
            faults = _guards(db)
    reviews, marks = read_rows(home)
    rows: list[Row] = [*reviews, *marks]
    wrong = [f"{type(row).__name__.lower()} {row.id}: {fault}" for row in rows if (fault := fault_of(row._asdict()))]
    ids = {review.id for review in reviews}
    undone = {mark.about for mark in marks if mark.what == "undo"}
    wrong += [
        f"mark {mark.id} undoes {mark.about}, which isn't an answer"
        for mark in marks
        if mark.what == "undo" and mark.about not in ids
    ]
    faults += map(printable, wrong[:MOST])
    if len(wrong) > MOST:
        faults.append(f"and {len(wrong) - MOST:,} rows more")
    times = [review.at for review in reviews]
    ahead = sum(at > microseconds(now + DAY) for at in times)
    notes = [f"{ahead:,} of the answers are dated ahead of now: the clock was wrong, then or now"] if ahead else []
    flags = {mark.about: mark.what for mark in marks if mark.what != "undo"}
    return Checkup(
        answers=len(reviews),
        cards=len({review.card for review in reviews}),
        undone=len(undone & ids),
        flagged=sum(what == "flag" for what in flags.values()),
        first=min(times, default=None),
        last=max(times, default=None),
        faults=tuple(faults),
        notes=tuple(notes),
    )


def _guards(db: sqlite3.Connection) -> list[str]:
    """The triggers and indices of the file's version that it lacks, or has otherwise."""
    query = "SELECT name, sql FROM sqlite_master WHERE type IN ('trigger', 'index') AND sql IS NOT NULL"
    with closing(sqlite3.connect(":memory:")) as fresh:
        for step in STEPS[: version(db)]:
            for statement in step:
                fresh.execute(statement)
        wanted, found = dict(fresh.execute(query)), dict(db.execute(query))
    return [f"the file: {name} is missing or was changed" for name in wanted if wanted[name] != found.get(name)]
