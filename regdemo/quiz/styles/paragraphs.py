"""Paragraphs that ask and that a line `Answer:`, a fold or ticked options below answers."""

from __future__ import annotations

from regdemo.quiz.styles import options as choices
from regdemo.quiz.styles.answers import answer_mark
from regdemo.quiz.styles.base import ForeignPage, Start
from regdemo.quiz.styles.titles import read_title


class Paragraphs:
    """`What is kept?`, then options in letters, then `Answer: B`."""

    name = "options"
    example = "What is kept?\nA) the sum\nB) the mean\nAnswer: B"

    def certainty(self, document: ForeignPage) -> float:
        """The least sure: only what nothing else sees."""
        return 0.3

    def starts(self, document: ForeignPage, index: int, current: Start | None) -> list[Start]:
        """A paragraph that asks, unless it is the text of a question whose title is above."""
        block = document.blocks[index]
        if block.kind != "paragraph":
            return []
        start, end = document.span(block)
        title = read_title(document.text.masked[start : document.end_of_line(start)])
        if not (title.asks or title.marked or choices.find_options(document.text.cut(start, end))):
            return []
        fresh = current and current.title and not document.text.masked[current.body : start].strip()
        if fresh or not is_answered(document, index):
            return []
        return [Start(start, "", start, number=title.number)]


STYLE = Paragraphs()


def is_answered(document: ForeignPage, index: int) -> bool:
    """Whether an answer is marked in a block, or below it with nothing but options and code between."""
    if answer_mark(document.text, *document.span(document.blocks[index])):
        return True
    for block in document.blocks[index + 1 : index + 7]:
        start, end = document.span(block)
        if document.reveals(start, end):
            return True
        mark = answer_mark(document.text, start, end)
        if mark and mark.start() == start:
            return True
        listed = block.kind in ("paragraph", "list")
        found = choices.find_options(document.text.cut(start, end)) if listed else []
        if found and (mark or found[0].groupdict().get("box") is not None):
            return True
        if not found and block.kind not in ("fence", "code", "quote"):
            return False
    return False
