"""Cloze: `{{blanks}}` in the question, filled by text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from math import isclose
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from regdemo.quiz import spelling
from regdemo.quiz.arithmetic import ArithmeticFault, evaluate
from regdemo.quiz.cards import Asked
from regdemo.quiz.kinds.base import (
    CardKind,
    Grade,
    UnreadableAnswer,
    reason_for,
    texts,
    wrong_answers,
)
from regdemo.quiz.styles import answers, markup, options
from regdemo.quiz.text import GAP, gaps
from regdemo.text import quoted

if TYPE_CHECKING:
    from regdemo.quiz.blocks import MarkdownBlock
    from regdemo.quiz.parts import Parts

GAPS = re.compile(rf"(?:\(\d+\))?{GAP}")
_WORDS_AROUND = re.compile(rf"(?:([\w'-]{{1,40}})\s+)?{GAPS.pattern}(?=(?:\s+([\w'-]{{1,40}}))?)")
_EXPLAINED = re.compile(r"(.+\w) \((.+)\)")
_NAME = re.compile(r"[a-z_]\w*")
_FRACTION = re.compile(r"[dt]?frac\{([^{}]*)\}\{([^{}]*)\}")
_TO_BRACKETS = str.maketrans("{}[]", "()()")

_LONGEST = 1_000  # characters in a blank
_DEEPEST = 20  # braces in braces in a blank
# In code, `{{ x }}` is a template's own: a blank there has no space after its braces.
_OPENING = re.compile(r"`[^`\n]*\{\{ [^`\n]*+`|(?P<braces>\{\{)")
_BRACE = re.compile(r"[{}\n]")
_BAR = re.compile(r"(?P<formula>\$[^$]*\$)|\\?(?P<bar>\|)")


class Blank(NamedTuple):
    """A `{{blank}}`: where in a text it is, and what is between its braces."""

    start: int
    end: int
    inside: str


def find_blanks(text: str) -> Iterator[Blank]:
    r"""The blanks of a line or more. Braces inside a blank come in pairs, as in LaTeX.

    >>> [blank.inside for blank in find_blanks(r"The {{$\frac{1}{2}$|half}} of {{it}}.")]
    ['$\\frac{1}{2}$|half', 'it']
    """
    start = 0
    while opening := _OPENING.search(text, start):
        start = opening.end()
        if not opening["braces"]:
            continue
        depth = 0
        for brace in _BRACE.finditer(text, start, start + _LONGEST):
            if brace[0] == "{" and depth < _DEEPEST:
                depth += 1
            elif brace[0] == "}" and depth:
                depth -= 1
            else:
                if text.startswith("}}", brace.start()):
                    yield Blank(opening.start(), brace.start() + 2, text[start : brace.start()])
                    start = brace.start() + 2
                break


def fill_blanks(text: str, fillings: Iterator[str]) -> str:
    """The text with the next filling in the place of each blank."""
    parts: list[str] = []
    end = 0
    for blank in find_blanks(text):
        parts += [text[end : blank.start], next(fillings)]
        end = blank.end
    return "".join([*parts, text[end:]])


class ClozeKind(CardKind):
    """Text is missing."""

    name = "cloze"
    precedence = 50
    prompt = "missing text"
    allowed = "What is missing in the gap; with several gaps, all of them in order, with ; between them."
    skeleton = """\
## {id}: The missing word is {{word|term}}.

