"""A key of answers at the end: a heading Answers, below it `1. B`, a table, or one line `1-B 2-A`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from regdemo.quiz.blocks import MarkdownBlock, MarkdownPage
from regdemo.quiz.styles.languages import pattern
from regdemo.quiz.styles.markup import MaskedText

_HEAD = re.compile(rf"[ \t#*_]*(?:the[ \t])?(?:{pattern('key')})[*_]*[ \t]*[:：]?[*_]*[ \t]*", re.IGNORECASE)
_LINE = re.compile(
    r"^[ \t]*(?:[-*+][ \t]+)?\|?[ \t]*[*_]{0,2}(?:q|ques|question)?[ \t]?(?P<number>\d{1,4})[*_]{0,2}[ \t]*"
    r"(?:[.):：=|–—-]+[ \t]*|[ \t]+)(?P<answer>[^\n|]*?\S)[ \t]*\|?[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
_IN_ONE_LINE = re.compile(r"(?<!\w)(\d{1,4})[ \t]*[-–.):=][ \t]*\(?([A-Ha-h])\b\)?")


class Key:
    """The answers of one section, by the numbers of its questions; it covers the blocks from first up to last."""

    def __init__(self, first: int, last: int, answers: dict[int, str]) -> None:
        self.first = first
        self.last = last
        self.answers = answers


class KeyedPage(Protocol):
    """What is read of a document."""

    page: MarkdownPage

    @property
    def blocks(self) -> Sequence[MarkdownBlock]:
        """Its blocks."""

    @property
    def offsets(self) -> Sequence[int]:
        """Where each line begins in the text."""

    @property
    def text(self) -> MaskedText:
        """Its text."""


def find_keys(document: KeyedPage) -> list[Key]:
    """The keys of a page, in their order."""
    found: list[Key] = []
    blocks = document.blocks
    for index, block in enumerate(blocks):
        line = document.page.lines[block.start]
        head = block.text if block.kind == "heading" else line
        if block.kind not in ("heading", "paragraph") or not _HEAD.fullmatch(head):
            continue
        last = index + 1
        while last < len(blocks) and not (
            blocks[last].kind == "heading" and (block.kind != "heading" or blocks[last].level <= block.level)
        ):
            last += 1
        start = document.offsets[block.start + 1] if block.kind == "paragraph" else document.offsets[block.end]
        end = document.offsets[blocks[last - 1].end] if last > index else start
        answers = _answers(document.text.raw[start:end])
        if len(answers) > 1 or (answers and all(len(text) < 3 for text in answers.values())):
            found.append(Key(index, last, answers))
    return found


def _answers(text: str) -> dict[int, str]:
    """The answers by number, if they are most of what a text says. A number twice is not to be trusted."""
    lines = [line for line in text.split("\n") if line.strip()]
    pairs = [(int(number), answer) for number, answer in _IN_ONE_LINE.findall(text)]
    if len(pairs) < 2 or len(pairs) <= len(lines):
        pairs = [(int(found["number"]), found["answer"].strip(" *_")) for found in _LINE.finditer(text)]
    if 2 * len(pairs) < len(lines):
        return {}
    numbers = [number for number, _ in pairs]
    return {number: answer for number, answer in pairs if numbers.count(number) == 1}
