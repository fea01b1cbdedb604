"""Other people's files: where questions start in pages that were not written as decks.

Six styles, mixed as they come: numbered or question headings with the answer below; bold questions; `<details>` blocks;
lettered options with an `Answer: C` line; `Q:` and `A:` pairs; `question :: answer` lines.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import NamedTuple

from regdemo.quiz.blocks import MARKER, Block, Page
from regdemo.quiz.styles.answers import (
    Fold,
    Split,
    answer_mark,
    begins_fold,
    begins_options,
    folds,
    lettered,
    names_answer,
    only_links,
    plain,
    split,
    text_of,
)
from regdemo.quiz.styles.titles import Title, first_word, read_title

_ASIDE_WORDS = frozenset({"see", "show", "click", "view", "expand", "example", "code", "output", "note", "tip"})
_ABOUT_QUESTIONS = re.compile(r"question|interview|quiz|flash ?cards?|\bq ?(?:&|and) ?a\b|\bfaq|exam\b|trivia", re.I)

_Q_LINE = re.compile(
    r"^[ \t]*+(?:[-*+][ \t]+|\d{1,4}[.)][ \t]+)?[*_]{0,3}(?:q|ques|question)[ \t]?"
    r"(?:[#.-]?[ \t]?\d{1,4}[*_]{0,3}[ \t]?[.:)：。．、–—-]|[*_]{0,3}[:：])[*_]{0,3}[ \t]*+(?=\S)",
    re.IGNORECASE | re.MULTILINE,
)
_ANSWER_ON_SAME_LINE = re.compile(r"[ \t][*_]{0,3}(?:a|ans|answer)[*_]{0,3}[:：][*_]{0,3}[ \t]", re.IGNORECASE)
_PAIR = re.compile(r"^[ \t]*+(?:[-*+][ \t]+|\d{1,4}[.)][ \t]+)?(\S[^\n]{0,400}?)[ \t]::[ \t]+(\S[^\n]*)$", re.MULTILINE)
_BOLD = re.compile(r"[ \t]*(?P<number>\d{1,4}[.)][ \t]*)?(\*\*|__)(?P<text>[^\s*](?:(?!\2)[^\n]){2,400})\2[ \t]*[:：]?")
_BOLD_NUMBER = re.compile(r"[ \t]*\*\*\(?\d{1,4}[.):](?:(?!\*\*)[^\n]){0,400}\*\*")
_BOLD_QUESTION = re.compile(
    r"^[ \t]*(?:(?:[-*+]|\d{1,4}[.)])[ \t]+)?(?:\*\*|__)[^\n]*[?？؟]\W{0,4}(?:\*\*|__)", re.MULTILINE
)
_ITEM_HEADING = re.compile(r"#{1,6}[ \t]+(?=\S)")
_ITEM_LINK = re.compile(r"!?\[[^\[\]\n]{0,400}\]\(")


class Entry(NamedTuple):
    """A question and its answer as found in the lines from start up to end."""

    split: Split
    start: int
    end: int


def find(page: Page, subject: str = "", name: str = "") -> list[Entry]:
    """The questions of a page that have an answer, in their order.

    name: of its file, which may be the question that all of the page answers. subject: what else tells of it.
    """
    if whole := _whole(page, name):
        return [whole]
    return sorted(_Finder(page, subject).entries(), key=lambda entry: entry.start)


def _whole(page: Page, name: str) -> Entry | None:
    """The page as one answer, if its file's name asks and its headings do not: `what-is-a-mask.md`."""
    title = read_title(name.replace("-", " ").replace("_", " "))
    words = title.text.lower().split()
    if not title.asks or len(words) < 3 or words[:2] == ["how", "to"] or _ABOUT_QUESTIONS.search(name):
        return None
    first = page.blocks[:1] if page.blocks[:1] and page.blocks[0].kind == "heading" else []
    headings = [read_title(block.text) for block in page.blocks[len(first) :] if block.kind == "heading"]
    if sum(heading.marked or heading.ends_as_question for heading in headings) > 1:
        return None
    head = read_title(first[0].text) if first else title
    lines = range(first[0].end if first else 0, len(page.lines))
    found = split(head.text if head.asks else title.text, text_of(page, lines))
    return Entry(found, first[0].start if first else 0, len(page.lines)) if found else None


