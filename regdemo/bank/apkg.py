"""Packages that Anki wrote, read as text: a zip file with an SQLite database in it, both from strangers."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, NamedTuple

from regdemo.errors import ArgumentError, FileError
from regdemo.text import printable

LARGEST_DATABASE = 300_000_000  # bytes of the database, unpacked
MOST_NOTES = 100_000
_STEPS = 2_000  # times a million instructions of SQLite's machine: more than any honest database needs
_CHUNK = 1 << 20
_NAMES = ("collection.anki21b", "collection.anki21", "collection.anki2")  # the newest is the true one


class AnkiNote(NamedTuple):
    """One note: its fields by name in their order, whether they have gaps, its tags and its deck's identity."""

    guid: str
    model: str
    fields: dict[str, str]
    is_cloze: bool
    tags: tuple[str, ...]


class Package(NamedTuple):
    """The notes of a package, and how many media files come with them."""

    notes: list[AnkiNote]
    media: int


def read(path: Path) -> Package:
    """The notes in a package. Nothing is unpacked beyond a bound, no name in it is used as a path.

    Raises FileError if it isn't a package, or its database cannot be read or is too large; ArgumentError if it is
    compressed by Zstandard and the extra is not installed.
    """
    try:
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory(prefix="regdemo-") as folder:
            names = archive.namelist()
            name = next((name for name in _NAMES if name in names), None)
            if not name:
                raise FileError(f"{_said(path)} holds no collection of Anki's: export a deck as a package, .apkg")
            database = Path(folder) / "collection.db"
            with archive.open(name) as packed, database.open("wb") as unpacked:
                _unpack(packed, unpacked, path, compressed=name.endswith("b"))
            media = sum(name.isdecimal() for name in names)
            try:
                return Package(list(_notes(database, path)), media)
            except (TypeError, ValueError, LookupError, AttributeError):
                raise FileError(f"the notes in {_said(path)} aren't as Anki writes them: export it again") from None
    except OSError as error:
        raise FileError(f"{_said(path)} cannot be read, {error.strerror}: name a package of Anki's, .apkg") from None
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, zlib.error, ValueError) as error:
        raise FileError(f"{_said(path)} isn't a package of Anki's, {printable(str(error))}: export it again") from None


def _unpack(packed: IO[bytes], unpacked: IO[bytes], path: Path, *, compressed: bool) -> None:
    """Copy the database, and stop where it grows beyond the bound, even if its header gives a smaller size."""
    size = 0
    for chunk in _decompressed(packed, path) if compressed else iter(lambda: packed.read(_CHUNK), b""):
        size += len(chunk)
        if size > LARGEST_DATABASE:
            raise FileError(
                f"{_said(path)} unpacks to more than {LARGEST_DATABASE:,} bytes: export fewer notes at once"
            )
        unpacked.write(chunk)


def _decompressed(packed: IO[bytes], path: Path) -> Iterator[bytes]:
    """What Zstandard compressed, piece by piece."""
    try:
        import zstandard
    except ImportError:
        raise ArgumentError(
            f"{_said(path)} is compressed by Zstandard: pip install 'regdemo[anki]', "
            "or export it with support for older versions of Anki"
        ) from None
    try:
        reader = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(packed)
        yield from iter(lambda: reader.read(_CHUNK), b"")
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None


def _notes(database: Path, path: Path) -> Iterator[AnkiNote]:
    """The notes of a database. Its own views and triggers may take no more time than a bound."""
    steps = iter(range(_STEPS))
    try:
        uri = f"{database.as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as db:
            db.set_progress_handler(lambda: next(steps, None) is None, 1_000_000)
            db.create_collation("unicase", lambda a, b: (a.casefold() > b.casefold()) - (a.casefold() < b.casefold()))
            db.execute("pragma trusted_schema = off")
            models = _models(db)
            rows = db.execute(
                "select guid, mid, tags, flds from notes order by id limit ?", (MOST_NOTES + 1,)
            ).fetchall()
    except (sqlite3.Error, UnicodeError) as error:
        fact = "takes too long to read" if "interrupted" in str(error) else f"is damaged, {printable(str(error))}"
        raise FileError(f"the collection in {_said(path)} {fact}: export it again") from None
    if len(rows) > MOST_NOTES:
        raise FileError(f"{_said(path)} has more than {MOST_NOTES:,} notes: export fewer at once")
    for guid, model, tags, fields in rows:
        name, labels, is_cloze = models.get(int(model), ("", [], False))
        texts = str(fields).split("\x1f")
        labels = [*labels, *(f"Field {number + 1}" for number in range(len(labels), len(texts)))]
        yield AnkiNote(str(guid), name, dict(zip(labels, texts, strict=False)), is_cloze, tuple(str(tags).split()))


def _models(db: sqlite3.Connection) -> dict[int, tuple[str, list[str], bool]]:
    """The kinds of note, by number: name, fields, whether they have gaps. New databases have tables, old ones JSON."""
    tables = {name for (name,) in db.execute("select name from sqlite_master where type = 'table'")}
    if "notetypes" not in tables:
        ((text,),) = db.execute("select models from col limit 1")
        models = json.loads(text)
        return {
            int(number): (str(one["name"]), [str(field["name"]) for field in one["flds"]], one.get("type") == 1)
            for number, one in models.items()
        }
    found: dict[int, tuple[str, list[str], bool]] = {}
    for number, name, config in db.execute("select id, name, config from notetypes"):
        rows = db.execute("select name from fields where ntid = ? order by ord", (number,))
        # config is a protocol buffer whose first field, one byte 8 and one byte 1, says that the kind has gaps.
        found[number] = (str(name), [str(field) for (field,) in rows], bytes(config)[:2] == b"\x08\x01")
    return found


def _said(path: Path) -> str:
    return printable(os.fspath(path))
