"""Code cards as katas: their names, their code by role, and the test on which each mutant is to die."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from regdemo.errors import ArgumentError
from regdemo.quiz.cards import Card, Fault
from regdemo.quiz.decks import DeckError

LEVELS = ("screen", "onsite", "deep dive", "staff")


@dataclass(frozen=True)
class Mutant:
    """A misconception as code, and the name of the test that it must fail."""

    name: str
    test: str
    source: str


@dataclass(frozen=True)
class Kata:
    """One code card. name: that of its file, `katas/NAME.py`. solutions: by style, the first is the reference."""

    card: Card
    name: str
    starter: str
    judge: str
    solutions: dict[str, str]
    mutants: tuple[Mutant, ...]

    @property
    def level(self) -> str:
        """The level at which it is asked, by its tags."""
        return next((level for level in LEVELS if level in self.card.tags), "")

    @property
    def solution(self) -> str:
        """The reference."""
        return next(iter(self.solutions.values()))


def katas(cards: Iterable[Card]) -> dict[str, Kata]:
    """The katas among cards, by name. Raises DeckError for a name that two have."""
    found: dict[str, Kata] = {}
    faults: list[Fault] = []
    for card in cards:
        if card.kind != "code":
            continue
        kata = _kata(card)
        if kata.name in found:
            other = found[kata.name].card
            said = f"{card.id} has the name {kata.name} of {other.id} too: write `python starter: another_name`"
            faults.append(Fault(card.file, card.line, said))
        found[kata.name] = kata
    if faults:
        raise DeckError(faults)
    return found


def find(all_katas: dict[str, Kata], word: str) -> Kata:
    """The kata with this name or id. Raises ArgumentError, with the nearest names."""
    name = plain(word.removesuffix(".py"))
    for kata in all_katas.values():
        if name == kata.name or word.casefold() == kata.card.id.casefold():
            return kata
    near = get_close_matches(name, all_katas, cutoff=0.3) or list(all_katas)[:3] or ["none"]
    raise ArgumentError(f"there is no kata {word[:40]!r}: the nearest are {', '.join(near)}")


def plain(name: str) -> str:
    """A name as a Python module has it: lower case, digits and _."""
    return "_".join("".join(char if char.isalnum() else " " for char in name.casefold()).split())


def _kata(card: Card) -> Kata:
    blocks = {role: [block for block in card.code if block.role == role] for role in ("starter", "judge", "solution")}
    (starter,), (judge,), solutions = blocks["starter"], blocks["judge"], blocks["solution"]
    mutants = []
    for block in card.code:
        if block.role == "mutant":
            name, _, test = block.name.partition("->")
            mutants.append(Mutant(name.strip(), test.strip(), block.text))
    return Kata(
        card=card,
        name=plain(starter.name) or plain(card.id),
        starter=starter.text,
        judge=judge.text,
        solutions={block.name or f"style {number}": block.text for number, block in enumerate(solutions, 1)},
        mutants=tuple(mutants),
    )
