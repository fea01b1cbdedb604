"""Files to parse, and the deck that is in one."""

from __future__ import annotations

import gc
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from regdemo import storage
from regdemo.errors import FileError
from regdemo.quiz import parser
from regdemo.quiz.cards import Deck, Fault, Reason, Skipped

LARGEST_DECK = 10_000_000  # bytes in a file
MOST_LINES = 100_000  # lines in a file: each costs memory while it is parsed
LONGEST_LINE = 1_000_000  # bytes in a line


class DeckFile(NamedTuple):
    """A file to parse, and what its cards are tagged with."""

    path: Path
    tags: tuple[str, ...]


def parse_file(source: DeckFile) -> Deck:
    """The deck in a file, or why there is none: its fault, or that it is empty."""
    file, tags = source
    try:
        data = storage.read_file(file, LARGEST_DECK)
    except FileError as error:
        return Deck(faults=(Fault(file, 1, str(error).removeprefix(f"{file} ")),))
    if not data.removeprefix(BOM_UTF8).strip():
        return Deck(skipped=(Skipped(file, 1, Reason.EMPTY, ""),))
    place = data.find(b"\0")
    if place >= 0 and not data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):  # UTF-16 is text, if not ours
        said = f"is a binary file, NUL at byte {place:,}: a deck is UTF-8 text"
    elif (lines := data.count(b"\n")) > MOST_LINES:
        place, said = 0, f"has {lines:,} lines: a deck has at most {MOST_LINES:,}, split it"
    elif len(data) > LONGEST_LINE and (width := max(map(len, data.splitlines()))) > LONGEST_LINE:
        place, said = 0, f"has a line of {width:,} bytes: a deck has at most {LONGEST_LINE:,} in a line, break it"
    else:
        try:
            return parser.parse(data.decode("utf-8-sig"), file, tags)
        except UnicodeDecodeError as error:
            place = error.start
            said = f"is not UTF-8, 0x{data[place]:02x} at byte {place:,}: save it as UTF-8"
        except RecursionError:
            place, said = 0, "is nested too deeply: flatten its lists and quotes"
    return Deck(faults=(Fault(file, data.count(b"\n", 0, place) + 1, said),))


@contextmanager
def uncollected() -> Iterator[None]:
    """Without garbage collection, which would look through ten thousand cards again and again as they are made."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
