"""What is folded away: `<details>`, and the folds of MkDocs, Quarto and MyST, which are rewritten as `<details>`."""

from __future__ import annotations

import re
from typing import NamedTuple

from regdemo.quiz.styles.languages import words
from regdemo.quiz.styles.markup import MaskedText, title_text

_DETAILS = re.compile(r"<(/?)details\b[^>\n]{0,200}>", re.IGNORECASE)
_SUMMARY = re.compile(r"<summary\b[^>\n]{0,200}>", re.IGNORECASE)
_SUMMARY_END = re.compile(r"</summary\s{0,9}>", re.IGNORECASE)

# `??? question "What is p?"`, whose body is indented
_MKDOCS = re.compile(r"(?P<indent> *)(?:\?\?\?\+?|!!!)[ \t]+[\w-]+[^\"\n]{0,80}(?:\"(?P<title>[^\n]*)\")?[ \t]*")
# `::: {.callout-tip title="What is q?"}` and `:::{dropdown} What is a mask?`, which end at a fence as long
_FENCE = re.compile(
    r"(?P<indent> *)(?P<fence>:{3,}|`{3,}|~{3,})[ \t]*\{(?P<head>[^}\n]{1,400})\}[ \t]*(?P<title>[^\n]*)"
)
_FOLDING = re.compile(r"dropdown|toggle|admonition|note|tip|question|details|collapse|hint|solution|exercise|spoiler")
_TITLE = re.compile(r"title=\"([^\"\n]*)\"|title='([^'\n]*)'")
_OPTION = re.compile(r"[ \t]*:[\w-]+:[^\n]*")
_HEADING = re.compile(r" *#{1,6}[ \t]+([^\n]+?)[ \t#]*")
_MORE = frozenset({"more", "detail", "details"})
_PLAIN_FENCE = re.compile(r" *(`{3,}|~{3,})")


class Fold(NamedTuple):
    """A `<details>` block: where it and its inside begin and end, and its summary."""

    start: int
    inside: int
    close: int
    end: int
    summary: str

    @property
    def reveals(self) -> bool:
        """Whether the summary names an answer, not a question."""
        return self._words() <= words("reveal") or self.names(words("answer") | words("explanation"))

    @property
    def adds(self) -> bool:
        """Whether the summary says that there is more than what is above it."""
        return not self.names(words("answer")) and self.names(words("explanation") | _MORE)

    def names(self, some: frozenset[str]) -> bool:
        """Whether the summary, short and no question, has one of these words."""
        named = self._words()
        return len(named) <= 6 and not named.isdisjoint(some) and "?" not in self.summary

    @property
    def hints(self) -> bool:
        """Whether the summary names a hint."""
        return not self.reveals and self._words() <= words("reveal") | words("hint")

    def _words(self) -> set[str]:
        return set(re.findall(r"[^\W\d_]+", title_text(self.summary).casefold()))


def find_folds(text: MaskedText, start: int = 0, end: int | None = None) -> list[Fold]:
    """The outermost `<details>` blocks of a stretch of the text."""
    if "<" not in text.masked:
        return []
    found: list[Fold] = []
    depth, first, inside = 0, 0, 0
    for tag in _DETAILS.finditer(text.masked, start, len(text.masked) if end is None else end):
        if not tag[1]:
            if depth == 0:
                first, inside = tag.start(), tag.end()
            depth += 1
        elif depth:
            depth -= 1
            if depth == 0:
                found.append(_fold(text, first, inside, tag.start(), tag.end()))
    return found


def begins_fold(text: str, start: int, end: int) -> bool:
    """Whether a `<details>` block begins at the start of a stretch."""
    return bool(_DETAILS.match(text, start, end))


def _fold(text: MaskedText, start: int, inside: int, close: int, end: int) -> Fold:
    opening = _SUMMARY.search(text.masked, inside, close)
    closing = _SUMMARY_END.search(text.masked, opening.end(), close) if opening else None
    if not opening or not closing:
        return Fold(start, inside, close, end, "")
    return Fold(start, closing.end(), close, end, text.raw[opening.end() : closing.start()].strip())


def with_details(text: str) -> tuple[str, list[int]]:
    """The text with other folds as `<details>`, and for each of its lines the line it was, both counted from 0.

    >>> with_details('??? question "What is p?"\\n    A rate.\\n')[0]
    '<details><summary>What is p?</summary>\\n\\nA rate.\\n\\n\\n</details>\\n'
    """
    lines = text.split("\n")
    if not any(line.lstrip().startswith(("???", "!!!", ":::")) or "{" in line for line in lines):
        return text, list(range(len(lines)))
    return _Rewriter(lines).rewritten()


class _Rewriter:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._written: list[tuple[str, int]] = []

    def rewritten(self) -> tuple[str, list[int]]:
        closers: list[tuple[str, int]] = []  # of fences that are open, and for MkDocs the indentation of the body
        code = ""
        indent = 0  # of the bodies that are open
        number = 0
        while number < len(self._lines):
            line = self._lines[number]
            if closers and closers[-1][1] and line.strip() and not line.startswith(" " * indent):
                self._close(number)
                indent -= closers.pop()[1]
                continue
            line = line[indent:]
            if code:
                code = "" if line.strip().startswith(code) and not line.strip().strip(code[0]) else code
            elif closers and closers[-1][0] and line.strip() == closers[-1][0]:
                self._close(number)
                indent -= closers.pop()[1]
                number += 1
                continue
            elif opened := self._opened(line, number):
                closer, number = opened
                closers.append(closer)
                indent += closer[1]
                continue
            elif fence := _PLAIN_FENCE.match(line):
                code = fence[1]
            self._written.append((line, number))
            number += 1
        for _ in closers:
            self._close(len(self._lines) - 1)
        return "\n".join(line for line, _ in self._written), [number for _, number in self._written]

    def _opened(self, line: str, number: int) -> tuple[tuple[str, int], int] | None:
        """What closes the fold that a line opens, and the next line to look at; None if it opens none."""
        if (found := _MKDOCS.fullmatch(line)) and found["title"]:
            self._open(found["title"], number)
            return ("", len(found["indent"]) + 4), number + 1
        found = _FENCE.fullmatch(line)
        if not found or not _FOLDING.search(found["head"]):
            return None
        named = _TITLE.search(found["head"])
        title, after = (named[1] or named[2] or "") if named else found["title"].strip(), number + 1
        while after < len(self._lines) and _OPTION.fullmatch(self._lines[after]):
            after += 1
        if not title:
            while after < len(self._lines) and not self._lines[after].strip():
                after += 1
            heading = _HEADING.fullmatch(self._lines[after]) if after < len(self._lines) else None
            if not heading:
                return None
            title, after = heading[1], after + 1
        self._open(title, number)
        return (found["fence"], 0), after

    def _open(self, title: str, number: int) -> None:
        escaped = title.replace("<", "&lt;") if "`" not in title else title
        self._written += [(f"<details><summary>{escaped}</summary>", number), ("", number)]

    def _close(self, number: int) -> None:
        self._written += [("", number), ("</details>", number)]
        self._written += [("", number)]
