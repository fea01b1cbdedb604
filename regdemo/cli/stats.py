"""`regdemo stats`: what the history says of its learner."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated

import typer

from regdemo.cli.learner import BankPath, Home, clock, counted, home_folder, in_words, load_bank

WEAKEST = 5  # cards that are listed


def stats(
    bank: BankPath = None,
    home: Home = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """What is due, what is learned, and what is weak."""
    from rich.console import Console

    from regdemo.quiz.history import read
    from regdemo.quiz.schedule import LEARNED, replay
    from regdemo.render.cards import Page

    folder = home_folder(home)
    cards = {card.id: card for card in load_bank(bank, folder).cards if card.kind != "code"}
    answers = [review for review in read(folder) if review.card in cards]
    memories = replay(answers)
    now = clock()
    days = [(memory.due - now) / timedelta(days=1) for memory in memories.values()]
    due = {
        "now": sum(day <= 0 for day in days),
        "within a day": sum(0 < day <= 1 for day in days),
        "within a week": sum(1 < day <= 7 for day in days),
        "later": sum(day > 7 for day in days),
    }
    learned = sum(memory.learned for memory in memories.values())
    # Weak is what was failed and is not learned since, the least likely to be recalled tomorrow first.
    tomorrow = {id: memory.recall(now + timedelta(days=1)) for id, memory in memories.items()}
    weak = sorted(
        (id for id, memory in memories.items() if memory.failed and not memory.learned), key=tomorrow.__getitem__
    )
    if as_json:
        shown = {
            "cards": len(cards),
            "new": len(cards) - len(memories),
            "answers": len(answers),
            "due": {name.replace(" ", "_"): count for name, count in due.items()},
            "learned": learned,
            "weak": [
                {
                    "id": id,
                    "question": cards[id].question,
                    "recall_tomorrow": round(tomorrow[id], 4),
                    "stability": round(memories[id].stability, 4),
                    "answers": memories[id].reviews,
                    "failed": memories[id].failed,
                    "due": memories[id].due.isoformat(),
                }
                for id in weak
            ],
        }
        print(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    page = Page(Console())
    if not answers:
        page.quiet(f"{counted(len(cards), 'card')}, none answered yet: begin with `regdemo quiz`.")
        return
    page.bars("Due", due)
    page.bars(
        "Cards",
        {
            f"learned, stable for {LEARNED:.0f} days": learned,
            "being learned": len(memories) - learned,
            "never answered": len(cards) - len(memories),
        },
    )
    if weak:
        page.table(
            "Weakest, and how likely they are recalled tomorrow",
            ["  card", "recall", "failed", "due", "question"],
            [
                [
                    f"  {id}",
                    f"{tomorrow[id]:.0%}",
                    f"{memories[id].failed} of {memories[id].reviews}",
                    in_words(memories[id].due - now),
                    cards[id].question.partition("\n")[0],
                ]
                for id in weak[:WEAKEST]
            ],
        )
