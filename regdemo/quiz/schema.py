"""The tables of a history, version by version: a new file takes every step, an older one those that it lacks."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

APPLICATION = 0x52454744  # "REGD", in the file's header: tells a history from another program's database


def _append_only(table: str, row: str) -> tuple[str, ...]:
    return (
        f"CREATE TRIGGER a_{row}_is_never_changed BEFORE UPDATE ON {table} "
        f"BEGIN SELECT RAISE(ABORT, 'a {row} is never changed'); END",
        f"CREATE TRIGGER a_{row}_is_never_deleted BEFORE DELETE ON {table} "
        f"BEGIN SELECT RAISE(ABORT, 'a {row} is never deleted'); END",
        # SQLite's REPLACE deletes without asking the trigger above.
        f"CREATE TRIGGER a_{row}_is_never_replaced BEFORE INSERT ON {table} "
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id OR number = NEW.number) "
        f"BEGIN SELECT RAISE(ABORT, 'a {row} is never replaced'); END",
    )


# Step n makes version n of version n - 1.
STEPS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE reviews (
            number   INTEGER PRIMARY KEY,
            card     TEXT    NOT NULL,
            at       INTEGER NOT NULL,
            kind     TEXT    NOT NULL,
            rating   INTEGER NOT NULL CHECK (rating BETWEEN 1 AND 4),
            share    REAL    NOT NULL CHECK (share BETWEEN 0 AND 1),
            response TEXT    NOT NULL,
            asked    TEXT    NOT NULL,
            answer   TEXT    NOT NULL,
            hints    INTEGER NOT NULL CHECK (hints >= 0),
            took     INTEGER NOT NULL,
            session  TEXT    NOT NULL,
            id       TEXT    NOT NULL UNIQUE
        )
        """,
        *_append_only("reviews", "review"),
        f"PRAGMA application_id = {APPLICATION}",
    ),
    (
        "ALTER TABLE reviews ADD COLUMN mode TEXT NOT NULL DEFAULT 'quiz'",
        "ALTER TABLE reviews ADD COLUMN sure REAL CHECK (sure BETWEEN 0 AND 1)",
        "CREATE INDEX reviews_of_a_card ON reviews (card)",
        "CREATE INDEX reviews_in_time ON reviews (at)",
        """
        CREATE TABLE marks (
            number INTEGER PRIMARY KEY,
            what   TEXT    NOT NULL CHECK (what IN ('undo', 'flag', 'unflag')),
            about  TEXT    NOT NULL,
            at     INTEGER NOT NULL,
            id     TEXT    NOT NULL UNIQUE
        )
        """,
        "CREATE INDEX marks_about ON marks (about)",
        *_append_only("marks", "mark"),
        "CREATE TRIGGER an_undo_names_a_review BEFORE INSERT ON marks "
        "WHEN NEW.what = 'undo' AND NOT EXISTS (SELECT 1 FROM reviews WHERE id = NEW.about) "
        "BEGIN SELECT RAISE(ABORT, 'an undo names a review'); END",
    ),
    ("ALTER TABLE reviews ADD COLUMN graded_by TEXT NOT NULL DEFAULT 'learner'",),
)
VERSION = len(STEPS)


def version(db: sqlite3.Connection) -> int:
    """The version of an open file; 0 if it is empty."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def bring_up(db: sqlite3.Connection, path: Path) -> Path | None:
    """Within an open transaction, take the steps that the file lacks; where they change an older one, a copy first.

    Returns where the copy is: `history.db.v1-20260301T090000Z`, next to the file.
    """
    before = version(db)
    copy = _copied(path, before) if 0 < before < VERSION else None
    for step in STEPS[before:]:
        for statement in step:
            db.execute(statement)
    # Written even if it has this value already: a folder or a disk that takes no writes is found out here.
    db.execute(f"PRAGMA user_version = {VERSION}")
    return copy


def free_name(path: Path, why: str) -> Path:
    """A name that is free, next to a file: `history.db.WHY-20260301T090000Z`."""
    name = f"{path.name}.{why}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    names = (path.with_name(name + (f"-{again}" if again else "")) for again in count())
    return next(free for free in names if not free.exists())


def _copied(path: Path, before: int) -> Path:
    """A copy of the file, whole and on the disk before it has its name.

    By SQLite, not by hand: to open and close the file once more would let go of the locks that this process holds. And
    by connections of its own, since SQLite copies from none that may write.
    """
    name = free_name(path, f"v{before}")
    part = name.with_name(f"{name.name}.{os.getpid()}")
    try:
        with (
            closing(sqlite3.connect(path, isolation_level=None)) as original,
            closing(sqlite3.connect(part, isolation_level=None)) as copy,
        ):
            copy.execute("PRAGMA synchronous = EXTRA")
            original.backup(copy)
        part.replace(name)
    finally:
        part.unlink(missing_ok=True)
    return name
