"""Choice: a task list with one box ticked. The text nested under an option is the reason why it is right or wrong."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from regdemo.quiz import spelling
from regdemo.quiz.cards import LETTERS, Asked, Card, Option, Value
from regdemo.quiz.kinds import numeric
from regdemo.quiz.kinds.base import CardKind, Flaw, Grade, UnreadableAnswer, texts
from regdemo.text import quoted

if TYPE_CHECKING:
    from regdemo.quiz.blocks import MarkdownBlock, MarkdownPage
    from regdemo.quiz.parts import Parts

_LINE = 66  # columns: a line that had room for the next word and yet ends there ends a thought
_BOX = re.compile(r"\[([ xX]?)\](?:[^\S\n]+|$)", re.MULTILINE)
_NESTED = re.compile(r"[ \t]*+(?:[-*+>]|\d+[.)]|```|~~~)")
_TOGETHER = re.compile(r"\b(?:all|none|both|neither|either|any) of (?:the|these|them|those)\b|\babove\b", re.IGNORECASE)


def is_option_list(page: MarkdownPage, block: MarkdownBlock) -> bool:
    """Whether a block is a task list."""
    return any(_BOX.match(page.item(start, start + 1)) for start, _ in block.items)


def ticks(page: MarkdownPage, block: MarkdownBlock) -> int:
    """How many boxes of a task list are ticked."""
    boxes = (_BOX.match(page.item(start, start + 1)) for start, _ in block.items)
    return sum(bool(box and box[1] in ("x", "X")) for box in boxes)


class ChoiceKind(CardKind):
    """One option is right."""

    name = "choice"
    precedence = 30
    prompt = "letter"
    allowed = "The letter of an option, its number, or its text."
    skeleton = """\
## {id}: Which of these is asked?

- [ ] a wrong option
  - Why it is wrong.
- [x] the right option
  - Why it is right.
- [ ] another wrong option
  - Why it is wrong.
- [ ] a third wrong option
  - Why it is wrong.
"""

    def split_body(self, parts: Parts, body: Sequence[MarkdownBlock]) -> int | None:
        """The question ends with its options."""
        return next((number for number, block in enumerate(body, 1) if is_option_list(parts.page, block)), None)

    def detects(self, parts: Parts) -> bool:
        """Whether there are options; a list without a tick is a choice with a fault."""
        return any(is_option_list(parts.page, block) for block in parts.question)

    def build(self, parts: Parts) -> dict[str, Any]:
        """The options, in the order of the file; they are shuffled unless one speaks of the others."""
        lists = [block for block in parts.question if is_option_list(parts.page, block)]
        if parts.answer and numeric.is_numeric(parts, parts.answer[0]):
            parts.fault(lists[0], "has an option list and a numeric answer: leave one of them")
        if len(lists) > 1:
            parts.fault(lists[1], "has a second option list: join the two")
        options = [_option(parts, start, end) for start, end in lists[0].items]
        right = [option.text for option in options if option.correct]
        if not right:
            parts.fault(lists[0], "has an option list without a tick: mark each right option with [x]")
        if not 2 <= len(options) <= len(LETTERS):
            parts.fault(lists[0], f"has {len(options)} options: a list of options has from 2 to {len(LETTERS)}")
        explanation = parts.page.source(parts.answer)
        full = "\n\n".join(filter(None, ["\n".join(f"- {text}" for text in right), explanation]))
        prose = [block for block in parts.question if block not in lists]
        return {
            **texts(self.name, parts, prose, full, explanation),
            "options": tuple(options),
            "fixed_order": any(_TOGETHER.search(option.text) for option in options),
        }

    def grade(self, asked: Asked, response: str) -> Grade:
        """By the option's letter, its text, or its number."""
        picked = pick(asked.options, response)
        if picked is None:
            raise UnreadableAnswer(
                f"{quoted(response)} isn't an option: choose {letter_range(asked)}, or type an option's text"
            )
        option = asked.options[picked]
        return Grade(option.correct, float(option.correct), option.feedback, frozenset([picked]))

    def lint(self, card: Card, drawn: Sequence[Mapping[str, Value]]) -> Iterator[Flaw]:
        """Options differ, and each has its reason."""
        for text, times in Counter(" ".join(option.text.split()).casefold() for option in card.options).items():
            if times > 1:
                option = next(one for one in card.options if " ".join(one.text.split()).casefold() == text)
                message = f"has the option {quoted(option.text)} {times} times: leave one of them"
                yield Flaw(message, option.text, "error")
        if card.fixed_order and not any(option.feedback for option in card.options):
            return
        for option in card.options:
            if not option.feedback:
                why = "right" if option.correct else "wrong"
                message = f"has an option without feedback, {quoted(option.text)}: nest under it why it is {why}"
                yield Flaw(message, option.text)


KIND = ChoiceKind()


def pick(options: Sequence[Option], response: str) -> int | None:
    """The option that a response names: by its letter, its text or its number, in this order."""
    key = response.casefold().strip(" .()`*")
    if len(key) == 1 and key in LETTERS[: len(options)]:
        return LETTERS.index(key)
    same = [index for index, option in enumerate(options) if spelling.folded(option.text) == spelling.folded(response)]
    said = spelling.as_typed(response)
    alike = [index for index, option in enumerate(options) if spelling.as_typed(option.text) == said]
    if same or len(alike) == 1:
        return (same or alike)[0]
    if re.fullmatch("[0-9]{1,2}", key) and 1 <= int(key) <= len(options):
        return int(key) - 1
    return None


def letter_range(asked: Asked) -> str:
    """The letters of a card's options."""
    return f"a to {LETTERS[len(asked.options) - 1]}"


def _option(parts: Parts, start: int, end: int) -> Option:
    """The option's text, and as its feedback what is nested under it or follows a line that had room for more."""
    item = parts.page.item(start, end)
    box = _BOX.match(item)
    if not box:
        parts.fault(start, "has an option without a box: begin it with [ ] or [x]")
        return Option(item, False)
    text, *rest = item[box.end() :].split("\n")
    last = text
    while rest and rest[0].strip() and not _NESTED.match(rest[0]):
        if len(last) + len(rest[0].split()[0]) < _LINE:
            break
        last = rest.pop(0)
        text += " " + last.strip()
    if not text:
        parts.fault(start, "has an option without text: write it after the box")
    return Option(text.strip(), box[1] in ("x", "X"), _unmarked(textwrap.dedent("\n".join(rest)).strip()))


def _unmarked(text: str) -> str:
    """A feedback without the bullet or the quotation marks by which it was nested."""
    lines = text.split("\n")
    if all(line.startswith(">") for line in lines):
        return "\n".join(line[1:].removeprefix(" ") for line in lines)
    if text[:2] in ("- ", "* ", "+ ") and not any(line.startswith(text[:2]) for line in lines[1:]):
        return "\n".join(line[2:] if number == 0 else line.removeprefix("  ") for number, line in enumerate(lines))
    return text
