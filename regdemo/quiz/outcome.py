"""What an answer came to, as plain values: the verdict, the reasons, and where to go from here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from regdemo.errors import ArgumentError
from regdemo.quiz.cards import LETTERS, Asked
from regdemo.quiz.kinds.base import Grade
from regdemo.quiz.schedule import Rating


class AnswerVerdict(Enum):
    """How an answer was judged. UNGRADED: a recall answer that the learner has not graded yet."""

    RIGHT = "Right"
    PARTLY = "Partly right"
    WRONG = "Wrong"
    SKIPPED = "Skipped"
    UNGRADED = "Not graded yet"


class Pick(Enum):
    """What the learner did with an option. LEFT_OUT: not picked, and rightly so."""

    RIGHT = "right"
    WRONG = "wrong"
    MISSED = "missed"
    LEFT_OUT = "left out"


class OptionResult(NamedTuple):
    """One option after the answer, with the reason why it is right or wrong."""

    letter: str
    text: str
    pick: Pick
    why: str


class KeyPoint(NamedTuple):
    """A point that a good recall answer makes; made is None until the learner has ticked."""

    letter: str
    text: str
    made: bool | None = None


class GradeChoice(NamedTuple):
    """A rating that the learner may give, and when the card would come again."""

    rating: Rating
    due: datetime


@dataclass(frozen=True)
class Outcome:
    """All that a face may show after an answer. Texts are markdown from a deck: show them, never run them.

    share: the fraction that was right, 0 to 1.  parts: how many of the right options, or gaps, were found.
    rating: as saved; None where nothing was saved.  why: what is said of a known wrong answer.  answer: the whole
    answer; explanation: the part of it that makes sense without the options.  follow_ups: ids of cards of the bank.
    due: when the card comes next; again: it also comes once more in this session.  grades: the ratings that the learner
    may choose (instead), each with its due date.
    """

    verdict: AnswerVerdict
    share: float
    response: str
    answer: str
    explanation: str
    why: str = ""
    parts: tuple[int, int] = (0, 0)
    options: tuple[OptionResult, ...] = ()
    key_points: tuple[KeyPoint, ...] = ()
    sources: tuple[str, ...] = ()
    see_it: tuple[str, ...] = ()
    follow_ups: tuple[str, ...] = ()
    grades: tuple[GradeChoice, ...] = ()
    rating: Rating | None = None
    due: datetime | None = None
    again: bool = False

    @property
    def verdict_text(self) -> str:
        """The verdict in words, with how many right options or gaps were found where only a part is right."""
        found, parts = self.parts
        if self.verdict is not AnswerVerdict.PARTLY or parts < 2:
            return self.verdict.value
        return f"{self.verdict.value}: {found} of {parts} {'right options' if self.options else 'gaps'}"

    @property
    def reasons(self) -> tuple[OptionResult, ...]:
        """The options to explain: each wrong pick, each missed one, and of a single choice the right one."""
        right = [option for option in self.options if option.pick in (Pick.RIGHT, Pick.MISSED)]
        if self.verdict is AnswerVerdict.RIGHT or len(right) == 1:
            return tuple(option for option in self.options if option.pick is not Pick.LEFT_OUT)
        return tuple(option for option in self.options if option.pick in (Pick.WRONG, Pick.MISSED))

    @property
    def other_reasons(self) -> tuple[OptionResult, ...]:
        """The options that `reasons` leaves out."""
        return tuple(option for option in self.options if option not in self.reasons)

    @property
    def missed_points(self) -> tuple[str, ...]:
        """The key points to make next time; all of them where the answer failed and none was ticked."""
        if self.verdict is AnswerVerdict.RIGHT and all(point.made is None for point in self.key_points):
            return ()
        return tuple(point.text for point in self.key_points if not point.made)


def outcome_of(
    asked: Asked, response: str, verdict: AnswerVerdict, share: float, grade: Grade | None = None, **more: Any
) -> Outcome:
    """An outcome with all that the card says; more: the fields that the session knows."""
    picked = grade.picked if grade else frozenset()
    right = {place for place, option in enumerate(asked.options) if option.correct}
    gaps = len(asked.blanks)
    return Outcome(
        verdict=verdict,
        share=share,
        response=response,
        answer=asked.answer,
        explanation=asked.explanation,
        why=grade.feedback if grade and not asked.options else "",
        parts=(len(right & picked), len(right)) if right else (round(share * gaps) if grade else 0, gaps),
        options=tuple(_results(asked, picked)),
        sources=asked.card.sources,
        see_it=asked.see_it,
        **more,
    )


def _results(asked: Asked, picked: Collection[int]) -> Iterable[OptionResult]:
    picks = {(True, True): Pick.RIGHT, (True, False): Pick.MISSED, (False, True): Pick.WRONG}
    for place, (letter, option) in enumerate(zip(LETTERS, asked.options, strict=False)):
        yield OptionResult(
            letter, option.text, picks.get((option.correct, place in picked), Pick.LEFT_OUT), option.feedback
        )


def key_points(asked: Asked, made: Collection[int] | None) -> tuple[KeyPoint, ...]:
    """The key points of a card, each with whether it was made; made: their places, None while nothing was ticked."""
    pairs = zip(LETTERS, asked.key_points, strict=False)
    return tuple(
        KeyPoint(letter, text, None if made is None else place in made) for place, (letter, text) in enumerate(pairs)
    )


def grade_recall(ticked: int, total: int) -> Rating:
    """The rating that the fraction of key points said suggests: all of them good, half of them hard, fewer again.

    Raises ArgumentError unless 0 <= ticked <= total and total > 0.
    """
    if not 0 <= ticked <= total or total == 0:
        raise ArgumentError(f"{ticked} of {total} key points: choose from 0 to the number of key points, at least 1")
    if ticked == total:
        return Rating.GOOD
    return Rating.HARD if 2 * ticked >= total else Rating.AGAIN


def as_plain(value: Any) -> Any:
    """A value as JSON takes it: dataclasses and named tuples as dicts, enums by name, times in ISO format.

    >>> as_plain(OptionResult("a", "1/2", Pick.MISSED, "p is 0.5"))
    {'letter': 'a', 'text': '1/2', 'pick': 'missed', 'why': 'p is 0.5'}
    """
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, date):  # or a datetime
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_plain(getattr(value, field.name)) for field in fields(value)}
    if hasattr(value, "_asdict"):
        return {name: as_plain(part) for name, part in value._asdict().items()}
    if isinstance(value, Mapping):
        return {str(key): as_plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_plain(part) for part in value]
    return value
