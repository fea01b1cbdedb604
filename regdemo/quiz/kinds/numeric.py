"""Numeric: an `Answer` that begins with `=`, graded by value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any

from regdemo.quiz.arithmetic import LONGEST_EXPRESSION, ArithmeticFault, evaluate
from regdemo.quiz.blocks import MarkdownBlock
from regdemo.quiz.cards import Asked, Card, Numeric, Value, at, draws
from regdemo.quiz.kinds.base import CardKind, Flaw, Grade, UnreadableAnswer, texts, wrong_answers
from regdemo.quiz.parts import Parts
from regdemo.text import quoted

_MOST_DRAWS = 256  # of the parameters, on which an expression is tried when its card is loaded
_NUMERIC = re.compile(r"\s*=(?![=>])")
_TOLERANCE = re.compile(r"±|\+/?-|= *\[")
_PERCENT = re.compile(r"percent|per cent|(?<![0-9])(?<![0-9] )%")
_DECIMAL_COMMA = re.compile(r"[-+]?[0-9]+,[0-9]+")
_UNIT = re.compile(r"(.*[0-9)])\s*([A-Za-z]+(?: [A-Za-z]+)*)")
_TIMES = re.compile(r"(?<=[0-9]) ?x ?(?=10\b)")
_PERCENT_WORD = re.compile(r"\s*per ?cent$")
_THOUSANDS = re.compile(r"(?<![\w.,])[0-9]{1,3}(?:,[0-9]{3})+(?![\w,])")


class NumericKind(CardKind):
    """The answer is a number."""

    name = "numeric"
    precedence = 40
    prompt = "number"
    allowed = "A number, a percentage, or arithmetic with + - * / ** sqrt exp log and brackets."
    examples = ("3/8 or 1e-3", "-2/7 or 1e-3", "7/11 or 2.5e4", "12.5e6 or -1/9")
    needs_hints = True
    needs_sources = True
    skeleton = """\
## {id}: What is twice {p}?

```toml vary
p = [0.1, 0.2, 0.5]
```

### Answer
= 2*p ± 1%

Why it is so.

### Wrong answers
- = p/2: that is half of it.

```python check
assert answer == pytest.approx(p + p)
```
"""

    def split_body(self, parts: Parts, body: Sequence[MarkdownBlock]) -> int | None:
        """The answer begins with `=`."""
        found = (index for index, block in enumerate(body) if is_numeric(parts, block, in_prose=index > 0))
        return next(found, None)

    def detects(self, parts: Parts) -> bool:
        """Whether the answer begins with `=`."""
        return bool(parts.answer) and is_numeric(parts, parts.answer[0])

    def build(self, parts: Parts) -> dict[str, Any]:
        """The right value with its tolerance, and known wrong values."""
        text = parts.page.source(parts.answer)
        first, _, explanation = text.partition("\n")
        numeric = _right_values(parts, parts.answer[0], first.strip()[1:])

        def checked(line: int, answer: str) -> str:
            answer = _expression(answer.strip().removeprefix("="))
            for values in _draws(parts):
                try:
                    evaluate(answer, values)
                except ArithmeticFault as fault:
                    parts.fault(line, f"has a wrong answer without a value{at(values)}: {fault}")
                    break
            return answer

        return {
            **texts(self.name, parts, parts.question, text, explanation.strip()),
            "numeric": numeric,
            "wrong_answers": wrong_answers(parts, checked),
        }

    def grade(self, asked: Asked, response: str) -> Grade:
        """By value: arithmetic, see `evaluate`; `1,000` is a thousand. `50%` is 0.5; it is 50 too where the question
        asks for a percentage, or where more than 1 is right."""
        assert asked.card.numeric
        low, high = _bounds(asked)
        text = _plain(response, asked.question)
        answers = _numbers(text, asked.values, percentage=high > 1 or bool(_PERCENT.search(asked.question)))
        if not answers:
            raise UnreadableAnswer(
                f"{quoted(response)} isn't a number: type a number or arithmetic, for example {self.example(asked)}"
            )
        if any(low <= answer <= high for answer in answers):
            return Grade(True, 1.0)
        if _is_rounded(text, low, high):
            raise UnreadableAnswer(f"{quoted(response)} has too few digits: type three or more, or arithmetic")
        near = 0.005  # of a wrong value: a learner rounds
        known = []
        for wrong in asked.wrong_answers:
            least, most = asked.card.numeric._replace(expression=wrong.answer).bounds(asked.values)
            value = (least + most) / 2
            distance = min(abs(answer - value) for answer in answers)
            if distance <= max((most - least) / 2, near * abs(value)):
                known.append((distance, wrong.why))
        same = min(known)[0] * (1 + 1e-9) + 1e-12 if known else 0.0  # at some values two slips give one number
        return Grade(False, 0.0, " Or: ".join(dict.fromkeys(why for distance, why in known if distance <= same)))

    def lint(self, card: Card, drawn: Sequence[Mapping[str, Value]]) -> Iterator[Flaw]:
        """Some wrong answers are known, they say why, none of them is right; a check computes the answer again."""
        if not card.wrong_answers:
            yield Flaw("knows no wrong answer: list under Wrong answers what is often computed, `= 1/p: why`")
        for wrong in card.wrong_answers:
            if not wrong.why:
                message = f"does not say why {quoted(wrong.answer)} is wrong: write it after a colon"
                yield Flaw(message, wrong.answer)
            for values in drawn:
                try:
                    low, high = card.numeric.bounds(values) if card.numeric else (1, 0)
                    right = low <= evaluate(wrong.answer, values) <= high
                except ArithmeticFault:
                    continue  # said by the parser, where it tried these values
                if right:
                    message = f"calls {quoted(wrong.answer)} wrong, and it is right{at(values)}: vary less"
                    yield Flaw(message, wrong.answer, "error")
                    break
        if not any(block.role == "check" for block in card.code):
            yield Flaw("has no check: add a block `python check` that computes the answer in another way")


KIND = NumericKind()


def is_numeric(parts: Parts, block: MarkdownBlock, in_prose: bool = False) -> bool:
    """Whether a block begins with a numeric answer. Prose may go on with `=` too: there it needs a tolerance."""
    line = parts.page.lines[block.start]
    begins = block.kind == "paragraph" and _NUMERIC.match(line)
    return bool(begins and (not in_prose or _TOLERANCE.search(line)))


def _right_values(parts: Parts, place: MarkdownBlock, text: str) -> Numeric:
    """The value and tolerance, or the range, after the `=` of a numeric answer."""
    text = _expression(text)
    if text.startswith("["):
        low, _, high = text.strip("[]").partition(",")
        numeric = Numeric(low=low.strip(), high=high.strip())
    else:
        sign = next((sign for sign in ("±", "+/-", "+-") if sign in text), "")
        value, _, margin = text.rpartition(sign) if sign else (text, "", "")
        numeric = Numeric(value.strip())
        if sign:
            numeric = numeric._replace(tolerance=_tolerance(parts, place, margin.strip()), relative="%" in margin)
    for values in _draws(parts):
        try:
            lowest, highest = numeric.bounds(values)
        except ArithmeticFault as fault:
            parts.fault(place, f"has a numeric answer without a value{at(values)}: {fault}")
            break
        if lowest > highest:
            parts.fault(place, f"has the range {lowest:g} to {highest:g}{at(values)}: write the smaller end first")
            break
    return numeric


def _tolerance(parts: Parts, place: MarkdownBlock, text: str) -> float:
    try:
        tolerance = evaluate(text)
    except ArithmeticFault:
        tolerance = -1
    if tolerance < 0:
        parts.fault(place, f"has the tolerance {quoted(text)}: write ± 0.01 or ± 1%")
    return max(tolerance, 0.0)


def _draws(parts: Parts) -> Iterator[dict[str, Value]]:
    """The combinations of the parameters' values, up to a bound."""
    return draws(parts.vary, _MOST_DRAWS)


