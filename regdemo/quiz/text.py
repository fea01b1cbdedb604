"""Text from strangers made fit to print."""

from __future__ import annotations

import re

# Everything a terminal might obey: C0 and C1 controls, line separators, and the marks that reorder text.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    r"""Lines end in \n, and each control character other than a tab becomes U+FFFD: nothing is left to obey.

    >>> clean("a\x1b[31m\r\nb")
    'a�[31m\nb'
    """
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n").replace("\r", "\n"))


def printable(text: str) -> str:
    """The text on one line, with U+FFFD for whatever cannot be printed: for messages, and for the names of files."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def slug(text: str) -> str:
    """The text as the beginning of an id.

    >>> slug("Deep Learning")
    'deep-learning'
    """
    return re.sub(r"[\W_]+", "-", text.lower()).strip("-") or "card"
