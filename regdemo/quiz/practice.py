"""A learner's bank, history and goal together: what is due today, which cards a session asks, and the session itself.

Every face begins here, so that all of them ask the same cards and show the same numbers.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from regdemo import storage
from regdemo.quiz import fitting, forecast, selection
from regdemo.quiz import goal as goals
from regdemo.quiz import mock as mocks
from regdemo.quiz.cards import Card
from regdemo.quiz.decks import Bank
from regdemo.quiz.goal import Goal
from regdemo.quiz.history import History, Review
from regdemo.quiz.schedule import CardState, Mode, Rating, SchedulerSettings, counts, microseconds, replay
from regdemo.quiz.session import MOCK, QUIZ, Policy, Session
from regdemo.quiz.states import card_states

if TYPE_CHECKING:
    from regdemo.quiz.forecast import Outlook

CACHE = "cache"  # the folder, next to the history, of what was computed before
NEW_TODAY = "new-today"  # in it: how many new cards today brings
LONGEST_MOCK = 1000  # questions


class Today(NamedTuple):
    """What there is to do now.

    due: cards to review.  new: cards not begun that today may still bring.  introduced: those it has brought.
    unanswered: all that are not begun.  next_due: the next card to come due, and when; None if none is to come.
    days_left: until the interview.
    """

    due: int
    new: int
    introduced: int
    unanswered: int
    next_due: tuple[str, datetime] | None
    days_left: int | None


class Practice:
    """One learner at one moment. `states`, `settings` and `goal` may be read; every answer goes through a Session.

    home: the folder of the history.  now: the clock.  goal: instead of the one kept in that folder.
    """

    def __init__(
        self,
        bank: Bank,
        history: History,
        home: Path,
        now: Callable[[], datetime],
        *,
        retention: float = 0.9,
        goal: Goal | None = None,
    ) -> None:
        self.bank = bank
        self.history = history
        self.home = home
        self.now = now
        self.goal = goals.read(home) if goal is None else goal
        self.settings = scheduler_settings(home, self.goal, now(), retention)
        self.states = card_states(history, self.settings, home / CACHE)
        self.askable = [card for card in bank.cards if card.askable]

    def today(
        self,
        cards: Sequence[Card] | None = None,
        new: int | None = None,
        states: Mapping[str, CardState] | None = None,
    ) -> Today:
        """What a quiz has to do with these cards, by default all.

        new: cards per day, by default as `new_today`.  states: after a session, those that it leaves.
        """
        cards = self._askable_of(cards)
        states = self.states if states is None else states
        now, begun = self.now(), self._today()[1]
        coming = sorted((states[card.id].due, card.id) for card in cards if card.id in states)
        later = [(id, due) for due, id in coming if due > now]
        unanswered = len(cards) - len(coming)
        return Today(
            due=len(coming) - len(later),
            new=min(unanswered, self._new_left(new, begun)),
            introduced=len(begun),
            unanswered=unanswered,
            next_due=later[0] if later else None,
            days_left=self.goal.days_left(now.astimezone().date()),
        )

    def choose(
        self,
        cards: Sequence[Card] | None = None,
        *,
        new: int | None = None,
        limit: int | None = None,
        cram: bool = False,
        named: bool = False,
    ) -> list[Card]:
        """The cards that a session asks: those due, then new ones within what today still allows; `limit` in all.

        new: cards per day that are not begun, by default as `new_today`.  cram: as in `selection.pick`.
        named: the learner named these cards: they are asked in their order, due or not.
        """
        cards = self._askable_of(cards)
        if named:
            return cards[:limit]
        left = self._new_left(new, self._today()[1])
        return selection.pick(cards, self.states, self.now(), new=left, limit=limit, cram=cram)

    def session(self, cards: Sequence[Card], *, seed: int | None = None, policy: Policy = QUIZ) -> Session:
        """A session over cards in their order."""
        return self._session(cards, policy, random.SystemRandom().randrange(2**32) if seed is None else seed)

    def mock(
        self,
        cards: Sequence[Card] | None = None,
        *,
        minutes: float,
        limit: int | None = None,
        seed: int | None = None,
    ) -> Session:
        """A mock interview: weak topics more often, follow-ups, no feedback until its end, no question after it."""
        seed = random.SystemRandom().randrange(2**32) if seed is None else seed
        asked = mocks.questions(self._askable_of(cards), self.states, self.now(), random.Random(seed))
        end = self.now() + timedelta(minutes=minutes)
        return self._session(list(islice(asked, limit or LONGEST_MOCK)), MOCK, seed, end)

    def new_today(self) -> int:
        """How many new cards today brings in all: as the learner chose, or as many as the plan has time for.

        They follow from how things were this morning, so that the number is the same all day, whatever is answered.
        """
        return self._new_today(self._today()[1])

    def _new_today(self, begun: set[str]) -> int:
        """As `new_today`. begun: today."""
        if self.goal.new is not None:
            return self.goal.new
        if self.goal.minutes is None or self.settings.interview is None:
            return goals.NEW_PER_DAY
        morning = self._morning()
        known = len(self.states.keys() - begun)
        cards = [(card.id, card.kind) for card in self.bank.cards]
        needs = json.dumps([morning, self.goal.minutes, astuple(self.settings), known, cards], default=str)
        key = hashlib.sha256(needs.encode()).hexdigest()
        file = self.home / CACHE / NEW_TODAY
        with suppress(OSError, ValueError):
            kept, number = file.read_text("utf-8").split()
            if kept == key:
                return int(number)
        reviews = self.history.reviews()
        before = [review for review in reviews if review.at < microseconds(morning)]
        answered = {review.card for review in reviews[len(before) :]}
        states = {id: state for id, state in self.states.items() if id not in answered}
        states |= replay((review for review in before if review.card in answered), self.settings)
        new = forecast.new_today(self._outlook(before, states), morning)
        storage.write_cache(file, f"{key} {new}\n")
        return new

    def forecast(self) -> forecast.Forecast:
        """The days until the goal's interview, with its minutes and new cards. See `forecast.plan_ahead`."""
        outlook = self._outlook(self.history.reviews(), self.states)
        today, begun = self._today()
        quiz = [review for review in today if review.mode == Mode.QUIZ]  # a mock has its own time
        seconds = sum(outlook.pace.of(review.kind) for review in quiz)
        done = forecast.Work(len(begun), sum(review.card not in begun for review in quiz), seconds)
        return forecast.plan_ahead(outlook, self.now(), new=self.goal.new, done=done)

    def _outlook(self, reviews: Sequence[Review], states: Mapping[str, CardState]) -> Outlook:
        """What a forecast begins with, after these reviews."""
        passed = {review.card for review in reviews if review.kind == "code" and Rating(review.rating).right}
        known = [card for card in self.askable if card.id in states]
        fresh = selection.new_order((card for card in self.askable if card.id not in states), first=not states)
        return forecast.Outlook(
            cards=[*known, *fresh],
            states=states,
            settings=self.settings,
            minutes=self.goal.minutes or goals.USUAL_MINUTES,
            pace=forecast.pace(reviews),
            katas=sum(not card.askable and card.id not in passed for card in self.bank.cards),
        )

    def _morning(self) -> datetime:
        """When today began, where the learner is."""
        return self.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)

    def _today(self) -> tuple[list[Review], set[str]]:
        """Today's answers that move the schedule, but for katas, and the cards that they began: a cram begins none."""
        morning = microseconds(self._morning())
        rows = [
            row for row in self.history.answered_since(morning) if row.kind != "code" and counts(row, self.settings)
        ]
        today = [row for row in rows if row.at >= morning]
        return today, {row.card for row in today} - {row.card for row in rows if row.at < morning}

    def _session(self, cards: Sequence[Card], policy: Policy, seed: int, deadline: datetime | None = None) -> Session:
        return Session(
            cards,
            self.history,
            self.states,
            seed=seed,
            now=self.now,
            policy=policy,
            settings=self.settings,
            bank=self.bank.cards,
            deadline=deadline,
        )

    def _askable_of(self, cards: Sequence[Card] | None) -> list[Card]:
        return self.askable if cards is None else [card for card in cards if card.askable]

    def _new_left(self, new: int | None, begun: set[str]) -> int:
        return max(0, (self._new_today(begun) if new is None else new) - len(begun))


def scheduler_settings(home: Path, goal: Goal, now: datetime, retention: float = 0.9) -> SchedulerSettings:
    """The settings for a goal, with the parameters fitted to this learner, if any. An interview that is over is none.

    With REGDEMO_OWN_GRADES_ONLY=1 in the environment, what a model graded does not move the schedule.
    """
    moment = goal.moment if goal.days_left(now.astimezone().date()) is not None else None
    own = os.environ.get("REGDEMO_OWN_GRADES_ONLY") == "1"
    return SchedulerSettings(retention, moment, fitting.parameters(home), own_grades_only=own)
