"""The questions of a foreign page: each block is shown to the styles, the surest first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from regdemo.quiz.cards import Reason
from regdemo.quiz.styles import bold, details, filename, headings, lists, pairs, paragraphs, separators, tables
from regdemo.quiz.styles.answers import Cut, SplitAnswer, split
from regdemo.quiz.styles.base import ForeignPage, Start, Style
from regdemo.quiz.styles.languages import is_placeholder
from regdemo.quiz.styles.markup import MaskedText, is_only_links, tidied
from regdemo.quiz.styles.options import Undecided
from regdemo.quiz.styles.titles import names_answer
from regdemo.quiz.text import gaps

STYLES: tuple[Style, ...] = (
    filename.STYLE,
    tables.STYLE,
    headings.STYLE,
    details.STYLE,
    pairs.STYLE,
    separators.STYLE,
    bold.STYLE,
    lists.STYLE,
    paragraphs.STYLE,
)

_FOOTER = 300  # characters that may follow the last rule of a page and belong to no answer
_RULE = re.compile(r"\n[ \t]*(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})(?=\n)")


class FoundQuestion(NamedTuple):
    """A question and its answer as found in the lines from start up to end."""

    split: SplitAnswer
    start: int
    end: int


class LeftOut(NamedTuple):
    """A question that is not asked: its line, from 0, its title, why, and more of why."""

    line: int
    title: str
    reason: Reason
    detail: str = ""


def find(document: ForeignPage, styles: Sequence[Style] = STYLES) -> tuple[list[FoundQuestion], list[LeftOut]]:
    """The questions of a page that have an answer, in their order, and those that are left out."""
    finder = _Finder(document, styles)
    finder.walk()
    return sorted(finder.found, key=lambda entry: entry.start), finder.left_out


class _Finder:
    """Walks over a page once."""

    def __init__(self, document: ForeignPage, styles: Sequence[Style]) -> None:
        sure = {style.name: style.certainty(document) for style in styles}
        self.styles = sorted((style for style in styles if sure[style.name]), key=lambda style: -sure[style.name])
        self.document = document
        self.found: list[FoundQuestion] = []
        self.left_out: list[LeftOut] = []
        self.current: Start | None = None
        self.done = 0
        self.last = len(document.text.raw.rstrip())  # where the text ends

    def walk(self) -> None:
        """Walk over the blocks."""
        document = self.document
        offsets = [*(document.offsets[block.start] for block in document.blocks), len(document.text.raw)]
        keys = {key.first: key.last for key in document.keys}
        for index, block in enumerate(document.blocks):
            at = offsets[index]
            if at < self.done:
                continue
            if index in keys:
                self._close(at)
                self.done = offsets[keys[index]]
                continue
            seen = (style.starts(document, index, self.current) for style in self.styles)
            starts = next(filter(None, seen), [])
            for start in starts:
                self._close(start.at)
                self.current = start
                if start.end is not None:
                    self._close(start.end)
                    self.done = max(self.done, start.after or start.end)
            if not starts and block.kind == "heading":
                underlined = not document.page.lines[block.start].lstrip().startswith("#")
                if not (names_answer(block.text) or (underlined and self.current)):  # a rule right below an answer
                    self._close(at)
        self._close(len(document.text.raw), is_last=True)

    def _close(self, end: int, is_last: bool = False) -> None:
        """End the question that is open."""
        if not self.current:
            return
        start, self.current = self.current, None
        end = min(end, start.end) if start.end is not None else end
        body = self.document.text.cut(start.body, end)
        if is_last or end >= self.last:
            body = _without_footer(body)
        split_ = self._split(start, body)
        first, last = self.document.line_at(start.at), self.document.line_at(max(start.at, end - 1)) + 1
        if isinstance(split_, SplitAnswer):
            self.found.append(FoundQuestion(split_, first, last))
        elif isinstance(split_, Undecided):
            self.left_out.append(LeftOut(first, start.title, Reason.UNDECIDED, split_.reason))
        else:
            self.left_out.append(LeftOut(first, start.title or body.raw.strip().partition("\n")[0], Reason.NO_ANSWER))

    def _split(self, start: Start, body: MaskedText) -> SplitAnswer | Undecided | None:
        if start.gaps:
            return self._cloze(start, body)
        if start.answers:
            said = tidied(body).replace("\\|", "|")
            said = re.sub(r"<br\s*/?>", "\n", said)
            return (
                None
                if not start.title or is_only_links(said) or is_placeholder(said)
                else SplitAnswer(start.title, said, said)
            )
        key = self.document.key_for(start.at, start.number)
        cut = None
        if start.mark:
            first, last = (max(0, place - start.body) for place in start.mark)
            cut = Cut(body.cut(0, first), body.cut(last), marked=True)
        return split(start.title, body, key, folded=start.after is not None, cut=cut)

    def _cloze(self, start: Start, body: MaskedText) -> SplitAnswer:
        """The text with gaps, and in full."""
        raw, end = self.document.text.raw, start.body
        asked: list[str] = []
        full: list[str] = []
        blanks: list[tuple[str, ...]] = []
        for (first, last, width), gap in zip(start.gaps, gaps(len(start.gaps)), strict=True):
            blanks.append((raw[first + width : last - width].strip(),))
            asked += [raw[end:first], gap]
            full += [raw[end:first], blanks[-1][0]]
            end = last
        rest = raw[end : start.body + len(body.raw)]
        return SplitAnswer("".join([*asked, rest]).strip(), "".join([*full, rest]).strip(), "", blanks=tuple(blanks))


def _without_footer(body: MaskedText) -> MaskedText:
    """The body of a page's last question without a few lines behind a rule, which speak of the page."""
    rules = list(_RULE.finditer(body.masked))
    if not rules or not body.raw[: rules[-1].start()].strip():
        return body
    rest = body.masked[rules[-1].end() :]
    if len(rest) > _FOOTER or "\n#" in rest or rest.strip() != body.raw[rules[-1].end() :].strip():
        return body
    return body.cut(0, rules[-1].start())
