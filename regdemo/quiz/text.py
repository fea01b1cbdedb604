"""The beginnings of ids."""

from __future__ import annotations

import re


def slug(text: str) -> str:
    """The text as the beginning of an id.

    >>> slug("Deep Learning")
    'deep-learning'
    """
    return re.sub(r"[\W_]+", "-", text.lower()).strip("-") or "card"
