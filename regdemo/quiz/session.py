"""One sitting: which card comes, what its answer is worth, and the answer on the disk before the next question.

Nothing here reads or prints: the caller asks, and hands in the clock.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from random import Random
from uuid import uuid4

from regdemo.quiz import schedule
from regdemo.quiz.cards import Asked, Card
from regdemo.quiz.grading import Grade, grade, grade_recall
from regdemo.quiz.history import History, Review
from regdemo.quiz.schedule import AGAIN, GOOD, HARD, RATINGS, Memory

TIMES = 3  # how often a card that keeps failing is asked in one sitting


def pick(
    cards: Iterable[Card], memories: Mapping[str, Memory], now: datetime, *, new: int, limit: int | None = None
) -> list[Card]:
    """The cards of a sitting: those due, the most overdue first, then up to `new` never answered; `limit` in all."""
    by_id = {card.id: card for card in cards}
    return [by_id[id] for id in schedule.queue(by_id, memories, now, new=new)][:limit]


def fingerprint(card: Card) -> str:
    """Sixteen hex digits that change with the right answer; where one is graded, not with its explanation."""
    from hashlib import sha256  # here, since it loads OpenSSL, and the first question should not wait for that

    right = sorted(option.text for option in card.options if option.correct)
    graded = [right, card.numeric and astuple(card.numeric), card.blanks, card.output]
    told = graded if any(graded) else card.answer
    return sha256(json.dumps(told).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Saved:
    """An answer that is on the disk. due: when its card is due; again: whether it comes once more in this sitting."""

    review: Review
    due: datetime
    again: bool


class Session:
    """Cards asked one by one: ask() draws the next question, then answer() or rate() deals with it, or it is skipped.

    A card that fails comes again at the end, until it is right or was asked TIMES times. What is drawn for a card
    follows from the seed, its id and how often it was asked, whatever other cards there are.
    """

    def __init__(
        self,
        cards: Iterable[Card],
        history: History,
        memories: Mapping[str, Memory],
        *,
        seed: int,
        now: Callable[[], datetime],
    ) -> None:
        self.number = 0
        self.saved: list[Review] = []
        self._queue = deque(cards)
        self._history = history
        self.memories = dict(memories)
        self._seed = seed
        self._now = now
        self._times: Counter[str] = Counter()
        self._id = uuid4().hex

    @property
    def left(self) -> int:
        """How many questions are still to come."""
        return len(self._queue)

    def ask(self) -> Asked | None:
        """The next question, or None at the end. One that was neither answered nor rated counts as skipped."""
        if not self._queue:
            return None
        card = self._queue.popleft()
        self.number += 1
        self._times[card.id] += 1
        self._asked = card.ask(Random(f"{self._seed} {card.id} {self._times[card.id]}"))
        self._hints = 0
        self._since = self._now()
        return self._asked

    def hint(self) -> str | None:
        """The next hint of the card, or None when there is no more. After one, a right answer is worth Hard."""
        if self._hints == len(self._asked.hints):
            return None
        self._hints += 1
        return self._asked.hints[self._hints - 1]

    def answer(self, response: str) -> tuple[Grade, Saved]:
        """Grade the answer to a card that is graded by itself, and save it: wrong is Again, right Good.

        Raises UnreadableAnswer, with nothing saved, where the response cannot be read.
        """
        result = grade(self._asked, response)
        return result, self._save(self._worth(result.rating), result.share, response)

    def suggest(self, made: int) -> int:
        """The rating that so many key points come to: all is Good, half of them Hard, fewer Again."""
        points = len(self._asked.key_points)
        return self._worth(grade_recall(made, points) if points else "good")

    def rate(self, rating: int, response: str = "", share: float | None = None) -> Saved:
        """Save a recall card as the learner rated it. share: of its key points; without, 0 for Again, 1 else."""
        return self._save(rating, float(rating > AGAIN) if share is None else share, response)

    def _worth(self, name: str) -> int:
        return min(RATINGS.index(name) + 1, HARD if self._hints else GOOD)

    def _save(self, rating: int, share: float, response: str) -> Saved:
        card, now = self._asked.card, self._now()
        asked = {"values": dict(self._asked.values), "options": [option.text for option in self._asked.options]}
        review = Review(
            card=card.id,
            # Answers keep their order, even if the clock stands still or goes back.
            at=max(schedule.microseconds(now), self.saved[-1].at + 1 if self.saved else 0),
            kind=card.kind,
            rating=rating,
            share=share,
            response=response,
            asked=json.dumps({key: value for key, value in asked.items() if value}, ensure_ascii=False),
            answer=fingerprint(card),
            hints=self._hints,
            took=(now - self._since) // timedelta(milliseconds=1),
            session=self._id,
        )
        self._history.add(review)
        self.saved.append(review)
        memory = self.memories[card.id] = schedule.after(self.memories.get(card.id), review)
        again = rating == AGAIN and self._times[card.id] < TIMES
        if again:
            self._queue.append(card)
        return Saved(review, memory.due, again)
