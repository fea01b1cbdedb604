"""Titles: whether they ask, and what stands before what they ask."""

from __future__ import annotations

import re
from typing import NamedTuple

from regdemo.quiz.styles.answers import plain

# A text asks if it ends as a question, has `versus` in it, or begins with one of these words.
_ASKING = """
    what why how when which who whose where explain describe define compare contrast differentiate distinguish
    difference differences list name give state outline discuss tell write implement derive prove show suppose given can
    could do does did is are should would walk estimate find calculate compute mention enumerate summarise summarize
    true
    qué cómo cuál cuáles explica explique qual quais como quelle quelles quel quels pourquoi expliquez expliquer
    was wie warum welche welcher welches erkläre erklären nenne что как какие какой какая каким чем зачем почему
    опишите объясните расскажите назовите напишите
"""
# Languages without spaces, or that ask by the end of a sentence.
_ASKING_ANYWHERE = re.compile(
    "什么|为什么|如何|怎么|怎样|哪些|哪个|区别|介绍|解释|谈谈|说说|什麼|為什麼|怎麼|とは|なぜ|どう|什么是|설명|무엇|차이"
)
_ASKING_WORDS = frozenset(_ASKING.split())
_VERSUS = frozenset({"vs", "vs.", "versus"})
_HOUSEKEEPING = re.compile(
    r"contribut|donat|^(?:our )?sponsor|^licen[sc]e\b|table of contents|"
    r"\bthis (?:repo|project|list|guide|book|course|page|document)|\bwho is (?:this|it) for|"
    r"\bhow (?:do i|to) (?:use|run|install|start|read) (?:this|it\b|the (?:app|project|code|repo))|"
    r"^what'?s (?:new|inside|next|here)\b|^have (?:a|any|questions|feedback)\b|^(?:found|got) (?:an?|any|this)\b|"
    r"^want to (?:help|join|add|support)|^(?:need help|looking for|enjoy|interested|stuck|like (?:this|it|what))\b",
    re.IGNORECASE,
)
# Headings that stand beside questions and are none.
_GENERIC = """
    introduction overview background summary conclusion conclusions note notes tip tips source sources reference
    references resource resources links further prerequisites contents index about credits author authors
    acknowledgements acknowledgments usage installation example examples appendix questions answers exercises faq
    changelog todo
"""
_GENERIC_WORDS = frozenset(_GENERIC.split())

_NUMBER = re.compile(r"(?:\d{1,4}[.):。．、]|\(\d{1,4}\)|\d{1,3}(?:\.\d{1,3}){1,2}[.):]?(?=\s))\s*")
_MARK = re.compile(
    r"(?:q|ques|question)(?:\s?[#.-]?\s?\d{1,4}(?:\s?[.:)：。．、–—-]+|(?=\s|$))|\s?[:：]|\.(?=\s|$))\s*", re.IGNORECASE
)


class Title(NamedTuple):
    """A title without its number: `3. Why?` is numbered, `Q3: Why?` is marked, and both ask and end as a question."""

    text: str
    marked: bool
    numbered: bool
    asks: bool
    ends_as_question: bool

    @property
    def is_generic(self) -> bool:
        """Whether headings beside questions often read like this."""
        return bool(_HOUSEKEEPING.search(self.text)) or first_word(self.text) in _GENERIC_WORDS


def read_title(text: str) -> Title:
    """The title that a text is."""
    text = plain(text)
    number = _NUMBER.match(text)
    rest = plain(text[number.end() :]) if number else text
    mark = _MARK.match(rest)
    rest = plain(rest[mark.end() :]) if mark else rest
    ends = max(map(rest.rfind, "?？؟")) >= max(0, len(rest) - 26)  # behind it may stand a sign, or `(hard)`
    words = rest.lower().split()
    asks = ends or not _VERSUS.isdisjoint(words) or (len(words) > 1 and first_word(rest) in _ASKING_WORDS)
    asks = asks or bool(not rest.isascii() and _ASKING_ANYWHERE.search(rest))
    housekeeping = asks and bool(_HOUSEKEEPING.search(rest))
    return Title(rest, bool(mark), bool(number), asks and not housekeeping, ends and not housekeeping)


def first_word(text: str) -> str:
    """The letters that a text begins with, in lower case."""
    word = re.match(r"[^\W\d_]+", text)
    return word[0].lower() if word else ""
