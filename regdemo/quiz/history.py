"""What was answered: an append-only table of reviews in SQLite.

Durability. The rollback journal (DELETE) with synchronous=EXTRA: a commit returns only when the row is on the disk and
the journal's removal is too, so an answer that was confirmed outlives `kill -9` and a power cut, and one cut short is
rolled back when the history is next opened. WAL is faster, but keeps fresh answers in a second file that a copy of
`history.db` leaves behind, and fails on network and read-only disks; one row every few seconds needs no speed.
https://www.sqlite.org/pragma.html#pragma_synchronous
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from regdemo import storage
from regdemo.quiz import database, schema
from regdemo.quiz.schema import VERSION, version


class Review(NamedTuple):
    """One answer, as it was given.

    at: microseconds since 1970, UTC.  rating: 1 again, 2 hard, 3 good, 4 easy.  share: how much was right, 0 to 1.
    asked: what was asked, as JSON: the values drawn, the options in their order.  answer: a fingerprint of the card's
    answer, so that a later change of it shows.  hints: how many were shown.  took: milliseconds it took to answer.
    mode: what the learner was at, one of `schedule.Mode`; a cram's answers are kept, but move no schedule.  sure: how
    sure of the answer the learner was, 0 to 1, where that was asked.  graded_by: `learner` where the learner or the
    card itself graded it, else what did, such as `assistant`, or `nobody` of an answer that waited for its grade; it
    is undone.  id: unique in the world, so that two histories can be united; the history gives one where there is none.
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
    mode: str = "quiz"
    sure: float | None = None
    graded_by: str = "learner"
    id: str = ""


class Mark(NamedTuple):
    """What was said later. what: `undo` (about: the id of a review), `flag` or `unflag` (about: the id of a card)."""

    what: str
    about: str
    at: int
    id: str = ""


Row = Review | Mark


class Tip(NamedTuple):
    """Up to where a history goes: its last review and its last mark, each by number and id; 0 and "" for none."""

    review: int
    review_id: str
    mark: int
    mark_id: str


COLUMNS = ", ".join(Review._fields)
PLACEHOLDERS = ", ".join("?" for _ in Review._fields)
MARK_COLUMNS = ", ".join(Mark._fields)
# By the version of the file: `read` takes an older one as it is.
_SECOND = COLUMNS.replace("graded_by", "'learner'")
COLUMNS_BY_VERSION = {1: _SECOND.replace("mode, sure", "'quiz', NULL"), 2: _SECOND, 3: COLUMNS}
# In the order of time, no matter which of two merged histories was there first.
_ORDER = "ORDER BY at, id"
_KEPT = "id NOT IN (SELECT about FROM marks WHERE what = 'undo')"


def _with_id(row: Row) -> Row:
    return row if row.id else row._replace(id=uuid4().hex)


