"""Code cards as katas: their names, their code by role, and the test that each mutant must fail."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from regdemo.errors import ArgumentError
from regdemo.quiz.cards import Card, Fault
from regdemo.quiz.decks import DeckError
from regdemo.quiz.selection import LEVELS


@dataclass(frozen=True)
class Mutant:
    """A misconception as code, the name of the test that it must fail, and its line in the deck."""

    name: str
    test: str
    source: str
    line: int


@dataclass(frozen=True)
class Kata:
    """One code card. name: of its file, `katas/NAME.py`. solutions: by style, the reference first."""

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

    @property
    def file(self) -> str:
        """The learner's file at the beginning: a docstring that holds the whole task, then the starter."""
        task = f"{self.card.id}: {self.card.question.strip()}\n\nTo judge it: regdemo kata check {self.name}\n"
        return f'{"r" if chr(92) in task else ""}"""{task.replace(chr(34) * 3, chr(39) * 3)}"""\n\n{self.starter}'

    def code_of(self, text: str) -> str:
        """What a file holds below the task."""
        return text.replace(self.file.removesuffix(self.starter), "", 1)

    def is_untouched(self, text: str) -> bool:
        """Whether a file is still the starter, with the task above it or without."""
        return text.replace("\r\n", "\n") in (self.file, self.starter)


def katas(cards: Iterable[Card]) -> dict[str, Kata]:
    """The katas among cards, by name. Raises DeckError if two have the same name."""
    found: dict[str, Kata] = {}
    faults: list[Fault] = []
    for card in cards:
        if card.kind != "code":
            continue
        kata = _kata(card)
        if kata.name in found:
            other = found[kata.name].card
            said = f"{card.id} has the same name as {other.id}, {kata.name}: write `python starter: another_name`"
            faults.append(Fault(card.file, card.line, said))
        found[kata.name] = kata
    if faults:
        raise DeckError(faults)
    return found


def find(all_katas: dict[str, Kata], word: str) -> Kata:
    """The kata with this name or id. Raises ArgumentError, with the nearest names."""
    name = module_name(word.removesuffix(".py"))
    for kata in all_katas.values():
        if name == kata.name or word.casefold() == kata.card.id.casefold():
            return kata
    near = get_close_matches(name, all_katas, cutoff=0.3) or list(all_katas)[:3] or ["none"]
    raise ArgumentError(f"there is no kata {word[:40]!r}: the nearest are {', '.join(near)}")


def module_name(name: str) -> str:
    """A text as the name of a Python module: lower case, digits and _."""
    return "_".join("".join(char if char.isalnum() else " " for char in name.casefold()).split())


def _kata(card: Card) -> Kata:
    blocks = {role: [block for block in card.code if block.role == role] for role in ("starter", "judge", "solution")}
    (starter,), (judge,), solutions = blocks["starter"], blocks["judge"], blocks["solution"]
    mutants = []
    for block in card.code:
        if block.role == "mutant":
            name, _, test = block.name.partition("->")
            mutants.append(Mutant(name.strip(), test.strip(), block.text, block.line))
    return Kata(
        card=card,
        name=module_name(starter.name) or module_name(card.id),
        starter=starter.text,
        judge=judge.text,
        solutions={block.name or f"style {number}": block.text for number, block in enumerate(solutions, 1)},
        mutants=tuple(mutants),
    )
