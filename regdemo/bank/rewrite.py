"""Cards that were read in another style, written in this project's format, with ids that stay."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from regdemo.quiz import parser
from regdemo.quiz.blocks import read as read_page
from regdemo.quiz.cards import LETTERS, Card, Deck
from regdemo.quiz.kinds.cloze import GAPS

_ID = re.compile(r"[A-Za-z](?=[\w.-]*[0-9])[\w.-]*", re.ASCII)
_BOX = re.compile(r"^([ \t]*[-*+][ \t]+)\[([ xX]?)\](?=[ \t])", re.MULTILINE)
_ROLE = re.compile(r"^([ \t]*(?:`{3,}|~{3,})[ \t]*[\w+#.-]+)[ \t]+[^\n`]*$", re.MULTILINE)
_LETTER = re.compile(r"(?<![\w'’])[A-H](?![\w'’])")


class Rewritten(NamedTuple):
    """The text of a deck, the cards in it, and those that the format cannot hold, each with why."""

    text: str
    cards: list[Card]
    left_out: list[tuple[Card, str]]


def rewrite(cards: Sequence[Card], title: str) -> Rewritten:
    """A deck of the cards of one file. Every card is read back: one that would read differently is left out.

    Headings in a card become bold lines, since a heading would end it; code stays as it is.
    """
    parts = [f"# {' '.join(title.split())}"]
    taken: list[Card] = []
    left_out: list[tuple[Card, str]] = []
    for number, card in enumerate(cards, 1):
        plain = card.id.encode("ascii", "ignore").decode().strip("-")
        id = card.id if _ID.fullmatch(card.id) else f"I{number}-{plain}"
        text = f"## {id}: {_body(card)}"
        deck = parser.parse(text, Path("deck.md"))
        if fault := _difference(card, deck):
            left_out.append((card, fault))
        else:
            parts.append(text)
            taken.append(card)
    return Rewritten("\n\n".join(parts) + "\n", taken, left_out)


def _difference(card: Card, deck: Deck) -> str:
    """What would be lost if the card were written so, or nothing."""
    if deck.faults:
        return deck.faults[0].message.partition(" ")[2]
    if len(deck.cards) != 1 or deck.made_ids:
        return f"it would be read as {len(deck.cards)} cards"
    (read,) = deck.cards
    if read.kind != card.kind:
        return f"it would be read as a {read.kind} card"
    right = [[option.correct for option in one.options] for one in (card, read)]
    if right[0] != right[1] or read.blanks != card.blanks:
        return "its right answer would not be the same"
    if not card.options and not card.blanks and _words(read.answer) != _words(_neutral(card.answer)):
        return "its answer would not be the same"
    return ""


def _words(text: str) -> str:
    return re.sub(r"[\W_]", "", text)


def _body(card: Card) -> str:
    """A card below its id."""
    parts: list[str] = []
    if card.blanks:
        fillings = iter(card.blanks)
        parts.append(GAPS.sub(lambda _: "{{" + "|".join(next(fillings)) + "}}", card.question))
    else:
        parts.append(_neutral(card.question, asks=True))
    if card.options:
        parts += _options(card)
    answer = card.explanation if card.options or card.blanks else card.answer
    if answer:
        text = _neutral(answer)
        parts.append(f"### Answer\n{chr(92) if text.startswith('=') else ''}{text}")
    return "\n\n".join(parts)


def _options(card: Card) -> Iterator[str]:
    """The task list. Options with code are shown above it: in a list, what is nested is a reason.

    Where the explanation speaks of a letter, the options keep theirs, since they come in another order.
    """
    texts = [_neutral(option.text) for option in card.options]
    if any("\n" in text for text in texts):
        labels = [f"version {number}" for number in range(1, len(texts) + 1)]
        yield "\n\n".join(f"{label.capitalize()}:\n\n{text}" for label, text in zip(labels, texts, strict=True))
        texts = labels
    elif _LETTER.search(card.explanation):
        texts = [f"({letter.upper()}) {text}" for letter, text in zip(LETTERS, texts, strict=False)]
    yield "\n".join(
        f"- [{'x' if option.correct else ' '}] {text}" for option, text in zip(card.options, texts, strict=True)
    )


def _neutral(text: str, *, asks: bool = False) -> str:
    """A text in which nothing means anything to the format: headings, boxes, roles of code blocks, and blanks."""
    page = read_page(text)
    lines = list(page.lines)
    for block in page.blocks:
        if block.kind == "heading":
            lines[block.start : block.end] = [
                f"**{block.text.replace('**', '')}**",
                *[""] * (block.end - block.start - 1),
            ]
    prose = [number for number in range(len(lines)) if number not in page.code]
    for number in prose:
        lines[number] = _BOX.sub(lambda box: f"{box[1]}{'☑' if box[2].strip() else '☐'}", lines[number])
        lines[number] = lines[number].replace("{{", "{ {") if asks else lines[number]
    return _ROLE.sub(r"\1", "\n".join(lines)).strip("\n")
