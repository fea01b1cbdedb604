"""Headings that ask, with the answer below: numbered, marked `Q3`, or questions."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from regdemo.quiz.styles.base import ForeignPage, Start
from regdemo.quiz.styles.bold import BOLD
from regdemo.quiz.styles.pairs import begins_pair
from regdemo.quiz.styles.titles import Title, read_title


class Headings:
    """`### 1. What is a mask?`"""

    name = "headings"
    example = "### 1. What is a mask?\n\nZeros and ones."

    def __init__(self) -> None:
        self._sections: WeakKeyDictionary[ForeignPage, dict[int, int]] = WeakKeyDictionary()

    def certainty(self, document: ForeignPage) -> float:
        """Sure if a heading asks or is numbered as a question."""
        self._sections[document] = _question_sections(document)
        return 0.9 if self._sections[document] else 0.0

    def starts(self, document: ForeignPage, index: int, current: Start | None) -> list[Start]:
        """The section of a heading that asks."""
        end = self._sections[document].get(index)
        if end is None:
            return []
        block, title = document.blocks[index], document.titles[index]
        end = document.before_key(index, end)
        end = next((place for place in range(index + 1, end) if _continues(document, place, title)), end)
        last = document.offsets[document.blocks[end].start] if end < len(document.blocks) else len(document.text.raw)
        body = document.offsets[block.end]
        if begins_pair(document, body, last):
            return []  # the pair says explicitly what is asked
        return [Start(document.offsets[block.start], title.text, min(body, last), last, title.number)]


STYLE = Headings()


def _continues(document: ForeignPage, index: int, title: Title) -> bool:
    """Whether a paragraph is the next question, in bold with the next number: `**4. Why?**` below `## 3. What?`."""
    start, end = document.span(document.blocks[index])
    found = BOLD.match(document.text.masked, start, end) if title.number is not None else None
    if not found:
        return False
    bold = read_title((found["number"] or "") + document.text.raw[slice(*found.span("text"))])
    return bold.ends_as_question and bold.number == (title.number or 0) + 1


def _question_sections(document: ForeignPage) -> dict[int, int]:
    """The headings that are questions, each with the index of the block at which its section ends."""
    chosen = _outermost(document, _asking(document))
    ends: dict[int, int] = {}
    current: int | None = None
    for index in [*document.titles, len(document.blocks)]:
        is_end = index == len(document.blocks) or index in chosen
        if current is not None and (is_end or document.blocks[index].level <= document.blocks[current].level):
            ends[current] = index
            current = None
        if index in chosen:
            current = index
    return ends


def _asking(document: ForeignPage) -> set[int]:
    """The headings that ask, judged together with their neighbours of the same level."""
    chosen: set[int] = set()
    for level in range(1, 7):
        titles = {index: title for index, title in document.titles.items() if document.blocks[index].level == level}
        asking = {index for index, title in titles.items() if title.asks}
        numbered = {index for index, title in titles.items() if title.numbered}
        marked = {index for index, title in titles.items() if title.marked}
        sure = {index for index, title in titles.items() if title.ends_as_question}
        others = {index for index, title in titles.items() if not (title.asks or title.is_generic)}
        if marked:
            chosen |= marked | asking
        elif asking and len(asking) >= len(others):
            chosen |= asking | numbered
            if len(asking) >= 4 * len(others):
                chosen |= others
            elif len(sure) >= 3:
                chosen |= {index for index in others if titles[index].text.endswith((".", "。", "।"))}
        elif len(sure) >= 3:
            chosen |= sure
        elif document.about_questions and 2 * len(numbered) > len(titles):
            chosen |= numbered
    first = next(iter(document.titles), -1)
    rest = [document.titles[index] for index in chosen if index != first]
    if first in chosen and document.blocks[first].level == 1 and len(rest) > 1:
        parts = not any(title.asks or title.marked for title in rest)  # of an answer, numbered
        if not (parts and document.titles[first].ends_as_question):
            chosen.discard(first)  # the title of the page
    return chosen


def _outermost(document: ForeignPage, chosen: set[int]) -> set[int]:
    """Without the headings that belong to the answer of another, and those that only group others."""
    kept: set[int] = set()
    current: int | None = None
    for index, title in document.titles.items():
        level = document.blocks[index].level
        if current is not None and level <= document.blocks[current].level:
            current = None
        if index not in chosen:
            continue
        if current is not None:
            says_something = document.blocks[current + 1].kind != "heading"
            if says_something and not (title.marked or (title.numbered and title.asks)):
                continue
            if not says_something:
                kept.discard(current)
        current = index
        kept.add(index)
    return kept
