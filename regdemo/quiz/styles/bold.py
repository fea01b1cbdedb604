"""Questions in bold, with the answer behind or below: `**What is a mask?** Zeros and ones.`"""

from __future__ import annotations

import re
from weakref import WeakKeyDictionary

from regdemo.quiz.styles.base import ForeignPage, Start
from regdemo.quiz.styles.titles import read_title

BOLD = re.compile(
    r"[ \t]*(?P<number>\d{1,4}[.)][ \t]*)?(?P<mark>\*\*|__)"
    r"(?P<text>[^\s*_](?:(?!(?P=mark))[^\n]|\n(?![ \t]*\n)){1,600}?)(?P=mark)[ \t]*[:：]?"
)
_NUMBER = re.compile(r"[ \t]*\*\*\(?\d{1,4}[.):](?:(?!\*\*)[^\n]){0,400}\*\*")
_QUESTION = re.compile(
    r"^[ \t]*(?:(?:[-*+]|\d{1,4}[.)])[ \t]+)?(?:\*\*|__)[^\n]{1,600}?[?？؟][^\w\n]{0,4}(?:\*\*|__)", re.MULTILINE
)


class Bold:
    """`**What is a mask?**`"""

    name = "bold questions"
    example = "**What is a mask?**\n\nZeros and ones."

    def __init__(self) -> None:
        self._numbers: WeakKeyDictionary[ForeignPage, bool] = WeakKeyDictionary()

    def certainty(self, document: ForeignPage) -> float:
        """Sure if bold text asks."""
        if "**" not in document.text.masked and "__" not in document.text.masked:
            return 0.0
        numbers = sum(bool(_NUMBER.match(document.page.lines[block.start])) for block in document.blocks)
        self._numbers[document] = document.about_questions and numbers >= 3
        return 0.6

    def starts(self, document: ForeignPage, index: int, current: Start | None) -> list[Start]:
        """The question with which a paragraph begins."""
        block = document.blocks[index]
        if block.kind != "paragraph":
            return []
        start, end = document.span(block)
        if bold := BOLD.match(document.text.masked, start, end):
            text = document.text.raw[bold.start("text") : bold.end("text")]
            title = read_title(f"{bold['number'] or ''}{text}")
            if title.marked or (title.asks and (title.ends_as_question or bold_asks(document))):
                return [Start(start, title.text, bold.end(), number=title.number)]
        if self._numbers[document] and _NUMBER.match(document.text.masked, start, end):
            last = document.end_of_line(start)
            title = read_title(document.text.raw[start:last])
            return [Start(start, title.text, last, number=title.number)]
        return []


STYLE = Bold()


def bold_asks(document: ForeignPage) -> bool:
    """Whether bold text without a question mark may ask: the page is about questions, or asks in bold elsewhere."""
    return document.about_questions or document.has(_QUESTION)
