"""A table whose head says question and answer: a card a row."""

from __future__ import annotations

import re
from itertools import pairwise

from regdemo.quiz.styles.base import ForeignPage, Start
from regdemo.quiz.styles.languages import words
from regdemo.quiz.styles.markup import title_text

_RULE = re.compile(r"[ \t>]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_FRONTS = {"front", "term", "prompt"}
_BACKS = {"back", "definition", "meaning", "explanation", "description"}

Extent = tuple[int, int]


class Tables:
    """`| Question | Answer |`"""

    name = "tables"
    example = "| Question | Answer |\n| --- | --- |\n| What is a mask? | Zeros and ones |"

    def certainty(self, document: ForeignPage) -> float:
        """Sure if a line looks like the rule below a table's head."""
        return 0.95 if any("-|" in line or "- |" in line for line in document.page.lines) else 0.0

    def starts(self, document: ForeignPage, index: int, current: Start | None) -> list[Start]:
        """The rows of a table with such a head."""
        block = document.blocks[index]
        if block.kind != "paragraph":
            return []
        lines = range(block.start, block.end)
        for head, rule in pairwise(lines):
            if _RULE.fullmatch(document.page.lines[rule]) and "|" in document.page.lines[rule]:
                columns = _columns([document.text.raw[slice(*cell)] for cell in _cells(document, head)])
                return _rows(document, range(rule + 1, block.end), *columns) if columns else []
        return []


STYLE = Tables()


def _columns(names: list[str]) -> tuple[int, int, int | None] | None:
    """Which columns are the question, the answer, and the number; None if the head names no question and answer."""
    heads = [title_text(name).casefold().strip(" :#.") for name in names]

    def column(known: frozenset[str] | set[str]) -> int | None:
        found = (place for place, head in enumerate(heads) if head in known or head.rstrip("s") in known)
        return next(found, None)

    question = column(words("question") | _FRONTS)
    answer = column(words("answer") | words("right") | _BACKS)
    if question is None or answer is None or question == answer:
        return None
    return question, answer, column({"", "no", "nr", "number", "n", "id"})


def _rows(document: ForeignPage, lines: range, question: int, answer: int, number: int | None) -> list[Start]:
    found: list[Start] = []
    for line in lines:
        cells = _cells(document, line)
        if len(cells) <= max(question, answer):
            continue
        title = title_text(_BREAK.sub(" ", document.text.raw[slice(*cells[question])].replace("\\|", "|")))
        digits = document.text.raw[slice(*cells[number])].strip(" .)") if number is not None else ""
        found.append(
            Start(
                document.offsets[line],
                title,
                cells[answer][0],
                cells[answer][1],
                int(digits) if digits.isdecimal() and len(digits) < 5 else None,
                answers=True,
                after=document.offsets[line + 1] - 1,
            )
        )
    return [start for start in found if start.title]


def _cells(document: ForeignPage, line: int) -> list[Extent]:
    """Where in the text the cells of a table's line are. A bar in code or behind a backslash separates none."""
    begin, end = document.offsets[line], document.offsets[line] + len(document.page.lines[line])
    masked = document.text.masked
    bars = [place for place in range(begin, end) if masked[place] == "|" and masked[place - 1 : place] != "\\"]
    edges = [begin - 1, *bars, end]
    cells = [(one + 1, other) for one, other in pairwise(edges)]
    if cells and not masked[slice(*cells[0])].strip(" \t>"):
        cells = cells[1:]
    if len(cells) > 1 and not masked[slice(*cells[-1])].strip():
        cells = cells[:-1]
    return [_stripped(document.text.raw, cell) for cell in cells]


def _stripped(raw: str, cell: Extent) -> Extent:
    start, end = cell
    while start < end and raw[start] in " \t":
        start += 1
    while start < end and raw[end - 1] in " \t":
        end -= 1
    return start, end
