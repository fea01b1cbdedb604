"""The beginnings of ids, and how gaps are shown."""

from __future__ import annotations

import re

GAP = "▁▁▁▁"  # how a blank is shown: it means nothing in markdown, neither in prose nor in code


def slug(text: str) -> str:
    """The text as the beginning of an id.

    >>> slug("Deep Learning")
    'deep-learning'
    """
    return re.sub(r"[\W_]+", "-", text.lower()).strip("-") or "card"


def gaps(count: int) -> list[str]:
    """How so many blanks are shown: several with their numbers."""
    return [GAP] if count == 1 else [f"({number}){GAP}" for number in range(1, count + 1)]