class _Start(NamedTuple):
    """A question: where it starts and where its body does, in the text. A body that ends by itself has an end."""

    at: int
    title: str
    body: int
    end: int | None = None
    is_item: bool = False


class _Finder:
    """Walks over a page once and notes each question with its answer."""

    def __init__(self, page: Page, subject: str) -> None:
        self.page = page
        self.blocks = page.blocks
        self.text = text_of(page, range(len(page.lines)))
        self.offsets = [0, *accumulate(len(line) + 1 for line in page.lines)]
        first = next((block.text for block in page.blocks if block.kind == "heading"), "")
        self.about_questions = bool(_ABOUT_QUESTIONS.search(f"{subject} {first}"))
        numbers = sum(bool(_BOLD_NUMBER.match(page.lines[block.start])) for block in page.blocks)
        self.bold_numbers = self.about_questions and numbers >= 3
        self.bold_asks = self.about_questions or bool(_BOLD_QUESTION.search(self.text.masked))
        self.questions, self.closed = self._sort_folds()
        self.titles = self._titles()
        self.headings = self._question_headings()
        self.found: list[Entry] = []
        self.open: _Start | None = None
        self.done = 0

    def entries(self) -> list[Entry]:
        """Walk over the blocks."""
        for index, block in enumerate(self.blocks):
            at = self.offsets[block.start]
            if at < self.done:
                continue
            if index in self.headings:
                end = self.headings[index]
                self.done = self.offsets[self.blocks[end].start] if end < len(self.blocks) else len(self.text.raw)
                self._start(_Start(at, self.titles[index].text, self.offsets[block.end], self.done))
            elif block.kind == "heading":
                underlined = not self.page.lines[block.start].lstrip().startswith("#")
                if not (names_answer(block.text) or (underlined and self.open)):  # a rule right below an answer
                    self._close(at)
            elif block.kind == "list":
                self._list(index, block)
            elif not self._take_folds(*self._span(block)) and block.kind == "paragraph":
                self._paragraph(index, block)
        self._close(len(self.text.raw))
        return self.found

    def _span(self, block: Block) -> tuple[int, int]:
        """Where a block stands in the text."""
        return self.offsets[block.start], min(self.offsets[block.end], len(self.text.raw))

    def _start(self, start: _Start) -> None:
        """End the question that is open, and begin another."""
        self._close(start.at)
        if start.end is None:
            self.open = start
        elif found := split(start.title, self.text.cut(start.body, start.end)):
            first, last = bisect_right(self.offsets, start.at) - 1, bisect_left(self.offsets, start.end)
            self.found.append(Entry(found, first, last))

    def _close(self, end: int) -> None:
        """End the question that is open."""
        if self.open:
            start, self.open = self.open, None
            self._start(start._replace(end=end))

    # Folds and headings

    def _sort_folds(self) -> tuple[list[tuple[Fold, str]], list[Fold]]:
        """The folds whose summary is a question, with its title; and all those whose inside is no place to look."""
        questions: list[tuple[Fold, str]] = []
        others: list[tuple[Fold, str]] = []
        closed: list[Fold] = []
        stretches = [(0, len(self.text.raw), 0)]
        while stretches:
            start, end, depth = stretches.pop()
            for fold in folds(self.text, start, end):
                title = read_title(fold.summary)
                if fold.reveals or fold.hints:
                    closed.append(fold)
                elif title.asks or title.marked or title.numbered:
                    questions.append((fold, title.text))
                elif depth < 4 and folds(self.text, fold.inside, fold.close):
                    stretches.append((fold.inside, fold.close, depth + 1))
                elif not self._is_aside(fold, title):
                    others.append((fold, title.text))
        if 3 * len(questions) >= len(others) or (self.about_questions and len(others) >= 3):
            questions += others  # terms to explain, tasks, statements that are true or false
        questions.sort(key=lambda found: found[0].start)
        return questions, sorted([*closed, *(fold for fold, _ in questions)], key=lambda fold: fold.start)

    def _is_aside(self, fold: Fold, title: Title) -> bool:
        """Whether a fold holds a part of an answer, or a table of contents."""
        aside = first_word(title.text) in _ASIDE_WORDS or "contents" in title.text.lower()
        return aside or only_links(self.text.raw[fold.inside : fold.close])

    def _take_folds(self, start: int, end: int) -> bool:
        """Note the questions in the folds that begin in a stretch of the text."""
        first = bisect_left(self.questions, start, key=lambda found: found[0].start)
        last = bisect_left(self.questions, end, key=lambda found: found[0].start)
        for fold, title in self.questions[first:last]:
            self._start(_Start(fold.start, title, fold.inside, fold.close))
            self.done = max(self.done, fold.end)
        return first < last

    def _reveals(self, start: int, end: int) -> bool:
        """Whether a fold that reveals an answer begins in a stretch of the text."""
        first = bisect_left(self.closed, start, key=lambda fold: fold.start)
        return first < len(self.closed) and self.closed[first].start < end and self.closed[first].reveals

    def _titles(self) -> dict[int, Title]:
        """The headings outside folds, but those that name an answer."""
        titles: dict[int, Title] = {}
        for index, block in enumerate(self.blocks):
            if block.kind == "heading" and not names_answer(block.text):
                fold = bisect_right(self.closed, self.offsets[block.start], key=lambda fold: fold.start) - 1
                if fold < 0 or self.closed[fold].end <= self.offsets[block.start]:
                    titles[index] = read_title(block.text)
        return titles

    def _question_headings(self) -> dict[int, int]:
        """The headings that are questions, each with the index of the block at which its section ends."""
        chosen = self._outermost(self._asking())
        ends: dict[int, int] = {}
        current: int | None = None
        for index in [*self.titles, len(self.blocks)]:
            is_end = index == len(self.blocks) or index in chosen
            if current is not None and (is_end or self.blocks[index].level <= self.blocks[current].level):
                ends[current] = index
                current = None
            if index in chosen:
                current = index
        return ends

    def _asking(self) -> set[int]:
        """The headings that ask, judged together with their neighbours of the same level."""
        chosen: set[int] = set()
        for level in range(1, 7):
            titles = {index: title for index, title in self.titles.items() if self.blocks[index].level == level}
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
            elif self.about_questions and 2 * len(numbered) > len(titles):
                chosen |= numbered
        first = next(iter(self.titles), -1)
        rest = [self.titles[index] for index in chosen if index != first]
        if first in chosen and self.blocks[first].level == 1 and len(rest) > 1:
            parts = not any(title.asks or title.marked for title in rest)  # of an answer, numbered
            if not (parts and self.titles[first].ends_as_question):
                chosen.discard(first)  # the title of the page
        return chosen

    def _outermost(self, chosen: set[int]) -> set[int]:
        """Without the headings that belong to the answer of another, and those that only group others."""
        kept: set[int] = set()
        current: int | None = None
        for index, title in self.titles.items():
            level = self.blocks[index].level
            if current is not None and level <= self.blocks[current].level:
                current = None
            if index not in chosen:
                continue
            if current is not None:
                says_something = self.blocks[current + 1].kind != "heading"
                if says_something and not (title.marked or (title.numbered and title.asks)):
                    continue
                if not says_something:
                    kept.discard(current)
            current = index
            kept.add(index)
        return kept

    # Paragraphs and lists

    def _paragraph(self, index: int, block: Block) -> None:
        start, end = self._span(block)
        masked = self.text.masked[start:end]
        if self._q_lines(start, end) or self._pairs(start, end):
            return
        if bold := _BOLD.match(masked):
            title = read_title(f"{bold['number'] or ''}{bold['text']}")
            if title.marked or (title.asks and (title.ends_as_question or self.bold_asks)):
                self._start(_Start(start, title.text, start + bold.end()))
                return
        if self.bold_numbers and (bold := _BOLD_NUMBER.match(masked)):
            line = self.text.raw[start:end].partition("\n")[0]
            self._start(_Start(start, read_title(line).text, start + len(line)))
            return
        title = read_title(masked.partition("\n")[0])
        if (title.asks or title.marked or lettered(self.text.cut(start, end))) and self._is_answered(index):
            fresh = self.open and self.open.title and not self.text.masked[self.open.body : start].strip()
            if not fresh:
                self._start(_Start(start, "", start))

    def _q_lines(self, start: int, end: int) -> bool:
        """Begin a question at each line `Q: ...`."""
        found = list(_Q_LINE.finditer(self.text.masked, start, end))
        for line in found:
            stop = self.text.masked.find("\n", line.end(), end)
            title = self.text.raw[line.end() : stop if stop >= 0 else end]
            body = line.end() + len(title)
            if answer := _ANSWER_ON_SAME_LINE.search(title):
                title, body = title[: answer.start()], line.end() + answer.end()
            self._start(_Start(line.start(), plain(title), body))
        return bool(found)

    def _pairs(self, start: int, end: int) -> bool:
        """Note each line `question :: answer`, where most lines are such."""
        masked = self.text.masked
        found = [pair for pair in _PAIR.finditer(masked, start, end) if pair[1].count("`") % 2 == 0]
        if 2 * len(found) < len(masked[start:end].strip().split("\n")):
            return False
        for pair in found:
            self._start(_Start(pair.start(), plain(self.text.raw[slice(*pair.span(1))]), pair.start(2), pair.end()))
        return bool(found)

    def _is_answered(self, index: int) -> bool:
        """Whether an answer is marked in this block, or below it with nothing but options and code between."""
        if answer_mark(self.text, *self._span(self.blocks[index])):
            return True
        for block in self.blocks[index + 1 : index + 7]:
            start, end = self._span(block)
            if self._reveals(start, end):
                return True
            mark = answer_mark(self.text, start, end)
            if mark and mark.start() == start:
                return True
            options = lettered(self.text.cut(start, end)) if block.kind in ("paragraph", "list") else []
            if options and (mark or options[0].groupdict().get("box") is not None):
                return True
            if not options and block.kind not in ("fence", "code", "quote"):
                return False
        return False

    def _list(self, index: int, block: Block) -> None:
        items = [(self.offsets[start], min(self.offsets[end], len(self.text.raw))) for start, end in block.items]
        if begins_options(self.text.masked, *items[0]):
            return
        asked = 0
        for start, end in items:
            if not self._pairs(start, end) and not self._q_lines(start, end):
                last = end == items[-1][1] and (asked > 0 or len(items) == 1)
                asked += self._item(index, start, end, last, alone=len(items) == 1)

    def _item(self, index: int, start: int, end: int, last: bool, alone: bool) -> bool:
        """Whether a list item asks, with its answer nested in it; or below it, if it ends its list."""
        masked = self.text.masked
        marker = MARKER.match(masked, start, end)
        content = marker.end() if marker else start
        if _ITEM_LINK.match(masked, content, end):
            return False  # a table of contents
        if begins_fold(masked, content, end) and self._take_folds(start, end):
            return True
        heading = _ITEM_HEADING.match(masked, content, end)
        content = heading.end() if heading else content
        bold = _BOLD.match(masked, content, end)
        newline = masked.find("\n", content, end)
        stop = bold.end() if bold else (newline if newline >= 0 else end)
        title = read_title(bold["text"] if bold else self.text.raw[content:stop])
        in_answer = self.open is not None and not self.open.is_item
        asks = title.asks and (title.ends_as_question or (bool(bold) and self.bold_asks))
        if not (heading or (asks if bold else asks and not in_answer)):
            if in_answer or not (self._reveals(start, end) or answer_mark(self.text, content, end)):
                return False
            self._start(_Start(start, "", content, end, is_item=True))
        elif masked[stop:end].strip():
            self._start(_Start(start, title.text, stop, None if alone else end, is_item=True))
        elif last and (heading or bold or self._is_answered(index)):
            self._start(_Start(start, title.text, stop, is_item=True))
        else:
            return False
        return True