### Answer
Why it is this word.
"""

    def split_body(self, parts: Parts, body: Sequence[MarkdownBlock]) -> int | None:
        """All of a body with a blank asks, unless a line in it says that an answer follows."""
        if not any(_blanks(parts, body)):
            return None
        text = markup.text_of(parts.page, body[0].start, body[-1].end) if body else markup.as_text("")
        return None if answers.answer_mark(text, 0, options.LONGEST_QUESTION) else len(body)

    def detects(self, parts: Parts) -> bool:
        """Whether the question has a blank."""
        return any(_blanks(parts, parts.question))

    def build(self, parts: Parts) -> dict[str, Any]:
        """What is right in each blank, best first; the question with gaps, and the same text in full."""
        blanks = tuple(map(_alternatives, _blanks(parts, parts.question)))
        if not all(map(all, blanks)):
            parts.fault(parts.section.heading, "has an empty blank: write {{answer}}, or {{answer|alternative}}")
        explanation = parts.page.source(parts.answer)
        full = _filled(parts, [blank[0] for blank in blanks])
        return {
            **texts(self.name, parts, parts.question, f"{full}\n\n{explanation}".strip(), explanation),
            "question": _filled(parts, gaps(len(blanks))),
            "blanks": blanks,
            "wrong_answers": wrong_answers(parts),
        }

    def grade(self, asked: Asked, response: str) -> Grade:
        """The blanks in order, with ; between them. A word next to a gap may be typed with it: see `_same`."""
        count = len(asked.blanks)
        answers = [response]
        if count > 1 and len(answers := response.split("\n")) != count:
            answers = re.split("[;\n]" if ";" in response or "\n" in response else ",", response)
        if len(answers) != count or not all(map(str.strip, answers)):
            allowed = "type it" if count == 1 else f"type all {count} in order, with ; between them"
            raise UnreadableAnswer(f"{quoted(response)} does not fill the blank{'s' * (count > 1)}: {allowed}")
        around = _WORDS_AROUND.findall(asked.question)
        around = around if len(around) == count else [("", "")] * count
        filled = zip(answers, asked.blanks, around, strict=True)
        right = [_fits(answer, blank, *words) for answer, blank, words in filled]
        if all(right):
            return Grade(True, 1.0)
        numbered = enumerate(zip(asked.blanks, right, strict=True), 1)
        wrong = [f"gap {number} is {blank[0]}" for number, (blank, filled) in numbered if not filled]
        told = f"Not right: {'; '.join(wrong)}." if count > 1 else ""
        return Grade(False, sum(right) / count, "\n\n".join(filter(None, [told, reason_for(asked, response, _same)])))


KIND = ClozeKind()


def _fits(answer: str, blank: Sequence[str], before: str, after: str) -> bool:
    """Whether an answer is right in a blank, between these words: one right text, or one and in brackets another."""
    if len(answer) > _LONGEST:
        return False
    # In sets: where no word is next to the gap, nothing is compared twice.
    starts, ends = {"", f"{before} ".lstrip()}, {"", f" {after}".rstrip()}
    phrases = [f"{start}{text}{end}" for text in blank for start in starts for end in ends]
    explained = _EXPLAINED.fullmatch(answer.strip())
    readings = [(answer,), *([explained.groups()] if explained else [])]
    return any(all(any(_same(part, phrase) for phrase in phrases) for part in parts) for parts in readings)


def _same(answer: str, text: str) -> bool:
    """Whether two texts are typed alike or, as formulas, have one value at values drawn for their letters.

    >>> _same("(1-d)^-1", "1/(1-d)"), _same("(1-p)*T", "(1-p)^T"), _same("1/2", "0.5")
    (True, False, False)
    """
    one, other = (
        _FRACTION.sub(r"((\1)/(\2))", spelling.spelled(each)).translate(_TO_BRACKETS) for each in (answer, text)
    )
    draw = Random(0).random
    values = {name: draw() for name in _NAME.findall(other)}
    with suppress(ArithmeticFault):
        if values:  # without letters it is rather a version, a date or a range
            return isclose(evaluate(one.rstrip(" ."), values), evaluate(other, values))
    return spelling.as_typed(answer) == spelling.as_typed(text)


def _pieces(parts: Parts, question: Sequence[MarkdownBlock]) -> Iterator[tuple[str, bool]]:
    """The texts of a question, and whether each is prose, where blanks can be."""
    yield parts.section.question, True
    for block in question:
        yield parts.page.source([block]), block.kind not in ("fence", "code")


def _blanks(parts: Parts, question: Sequence[MarkdownBlock]) -> Iterator[str]:
    """What is inside the blanks of a question."""
    for text, is_prose in _pieces(parts, question):
        if is_prose and "{{" in text:
            yield from (blank.inside or " " for blank in find_blanks(text))


def _filled(parts: Parts, fillings: Sequence[str]) -> str:
    """The question with a text in the place of each blank."""
    rest = iter(fillings)
    pieces = _pieces(parts, parts.question)
    return "\n\n".join(fill_blanks(text, rest) if is_prose else text for text, is_prose in pieces)


def _alternatives(blank: str) -> tuple[str, ...]:
    """The texts between the bars of a blank; a bar inside a formula is part of it."""
    found: list[str] = []
    start = 0
    for bar in _BAR.finditer(blank):
        if bar["bar"]:
            found.append(blank[start : bar.start()].strip())
            start = bar.end()
    return (*found, blank[start:].strip())
