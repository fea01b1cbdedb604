"""What was answered, for ever: an append-only table of reviews in SQLite.

Durability. The rollback journal (DELETE) with synchronous=EXTRA: a commit returns only when the row is on the disk and
the journal's removal is too, so an answer that was confirmed outlives `kill -9` and a power cut, and one cut short is
rolled back when the history is next opened. WAL is faster, but keeps fresh answers in a second file that a copy of
`history.db` leaves behind, and fails on network and read-only disks; one row every few seconds needs no speed.
https://www.sqlite.org/pragma.html#pragma_synchronous
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from uuid import uuid4

from regdemo.errors import FileError

NAME = "history.db"
VERSION = 1
APPLICATION = 0x52454744  # "REGD", in the file's header: tells a history from another program's database
PATIENCE = 10.0  # seconds to wait for a second session to finish its write

SCHEMA = (
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
    "CREATE TRIGGER a_review_is_never_changed BEFORE UPDATE ON reviews "
    "BEGIN SELECT RAISE(ABORT, 'a review is never changed'); END",
    "CREATE TRIGGER a_review_is_never_deleted BEFORE DELETE ON reviews "
    "BEGIN SELECT RAISE(ABORT, 'a review is never deleted'); END",
    # SQLite's REPLACE deletes without asking the trigger above.
    "CREATE TRIGGER a_review_is_never_replaced BEFORE INSERT ON reviews "
    "WHEN EXISTS (SELECT 1 FROM reviews WHERE id = NEW.id OR number = NEW.number) "
    "BEGIN SELECT RAISE(ABORT, 'a review is never replaced'); END",
    f"PRAGMA application_id = {APPLICATION}",
)


@dataclass(frozen=True)
class Review:
    """One answer, as it was given.

    at: microseconds since 1970, UTC.  rating: 1 again, 2 hard, 3 good, 4 easy.  share: how much was right, 0 to 1.
    asked: what was asked, as JSON: the values drawn, the options in their order.  answer: a fingerprint of the card's
    answer, so that a later change of it shows.  hints: how many were shown.  took: milliseconds it took to answer.
    id: unique in the world, so that two histories can be united.
    """

    card: str
    at: int
    kind: str
    rating: int
    share: float
    response: str
    asked: str
    answer: str
    hints: int
    took: int
    session: str
    id: str = field(default_factory=lambda: uuid4().hex)


COLUMNS = ", ".join(column.name for column in fields(Review))
PLACES = ", ".join("?" for _ in fields(Review))


class History:
    """The reviews in `home/history.db`; made if it is not there. A context manager.

    Raises FileError if the file is damaged, not a history, from a newer version, or cannot be written. It is then left
    as it is: nothing is ever overwritten.
    """

    def __init__(self, home: Path) -> None:
        self.path = home / NAME
        _is_there(self.path)
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _no_home(home, error.strerror) from error
        self._db = _connect(self.path, "rwc")
        try:
            with _faults(self.path):
                self._db.execute("BEGIN IMMEDIATE")
                _check(self._db, self.path)
                fresh = _version(self._db) == 0
                for statement in SCHEMA if fresh else ():
                    self._db.execute(statement)
                # Written even where it stands already, and then taken back: a folder or a disk that takes no writes is
                # found out before the first question, not after its answer.
                self._db.execute(f"PRAGMA user_version = {VERSION}")
                self._db.execute("COMMIT" if fresh else "ROLLBACK")
        except BaseException:
            self._db.close()
            raise

    def add(self, review: Review) -> None:
        """Append one review; when this returns, it is on the disk. Raises FileError if it could not be kept."""
        with _faults(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.execute(f"INSERT INTO reviews ({COLUMNS}) VALUES ({PLACES})", astuple(review))
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def reviews(self) -> list[Review]:
        """Every review, in the order of time."""
        with _faults(self.path):
            return _select(self._db)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def __enter__(self) -> History:
        """Itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close it."""
        self.close()


def read(home: Path) -> list[Review]:
    """Every review in a folder's history, in the order of time; none if there is no history. Creates nothing.

    Raises FileError if the file is damaged, not a history, or from a newer version.
    """
    path = home / NAME
    if not _is_there(path):
        return []
    db = _connect(path, "rw")
    try:
        with _faults(path):
            _check(db, path)
            return _select(db) if _version(db) else []
    finally:
        db.close()


def _is_there(path: Path) -> bool:
    home = path.parent
    try:
        if home.exists() and not home.is_dir():
            raise _no_home(home, "it is a file")
        return path.exists()
    except OSError as error:
        raise _no_home(home, error.strerror) from error


def _no_home(home: Path, fact: str | None) -> FileError:
    return FileError(f"{home} cannot be the folder of a history ({fact}): choose another with --home")


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    """Transactions are begun by hand (isolation_level None), so that each is as short as it looks."""
    with _faults(path):
        db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=PATIENCE, isolation_level=None
        )
        db.execute("PRAGMA synchronous = EXTRA")
        return db


def _check(db: sqlite3.Connection, path: Path) -> None:
    """Raise FileError unless the file is a sound history of this version or an older one, or is empty."""
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != APPLICATION:
        raise FileError(f"{path} is another program's database, left untouched: choose another folder with --home")
    version = _version(db)
    if version > VERSION:
        raise FileError(
            f"{path} was written by a newer regdemo (history version {version}, this one reads up to {VERSION}): "
            "upgrade regdemo, or choose another folder with --home"
        )
    if version:
        db.execute(f"SELECT {COLUMNS} FROM reviews LIMIT 0")
    (sound,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if sound != "ok":
        raise _damaged(path, sound)


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _select(db: sqlite3.Connection) -> list[Review]:
    return [Review(*row) for row in db.execute(f"SELECT {COLUMNS} FROM reviews ORDER BY at, number")]


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    """Say SQLite's faults in one line, each with its remedy."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise  # a fault of ours, not of the file
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorname", "")
        if code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            message = (
                f"{path} cannot be opened for writing ({error}): "
                "check the permissions of the file and its folder, or choose another folder with --home"
            )
        elif code.startswith("SQLITE_FULL"):
            message = f"{path} could not grow, the disk is full: free some space; what was saved before is safe"
        elif code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            message = f"{path} has been held by another program for {PATIENCE:.0f} s: close that and try again"
        elif code.startswith("SQLITE_IOERR"):
            message = f"{path} could not be read or written ({error}): check the disk; what was saved before is safe"
        else:
            raise _damaged(path, str(error)) from error
        raise FileError(message) from error


def _damaged(path: Path, fact: str) -> FileError:
    return FileError(
        f"{path} is damaged ({' '.join(fact.split())}), and left untouched: "
        "move it aside to begin a new history, or choose another folder with --home"
    )
