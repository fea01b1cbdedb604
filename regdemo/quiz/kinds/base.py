"""What every kind of card can do, and what several of them have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from regdemo.errors import ArgumentError
from regdemo.quiz.cards import Asked, Card, Value, WrongAnswer

if TYPE_CHECKING:
    from regdemo.quiz.blocks import MarkdownBlock
    from regdemo.quiz.parts import Parts

Severity = Literal["error", "warning"]


class UnreadableAnswer(ArgumentError):
    """An answer that cannot be graded as it is. The message says what is allowed; ask again."""


class Grade(NamedTuple):
    """share is the fraction that was right, from 0 to 1; correct means all of it. feedback is markdown, or empty.

    picked holds the places of the options that the answer named.
    """

    correct: bool
    share: float
    feedback: str = ""
    picked: frozenset[int] = frozenset()


class Flaw(NamedTuple):
    """What `bank lint` says about a card, at the line that begins with these words, or at this line, or its heading."""

    message: str
    words: str = ""
    level: Severity = "warning"
    line: int = 0


class CardKind:
    """One kind of card.

    name: as in `--kind`.  precedence: kinds with a lower one are tried first.  skeleton: a card of this kind that
    could be asked as it is, with {id} for its id.  examples: of answers; the first that is not right is shown.
    needs_hints, needs_sources: whether `bank lint` misses them.  prompt: what precedes the answer.  allowed: what
    may be answered, for a help text.  self_graded: the learner grades it.
    """

    name: ClassVar[str]
    precedence: ClassVar[int]
    skeleton: ClassVar[str]
    examples: ClassVar[tuple[str, ...]] = ()
    needs_hints: ClassVar[bool] = False
    needs_sources: ClassVar[bool] = False
    prompt: ClassVar[str] = "answer"
    allowed: ClassVar[str]
    self_graded: ClassVar[bool] = False

    def split_body(self, parts: Parts, body: Sequence[MarkdownBlock]) -> int | None:
        """How many blocks of a body without a part Answer belong to the question, if this kind can tell."""
        return None

    def detects(self, parts: Parts) -> bool:
        """Whether the section is a card of this kind, provided it is of no kind tried before."""
        raise NotImplementedError

    def build(self, parts: Parts) -> dict[str, Any]:
        """The card's fields that depend on its kind. What is wrong with the section is noted in `parts`."""
        raise NotImplementedError

    def given(self, card: Card) -> str:
        """The code that the question speaks of and that is not part of its text, or nothing."""
        return ""

    def grade(self, asked: Asked, response: str) -> Grade:
        """Grade an answer. Raises UnreadableAnswer if it cannot be read, ArgumentError if text cannot be graded."""
        raise ArgumentError(f"{asked.card.id} is a {self.name} card: it cannot be graded by its text")

    def example(self, asked: Asked) -> str:
        """What an answer to this card may look like: one that is not right. Empty where its form needs no example."""
        for candidate in self.examples:
            with suppress(UnreadableAnswer):
                if not any(self.grade(asked, part).correct for part in candidate.split(" or ")):
                    return candidate
        return ""

    def lint(self, card: Card, drawn: Sequence[Mapping[str, Value]]) -> Iterator[Flaw]:
        """What makes a card of this kind weak or wrong. drawn: combinations of the values of its parameters."""
        yield from ()


def texts(kind: str, parts: Parts, question: Sequence[MarkdownBlock], answer: str, explanation: str) -> dict[str, Any]:
    """The fields that every kind has."""
    asked = "\n\n".join(filter(None, [parts.section.question, parts.page.source(question)]))
    return {"kind": kind, "question": asked, "answer": answer, "explanation": explanation}


def wrong_answers(parts: Parts, check: Callable[[int, str], str] | None = None) -> tuple[WrongAnswer, ...]:
    """The items `answer: why` of the part Wrong answers. check: turns an answer into the form that is graded."""
    found: list[WrongAnswer] = []
    for line, point in parts.page.points(parts.parts["wrong answers"]):
        answer, _, why = point.partition(":")
        answer = check(line, answer) if check else answer
        found.append(WrongAnswer(answer.strip(), why.strip()))
    return tuple(found)


def reason_for(asked: Asked, response: str, same: Callable[[str, str], bool]) -> str:
    """Why a known wrong answer is wrong, or nothing. same: whether two texts are one answer to a card of this kind."""
    return next((wrong.why for wrong in asked.wrong_answers if same(response, wrong.answer)), "")
