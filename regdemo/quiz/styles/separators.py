"""Obsidian's spaced repetition: `question :: answer`, a line `?` between question and answer, `==cloze==`."""

from __future__ import annotations

import re

from regdemo.quiz.styles.base import ForeignPage, Start
from regdemo.quiz.styles.markup import title_text

_PAIR = re.compile(
    r"^[ \t]*+(?:[-*+][ \t]+|\d{1,4}[.)][ \t]+)?(?P<question>[^\s:`|](?:[^\n:]|:(?!:)){0,400}?)"
    r"(?P<before>[ \t]*):{2,3}(?!:)(?P<after>[ \t]*)(?P<answer>\S[^\n]*)$",
    re.MULTILINE,
)
_TAGGED = re.compile(r"(?<!\S)#(?:flash-?cards?|cards?|spaced|sr|review|anki)\b[\w/-]*", re.IGNORECASE)
_SIGN = re.compile("::")
_LINE = re.compile(r"^[ \t]*\?{1,2}[ \t]*$", re.MULTILINE)
_CLOZE = re.compile(r"==(?=\S)((?:(?!==)[^\n]){1,400})(?<=\S)==")
_SCHEDULE = re.compile(r"[ \t]*<!--SR:[^\n]*?-->")


class Separators:
    """`What is a mask? :: Zeros and ones`"""

    name = "separators"
    example = "What is a mask?::Zeros and ones"

    def certainty(self, document: ForeignPage) -> float:
        """Sure if a separator is there."""
        return 0.7 if document.has(_SIGN) or document.has(_LINE) or document.has(_TAGGED) else 0.0

    def starts(self, document: ForeignPage, index: int, current: Start | None) -> list[Start]:
        """The questions of a paragraph."""
        block = document.blocks[index]
        if block.kind != "paragraph":
            return []
        start, end = document.span(block)
        return (
            self._line(document, start, end)
            or separated(document, start, end)
            or (self._clozes(document, start, end) if document.has(_TAGGED) else [])
        )

    def _line(self, document: ForeignPage, start: int, end: int) -> list[Start]:
        """The lines above a line `?` ask, those below it answer, up to an empty one."""
        line = _LINE.search(document.text.masked, start, end)
        if not line or not document.text.masked[start : line.start()].strip():
            return []
        body = line.end()
        question = document.text.raw[start : line.start()].strip()
        return [Start(start, title_text(question), body, document.blank_after(body + 1), answers=True)]

    def _clozes(self, document: ForeignPage, start: int, end: int) -> list[Start]:
        gaps = tuple((*found.span(), 2) for found in _CLOZE.finditer(document.text.masked, start, end))
        return [Start(start, "", start, end, gaps=gaps)] if gaps else []


STYLE = Separators()


def separated(document: ForeignPage, start: int, end: int) -> list[Start]:
    """Each line `question :: answer`, where most lines are such.

    Without spaces around it the sign is often code, `std::cout`: it counts behind a sign, or where the page is tagged.
    """
    masked = document.text.masked
    found = [pair for pair in _PAIR.finditer(masked, start, end) if _is_pair(pair, document.has(_TAGGED))]
    if 2 * len(found) < len(_SCHEDULE.sub("", masked[start:end]).strip().split("\n")):
        return []
    return [
        Start(
            pair.start(),
            title_text(document.text.raw[slice(*pair.span("question"))]),
            pair.start("answer"),
            pair.end(),
            answers=True,
        )
        for pair in found
    ]


def _is_pair(pair: re.Match[str], tagged: bool) -> bool:
    question = pair["question"]
    if question.count("`") % 2 or question.count("[") != question.count("]") or not title_text(question):
        return False
    spaced = bool(pair["before"] and pair["after"])
    return spaced or tagged or not (question[-1].isalnum() or question[-1] in "_`>")
