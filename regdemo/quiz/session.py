"""One sitting: which card comes, what its answer is worth, and the answer on the disk before the next question.

Nothing here reads or prints: the caller asks, and hands in the clock.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING
from uuid import uuid4

from regdemo.quiz import schedule
from regdemo.quiz.cards import Asked, Card
from regdemo.quiz.history import History, Review
from regdemo.quiz.schedule import AGAIN, EASY, GOOD, PLAN, RATINGS, Memory, Plan

if TYPE_CHECKING:
    from regdemo.quiz.grading import Grade

TIMES = 3  # how often a card that keeps failing is asked in one sitting


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
    follows from the seed, its id and how often it was asked, whatever other cards there are. mode: as in a Review; what
    is crammed moves no schedule, and in a mock interview no card comes again.
    """

    def __init__(
        self,
        cards: Iterable[Card],
        history: History,
        memories: Mapping[str, Memory],
        *,
        seed: int,
        now: Callable[[], datetime],
        mode: str = "quiz",
        plan: Plan = PLAN,
    ) -> None:
        self.number = 0
        self.saved: list[Review] = []
        self._queue = deque(cards)
        self._history = history
        self.memories = dict(memories)
        self._seed = seed
        self._now = now
        self._mode = mode
        self._plan = plan
        self._times: Counter[str] = Counter()
        self._id = uuid4().hex
        self._asked: Asked | None = None  # what waits for its answer
        self._undoable: list[tuple[Card, Memory | None, bool]] = []  # for each saved answer, what was before it

    @property
    def left(self) -> int:
        """How many questions are still to come."""
        return len(self._queue)

    @property
    def best(self) -> int:
        """The best rating that the question can still get: Easy if the learner grades it, else Good; less by each hint.

        It is Again where there are as many hints as that: what had to be told was not recalled.
        """
        return max(AGAIN, (EASY if self._current.card.kind == "recall" else GOOD) - self._hints)

    @property
    def _current(self) -> Asked:
        assert self._asked, "ask() first"
        return self._asked

    def ask(self) -> Asked | None:
        """The next question, or None at the end. One that was neither answered nor rated counts as skipped."""
        self._asked = None
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
        """The next hint of the card, or None when there is no more. Each lowers `best` by one."""
        if self._hints == len(self._current.hints):
            return None
        self._hints += 1
        return self._current.hints[self._hints - 1]

    def answer(self, response: str, sure: float | None = None) -> tuple[Grade, Saved]:
        """Grade the answer to a card that is graded by itself, and save it: wrong is Again, right is Good, or `best`.

        sure: how sure of it the learner was, 0 to 1. Raises UnreadableAnswer, with nothing saved, where the response
        cannot be read.
        """
        from regdemo.quiz.grading import grade  # here, since the first question should not wait for it

        result = grade(self._current, response)
        return result, self._save(self._worth(result.rating), result.share, response, sure)

    def suggest(self, made: int) -> int:
        """The rating that so many key points come to: all is Good, half of them Hard, fewer Again; at most `best`."""
        from regdemo.quiz.grading import grade_recall

        points = len(self._current.key_points)
        return self._worth(grade_recall(made, points) if points else "good")

    def rate(self, rating: int, response: str = "", share: float | None = None, sure: float | None = None) -> Saved:
        """Save a recall card as the learner rated it, at most as `best`.

        share: of its key points; without, 0 for Again, 1 else.
        """
        rating = min(rating, self.best)
        return self._save(rating, float(rating > AGAIN) if share is None else share, response, sure)

    def undo(self) -> Review | None:
        """Take back the last answer of this sitting, by a new row; its question comes next. None if there is none."""
        if not self.saved:
            return None
        review = self.saved[-1]
        self._history.undo(review, schedule.microseconds(self._now()))
        self.saved.pop()
        card, before, again = self._undoable.pop()
        if before:
            self.memories[card.id] = before
        else:
            self.memories.pop(card.id, None)
        if self._asked:
            self._put_back(self._asked.card)
        if again and card in self._queue:
            self._queue.remove(card)
        self._put_back(card)
        self._asked = None
        return review

    def _put_back(self, card: Card) -> None:
        """Make a card that was asked the next, as if it had not been."""
        self._queue.appendleft(card)
        self._times[card.id] -= 1
        self.number -= 1

    def regrade(self, review: Review, rating: int, share: float) -> Review:
        """Save an answer of this sitting anew, as it is graded later; the old row is then undone."""
        better = replace(review, rating=rating, share=share, id=uuid4().hex)
        self._history.add(better)  # first, since of an answer that stands twice nothing is lost
        self._history.undo(review, schedule.microseconds(self._now()))
        place = self.saved.index(review)
        self.saved[place] = better
        _, before, _ = self._undoable[place]
        self.memories[better.card] = schedule.after(before, better, self._plan)
        return better

    def changed(self) -> bool:
        """Whether the right answer to the question is another than when the card was last answered."""
        card = self._current.card
        last = self._history.reviews(card.id)[-1:] if card.id in self.memories else []
        return any(review.answer != fingerprint(card) for review in last)

    def flag(self, card: Card) -> bool:
        """Flag a card, or take its flag off; whether it has one now."""
        flagged = card.id not in self._history.flagged()
        self._history.flag(card.id, schedule.microseconds(self._now()), flagged=flagged)
        return flagged

    def _worth(self, name: str) -> int:
        return min(RATINGS.index(name) + 1, self.best)

    def _save(self, rating: int, share: float, response: str, sure: float | None) -> Saved:
        asked, now = self._current, self._now()
        card = asked.card
        told = {"values": dict(asked.values), "options": [option.text for option in asked.options]}
        review = Review(
            card=card.id,
            # Answers keep their order, even if the clock stands still or goes back.
            at=max(schedule.microseconds(now), self.saved[-1].at + 1 if self.saved else 0),
            kind=card.kind,
            rating=rating,
            share=share,
            response=response,
            asked=json.dumps({key: value for key, value in told.items() if value}, ensure_ascii=False),
            answer=fingerprint(card),
            hints=self._hints,
            took=(now - self._since) // timedelta(milliseconds=1),
            session=self._id,
            mode=self._mode,
            sure=sure,
        )
        self._history.add(review)
        self.saved.append(review)
        self._asked = None
        before = self.memories.get(card.id)
        if self._mode != "cram":
            self.memories[card.id] = schedule.after(before, review, self._plan)
        again = rating == AGAIN and self._times[card.id] < TIMES and self._mode != "mock"
        if again:
            self._queue.append(card)
        self._undoable.append((card, before, again))
        return Saved(review, self.memories[card.id].due if card.id in self.memories else now, again)
