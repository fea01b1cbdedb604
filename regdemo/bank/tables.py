"""Cards as a table and as JSON, for other programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from regdemo.quiz.cards import Card
from regdemo.quiz.outcome import as_plain

CARD_COLUMNS = (
    "id",
    "kind",
    "question",
    "options",
    "answer",
    "explanation",
    "hints",
    "sources",
    "tags",
    "file",
    "line",
)


def as_json(cards: Sequence[Card]) -> str:
    """All that the cards hold."""
    return json.dumps(as_plain(cards), indent=2, ensure_ascii=False) + "\n"


def as_csv(cards: Sequence[Card]) -> str:
    """A header and a row for each card. A cell that a spreadsheet would calculate begins with an apostrophe."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(CARD_COLUMNS)
    for card in cards:
        options = "\n".join(f"[{'x' if option.correct else ' '}] {option.text}" for option in card.options)
        lists = ("\n".join(card.hints), "\n".join(card.sources), " ".join(card.tags))
        row = [card.id, card.kind, card.question, options, card.answer, card.explanation, *lists, card.file, card.line]
        writer.writerow([f"'{cell}" if str(cell).startswith(("=", "+", "-", "@", "\t")) else cell for cell in row])
    return stream.getvalue()
