"""A card as its deck tells it, and the same card as it is asked: parameters drawn, options shuffled."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import NamedTuple

from regdemo.quiz import arithmetic
from regdemo.text import printable

Kind = str  # the name of one of `kinds.every_kind()`
Value = int | float | str

LETTERS = string.ascii_lowercase
"""An option is called by its letter: the first is a. A card has no more options than letters."""


class Option(NamedTuple):
    """One option of a choice or multi card. feedback is shown when it is picked."""

    text: str
    correct: bool
    feedback: str = ""


class Numeric(NamedTuple):
    """The values that a numeric card takes for right: those near an expression, or those in a range.

        |x - expression| <= tolerance * (|expression| if relative else 1),    or    low <= x <= high

    low and high are empty unless it is a range. Where a deck gives no tolerance it is a billionth of the value.
    """

    expression: str = ""
    tolerance: float = 1e-9
    relative: bool = True
    low: str = ""
    high: str = ""

    def bounds(self, values: Mapping[str, Value]) -> tuple[float, float]:
        """The smallest and the largest right value. Raises ArithmeticFault."""
        if not self.expression:
            return arithmetic.evaluate(self.low, values), arithmetic.evaluate(self.high, values)
        centre = arithmetic.evaluate(self.expression, values)
        margin = self.tolerance * (abs(centre) if self.relative else 1)
        return centre - margin, centre + margin

    def shown(self, values: Mapping[str, Value]) -> str:
        """The right value as markdown: `1/(1-p)` = 2 for p = 0.5, or 0.89 to 0.91. Raises ArithmeticFault."""
        if not self.expression:
            low, high = self.bounds(values)
            return f"{low:.6g} to {high:.6g}"
        value = f"{arithmetic.evaluate(self.expression, values):.6g}"
        if value == self.expression or self.expression in values:
            return value
        # The question shows a drawn value, not its name.
        used = [f"{name} = {drawn}" for name, drawn in values.items() if re.search(rf"\b{name}\b", self.expression)]
        return f"`{self.expression}` = {value}" + (f" for {', '.join(used)}" if used else "")


class WrongAnswer(NamedTuple):
    """A wrong answer that is known, and why it is wrong. On a numeric card the answer is an expression."""

    answer: str
    why: str


class CodeBlock(NamedTuple):
    """A block of Python that the quiz never runs. role: check, starter, judge, solution or mutant.

    name is what follows the colon (`python mutant: forgets to rescale`), line where its fence opens.
    """

    role: str
    name: str
    text: str
    line: int


@dataclass(frozen=True)
class Card:
    """One question. Texts are markdown as in the file, without control characters: all of it may be printed.

    answer is complete (the right options, value, blanks or output, then the explanation); explanation follows it.
    topic names the file (or its folder, for a README); tags are the folders below the bank, the topic, the card's own.
    """

    id: str
    kind: Kind
    question: str
    answer: str
    file: Path
    line: int
    explanation: str = ""
    topic: str = ""
    tags: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    fixed_order: bool = False  # of the options: they were lettered in the file, or one speaks of another
    numeric: Numeric | None = None
    blanks: tuple[tuple[str, ...], ...] = ()  # for each gap in the question, what is right in it, best first
    output: str = ""  # what a predict card's program prints
    key_points: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    wrong_answers: tuple[WrongAnswer, ...] = ()
    follow_ups: tuple[str, ...] = ()  # ids; one that the bank does not hold is to be ignored
    see_it: tuple[str, ...] = ()  # commands, written by a stranger
    sources: tuple[str, ...] = ()
    vary: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    code: tuple[CodeBlock, ...] = ()

    @property
    def askable(self) -> bool:
        """Whether a quiz asks it: a card of code is a kata, which its own command judges."""
        return self.kind != "code"

    @property
    def sample(self) -> dict[str, Value]:
        """The values that its parameters have where it is only looked at."""
        return self._draw(Random(0)) if self.vary else {}

    @property
    def first_line(self) -> str:
        """How a list names it: the first line of its question, with values for its parameters."""
        return fill_parameters(self.question.partition("\n")[0], self.sample)

    def _draw(self, rng: Random) -> dict[str, Value]:
        return {name: rng.choice(choices) for name, choices in self.vary.items()}

    def ask(self, rng: Random) -> Asked:
        """Draw a value for each parameter and an order for the options. The same rng state asks the same."""
        values = self._draw(rng)
        options = list(self.options)
        if not self.fixed_order:
            rng.shuffle(options)

        def fill(text: str) -> str:
            return fill_parameters(text, values)

        options = [Option(fill(option.text), option.correct, fill(option.feedback)) for option in options]
        lettered = zip(LETTERS, options, strict=False)
        right = [f"**{letter})** {option.text}" for letter, option in lettered if option.correct]
        if self.numeric:
            right = [self.numeric.shown(values)]
        explanation = fill(self.explanation)
        return Asked(
            card=self,
            values=values,
            question=fill(self.question),
            answer="\n\n".join([*right, explanation]).strip() if right else fill(self.answer),
            explanation=explanation,
            options=tuple(options),
            blanks=tuple(tuple(map(fill, blank)) for blank in self.blanks),
            output=fill(self.output),
            key_points=tuple(map(fill, self.key_points)),
            hints=tuple(map(fill, self.hints)),
            wrong_answers=tuple(WrongAnswer(fill(wrong.answer), fill(wrong.why)) for wrong in self.wrong_answers),
            see_it=tuple(map(fill, self.see_it)),
        )


class Asked(NamedTuple):
    """A card as it is asked: each `{p}` replaced by the value drawn for p, the options in the order shown."""

    card: Card
    values: Mapping[str, Value]
    question: str
    answer: str
    explanation: str = ""
    options: tuple[Option, ...] = ()
    blanks: tuple[tuple[str, ...], ...] = ()
    output: str = ""
    key_points: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    wrong_answers: tuple[WrongAnswer, ...] = ()
    see_it: tuple[str, ...] = ()


class Fault(NamedTuple):
    """What is wrong in a deck, and where: the fact, the offending value, what is allowed, the remedy."""

    file: Path
    line: int
    message: str
    column: int = 1

    def __str__(self) -> str:
        """`file:line: message`, on one line even if the file's name has line breaks."""
        return f"{printable(str(self.file))}:{self.line}: {self.message}"


