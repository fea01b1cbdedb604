"""Decks on disk: a file, or a folder with every markdown file below it, loaded whole or refused with every fault."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

from regdemo.errors import ArgumentError, FileError
from regdemo.quiz.cache import Cache
from regdemo.quiz.cards import Card, Deck, Fault, Reason, Skipped
from regdemo.quiz.files import DeckFile, parse_file, uncollected
from regdemo.quiz.styles import finder
from regdemo.quiz.text import slug
from regdemo.quiz.translations import translations
from regdemo.text import printable

_ENDINGS = (".md", ".markdown", ".qmd", ".mdx")
_NO_DECKS = ("readme", "contributing", "license", "code_of_conduct", "changelog", "security")  # names of other texts
_MOST_SEEN = 8  # headings that a message quotes
_EXAMPLE = "a card begins at a heading with an id and a colon, `## Q1: What is dropout?`"


class DeckError(FileError):
    """A deck that cannot be used. The message has one line for each fault: `file:line: message`."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, faults)))


@dataclass(frozen=True)
class Bank:
    """The cards of every file, those with the lowest ids first, and what was left out.

    made_ids: the files without ids of their own, read in the style they have.
    remarks: ids that are duplicated in foreign files, each with the id that its card has here.
    """

    cards: tuple[Card, ...]
    skipped: tuple[Skipped, ...] = ()
    made_ids: frozenset[Path] = frozenset()
    remarks: tuple[Fault, ...] = ()
    _by_id: dict[str, Card] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the cards."""
        self._by_id.update((card.id, card) for card in self.cards)

    def find(self, id: str) -> Card:
        """The card with this id, capital letters or not. Raises ArgumentError, with the ids nearest to it."""
        if id in self._by_id:
            return self._by_id[id]
        alike = [card for card in self.cards if card.id.casefold() == id.casefold()]
        if len(alike) == 1:
            return alike[0]
        near = get_close_matches(id, self._by_id, cutoff=0) or ["none"]
        raise ArgumentError(f"there is no card {printable(id)[:40]!r}: the nearest are {', '.join(near)}")

    def known(self, ids: Iterable[str]) -> list[Card]:
        """The cards with these ids, of those that the bank holds."""
        return [self._by_id[id] for id in ids if id in self._by_id]


def bundled() -> Path:
    """The folder of the questions that come with the package: inside it when installed, next to it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "interview_questions"
    return inside if inside.is_dir() else package.with_name("interview_questions")


def load(path: Path, cache: Path | None = None) -> Bank:
    """Read a deck, or every deck below a folder. Nothing in it is run, and no symbolic link below it is followed.

    cache: a folder in which to keep what was read, so that unchanged files load at once the next time.
    Raises DeckError, which lists every fault found: a file that is missing, empty, over 10 MB or not UTF-8 text,
    a broken card, an id used twice in files of this project's format, no card at all. In a folder an empty file is
    skipped.
    """
    with uncollected():
        bank, faults = read(path, cache)
    if faults:
        raise DeckError(faults)
    return bank


def read(path: Path, cache: Path | None = None) -> tuple[Bank, list[Fault]]:
    """As `load`, but the faults are returned with the sound cards."""
    faults: list[Fault] = []
    skipped: list[Skipped] = []
    files = list(_files(path, faults, skipped))
    found = Cache(cache, path).read(files) if cache else map(parse_file, files)
    decks = sorted(zip((file.path for file in files), found, strict=True), key=_order)
    cards, remarks = _distinct([deck for _, deck in decks])
    places = [(card.file, card.line, card.id) for _, deck in decks if deck.own for card in deck.cards]
    for file, deck in decks:
        faults += deck.faults
        places += deck.broken if deck.own else ()
        skipped += _left_out(file, deck, has_cards=bool(cards))
    faults += _repeated_ids(places)
    if not cards and not faults:
        faults.append(Fault(path, 1, _nothing_found(path, [deck for _, deck in decks])))
    made = frozenset(card.file for _, deck in decks if deck.made_ids for card in deck.cards)
    return Bank(tuple(cards), tuple(sorted(skipped)), made, tuple(remarks)), sorted(faults)


def _left_out(file: Path, deck: Deck, *, has_cards: bool) -> list[Skipped]:
    """What of a file is not asked. Of a file without a card the headings are not listed one by one."""
    found = [one for one in deck.skipped if deck.cards or one.reason is not Reason.HEADING]
    empty = any(one.reason is Reason.EMPTY for one in found)
    if deck.cards or deck.faults or empty or (has_cards and file.stem.lower() in _NO_DECKS):
        return found
    return [*found, Skipped(file, 1, Reason.NO_CARD, deck.headings[0] if deck.headings else "")]


