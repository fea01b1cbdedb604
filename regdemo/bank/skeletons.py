"""A new card: its skeleton by kind, the next free id, and how it is added to a deck."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from regdemo import storage
from regdemo.errors import ArgumentError, FileError
from regdemo.quiz.decks import DeckError, read
from regdemo.quiz.kinds import find_kind
from regdemo.quiz.parser import parse
from regdemo.text import printable

_TAIL = """
### Hints
- What leads to the answer without saying it?

### Sources
- Who says so, year, https://example.org
"""


def skeleton(kind: str, id: str) -> str:
    """A card of a kind that could be asked as it is. Raises ArgumentError for an unknown kind or a bad id."""
    head = find_kind(kind).skeleton
    if not re.fullmatch(r"[A-Za-z][\w.-]*[0-9][\w.-]*", id, re.ASCII):
        raise ArgumentError(f"{id!r} isn't an id: begin with a letter, and have a number in it, as in Q18.2")
    return head.replace("{id}", id) + _TAIL


def next_id(deck: Path | None) -> str:
    """The id after the last one of a deck that no card in its folder has. Q1 for a deck without ids."""
    if deck is None:
        return "Q1"
    taken: set[str] = set()
    last = "Q0"
    if deck.parent.is_dir():
        bank, _ = read(deck.parent)
        taken = {card.id for card in bank.cards}
    with suppress(OSError, UnicodeDecodeError):
        own = parse(deck.read_text("utf-8-sig"), deck)
        if own.cards and not own.made_ids:
            last = own.cards[-1].id
    head, number, tail = re.fullmatch(r"(.*?)([0-9]+)([^0-9]*)", last).groups()  # type: ignore[union-attr]
    count = int(number) + 1
    while f"{head}{count}{tail}" in taken:
        count += 1
    return f"{head}{count}{tail}"


def append(deck: Path, card: str) -> int:
    """Add a card to a deck, which is replaced as a whole once the new one is on the disk. Returns the card's line.

    Raises DeckError if the text is not one sound card or its id is taken, FileError if the deck cannot be written.
    """
    found = parse(card, deck)
    if found.faults:
        raise DeckError(list(found.faults))
    if len(found.cards) != 1 or found.made_ids:
        raise FileError(f"there are {len(found.cards)} cards in it: write one, which begins at a heading `## Q1: ...`")
    bank, _ = read(deck.parent)
    if taken := next((one for one in bank.cards if one.id == found.cards[0].id), None):
        raise FileError(f"{taken.id} is the id of the card at {printable(str(taken.file))}:{taken.line}: take another")
    try:
        old = deck.read_text("utf-8") if deck.exists() else f"# {deck.stem}\n"
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise FileError(f"{printable(str(deck))} cannot be read ({reason}): the card is not added") from None
    storage.write_file(deck, f"{old.rstrip()}\n\n{card.strip()}\n", remedy="the card is not added")
    return old.rstrip().count("\n") + 2 + found.cards[0].line