def _expression(text: str) -> str:
    """Arithmetic as an author writes it: in backticks, or with `{p}` for p."""
    return re.sub(r"\{(\w+)\}", r"\1", text.replace("`", "")).strip()


def _bounds(asked: Asked) -> tuple[float, float]:
    """The smallest and the largest right value, and a little more: 0.7 + 0.1 is a little less than 0.8."""
    assert asked.card.numeric
    low, high = asked.card.numeric.bounds(asked.values)
    slack = 1e-9 * max(abs(low), abs(high))
    return low - slack, high + slack


def _plain(response: str, question: str) -> str:
    """What is typed, without the signs around it and without a unit that the question names; 2 x 10^3 is 2*10^3."""
    text = _TIMES.sub("*", response.strip().strip("$").lstrip("=≈~ ").rstrip("."))
    text = _PERCENT_WORD.sub("%", text)
    unit = _UNIT.fullmatch(text)
    if unit and (unit[2] in ("x", "times") or (len(unit[2]) > 1 and re.search(rf"\b{unit[2]}\b", question))):
        return unit[1]
    return text


def _is_rounded(text: str, low: float, high: float) -> bool:
    """Whether a number of two digits or more is a right one, rounded to the digits that it has."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return False
    _, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int) or len(digits) < 2 or abs(exponent) > 300:
        return False
    half = 0.5 * 10.0**exponent
    return float(number) - half <= high and low <= float(number) + half


def _numbers(text: str, values: Mapping[str, Value], *, percentage: bool) -> list[float]:
    """What a text may mean: its value; for `50%` the 50 as well where that may be a percentage; `1,25` is 1.25."""
    if len(text) > LONGEST_EXPRESSION:
        return []
    commas = [text.replace(",", ".")] if _DECIMAL_COMMA.fullmatch(text) else []
    if not re.search(r"[A-Za-z]\w*\(", text):  # a comma in max(1,200) does not separate thousands
        text = _THOUSANDS.sub(lambda found: found[0].replace(",", ""), text)
    readings = [text, *commas, *([text.removesuffix("%")] if percentage and text.endswith("%") else [])]
    numbers = []
    for reading in readings:
        with suppress(ArithmeticFault):
            numbers.append(evaluate(reading, values))
    return numbers
