"""The file of a history: opened if it is one, set aside when it is damaged, its faults said in one line."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from regdemo import storage
from regdemo.errors import FileError
from regdemo.quiz.schema import APPLICATION, VERSION, free_name, version
from regdemo.text import printable

HISTORY_FILE = "history.db"
WRITE_TIMEOUT = 10.0  # seconds to wait for a second session to finish its write
# To look through a file takes 7 ms for each 1,000,000 bytes. A larger one is not looked through again unless another
# program has changed it since; `history check` always does.
LARGE = 4_000_000
LOCK_FILE = "history.lock"  # held while a damaged file is set aside
SOUND = Path("cache", "history.sound")  # next to the file: its size and time when this program last let go of it


class Damaged(FileError):
    """A history that SQLite cannot read in whole. fact: what it is that is damaged, and how."""

    def __init__(self, fact: str) -> None:
        super().__init__(
            f"{fact}, and left untouched: `regdemo history recover` shows what can still be read, "
            "and the next quiz sets it aside and starts a new one"
        )
        self.fact = fact


def is_there(path: Path) -> bool:
    """Whether there is such a file. Raises FileError where there can be none."""
    home = path.parent
    try:
        if home.exists() and not home.is_dir():
            raise no_home(home, "it is a file")
        return path.exists()
    except OSError as error:
        raise no_home(home, error.strerror) from error


def no_home(home: Path, fact: str | None) -> FileError:
    """What to say of a folder that cannot hold a history."""
    return FileError(f"{home} cannot be the folder of a history ({fact}): choose another with --home")


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Transactions are begun by hand (isolation_level None), so that each is as short as it looks."""
    with faults(path):
        db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=WRITE_TIMEOUT, isolation_level=None
        )
        db.execute("PRAGMA synchronous = EXTRA")
        return db


def refuse_unsound(db: sqlite3.Connection, path: Path, *, always: bool = False) -> None:
    """Raise FileError unless the file is a sound history of this version or an older one, or is empty.

    This is the one judgement whether a history is damaged: its pages, its indices, and that every text is UTF-8.
    always: look through a large file too that has not changed since it was last found sound.
    """
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != APPLICATION:
        raise FileError(f"{path} is another program's database, left untouched: choose another folder with --home")
    written = version(db)
    if written > VERSION:
        raise FileError(
            f"{path} was written by a newer regdemo (history version {written}, this one reads up to {VERSION}): "
            "upgrade regdemo, or choose another folder with --home"
        )
    for table in ("reviews", "marks")[:written]:
        db.execute(f"SELECT id FROM {table} LIMIT 0")
    if not always and _is_known_sound(path):
        return
    (sound,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    if sound != "ok":
        raise _damaged(path, sound)
    for table in ("reviews", "marks")[:written]:
        for _ in db.execute(f"SELECT * FROM {table}"):
            pass  # to fetch a row decodes its texts


def _is_known_sound(path: Path) -> bool:
    try:
        return path.stat().st_size > LARGE and (path.parent / SOUND).read_text("ascii") == _seen(path)
    except (OSError, ValueError):
        return False


def seen_sound(path: Path) -> None:
    """Note, of a large file that was opened and written without a fault, that it need not be looked through again."""
    with suppress(OSError):
        if path.stat().st_size > LARGE:
            storage.write_cache(path.parent / SOUND, _seen(path))


def _seen(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"


def set_aside(path: Path, fault: Damaged) -> str:
    """Give a damaged file another name, untouched, and say so in a line. Raises FileError where that cannot be done."""
    aside = free_name(path, "damaged")
    try:
        # First what a killed session left next to it: under the old name, it would be taken for the new file's.
        for ending in ("-journal", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                path.with_name(path.name + ending).rename(aside.with_name(aside.name + ending))
        path.rename(aside)
    except OSError as error:
        raise FileError(
            f"{fault.fact} and could not be set aside ({error.strerror}): "
            "check the permissions of its folder, or choose another folder with --home"
        ) from error
    return (
        f"{fault.fact}: set aside as {aside.name}, untouched, and a new history begun. "
        f"What can still be read of it: `regdemo history recover {aside.name}`"
    )


@contextmanager
def faults(path: Path) -> Iterator[None]:
    """Say SQLite's faults in one line, each with its remedy."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise  # a fault of ours, not of the file
    except UnicodeDecodeError as error:  # in a message of SQLite's that quotes a damaged schema
        raise _damaged(path, str(error)) from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorname", None) or ""
        if code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            message = (
                f"{path} cannot be opened for writing ({error}): "
                "check the permissions of the file and its folder, or choose another folder with --home"
            )
        elif code.startswith("SQLITE_FULL"):
            message = f"{path} could not grow, the disk is full: free some space; what was saved before is safe"
        elif code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            message = f"{path} has been held by another program for {WRITE_TIMEOUT:.0f} s: close that and try again"
        elif code.startswith("SQLITE_IOERR"):
            message = f"{path} could not be read or written ({error}): check the disk; what was saved before is safe"
        # SQLITE_ERROR: no such table or column. Without a code: Python could not decode a text.
        elif code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or code in ("SQLITE_ERROR", ""):
            raise _damaged(path, str(error)) from error
        else:
            message = f"{path} could not be used ({error}); what was saved before is safe"
        raise FileError(message) from error


def _damaged(path: Path, fact: str) -> Damaged:
    return Damaged(f"{path} is damaged ({printable(' '.join(fact.split()))})")
