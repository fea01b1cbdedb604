"""Obsidian's spaced repetition: `question :: answer`, a line `?` between question and answer, `==cloze==`."""

from __future__ import annotations

import re

from regdemo.quiz.blocks import MARKER
from regdemo.quiz.styles.base import ForeignPage, Start
from regdemo.quiz.styles.markup import title_text

_PAIR = re.compile(
    r"^[ \t]*+(?:[-*+][ \t]+|\d{1,4}[.)][ \t]+)?(?P<question>[^\s:`|](?:[^\n:]|:(?!:)){0,400}?)"
    r"(?P<before>[ \t]*):{2,3}(?!:)(?P<after>[ \t]*)(?P<answer>\S[^\n]*)$",
    re.MULTILINE,
)
_TAGGED = re.compile(r"(?<!\S)#(?:flash-?cards?|cards?|spaced|sr|review|anki)\b[\w/-]*", re.IGNORECASE)
_TAGS = re.compile(r"(?:[ \t]*+(?:#[\w/-]++[ \t]*+)*+\n)*+")  # lines of nothing else
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
        """The questions of a paragraph. The lines above a line `?` ask, those below it answer, up to an empty one."""
        block = document.blocks[index]
        if block.kind != "paragraph":
            return []
        start, end = document.span(block)
        line = _LINE.search(document.text.masked, start, end)
        if not line:
            return separated(document, start, end)
        pairs = _pairs(document, start, line.start()) if document.has(_TAGGED) else []
        first = _below_tags(document, pairs[-1].end() if pairs else start, line.start())
        question, body = document.text.raw[first : line.start()].strip(), line.end()
        if not question:
            return separated(document, start, end)
        asked = Start(first, title_text(question), body, document.blank_after(body + 1), answers=True)
        return [*separated(document, start, first), asked]


STYLE = Separators()


def separated(document: ForeignPage, start: int, end: int) -> list[Start]:
    """Each line `question :: answer`, where most lines are such; and where the page is tagged, the clozes between them.

    Without spaces around it the sign is often code, `std::cout`: it counts behind a sign, or where the page is tagged.
    """
    found: list[Start] = []
    for pair in _pairs(document, start, end):
        title = title_text(document.text.raw[slice(*pair.span("question"))])
        found += _clozes(document, start, pair.start())
        found.append(Start(pair.start(), title, pair.start("answer"), pair.end(), answers=True))
        start = pair.end()
    return [*found, *_clozes(document, start, end)]


def _clozes(document: ForeignPage, start: int, end: int) -> list[Start]:
    """The lines of a stretch as one cloze, if the page is tagged and they have gaps."""
    start = _below_tags(document, start, end)
    gaps = tuple((*found.span(), 2) for found in _CLOZE.finditer(document.text.masked, start, end))
    marker = MARKER.match(document.text.masked, start, end)
    if not gaps or not document.has(_TAGGED):
        return []
    return [Start(start, "", marker.end() if marker else start, end, gaps=gaps)]


def _below_tags(document: ForeignPage, start: int, end: int) -> int:
    """Where the first line of a stretch begins that has more than tags."""
    tags = _TAGS.match(document.text.masked, start, end)
    return tags.end() if tags else start


def _pairs(document: ForeignPage, start: int, end: int) -> list[re.Match[str]]:
    masked, tagged = document.text.masked, document.has(_TAGGED)
    found = [pair for pair in _PAIR.finditer(masked, start, end) if _is_pair(pair)]
    sure = [pair for pair in found if _is_sure(pair)]
    lines = _SCHEDULE.sub("", masked[start:end]).strip().split("\n")
    if tagged:
        lines = [line for line in lines if not _TAGS.fullmatch(f"{line}\n") and not _CLOZE.search(line)]
    else:
        found = sure
    return found if 2 * len(found) >= len(lines) else sure if tagged else []


def _is_pair(pair: re.Match[str]) -> bool:
    question = pair["question"]
    return question.count("`") % 2 == 0 and question.count("[") == question.count("]") and bool(title_text(question))


def _is_sure(pair: re.Match[str]) -> bool:
    last = pair["question"][-1]
    return bool(pair["before"] and pair["after"]) or not (last.isalnum() or last in "_`>")
