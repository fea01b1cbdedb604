"""Titles: whether they ask, and what precedes what they ask."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from regdemo.quiz.styles.languages import pattern, words
from regdemo.quiz.styles.markup import title_text

_ASKING_ANYWHERE = re.compile(pattern("anywhere"))
_VERSUS = frozenset({"vs", "vs.", "versus"})
_HOUSEKEEPING = re.compile(
    r"contribut|donat|^(?:our )?sponsor|^licen[sc]e\b|table of contents|"
    r"\bthis (?:repo|project|list|guide|book|course|page|document)|\bwho is (?:this|it) for|"
    r"\bhow (?:do i|to) (?:use|run|install|start|read) (?:this|it\b|the (?:app|project|code|repo))|"
    r"^what'?s (?:new|inside|next|here)\b|^have (?:a|any|questions|feedback)\b|^(?:found|got) (?:an?|any|this)\b|"
    r"^want to (?:help|join|add|support)|^(?:need help|looking for|enjoy|interested|stuck|like (?:this|it|what))\b",
    re.IGNORECASE,
)
# Headings next to questions that aren't questions themselves.
_GENERIC = """
    introduction overview background summary conclusion conclusions note notes tip tips source sources reference
    references resource resources links further prerequisites contents index about credits author authors
    acknowledgements acknowledgments usage installation example examples appendix questions answers exercises faq
    changelog todo
"""
_GENERIC_WORDS = frozenset(_GENERIC.split())

_NUMBER = re.compile(r"(?:(\d{1,4})[.):。．、](?!\d)|\((\d{1,4})\)|\d{1,3}(?:\.\d{1,3}){1,2}[.):]?(?=\s))\s*")
_MARK = re.compile(
    rf"(?:{pattern('question')})(?:\s?[#.-]?\s?(\d{{1,4}})(?:\s?[.:)：。．、–—-]+|(?=\s|$))|\s?[:：]|\.(?=\s|$))\s*",
    re.IGNORECASE,
)
_ANSWER_HEADING = re.compile(
    rf"[*_\s]*(?:(?:the[ \t])?(?:{pattern('right', 'answer')})[ \t]?\d{{0,4}}[*_]{{0,3}}"
    rf"(?:[ \t]?[:：].*|[ \t]+is\b.*|[ \t]+\(?(?-i:[A-H])\b.*|[*_\s]*)|(?:{pattern('explanation')})[*_\s:：]*)",
    re.IGNORECASE | re.DOTALL,
)


class Title(NamedTuple):
    """A title without its number: `3. Why?` is numbered, `Q3: Why?` is marked, and both ask and end as a question."""

    text: str
    marked: bool
    numbered: bool
    asks: bool
    ends_as_question: bool
    number: int | None = None

    @property
    def is_generic(self) -> bool:
        """Whether headings next to questions often read like this."""
        return bool(_HOUSEKEEPING.search(self.text)) or first_word(self.text) in _GENERIC_WORDS


@lru_cache(maxsize=65536)
def read_title(text: str) -> Title:
    """The title that a text is."""
    text = title_text(text)
    number = _NUMBER.match(text)
    rest = title_text(text[number.end() :]) if number else text
    mark = _MARK.match(rest)
    rest = title_text(rest[mark.end() :]) if mark else rest
    ends = max(map(rest.rfind, "?？؟")) >= max(0, len(rest) - 26)  # behind it may be a sign, or `(hard)`
    lowered = rest.lower().split()
    asks = ends or not _VERSUS.isdisjoint(lowered) or (len(lowered) > 1 and first_word(rest) in words("asking"))
    asks = asks or bool(not rest.isascii() and _ASKING_ANYWHERE.search(rest))
    housekeeping = asks and bool(_HOUSEKEEPING.search(rest))
    digits = (mark and mark[1]) or (number and (number[1] or number[2])) or ""
    return Title(
        rest,
        bool(mark),
        bool(number),
        asks and not housekeeping,
        ends and not housekeeping,
        int(digits) if digits else None,
    )


def first_word(text: str) -> str:
    """The letters that a text begins with, in lower case."""
    word = re.match(r"[^\W\d_]+", text)
    return word[0].lower() if word else ""


def names_answer(heading: str) -> bool:
    """Whether a heading says that the answer follows."""
    return bool(_ANSWER_HEADING.fullmatch(heading))
