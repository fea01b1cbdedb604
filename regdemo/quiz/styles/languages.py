"""The words of `languages.toml`, joined over the languages: a file need not say which one it is in."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files

_TABLES = tomllib.loads(files(__package__).joinpath("languages.toml").read_text("utf-8"))


@cache
def words(role: str) -> frozenset[str]:
    """All words of a role, as `languages.toml` lists the roles."""
    return frozenset(word for language in _TABLES.values() for word in language.get(role, ()))


@cache
def pattern(*roles: str) -> str:
    """A regular expression for any word of these roles, the longest first."""
    joined = sorted({word for role in roles for word in words(role)}, key=lambda word: (-len(word), word))
    return "|".join(re.escape(word).replace(r"\ ", "[ \\t]") for word in joined)


def is_placeholder(text: str) -> bool:
    """Whether a text says in its first line that an answer is missing, or has no word.

    >>> is_placeholder("_To be completed._"), is_placeholder("..."), is_placeholder("To be completed by the reader")
    (True, True, False)
    """
    if not text.strip(" \t\n._*…–—?-"):
        return True
    words_left = set(re.findall(r"[^\W\d_]+", re.sub(r"<[^<>]*>[^<>]*</a>|<[^<>]*>|\]\([^()]*\)", "", text).casefold()))
    if len(text) < 200 and len(words_left) > 1 and words_left <= words("reveal") | {"on", "at"}:
        return True  # `See the answer here`, behind a link
    first = text.lstrip(" \t\n>*_-").partition("\n")[0]
    return len(first) <= 80 and " ".join(re.sub(r"[^\w/]+|_", " ", first).split()).casefold() in words("placeholder")
