"""The kinds of card, one file each: how a section is recognized as one, read, graded, and checked by `bank lint`.

A new kind is a new module here with an instance `KIND` of a subclass of `CardKind`; nothing else lists it.
"""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

from regdemo.errors import ArgumentError
from regdemo.quiz.cards import Asked, Card
from regdemo.quiz.kinds.base import CardKind, Grade

# What a typical answer takes. Here, since cards are put in order before their kinds are needed.
USUAL_SECONDS = {"choice": 30, "numeric": 30, "multi": 40, "cloze": 40, "predict": 60, "recall": 90}
USUAL = 60  # of a kind that is not named there


@cache
def kind_names() -> tuple[str, ...]:
    """What the kinds are called, as in `--kind`: their modules have the same names."""
    modules = sorted(file.stem for file in Path(__file__).parent.glob("*.py"))
    return tuple(name for name in modules if name not in ("__init__", "base"))


@cache
def find_kind(name: str) -> CardKind:
    """The kind of this name. Raises ArgumentError for any other."""
    if name not in kind_names():
        raise ArgumentError(f"{name!r} isn't a kind of card: choose one of {', '.join(kind_names())}")
    kind: CardKind = importlib.import_module(f"{__name__}.{name}").KIND
    return kind


@cache
def every_kind() -> tuple[CardKind, ...]:
    """All kinds, in the order in which a section is tried for them."""
    return tuple(sorted(map(find_kind, kind_names()), key=lambda kind: kind.precedence))


def grade(asked: Asked, response: str) -> Grade:
    """Grade the answer to a card that can be graded without the learner, as its kind does.

    Raises UnreadableAnswer if the response cannot be read, ArgumentError for a recall or a code card.
    """
    return find_kind(asked.card.kind).grade(asked, response.strip())


def given(card: Card) -> str:
    """The code that a card's question speaks of and that is not part of its text: what is wrong in a bug hunt."""
    return find_kind(card.kind).given(card)


def question(asked: Asked) -> str:
    """The question as markdown, with the code that is given below it."""
    code = given(asked.card).strip("\n")
    return f"{asked.question}\n\n```python\n{code}\n```" if code else asked.question
