"""Ids that survive an edit: an index of what was asked, next to the history, for cards without an id of their own.

The id of such a card is made from its question, so correcting a typo would make it another card. The index holds for
each card its id, the id made from its text today, its place in its file, and the text. Where a text is gone and a
similar one is at its place, the new one keeps the old id.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import NamedTuple

from regdemo import storage
from regdemo.errors import FileError
from regdemo.quiz.cards import Card
from regdemo.quiz.decks import Bank
from regdemo.text import printable

INDEX_FILE = "questions.json"
LOCK_FILE = "questions.lock"
KEPT_CHARACTERS = 300  # characters of a question that are kept

_SIMILAR = 0.6  # of two texts at the same place
_ALIKE = 0.9  # of two texts elsewhere in the file
_MOST = 50  # texts that are gone, or new, in one file: of more, only those at the same place are compared


class Known(NamedTuple):
    """A card that was asked or could have been. made: the id that its text makes; place: how many are before it."""

    id: str
    made: str
    place: int
    text: str


class Edit(NamedTuple):
    """A question that was recognized although its text has changed."""

    id: str
    before: str
    after: str

    def __str__(self) -> str:
        """One line to say so."""
        before, after = (printable(" ".join(text.split()))[:60] for text in (self.before, self.after))
        return f"{self.id} was edited and keeps its history: {before!r} is now {after!r}"


def keep_ids(bank: Bank, home: Path, *, write: bool) -> tuple[Bank, list[Edit]]:
    """The bank with the ids under which its cards are known in this home, and the edits that were recognized.

    write: whether to note what was found. A history in a folder that cannot be written, or an index that is damaged,
    costs nothing but the ids of edited questions: a damaged one is set aside as questions.json.damaged.
    """
    if not bank.made_ids or not (write or home.is_dir()):
        return bank, []
    if not write:
        return _recognized(bank, _read(home / INDEX_FILE))[:2]
    with suppress(OSError, FileError):
        home.mkdir(parents=True, exist_ok=True)
        with storage.file_lock(home / LOCK_FILE):
            index = _read(home / INDEX_FILE, set_aside=True)
            found, edits, updated = _recognized(bank, index)
            if updated != index:
                storage.atomic_write(
                    home / INDEX_FILE, json.dumps({"version": 1, "files": updated}, ensure_ascii=False)
                )
        return found, edits
    return bank, []


def _recognized(bank: Bank, index: dict[str, list[Known]]) -> tuple[Bank, list[Edit], dict[str, list[Known]]]:
    """The bank with known ids, the edits, and the index as it is then."""
    updated = dict(index)
    edits: list[Edit] = []
    ids: dict[str, str] = {known.made: known.id for file in index.values() for known in file if known.made != known.id}
    by_file: defaultdict[str, list[Card]] = defaultdict(list)
    for card in bank.cards:
        if card.file in bank.made_ids:
            by_file[str(card.file.resolve())].append(card)
    for name, cards in by_file.items():
        old = index.get(name, [])
        known = {one.made: one for one in old}
        made = {card.id for card in cards}
        gone = [one for one in old if one.made not in made]
        fresh = [(place, card) for place, card in enumerate(cards) if card.id not in known]
        pairs = _matches(gone, fresh) if gone and fresh else {}
        now: list[Known] = []
        for place, card in enumerate(cards):
            before = known.get(card.id) or pairs.get(card.id)
            id = before.id if before else ids.get(card.id, card.id)
            if before and card.id in pairs:
                edits.append(Edit(id, before.text, card.question))
            ids[card.id] = id
            now.append(Known(id, card.id, place, card.question[:KEPT_CHARACTERS]))
        matched = {one.made for one in pairs.values()}
        updated[name] = [*now, *(one for one in gone if one.made not in matched)]
    taken: set[str] = set()
    cards_found: list[Card] = []
    for card in bank.cards:
        id = ids.get(card.id, card.id) if card.file in bank.made_ids else card.id
        id = card.id if id in taken else id
        taken.add(id)
        cards_found.append(card if id == card.id else replace(card, id=id))
    return replace(bank, cards=tuple(cards_found)), edits, updated


def _matches(gone: Sequence[Known], fresh: Sequence[tuple[int, Card]]) -> dict[str, Known]:
    """For new texts, by their made ids, the text that is gone and that each was: first those at the same place."""
    found: dict[str, Known] = {}
    at_place = {one.place: one for one in gone}
    for place, card in fresh:
        near = [at_place[at] for at in (place, place - 1, place + 1) if at in at_place]
        best = max(near, key=lambda one: _similarity(one.text, card.question), default=None)
        if best and best not in found.values() and _similarity(best.text, card.question) >= _SIMILAR:
            found[card.id] = best
    left = [one for one in gone if one not in found.values()][:_MOST]
    for _, card in [one for one in fresh if one[1].id not in found][:_MOST]:
        best = max(left, key=lambda one: _similarity(one.text, card.question), default=None)
        if best and _similarity(best.text, card.question) >= _ALIKE:
            found[card.id] = best
            left.remove(best)
    return found


def _similarity(one: str, other: str) -> float:
    """How alike two questions are, from 0 to 1. With other numbers in it a question is another: `L1`, `L2`."""
    one, other = (" ".join(text[:KEPT_CHARACTERS].casefold().split()) for text in (one, other))
    if re.findall(r"\w*\d\w*", one) != re.findall(r"\w*\d\w*", other):
        return 0.0
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.ratio() if matcher.real_quick_ratio() >= _SIMILAR and matcher.quick_ratio() >= _SIMILAR else 0.0


def _read(path: Path, *, set_aside: bool = False) -> dict[str, list[Known]]:
    """The index; an empty one if there is none or it is damaged."""
    try:
        stored = json.loads(storage.read_file(path))
        return {
            str(name): [Known(str(id), str(made), int(place), str(text)) for id, made, place, text in rows]
            for name, rows in stored["files"].items()
        }
    except FileError:
        return {}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        if set_aside:
            with suppress(OSError):
                path.replace(path.with_name(f"{INDEX_FILE}.damaged"))
        return {}
