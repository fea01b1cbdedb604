"""Answers graded: what is right, what share of it, and what to say to the learner."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from regdemo.errors import ArgumentError
from regdemo.quiz.arithmetic import ArithmeticFault, evaluate
from regdemo.quiz.cards import LETTERS, Asked, Option, Value

_THOUSANDS = re.compile(r"(?<![\w.,])[0-9]{1,3}(?:,[0-9]{3})+(?![\w,])")

Rating = Literal["again", "hard", "good"]


class UnreadableAnswer(ArgumentError):
    """An answer that cannot be graded as it stands. The message says what is allowed; ask again."""


@dataclass(frozen=True)
class Grade:
    """share is the part that was right, from 0 to 1; correct means all of it. feedback is markdown, or empty.

    picked holds the places of the options that the answer named. rating is what the scheduler should hear: a card not
    answered in full was not recalled, so it is "again".
    """

    correct: bool
    share: float
    feedback: str = ""
    picked: frozenset[int] = frozenset()

    @property
    def rating(self) -> Rating:
        """ "good" if it was right, else "again"."""
        return "good" if self.correct else "again"


def grade(asked: Asked, response: str) -> Grade:
    """Grade the answer to a card that can be graded without the learner.

    choice: the option's letter, its number, or its text.  multi: letters (`ac`, `a, c`), numbers, or one text.
    numeric: arithmetic, see `evaluate`; `1,000` is a thousand, and `50%` is 0.5, or 50 where 50 is right.
    cloze: the blanks in order, with ; between them. Case and space do not count.  predict: space does not count.
    Raises UnreadableAnswer if the response is none of these, ArgumentError for a recall or a code card.
    """
    graders = {"choice": _choice, "multi": _multi, "numeric": _numeric, "cloze": _cloze, "predict": _predict}
    if asked.card.kind not in graders:
        raise ArgumentError(f"{asked.card.id} is a {asked.card.kind} card: it cannot be graded by its text")
    return graders[asked.card.kind](asked, response.strip())


def example(asked: Asked) -> str:
    """What an answer to this card may look like: one that is not right. Empty where its form needs no example.

    >>> from pathlib import Path
    >>> from regdemo.quiz.cards import Card, Numeric
    >>> card = Card("Q1", "numeric", "What is 3 / 8?", "0.375", Path("d.md"), 1, numeric=Numeric("3/8"))
    >>> example(Asked(card, {}, card.question, card.answer))
    '-2/7 or 1e-3'
    """
    candidates = {"multi": ("ab", "bc", "a", "b"), "numeric": ("3/8 or 1e-3", "-2/7 or 1e-3", "7/11 or 2.5e4")}
    for candidate in candidates.get(asked.card.kind, ()):
        with suppress(UnreadableAnswer):
            if not any(grade(asked, part).correct for part in candidate.split(" or ")):
                return candidate
    return ""


def grade_recall(ticked: int, total: int) -> Rating:
    """The rating that the share of key points said suggests: all of them good, half of them hard, fewer again.

    Raises ArgumentError unless 0 <= ticked <= total and total > 0.
    """
    if not 0 <= ticked <= total or total == 0:
        raise ArgumentError(f"{ticked} of {total} key points: choose from 0 to the number of key points, at least 1")
    if ticked == total:
        return "good"
    return "hard" if 2 * ticked >= total else "again"


def _choice(asked: Asked, response: str) -> Grade:
    picked = _pick(asked.options, response)
    if picked is None:
        raise UnreadableAnswer(f"{_quoted(response)} is no option: choose {_letters(asked)}, or type an option's text")
    option = asked.options[picked]
    return Grade(option.correct, float(option.correct), option.feedback, frozenset([picked]))


def _multi(asked: Asked, response: str) -> Grade:
    picked = _pick_several(asked.options, response)
    if not picked:
        raise UnreadableAnswer(
            f"{_quoted(response)} names no options: choose from {_letters(asked)}, for example {example(asked)}"
        )
    right = [option.correct == (index in picked) for index, option in enumerate(asked.options)]
    said = [(LETTERS[index], asked.options[index].feedback) for index in sorted(picked)]
    lines = [f"**{letter})** {feedback}" for letter, feedback in said if feedback]
    return Grade(all(right), sum(right) / len(right), "\n\n".join(lines), frozenset(picked))


def _pick(options: Sequence[Option], response: str) -> int | None:
    """The option that a response names: by its letter, its text or its number, in this order."""
    key = response.casefold().strip(" .()`*")
    if len(key) == 1 and key in LETTERS[: len(options)]:
        return LETTERS.index(key)
    for index, option in enumerate(options):
        if _folded(option.text) == _folded(response):
            return index
    if re.fullmatch("[0-9]{1,2}", key) and 1 <= int(key) <= len(options):
        return int(key) - 1
    return None


def _pick_several(options: Sequence[Option], response: str) -> set[int]:
    """The options that a response names; none of them if any part of it names none."""
    whole = _pick(options, response)
    if whole is not None:
        return {whole}
    picked: set[int] = set()
    for word in re.split(r"[\s,;+&]+|\band\b", response.casefold()):
        letters = set(word.strip("()."))
        if letters <= set(LETTERS[: len(options)]):
            picked |= {LETTERS.index(letter) for letter in letters}
        elif (number := _pick(options, word)) is not None:
            picked.add(number)
        else:
            return set()
    return picked


def _numeric(asked: Asked, response: str) -> Grade:
    assert asked.card.numeric
    answers = _numbers(response, asked.values)
    if not answers:
        raise UnreadableAnswer(
            f"{_quoted(response)} isn't a number: type a number or arithmetic, for example {example(asked)}"
        )
    low, high = asked.card.numeric.bounds(asked.values)
    slack = 1e-9 * max(abs(low), abs(high))  # 0.7 + 0.1 is a little less than 0.8
    if any(low - slack <= answer <= high + slack for answer in answers):
        return Grade(True, 1.0)
    near = 0.005  # of a wrong value: a learner rounds
    known = []
    for wrong in asked.wrong_answers:
        value = evaluate(wrong.answer, asked.values)
        distance = min(abs(answer - value) for answer in answers)
        if distance <= max((high - low) / 2, near * abs(value)):
            known.append((distance, wrong.why))
    return Grade(False, 0.0, min(known)[1] if known else "")


def _numbers(response: str, values: Mapping[str, Value]) -> list[float]:
    """What a response may stand for: its value, and for `50%` the 50 as well."""
    text = response.lstrip("=≈~ ")
    if not re.search(r"[A-Za-z]\w*\(", text):  # a comma in max(1,200) is no thousands separator
        text = _THOUSANDS.sub(lambda found: found[0].replace(",", ""), text)
    readings = [text, text.removesuffix("%")] if text.endswith("%") else [text]
    numbers = []
    for reading in readings:
        with suppress(ArithmeticFault):
            numbers.append(evaluate(reading, values))
    return numbers


def _cloze(asked: Asked, response: str) -> Grade:
    count = len(asked.blanks)
    answers = [response]
    if count > 1:
        answers = re.split("[;\n]" if ";" in response or "\n" in response else ",", response)
    if len(answers) != count or not all(map(str.strip, answers)):
        allowed = "type it" if count == 1 else f"type all {count} in order, with ; between them"
        raise UnreadableAnswer(f"{_quoted(response)} does not fill the blank{'s' * (count > 1)}: {allowed}")
    right = [_squeezed(answer) in map(_squeezed, blank) for answer, blank in zip(answers, asked.blanks, strict=True)]
    return Grade(all(right), sum(right) / count, "" if all(right) else _why(asked, response))


def _predict(asked: Asked, response: str) -> Grade:
    if not response:
        raise UnreadableAnswer("an empty answer: type what the program prints, a space for each new line")
    correct = response.split() == asked.output.split()
    return Grade(correct, float(correct), "" if correct else _why(asked, response))


def _why(asked: Asked, response: str) -> str:
    """Why a known wrong answer is wrong."""
    return next((wrong.why for wrong in asked.wrong_answers if _folded(wrong.answer) == _folded(response)), "")


def _folded(text: str) -> str:
    """The text without case, extra space and the marks of markdown."""
    return " ".join(re.sub("[`*_]", "", unicodedata.normalize("NFKC", text)).casefold().split())


def _squeezed(text: str) -> str:
    """The text folded, and without any space."""
    return _folded(text).replace(" ", "")


def _letters(asked: Asked) -> str:
    return f"a to {LETTERS[len(asked.options) - 1]}"


def _quoted(response: str) -> str:
    return repr(response if len(response) <= 40 else f"{response[:30]} ...")
