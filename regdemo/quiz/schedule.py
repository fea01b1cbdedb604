"""When a card comes again: FSRS, replayed over the raw reviews, so that nothing but the history is ever stored.

FSRS models the memory of a card by its stability S, in days: the probability to recall it t days after a review is

    R(t) = (1 + F t / S)^-w,    with F such that R(S) = 0.9

and the card is due when R has fallen to 0.9. https://github.com/open-spaced-repetition/fsrs4anki/wiki/The-Algorithm
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import fsrs

from regdemo.quiz.history import Review

RATINGS = ("again", "hard", "good", "easy")
AGAIN, HARD, GOOD, EASY = 1, 2, 3, 4
LEARNED = 21.0  # days of stability from which a card counts as learned

# One short step: a card that was failed is due again in ten minutes, one that was known goes straight to days.
# The fuzz is off because it draws from the global `random`.
STEP = (timedelta(minutes=10),)
SCHEDULER = fsrs.Scheduler(learning_steps=STEP, relearning_steps=STEP, enable_fuzzing=False)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(time: datetime) -> int:
    """A time as the history keeps it: whole microseconds since 1970, UTC."""
    return (time - EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True)
class Memory:
    """Where one card stands after its reviews, of which `failed` were Again."""

    card: fsrs.Card
    reviews: int
    failed: int

    @property
    def due(self) -> datetime:
        """When to ask it again."""
        return self.card.due

    @property
    def stability(self) -> float:
        """S: the days after a review at which the probability to recall it is 0.9."""
        return self.card.stability or 0.0

    @property
    def learned(self) -> bool:
        """Whether its stability has reached LEARNED."""
        return self.stability >= LEARNED

    def recall(self, now: datetime) -> float:
        """R: the probability to recall it now."""
        return SCHEDULER.get_card_retrievability(self.card, now)


def after(before: Memory | None, review: Review) -> Memory:
    """Where a card stands after one more review; before is None if it is the first."""
    # An id is handed in because fsrs sleeps a millisecond to make one up; nothing reads it.
    card = before.card if before else fsrs.Card(card_id=0, due=EPOCH)
    time = EPOCH + timedelta(microseconds=review.at)
    reviewed, _ = SCHEDULER.review_card(card, fsrs.Rating(review.rating), time)
    reviews, failed = (before.reviews, before.failed) if before else (0, 0)
    return Memory(reviewed, reviews + 1, failed + (review.rating == AGAIN))


def replay(reviews: Iterable[Review]) -> dict[str, Memory]:
    """Where each card stands, by its id. reviews: in the order of time.

    What is crammed is forgotten as fast: a cram's answers count for nothing here.
    """
    memories: dict[str, Memory] = {}
    for review in reviews:
        if review.mode == "cram":
            continue
        memories[review.card] = after(memories.get(review.card), review)
    return memories


def queue(ids: Iterable[str], memories: Mapping[str, Memory], now: datetime, *, new: int) -> list[str]:
    """The ids to ask now: those due, the most overdue first, then up to `new` never answered, in the order given."""
    ids = list(ids)
    due = [id for id in ids if id in memories and memories[id].due <= now]
    return sorted(due, key=lambda id: memories[id].due) + [id for id in ids if id not in memories][:new]
