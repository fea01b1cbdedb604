"""What a judged kata is worth in the history, by the same grades and the same schedule as a question.

Writing code takes several tries, so not each is an answer. A pass is worth Good; Hard where hints were shown or it was
failed before. A fail is Again, once until it passes. The starter as it was is no try: judging that of a bug hunt shows
its symptom. A pass that is not due, or is the very code that passed last time, shows nothing new and is not kept.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from regdemo.kata.katas import Kata
from regdemo.kata.verdict import Verdict
from regdemo.quiz.history import Review
from regdemo.quiz.schedule import AGAIN, GOOD, HARD, microseconds, replay
from regdemo.quiz.session import fingerprint

LONGEST = 20_000  # characters of code that the history keeps
_SHOWN = "hints.json"  # beside the history: how many hints of each kata were shown since it last passed


def worth(kata: Kata, reviews: Sequence[Review], verdict: Verdict, source: str, hints: int, now: datetime) -> int:
    """The grade to keep, or 0 for none. reviews: the kata's, in the order of time."""
    failing = bool(reviews) and reviews[-1].rating == AGAIN
    if not verdict.passed:
        return 0 if failing or verdict.state == "lost" or source == kata.starter else AGAIN
    if failing:
        return HARD
    if reviews and (replay(reviews)[kata.card.id].due > now or reviews[-1].response == source[:LONGEST]):
        return 0
    return HARD if hints else GOOD


def review(kata: Kata, rating: int, verdict: Verdict | None, source: str, hints: int, now: datetime) -> Review:
    """The review of a judged file; without a verdict, of a solution that was looked up."""
    share = verdict.done / max(1, verdict.tests) if verdict else 0.0
    return Review(
        card=kata.card.id,
        at=microseconds(now),
        kind="code",
        rating=rating,
        share=share,
        response=source[:LONGEST],
        asked=json.dumps({"seed": verdict.seed, "test": verdict.test} if verdict else {"gave_up": True}),
        answer=fingerprint(kata.card),
        hints=hints,
        took=round(1_000 * verdict.seconds) if verdict else 0,
        session=uuid4().hex,
    )


def shown(home: Path, kata: Kata) -> int:
    """How many hints of a kata were shown since it last passed."""
    return _hints(home).get(kata.card.id, 0)


def show(home: Path, kata: Kata, count: int) -> None:
    """Note how many were. Losing the note costs nothing but a grade."""
    noted = {**_hints(home), kata.card.id: count}
    with suppress(OSError):
        home.mkdir(parents=True, exist_ok=True)
        part = home / f"{_SHOWN}.part"
        part.write_text(json.dumps(noted), "utf-8")
        part.replace(home / _SHOWN)


def _hints(home: Path) -> dict[str, int]:
    with suppress(OSError, ValueError):
        noted = json.loads((home / _SHOWN).read_text("utf-8"))
        if isinstance(noted, dict):
            return {str(id): count for id, count in noted.items() if isinstance(count, int)}
    return {}
