"""Decks read before: a file that has not changed is not parsed again."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from regdemo import storage
from regdemo.quiz.cards import Card, CodeBlock, Deck, Numeric, Option, Reason, Skipped, WrongAnswer
from regdemo.quiz.files import DeckFile, parse_file

RECENT = 2_000_000_000  # nanoseconds, the coarsest clock of a file system: two changes within it may look like one
_DEFAULTS = {field.name: field.default for field in fields(Card) if field.default is not MISSING} | {"vary": {}}
_ALWAYS = {field.name for field in fields(Card)} - _DEFAULTS.keys() - {"file"}
_MAKE: dict[str, Callable[[Any], Any]] = {
    "numeric": lambda values: Numeric(*values),
    "options": lambda rows: tuple(Option(*row) for row in rows),
    "blanks": lambda rows: tuple(map(tuple, rows)),
    "wrong_answers": lambda rows: tuple(WrongAnswer(*row) for row in rows),
    "code": lambda rows: tuple(CodeBlock(*row) for row in rows),
    "vary": lambda table: {name: tuple(values) for name, values in table.items()},
    **dict.fromkeys(("tags", "key_points", "hints", "follow_ups", "see_it", "sources"), tuple),
}


class Cache:
    """The decks of one bank, in a JSON file below a folder. Losing it costs time, nothing else: no fault is raised.

    A deck is read again when its file's name, tags, size or time of change differs, or the program that reads.
    """

    def __init__(self, folder: Path, bank: Path) -> None:
        self._file = folder / f"{_digest(os.path.abspath(bank))}.json"
        self._version = _version()
        self._old: dict[str, Any] = {}
        self._new: dict[str, Any] = {}
        with suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
            stored = json.loads(self._file.read_bytes())
            if stored["version"] == self._version:
                self._old = dict(stored["decks"])

    def read(self, files: Iterable[DeckFile]) -> list[Deck]:
        """The deck of each file, as it was read before or as it is parsed now. A deck with a fault is not kept."""
        decks = [self._deck(file) for file in files]
        if self._new != self._old:
            text = json.dumps({"version": self._version, "decks": self._new}, default=str)
            storage.write_cache(self._file, text.encode("utf-8", "surrogatepass"))
        return decks

    def _deck(self, file: DeckFile) -> Deck:
        name, state = str(file.path), _state(file)
        with suppress(ValueError, TypeError, KeyError, AttributeError):
            old = self._old[name]
            if state and old["state"] == state:
                deck = _unpack(old["deck"], file.path)
                self._new[name] = old
                return deck
        deck = parse_file(file)
        if state and not deck.faults:
            self._new[name] = {"state": state, "deck": _pack(deck)}
        return deck


def _state(file: DeckFile) -> list[Any] | None:
    """What differs once a file was changed; None where a change after this one could leave no trace, or of no file."""
    try:
        status = os.stat(file.path)
    except (OSError, ValueError):
        return None
    if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) < RECENT:
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, *file.tags]


def _pack(deck: Deck) -> list[Any]:
    """A deck as JSON holds it. Of a card, what is empty is left out: so are most of its fields."""
    cards = [
        {name: value for name, value in vars(card).items() if name in _ALWAYS or (value and name != "file")}
        for card in deck.cards
    ]
    return [cards, deck.skipped, deck.made_ids, deck.numbered, deck.own, deck.headings]


def _unpack(packed: list[Any], file: Path) -> Deck:
    cards, skipped, made_ids, numbered, own, headings = packed
    return Deck(
        tuple(_card(values, file) for values in cards),
        skipped=tuple(Skipped(file, line, Reason(reason), text) for _, line, reason, text in skipped),
        made_ids=made_ids,
        numbered=numbered,
        own=own,
        headings=tuple(headings),
    )


def _card(values: dict[str, Any], file: Path) -> Card:
    made = {name: _MAKE[name](value) if name in _MAKE else value for name, value in values.items()}
    if not made.keys() >= _ALWAYS:
        raise KeyError(f"a card that lacks {sorted(_ALWAYS - made.keys())}")
    # Without __init__, which sets its frozen fields one by one: half the time that a card takes.
    card = object.__new__(Card)
    vars(card).update(_DEFAULTS, file=file, **made)
    return card


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _version() -> str:
    """A text that changes with the modules of this package."""
    found = []
    for folder, _, names in os.walk(Path(__file__).parent):
        for name in names:
            if name.endswith((".py", ".toml")):
                status = os.stat(os.path.join(folder, name))
                found.append((folder, name, status.st_size, status.st_mtime_ns))
    return _digest(repr(sorted(found)))