class History:
    """The reviews in `home/history.db`; made if it is not there. A context manager.

    Rows are only ever appended: an answer that is taken back stays, and a later row says so. A file of an older version
    is brought to this one, a copy first; one that is damaged is set aside as it is, and a new one begun. `notice` then
    says so, in one line.

    Raises FileError if the file is not a history, from a newer version, or cannot be written. It is then left as it is:
    nothing is ever overwritten.
    """

    def __init__(self, home: Path) -> None:
        self.path = home / database.HISTORY_FILE
        self.notice = ""
        database.is_there(self.path)
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise database.no_home(home, error.strerror) from error
        try:
            self._db = self._open()
        except database.Damaged:
            self._db = self._open_anew(home)

    def _open(self) -> sqlite3.Connection:
        db = database.connect(self.path, "rwc")
        try:
            with database.faults(self.path):
                db.execute("BEGIN IMMEDIATE")
                database.refuse_unsound(db, self.path)
                old = version(db) < VERSION
                if copy := schema.bring_up(db, self.path):
                    self.notice = f"Your history was brought to this version; as it was before, it is kept in {copy}."
                # Where nothing was lacking, the write was but a trial: it is better refused now than after an answer.
                db.execute("COMMIT" if old else "ROLLBACK")
        except BaseException:
            db.close()
            raise
        return db

    def _open_anew(self, home: Path) -> sqlite3.Connection:
        """Set a damaged file aside and begin a new one: of several sessions that find it damaged, the first does.

        The file is judged again once the lock is held, since another session may have begun a new one since.
        """
        with storage.file_lock(home / database.LOCK_FILE):
            try:
                return self._open()
            except database.Damaged as error:
                self.notice = database.set_aside(self.path, error)
            return self._open()

    def add(self, review: Review) -> None:
        """Append one review; when this returns, it is on the disk. Raises FileError if it could not be kept."""
        self.add_all([review])

    def add_all(self, reviews: Iterable[Review], marks: Iterable[Mark] = ()) -> None:
        """Append all of these or, if one of them cannot be kept, none. As `add` in all else."""
        with self.transaction() as db:
            db.executemany(f"INSERT INTO reviews ({COLUMNS}) VALUES ({PLACEHOLDERS})", map(_with_id, reviews))
            db.executemany(f"INSERT INTO marks ({MARK_COLUMNS}) VALUES (?, ?, ?, ?)", map(_with_id, marks))

    def undo(self, review: Review, at: int) -> None:
        """Take one review back, by a new row; it counts no more. at: now, as in a review. To do so twice is once."""
        self._mark(Mark("undo", review.id, at))

    def flag(self, card: str, at: int, *, flagged: bool = True) -> None:
        """Flag a card, or take its flag off, by a new row: the last one holds. at: now, as in a review."""
        self._mark(Mark("flag" if flagged else "unflag", card, at))

    def reviews(self, card: str | None = None) -> list[Review]:
        """Every review that was not undone, in the order of time; of one card only, where it is named."""
        with database.faults(self.path):
            return _select(self._db, card)

    def flagged(self) -> set[str]:
        """The ids of the cards that are flagged."""
        with database.faults(self.path):
            query = f"SELECT about, what FROM marks WHERE what != 'undo' {_ORDER}"
            return {card for card, what in dict(self._db.execute(query)).items() if what == "flag"}

    def rows(self) -> tuple[list[Review], list[Mark]]:
        """Every row there ever was, those undone too, in the order of time."""
        with database.faults(self.path):
            return _rows(self._db)

    def times(self) -> Iterator[int]:
        """When each review was that was not undone, the last first; read as far as it is asked for."""
        with database.faults(self.path):
            for (at,) in self._db.execute(f"SELECT at FROM reviews WHERE {_KEPT} ORDER BY at DESC"):
                yield at

    def newest_first(self) -> Iterator[Review]:
        """Every review that was not undone, the last first; read as far as it is asked for."""
        with database.faults(self.path):
            for row in self._db.execute(f"SELECT {COLUMNS} FROM reviews WHERE {_KEPT} ORDER BY at DESC, id DESC"):
                yield Review._make(row)

    def find(self, id: str) -> tuple[Review, bool] | None:
        """The review of an id, and whether it counts: False if it was undone."""
        query = f"SELECT {COLUMNS}, {_KEPT} FROM reviews WHERE id = ?"
        with database.faults(self.path):
            row = self._db.execute(query, (id,)).fetchone()
        return (Review._make(row[:-1]), bool(row[-1])) if row else None

    def answered_since(self, at: int) -> list[Review]:
        """As `reviews`, of the cards that were answered at this time or later."""
        query = f"SELECT {COLUMNS} FROM reviews WHERE card IN (SELECT card FROM reviews WHERE at >= ?) AND {_KEPT}"
        with database.faults(self.path):
            return [Review._make(row) for row in self._db.execute(f"{query} {_ORDER}", (at,))]

    def tip(self) -> Tip:
        """Up to where the history goes."""
        with database.faults(self.path):
            last = [
                self._db.execute(f"SELECT number, id FROM {table} ORDER BY number DESC LIMIT 1").fetchone() or (0, "")
                for table in ("reviews", "marks")
            ]
        return Tip(*last[0], *last[1])

    def has(self, tip: Tip) -> bool:
        """Whether the rows of a tip are in this history: it then is the same one, perhaps with later rows."""
        rows = [("reviews", tip.review, tip.review_id), ("marks", tip.mark, tip.mark_id)]
        with database.faults(self.path):
            return all(
                self._db.execute(f"SELECT id FROM {table} WHERE number = ?", (number,)).fetchone() == (id,)
                for table, number, id in rows
                if number
            )

    def cards_since(self, tip: Tip) -> set[str]:
        """The cards that rows after a tip speak of: those answered since, and those of which an answer was undone."""
        query = (
            "SELECT card FROM reviews WHERE number > ? UNION "
            "SELECT card FROM reviews WHERE id IN (SELECT about FROM marks WHERE number > ? AND what = 'undo')"
        )
        with database.faults(self.path):
            return {card for (card,) in self._db.execute(query, (tip.review, tip.mark))}

    def _mark(self, mark: Mark) -> None:
        with self.transaction() as db:
            # Never before what it follows, even if the clock went back or stopped.
            (last,) = db.execute("SELECT max(at) FROM marks WHERE about = ?", (mark.about,)).fetchone()
            mark = mark._replace(at=max(mark.at, (last or 0) + 1))
            db.execute(f"INSERT INTO marks ({MARK_COLUMNS}) VALUES (?, ?, ?, ?)", _with_id(mark))

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """What is read and written within it is one step to every other session: all its rows are kept, or none.

        When it ends well, its rows are on the disk. One within another is part of the outer one.
        """
        with database.faults(self.path):
            if self._db.in_transaction:
                yield self._db
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def __enter__(self) -> History:
        """Return the open history."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close it."""
        self.close()
        if error == (None, None, None):
            database.seen_sound(self.path)


