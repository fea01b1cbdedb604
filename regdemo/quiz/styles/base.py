"""What every style has, and the page that it looks at."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple, Protocol

from regdemo.quiz.blocks import MarkdownBlock, MarkdownPage
from regdemo.quiz.styles.folds import Fold, find_folds
from regdemo.quiz.styles.keys import Key, find_keys
from regdemo.quiz.styles.markup import is_only_links, text_of
from regdemo.quiz.styles.titles import Title, first_word, names_answer, read_title

ABOUT_QUESTIONS = re.compile(r"question|interview|quiz|flash ?cards?|\bq ?(?:&|and) ?a\b|\bfaq|exam\b|trivia", re.I)
_NEXT_KEYS = 20  # a question is looked up in so many keys of answers below it
_ASIDE_WORDS = frozenset({"see", "show", "click", "view", "expand", "example", "code", "output", "note", "tip"})


class Start(NamedTuple):
    """Where a question begins and where its body does, in the text of a document.

    end: where it ends by itself; without it, it ends where the next question or the next heading begins.
    number: by which a key of answers names it.  answers: whether all of its body is the answer.  gaps: of a cloze, what
    is missing: where it begins and ends, and how many characters mark either end.  is_item: a list item; a list in an
    answer asks nothing.  after: where the next question may begin.  mark: what the answer is behind.
    """

    at: int
    title: str
    body: int
    end: int | None = None
    number: int | None = None
    answers: bool = False
    gaps: tuple[tuple[int, int, int], ...] = ()
    is_item: bool = False
    after: int | None = None
    mark: tuple[int, int] | None = None


class Style(Protocol):
    """One way to write questions and answers."""

    name: str
    example: str

    def certainty(self, document: ForeignPage) -> float:
        """How surely the document has this style, from 0 to 1. Of two styles that see a question the surer has it."""

    def starts(self, document: ForeignPage, index: int, current: Start | None) -> list[Start]:
        """The questions that begin in the block with this index. current: the question that is open before it."""


class ForeignPage:
    """A page that was not written for regdemo, with what several styles need to know about it.

    subject: the names of its folders and of itself, which may say that it is about questions.  name: its own.
    """

    def __init__(self, page: MarkdownPage, subject: str = "", name: str = "") -> None:
        self.page = page
        self.blocks = page.blocks
        self.text = text_of(page)
        self.offsets = [0, *accumulate(len(line) + 1 for line in page.lines)]
        first = next((block.text for block in page.blocks if block.kind == "heading"), "")
        self.name = name
        self._found: dict[re.Pattern[str], bool] = {}
        self.about_questions = bool(ABOUT_QUESTIONS.search(f"{subject} {first}"))
        self.question_folds, self.closed_folds = self._sort_folds()
        self.keys: list[Key] = find_keys(self)

    def key_for(self, at: int, number: int | None) -> str:
        """What the next key of answers says for the question with this number at this place, or nothing."""
        index = bisect_right(self.blocks, self.line_at(at), key=lambda block: block.start) - 1
        first = bisect_right(self.keys, index, key=lambda key: key.first)
        following = self.keys[first : first + _NEXT_KEYS]
        return next((key.answers[number] for key in following if number in key.answers), "") if number else ""

    def before_key(self, index: int, end: int) -> int:
        """The end of a section that begins at a block, or the block of the next key of answers, if that comes first."""
        place = bisect_right(self.keys, index, key=lambda key: key.first)
        return min(end, self.keys[place].first) if place < len(self.keys) else end

    def has(self, sign: re.Pattern[str]) -> bool:
        """Whether a pattern is found anywhere in the text; it is searched for once."""
        if sign not in self._found:
            self._found[sign] = bool(sign.search(self.text.masked))
        return self._found[sign]

    def span(self, block: MarkdownBlock) -> tuple[int, int]:
        """Where a block is in the text."""
        return self.offsets[block.start], min(self.offsets[block.end], len(self.text.raw))

    def items(self, block: MarkdownBlock) -> list[tuple[int, int]]:
        """Where the items of a list are in the text."""
        return [(self.offsets[start], min(self.offsets[end], len(self.text.raw))) for start, end in block.items]

    def line_at(self, offset: int) -> int:
        """The number of the line, from 0, with this place in the text."""
        return bisect_right(self.offsets, offset) - 1

    def end_of_line(self, offset: int) -> int:
        """Where the line with this place ends."""
        end = self.text.raw.find("\n", offset)
        return end if end >= 0 else len(self.text.raw)

    def blank_after(self, offset: int) -> int:
        """Where the next blank line begins, or the text ends."""
        line = self.line_at(offset)
        while line < len(self.page.lines) and self.page.lines[line].strip():
            line += 1
        return min(self.offsets[line], len(self.text.raw))

    def reveals(self, start: int, end: int) -> bool:
        """Whether a fold that shows an answer begins in a stretch of the text."""
        first = bisect_left(self.closed_folds, start, key=lambda fold: fold.start)
        folds = self.closed_folds
        return first < len(folds) and folds[first].start < end and folds[first].reveals

    @cached_property
    def titles(self) -> dict[int, Title]:
        """The headings outside folds, by the index of their block, but those that name an answer."""
        titles: dict[int, Title] = {}
        for index, block in enumerate(self.blocks):
            if block.kind == "heading" and not names_answer(block.text):
                fold = bisect_right(self.closed_folds, self.offsets[block.start], key=lambda fold: fold.start) - 1
                if fold < 0 or self.closed_folds[fold].end <= self.offsets[block.start]:
                    titles[index] = read_title(block.text)
        return titles

    def _sort_folds(self) -> tuple[list[tuple[Fold, Title]], list[Fold]]:
        """The folds whose summary is a question, with its title; and all folds whose inside is no place to look."""
        questions: list[tuple[Fold, Title]] = []
        others: list[tuple[Fold, Title]] = []
        closed: list[Fold] = []
        stretches = [(0, len(self.text.raw), 0)]
        while stretches:
            start, end, depth = stretches.pop()
            for fold in find_folds(self.text, start, end):
                title = read_title(fold.summary)
                if fold.reveals or fold.hints:
                    closed.append(fold)
                elif title.asks or title.marked or title.numbered:
                    questions.append((fold, title))
                elif depth < 4 and find_folds(self.text, fold.inside, fold.close):
                    stretches.append((fold.inside, fold.close, depth + 1))
                elif not self._is_aside(fold, title):
                    others.append((fold, title))
        if others and (3 * len(questions) >= len(others) or (self.about_questions and len(others) >= 3)):
            questions += others  # terms to explain, tasks, statements that are true or false
            others = []
        self.other_folds = [fold for fold, _ in others]
        questions.sort(key=lambda found: found[0].start)
        return questions, sorted([*closed, *(fold for fold, _ in questions)], key=lambda fold: fold.start)

    def _is_aside(self, fold: Fold, title: Title) -> bool:
        """Whether a fold holds a part of an answer, or a table of contents."""
        aside = first_word(title.text) in _ASIDE_WORDS or "contents" in title.text.lower()
        return aside or is_only_links(self.text.raw[fold.inside : fold.close])
