"""Lines `Q: ...` and `A: ...`, in any language, `Q) ...` and `A) ...`, and hashcards' `C: a [blank]`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from regdemo.quiz.styles.answers import answer_mark
from regdemo.quiz.styles.base import ForeignPage, Start
from regdemo.quiz.styles.languages import pattern
from regdemo.quiz.styles.markup import title_text
from regdemo.quiz.styles.options import LONGEST_QUESTION
from regdemo.quiz.styles.titles import read_title

_Q_LINE = re.compile(
    r"^(?P<indent>[ \t]*+(?:[-*+][ \t]+|\d{1,4}[.)][ \t]+)*+)[*_]{0,3}"
    rf"(?:{pattern('question')})"
    r"[ \t]?(?:[#.-]?[ \t]?(?P<number>\d{1,4})[*_]{0,3}[ \t]?[.:)：。．、–—-]|[*_]{0,3}[:：])"
    r"[*_]{0,3}[ \t]*+(?=\S)",
    re.IGNORECASE | re.MULTILINE,
)
_ANSWER_ON_SAME_LINE = re.compile(
    rf"[ \t][*_]{{0,3}}(?:a|{pattern('answer')})[*_]{{0,3}}[:：][*_]{{0,3}}[ \t]", re.IGNORECASE
)
# `Q) ...`, `Q. ...` or `Q - ...`, and below it a line of A and the same sign; with a line of B, those are options.
_LETTERED = re.compile(
    r"^(?P<indent>[ \t]*+(?:[-*+][ \t]+|\d{1,4}[.)][ \t]+)?+)[*_]{0,3}"
    r"(?P<letter>[ABQ])[*_]{0,3}[ \t]?(?P<sign>[.)–—-])[*_]{0,3}[ \t]++(?=\S)",
    re.MULTILINE,
)
_C_LINE = re.compile(r"^C:[ \t]+(?=\S)", re.MULTILINE)
_B_LINE = re.compile(r"^[ \t>*-]*\(?[Bb][:.)][ \t]", re.MULTILINE)  # then C: is an option
_C_END = re.compile(r"\n[ \t]*(?:\n|(?=[QAC]:[ \t])|(?=-{3,}[ \t]*$))", re.MULTILINE)
_C_BLANK = re.compile(r"(?<!\\)\[([^\[\]\n]{1,400})\](?!\(|\[)")


class Pairs:
    """`Q: ...` and `A: ...`"""

    name = "Q and A"
    example = "Q: What is a mask?\nA: Zeros and ones."

    def certainty(self, document: ForeignPage) -> float:
        """Sure if a line says it."""
        return 0.75 if any(map(document.has, (_Q_LINE, _LETTERED, _C_LINE))) else 0.0

    def starts(self, document: ForeignPage, index: int, current: Start | None) -> list[Start]:
        """The lines `Q:` and `C:` of a paragraph."""
        block = document.blocks[index]
        return pairs_in(document, *document.span(block)) if block.kind == "paragraph" else []


STYLE = Pairs()


def pairs_in(document: ForeignPage, start: int, end: int, inside_list: bool = False) -> list[Start]:
    """The questions at lines `Q: ...` of a stretch. One that is nested deeper ends where the text is less so."""
    found: list[Start] = []
    for line, mark in _question_lines(document, start, end):
        stop = min(document.end_of_line(line.end()), end)
        if line[0].rstrip().count("**") == 1 and "**" not in document.text.masked[line.end() : stop]:
            bold_end = document.text.masked.find("**", stop, min(document.blank_after(line.end()), end))
            stop = bold_end + 2 if bold_end >= 0 else stop  # `**Q1. over two lines**`
        title = document.text.raw[line.end() : stop]
        body = stop
        if answer := _ANSWER_ON_SAME_LINE.search(document.text.masked[line.end() : stop]):
            title, body = title[: answer.start()], line.end() + answer.end()
        digits = line.groupdict().get("number")
        last = _end_of_nesting(document, line) if inside_list else None
        found.append(Start(line.start(), title_text(title), body, last, int(digits) if digits else None, mark=mark))
    for line in () if document.has(_B_LINE) else _C_LINE.finditer(document.text.masked, start, end):
        closing = _C_END.search(document.text.masked, line.end())
        closed = closing.start() if closing else len(document.text.raw)
        gaps = tuple((*blank.span(), 1) for blank in _C_BLANK.finditer(document.text.masked, line.end(), closed))
        if gaps:
            found.append(Start(line.start(), "", line.end(), closed, gaps=gaps))
    return sorted(found)


def _question_lines(
    document: ForeignPage, start: int, end: int
) -> Iterator[tuple[re.Match[str], tuple[int, int] | None]]:
    """The beginnings of questions, each with what its answer is behind where that must have the same form."""
    masked = document.text.masked
    for line in _Q_LINE.finditer(masked, start, end):
        yield line, None
    for line in _LETTERED.finditer(masked, start, end):
        if line["letter"] != "Q" or _Q_LINE.match(masked, line.start(), end):
            continue
        below = _LETTERED.finditer(masked, line.end(), line.end() + 2 * LONGEST_QUESTION)
        marks = [mark for mark in islice(below, 2) if mark["sign"] == line["sign"]]
        letters = "".join(mark["letter"] for mark in marks)
        if letters.startswith("A") and letters != "AB":
            yield line, marks[0].span()
        elif letters != "AB" and read_title(masked[line.end() : document.end_of_line(line.end())]).ends_as_question:
            yield line, None


def begins_pair(document: ForeignPage, start: int, end: int) -> bool:
    """Whether the first line of a stretch is `Q: ...`, with an answer marked below it."""
    while start < end and document.text.masked[start] in " \t\n":
        start += 1
    line_start = document.text.masked.rfind("\n", 0, start) + 1
    line = _Q_LINE.match(document.text.masked, line_start, end)
    return bool(line and answer_mark(document.text, document.end_of_line(line.end()), end))


def _end_of_nesting(document: ForeignPage, line: re.Match[str]) -> int | None:
    """Where a line begins that is indented less than the mark of this question; None if its mark is not indented."""
    indent = _columns(line["indent"])
    if not indent:
        return None
    place = document.line_at(line.start()) + 1
    while place < len(document.page.lines):
        text = document.page.lines[place]
        if text.strip() and _columns(text) < indent:
            return document.offsets[place]
        place += 1
    return None


def _columns(line: str) -> int:
    """How far a line is indented; a tab reaches the next multiple of four."""
    return len(line[: len(line) - len(line.lstrip(" \t"))].expandtabs(4))
