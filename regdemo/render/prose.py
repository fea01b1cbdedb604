"""Prose in pieces, the same in every form: plain text, `code`, formulas and links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from regdemo.render import mathematics
from regdemo.text import clean

PieceKind = Literal["text", "code", "math", "link"]

ADDRESS = r"https?://[^\s<>`]*[^\s<>`.,;:!?)\]]"  # in a sentence, without the mark that ends it
_INLINE = re.compile(
    r"`(?P<code>[^`]+)`|\$(?P<math>[^$\n]+)\$|\[(?P<label>[^\]\[]+)\]\((?P<target>https?://[^\s()]+)\)|"
    rf"(?P<link>{ADDRESS})"
)


class Piece(NamedTuple):
    """A piece of prose: what is shown of it, and of a link where it leads."""

    kind: PieceKind
    text: str
    target: str = ""


def inline(text: str) -> Iterator[Piece]:
    r"""Split prose into pieces: plain text, `code` without its backticks, LaTeX without its dollars, and links.

    >>> [tuple(piece) for piece in inline("`p` or [a page](https://x.org)")]
    [('code', 'p', ''), ('text', ' or ', ''), ('link', 'a page', 'https://x.org')]
    >>> [piece.kind for piece in inline(r"$\frac{p}{1-p}$ at https://x.org")]
    ['math', 'text', 'link']
    """
    text = clean(text)
    end = 0
    for match in _INLINE.finditer(text):
        if match.start() > end:
            yield Piece("text", text[end : match.start()])
        if match["code"]:
            yield Piece("code", match["code"])
        elif match["math"]:
            yield Piece("math", match["math"])
        else:
            yield Piece("link", match["label"] or match["link"], match["target"] or match["link"])
        end = match.end()
    if end < len(text):
        yield Piece("text", text[end:])


def plain_prose(text: str) -> str:
    """Prose on one line of plain characters: formulas in Unicode, code without its backticks, links by their words."""
    return "".join(mathematics.plain(p.text) if p.kind == "math" else p.text for p in inline(text))
