"""The one filter for text that others wrote: decks, file names, histories, packages, answers of a model.

A terminal obeys control characters, bidirectional marks reorder what is read, and zero-width or tag characters hide
what is there. What comes in is filtered where it comes in; a message is filtered once more where it is printed.
"""

from __future__ import annotations

from difflib import unified_diff
from functools import cache
from unicodedata import category

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# Format characters that reorder text. They are made visible, since their removal too would change what is read.
_REORDERING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_DANGEROUS = {"Cc", "Cs", "Co", "Zl", "Zp"}


def clean(text: str) -> str:
    r"""Text of several lines that no terminal obeys. Lines end in \n, and tabs stay.

    Control characters, marks that reorder text, lone surrogates and private characters become U+FFFD, and so do line
    separators and noncharacters. Other format characters (zero-width, tags, soft hyphens), which show nothing, go.

    >>> clean("a\x1b[31m\r\nb")
    'a�[31m\nb'
    >>> clean("drop\u200bout \u202ep")
    'dropout �p'
    """
    if text.isprintable():
        return text
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line if line.isprintable() else "".join(map(_shown, line)) for line in lines)


def printable(text: str) -> str:
    r"""The same on one line, for messages and the names of files: line ends and tabs become U+FFFD too.

    >>> printable("deck\n\x07.md")
    'deck��.md'
    """
    if text.isprintable():
        return text
    return "".join(_REPLACEMENT if char in "\n\t\r" else _shown(char) for char in text)


def shortened(text: str) -> str:
    """A text on one line, of at most 60 characters."""
    text = printable(" ".join(text.split()))
    return text if len(text) <= 60 else f"{text[:50]} ..."


def quoted(text: str) -> str:
    """The same between quotation marks, as messages quote a text."""
    return repr(shortened(text))


@cache
def _shown(char: str) -> str:
    kind = category(char)
    if (kind in _DANGEROUS and char != "\t") or char in _REORDERING or (kind == "Cn" and ord(char) & 0xFFFE == 0xFFFE):
        return _REPLACEMENT
    if kind == "Cn" and 0xFDD0 <= ord(char) <= 0xFDEF:
        return _REPLACEMENT
    return "" if kind == "Cf" else char


def line_diff(before: str, after: str) -> str:
    r"""Every line of two texts: those that go, those that come, those that stay. Empty where they are the same.

    >>> line_diff("a\nb", "a\nc")
    ' a\n-b\n+c'
    """
    old, new = before.splitlines(), after.splitlines()
    return "\n".join([*unified_diff(old, new, n=len(old) + len(new), lineterm="")][3:])
