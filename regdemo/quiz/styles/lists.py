"""List items that ask, with the answer nested in them, or below where the list ends."""

from __future__ import annotations

import re

from regdemo.quiz.blocks import MARKER
from regdemo.quiz.styles import options as choices
from regdemo.quiz.styles.answers import answer_mark
from regdemo.quiz.styles.base import ForeignPage, Start
from regdemo.quiz.styles.bold import BOLD, bold_asks
from regdemo.quiz.styles.details import folds_in
from regdemo.quiz.styles.folds import begins_fold
from regdemo.quiz.styles.pairs import pairs_in
from regdemo.quiz.styles.paragraphs import is_answered
from regdemo.quiz.styles.separators import separated
from regdemo.quiz.styles.titles import read_title

_HEADING = re.compile(r"#{1,6}[ \t]+(?=\S)")
_LINK = re.compile(r"!?\[[^\[\]\n]{0,400}\]\(")
_NUMBER = re.compile(r"[ \t]*(\d{1,4})[.)]")


class Lists:
    """`1. What is a mask?` with an indented answer."""

    name = "lists"
    example = "1. What is a mask?\n   - Zeros and ones."

    def certainty(self, document: ForeignPage) -> float:
        """Sure if there is a list."""
        return 0.5 if any(block.kind == "list" for block in document.blocks) else 0.0

    def starts(self, document: ForeignPage, index: int, current: Start | None) -> list[Start]:
        """The items that ask."""
        block = document.blocks[index]
        if block.kind != "list":
            return []
        items = document.items(block)
        if choices.begins_options(document.text.masked, *items[0]):
            return []
        found: list[Start] = []
        for start, end in items:
            inside = separated(document, start, end) or pairs_in(document, start, end, inside_list=True)
            if not inside:
                last = end == items[-1][1] and (bool(found) or len(items) == 1)
                is_open = bool(found) or (current is not None and current.is_item)
                inside = self._item(
                    document, index, start, end, last, len(items) == 1, current if not is_open else None
                )
            found += inside
        return found

    def _item(
        self, document: ForeignPage, index: int, start: int, end: int, last: bool, alone: bool, answering: Start | None
    ) -> list[Start]:
        """The question of an item. answering: the question whose answer the list may be a part of."""
        masked = document.text.masked
        marker = MARKER.match(masked, start, end)
        content = marker.end() if marker else start
        if _LINK.match(masked, content, end):
            return []  # a table of contents
        if begins_fold(masked, content, end) and (found := folds_in(document, start, end)):
            return found
        number = int(digits[1]) if (digits := _NUMBER.match(masked, start, end)) else None
        heading = _HEADING.match(masked, content, end)
        content = heading.end() if heading else content
        bold = BOLD.match(masked, content, end)
        stop = bold.end() if bold else min(document.end_of_line(content), end)
        title = read_title(document.text.raw[slice(*(bold.span("text") if bold else (content, stop)))])
        asks = title.asks and (title.ends_as_question or (bool(bold) and bold_asks(document)))
        key = bool(document.key_for(start, number))
        if not (heading or (asks if bold else asks and not answering)):
            if answering or not (
                document.reveals(start, end)
                or answer_mark(document.text, content, end)
                or _has_ticks(document, content, end)
                or key
            ):
                return []
            return [Start(start, "", content, end, number, is_item=True)]
        if masked[stop:end].strip() or key:
            closed = None if alone and not _rule_follows(document, index) else end
            return [Start(start, title.text, stop, closed, number, is_item=True)]
        if last and (heading or bold or is_answered(document, index)) and not _rule_follows(document, index):
            return [Start(start, title.text, stop, None, number, is_item=True)]
        return [] if answering else [Start(start, title.text, end, end, number, is_item=True)]  # without an answer


STYLE = Lists()


def _has_ticks(document: ForeignPage, start: int, end: int) -> bool:
    """Whether a list of options with a tick is nested in an item."""
    text = document.text.cut(start, end)
    found = choices.find_options(text)
    return bool(found) and choices.has_ticks(text, found)


def _rule_follows(document: ForeignPage, index: int) -> bool:
    """Whether a rule is right behind a block."""
    return index + 1 < len(document.blocks) and document.blocks[index + 1].kind == "rule"