def read(home: Path) -> list[Review]:
    """Every review in a folder's history that was not undone, in the order of time; none if there is no history.

    Creates and changes nothing. Raises FileError if the file is damaged, not a history, or from a newer version.
    """
    with opened(home) as db:
        return _select(db) if db else []


def read_rows(home: Path) -> tuple[list[Review], list[Mark]]:
    """Every row there ever was, those undone too, in the order of time. As `read` in all else."""
    with opened(home) as db:
        return _rows(db) if db else ([], [])


@contextmanager
def reading(home: Path) -> Iterator[History]:
    """A folder's history for reading only; an empty one where there is none. As `read` in all else."""
    with opened(home) as db:
        history = History.__new__(History)
        history.path, history.notice = home / database.HISTORY_FILE, ""
        if db is not None and version(db) == VERSION:
            db.execute("PRAGMA query_only = ON")
            history._db = db
            yield history
            return
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
            schema.bring_up(copy, history.path)
            history._db = copy
            if db is not None:
                history.add_all(*_rows(db))
            yield history


@contextmanager
def opened(home: Path) -> Iterator[sqlite3.Connection | None]:
    """A folder's history, to be read only; None where there is none, or an empty one."""
    path = home / database.HISTORY_FILE
    if not database.is_there(path):
        yield None
        return
    db = database.connect(path, "rw")  # not "ro": a session that was killed may have left something to roll back
    try:
        with database.faults(path):
            database.refuse_unsound(db, path)
            yield db if version(db) else None
    finally:
        db.close()


def _select(db: sqlite3.Connection, card: str | None = None) -> list[Review]:
    one, named = ("card = ? AND ", (card,)) if card is not None else ("", ())
    query = f"SELECT {COLUMNS_BY_VERSION[version(db)]} FROM reviews WHERE {one}{_KEPT} {_ORDER}"
    if version(db) == 1:
        query, named = f"SELECT {COLUMNS_BY_VERSION[1]} FROM reviews {_ORDER}", ()
    return [Review._make(row) for row in db.execute(query, named)]


def _rows(db: sqlite3.Connection) -> tuple[list[Review], list[Mark]]:
    if version(db) == 1:
        return _select(db), []
    reviews = db.execute(f"SELECT {COLUMNS_BY_VERSION[version(db)]} FROM reviews {_ORDER}")
    marks = db.execute(f"SELECT {MARK_COLUMNS} FROM marks {_ORDER}")
    return [Review._make(row) for row in reviews], [Mark._make(row) for row in marks]