def _nothing_found(path: Path, decks: Sequence[Deck]) -> str:
    """What to say where no card is: the styles that are known, and the headings that were seen."""
    if not path.is_dir() and any(one.reason is Reason.EMPTY for deck in decks for one in deck.skipped):
        return f"the file is empty: {_EXAMPLE}"
    place = "below this folder" if path.is_dir() else "here"
    styles = ", ".join(style.name for style in finder.STYLES)
    seen = [printable(heading) for deck in decks for heading in deck.headings]
    headings = "; ".join(f"{heading[:40]!r}" for heading in seen[:_MOST_SEEN]) or "none"
    more = f" and {len(seen) - _MOST_SEEN:,} more" if len(seen) > _MOST_SEEN else ""
    return f"there is no card {place}: {_EXAMPLE}. Other styles: {styles}. Headings seen: {headings}{more}"


def _order(read: tuple[Path, Deck]) -> tuple[bool, list[str | int]]:
    """Decks come in the order of their first ids, Q2 before Q10; those without ids of their own after them."""
    deck = read[1]
    if deck.made_ids or not deck.cards:
        return True, []
    return False, [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", deck.cards[0].id)]


def _distinct(decks: Sequence[Deck]) -> tuple[list[Card], list[Fault]]:
    """The cards of all decks, with ids that differ where it is no fault that they are equal, and what to say of them.

    A made id that was there before is numbered, and so is an id in a foreign file. Ids by which two files
    only number their questions get the file's name.
    """
    owners: dict[str, set[int]] = {}
    for number, deck in enumerate(decks):
        for card in deck.cards:
            owners.setdefault(card.id, set()).add(number)
    shared = [numbers for numbers in owners.values() if len(numbers) > 1]
    alike = {number for numbers in shared if all(decks[one].numbered for one in numbers) for number in numbers}
    cards: list[Card] = []
    remarks: list[Fault] = []
    taken: dict[str, tuple[Card, bool]] = {}
    times: Counter[str] = Counter()
    for number, deck in enumerate(decks):
        for card in deck.cards:
            name = wanted = f"{slug(card.topic)}.{card.id}" if number in alike else card.id
            first, is_own = taken.get(wanted, (card, True))
            if not (is_own and deck.own):
                while name in taken:
                    times[wanted] += 1
                    name = f"{wanted}-{times[wanted] + 1}"
            if name != wanted and not deck.made_ids:
                place = f"{printable(str(first.file))}:{first.line}"
                said = f"{wanted} is the id of the card at {place} too: this one is asked as {name}, give it its own"
                remarks.append(Fault(card.file, card.line, said))
            card = card if name == card.id else replace(card, id=name)
            taken.setdefault(name, (card, deck.own))
            cards.append(card)
    return cards, remarks


def _files(path: Path, faults: list[Fault], skipped: list[Skipped]) -> Iterator[DeckFile]:
    """The files to read, each with its tags: the folders it lies in, and its own name."""
    if not path.is_dir():
        yield DeckFile(path, (_topic(path),))
        return
    files = sorted(_walk(path, faults))
    originals = translations(files, path)
    for file in files:
        if file.is_symlink():
            skipped.append(Skipped(file, 1, Reason.LINK, ""))
        elif file in originals:
            original = originals[file]
            skipped.append(Skipped(file, 1, Reason.TRANSLATION, f"of {printable(original.name)}" if original else ""))
        else:
            folders = map(printable, file.parts[len(path.parts) : -1])
            yield DeckFile(file, tuple(dict.fromkeys([*folders, _topic(file)])))


def _walk(path: Path, faults: list[Fault]) -> Iterator[Path]:
    """Every markdown file below a folder. Hidden folders are not entered, nor are symbolic links to folders."""

    def unreadable(error: OSError) -> None:
        faults.append(
            Fault(Path(error.filename), 1, f"the folder cannot be listed, {error.strerror}: make it readable")
        )

    for folder, folders, names in os.walk(path, onerror=unreadable):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "node_modules"]
        for name in names:
            if name.lower().endswith(_ENDINGS) and not name.startswith("."):
                yield Path(folder, name)


def _topic(file: Path) -> str:
    """The name of the file, or of its folder for a README."""
    if file.stem.lower() != "readme":
        return printable(file.stem)
    return printable(file.parent.name or file.resolve().parent.name)


def _repeated_ids(places: list[tuple[Path, int, str]]) -> Iterator[Fault]:
    """A fault for each card, by its place and id, whose id a card before it has."""
    first: dict[str, tuple[Path, int]] = {}
    times = Counter(id for _, _, id in places)
    for file, line, id in sorted(place for place in places if times[place[2]] > 1):
        earlier = first.setdefault(id, (file, line))
        if earlier != (file, line):
            place = f"{printable(str(earlier[0]))}:{earlier[1]}"
            yield Fault(file, line, f"{id} is the id of the card at {place} too: give each its own")
