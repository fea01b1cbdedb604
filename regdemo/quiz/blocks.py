"""A markdown text as its top-level blocks, each with its lines, by a CommonMark parser."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import markdown_it

_FRONT_MATTER = re.compile(r"(---|\+\+\+) *\n\w.*\n(?:(?!\1 *\n|#).*\n){0,100}\1 *(?:\n|\Z)")
_SENTENCE = re.compile(r"\n|[.,;:]$")  # a paragraph right above a `---` is a heading to CommonMark, not to its author
MARKER = re.compile(r" *(?:[-*+]|\d{1,9}[.)])(?:[ \t]|$)[ \t]*")


class MarkdownBlock(NamedTuple):
    """A top-level block: the lines from start up to end, counted from 0.

    kind: heading, paragraph, list, fence, html, quote, rule or code.  text: of a heading or a fence, what it holds.
    items: the lines of each item of a list.  closed: False for a fence that runs to the end of the file.
    """

    kind: str
    start: int
    end: int
    text: str = ""
    level: int = 0
    info: str = ""
    items: Sequence[tuple[int, int]] = ()
    closed: bool = True


class MarkdownPage(NamedTuple):
    """A text by lines and by blocks. code holds the lines inside code blocks at any depth."""

    lines: list[str]
    blocks: list[MarkdownBlock]
    code: frozenset[int]

    def source(self, blocks: Sequence[MarkdownBlock]) -> str:
        """The blocks as they are written, a blank line between them."""
        return "\n\n".join("\n".join(self.lines[block.start : block.end]).rstrip() for block in blocks).strip("\n")

    def item(self, start: int, end: int) -> str:
        """The text of a list item, without its marker and indentation."""
        marker = MARKER.match(self.lines[start])
        prefix = marker[0] if marker else ""
        width = len(prefix.expandtabs(4))
        rest = (_dedent(line, width) for line in self.lines[start + 1 : end])
        return "\n".join([self.lines[start][len(prefix) :], *rest]).strip()

    def points(self, blocks: Sequence[MarkdownBlock]) -> Iterator[tuple[int, str]]:
        """Each item of a list, and each other block but a rule, as a text of its own with its first line."""
        for block in blocks:
            if block.kind == "rule":
                continue
            for start, end in block.items or [(block.start, block.end)]:
                if text := self.item(start, end) if block.items else self.source([block]):
                    yield start, text


_KINDS = {
    "heading_open": "heading",
    "paragraph_open": "paragraph",
    "bullet_list_open": "list",
    "ordered_list_open": "list",
    "fence": "fence",
    "html_block": "html",
    "blockquote_open": "quote",
    "hr": "rule",
    "code_block": "code",
}


def read(text: str) -> MarkdownPage:
    """Parse a text that is `clean`. A front matter of up to 100 lines is skipped; lines keep their numbers."""
    if front := _FRONT_MATTER.match(text):
        text = "\n" * front[0].count("\n") + text[front.end() :]
    lines = text.split("\n")
    tokens = _parser().parse(text)
    blocks: list[MarkdownBlock] = []
    items: list[tuple[int, int]] = []
    code: set[int] = set()
    for token, inline in itertools.zip_longest(tokens, tokens[1:]):
        if token.map is None:
            continue
        start, end = token.map
        if token.type in ("fence", "code_block"):
            code.update(range(start, end))
        if token.level == 1 and token.type == "list_item_open":
            items.append((start, end))
        if token.level or not (kind := _KINDS.get(token.type)):
            continue
        if kind == "heading":
            title = inline.content.strip()
            if token.markup == "-" and _SENTENCE.search(title):
                blocks += [MarkdownBlock("paragraph", start, end - 1), MarkdownBlock("rule", end - 1, end)]
            else:
                blocks.append(MarkdownBlock(kind, start, end, title, int(token.tag[1])))
        elif kind == "fence":
            last = lines[end - 1].strip()
            closed = end - start > 1 and last.startswith(token.markup) and not last.strip(token.markup[0])
            blocks.append(MarkdownBlock(kind, start, end, token.content, info=token.info.strip(), closed=closed))
        else:
            items = []  # filled by the items that follow, if it is a list
            blocks.append(MarkdownBlock(kind, start, end, items=items))
    return MarkdownPage(lines, blocks, frozenset(code))


def section_ends(blocks: Sequence[MarkdownBlock]) -> dict[int, int]:
    """For the index of each heading, the index of the next heading of its level or higher.

    A heading Answer ends none of its own level: it belongs to the question above.
    """
    ends: dict[int, int] = {}
    open_headings: list[int] = []
    for index, block in enumerate(blocks):
        if block.kind == "heading":
            ends[index] = len(blocks)
            ending = block.level + (block.text.strip(" *_:").casefold() == "answer")
            while open_headings and blocks[open_headings[-1]].level >= ending:
                ends[open_headings.pop()] = index
            open_headings.append(index)
    return ends


def _dedent(line: str, width: int) -> str:
    """The line without up to `width` columns of leading space; a tab reaches the next multiple of four."""
    body = line.lstrip(" \t")
    indent = len(line[: len(line) - len(body)].expandtabs(4))
    return " " * max(0, indent - width) + body


@cache
def _parser() -> markdown_it.MarkdownIt:
    """CommonMark's blocks, without their inline content; definitions of links stay in the text."""
    return markdown_it.MarkdownIt("commonmark").disable(["inline", "text_join", "reference"])