class Reason(StrEnum):
    """Why something in a file is not asked. The values are what a line of `bank list` counts."""

    NO_ANSWER = "question without an answer"
    UNDECIDED = "question whose marks disagree"
    HEADING = "heading without a question"
    FOLD = "fold without a question"
    NO_CARD = "file without a card"
    TRANSLATION = "translation"
    EMPTY = "empty file"
    LINK = "symbolic link"


class Skipped(NamedTuple):
    """What was not read as a card: its place, why, and its own words."""

    file: Path
    line: int
    reason: Reason
    text: str


class Deck(NamedTuple):
    """What one file holds. A card with a fault is not among the cards; broken has its place and id.

    made_ids: the file has none of its own; a question asked twice has the same one.
    numbered: its ids only count, Q1, Q2, Q3, as those of another file may.
    own: it is written in this project's format, with parts that have names.
    headings: of a file without cards, what it seems to be about.
    """

    cards: tuple[Card, ...] = ()
    faults: tuple[Fault, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    made_ids: bool = False
    numbered: bool = False
    broken: tuple[tuple[Path, int, str], ...] = ()
    own: bool = False
    headings: tuple[str, ...] = ()


def draws(vary: Mapping[str, tuple[Value, ...]], most: int) -> Iterator[dict[str, Value]]:
    """Every combination of the parameters' values, or `most` of them, evenly spread. One empty one without parameters.

    >>> list(draws({"p": (0.1, 0.5), "n": (1, 2)}, most=2))
    [{'p': 0.1, 'n': 1}, {'p': 0.5, 'n': 1}]
    """
    total = math.prod(map(len, vary.values()))
    for number in range(min(total, most)):
        rest = number * total // min(total, most)
        values: dict[str, Value] = {}
        for name in reversed(list(vary)):
            rest, index = divmod(rest, len(vary[name]))
            values[name] = vary[name][index]
        yield {name: values[name] for name in vary}


def at(values: Mapping[str, Value]) -> str:
    """Where in a message to say for which draw."""
    return f" at {', '.join(f'{name} = {value}' for name, value in values.items())}" if values else ""


def fill_parameters(text: str, values: Mapping[str, Value]) -> str:
    r"""Replace each `{name}` by its value. LaTeX is left alone: `\frac{p}{2}`, `x_{p}` and `{{p}}` stay as they are.

    >>> fill_parameters(r"p = {p}, so \frac{p}{2} and {q}", {"p": 0.1})
    'p = 0.1, so \\frac{p}{2} and {q}'
    """
    if not values:
        return text
    names = "|".join(map(re.escape, values))
    return re.sub(rf"(?<![\w\\^}}{{])\{{({names})\}}", lambda found: str(values[found[1]]), text)
