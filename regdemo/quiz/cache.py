"""Decks read before: a file that has not changed is not parsed again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from regdemo import storage
from regdemo.quiz.cards import Card, CodeBlock, Deck, Numeric, Option, Reason, Skipped, WrongAnswer
from regdemo.quiz.files import DeckFile, parse_file

_ALWAYS = {field.name for field in fields(Card) if field.default is field.default_factory is MISSING} - {"file"}
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

    A deck is found by what decides how it reads: the file's bytes, name and tags, and the program that reads.
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

    def read(self, files: Sequence[DeckFile]) -> list[Deck]:
        """The deck of each file, as it was read before or as it is parsed now. A deck with a fault is not kept."""
        keys = [_digest(repr((str(file.path), file.tags)), file.data) for file in files]
        decks: dict[str, Deck] = {}
        for key, file in zip(keys, files, strict=True):
            with suppress(ValueError, TypeError, KeyError, AttributeError):
                decks[key] = _unpack(self._old[key], file.path)
                self._new[key] = self._old[key]
        fresh = [(key, file) for key, file in zip(keys, files, strict=True) if key not in decks]
        for (key, _), deck in zip(fresh, [parse_file(file) for _, file in fresh], strict=True):
            decks[key] = deck
            if not deck.faults:
                self._new[key] = _pack(deck)
        return [decks[key] for key in keys]

    def save(self) -> None:
        """Keep the decks that were read, if any of them is new."""
        if self._new.keys() == self._old.keys():
            return
        text = json.dumps({"version": self._version, "decks": self._new}, default=_plain)
        storage.write_cache(self._file, text.encode("utf-8", "surrogatepass"))


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
    return Card(file=file, **made)


def _plain(value: object) -> object:
    """A part of a card as JSON."""
    return str(value) if isinstance(value, Path) else list(vars(value).values())


def _digest(text: str, data: bytes = b"") -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape") + b"\0" + data, digest_size=16).hexdigest()


def _version() -> str:
    """A text that changes with the modules of this package."""
    modules = sorted(file for kind in ("py", "toml") for file in Path(__file__).parent.glob(f"**/*.{kind}"))
    return _digest(repr([(module.name, module.stat().st_size, module.stat().st_mtime_ns) for module in modules]))
