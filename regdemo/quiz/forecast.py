"""The days until an interview, simulated: how much fits into the time, and what will be recalled on the day.

Each simulated day asks what is due, the most overdue first, then new cards in their order, as long as the day's time
lasts. A review succeeds with the probability R that FSRS gives it, a first answer with the learner's own rate; what
fails is answered once more. On the day, card i is recalled with probability R_i, so over the simulations

    recalled = mean of sum R_i,    variance = mean of sum R_i (1 - R_i) + variance of sum R_i

and the interval is two standard deviations either way. It holds chance alone: that FSRS's model fits, and that the
plan is kept, is assumed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import accumulate
from math import sqrt
from random import Random
from statistics import fmean, median, pvariance
from typing import NamedTuple

from regdemo.quiz import kinds
from regdemo.quiz.cards import Card
from regdemo.quiz.goal import MINUTES
from regdemo.quiz.history import Review
from regdemo.quiz.schedule import (
    AGAIN,
    GOOD,
    STEP,
    CardState,
    Rating,
    SchedulerSettings,
    microseconds,
    reviewed,
    with_deadline,
)
from regdemo.quiz.selection import frequency

KNOWN_AT_FIRST = 0.6  # what fraction of first answers is right, until the learner's own history says it
ENOUGH = 20  # answers from which the learner's own figures are used
SIMULATIONS = 20
MOCK_MINUTES = 20  # a week
KATA_MINUTES = 15
KATA_FRACTION = 0.2  # of a week's time


@dataclass(frozen=True)
class Pace:
    """How the learner answers: seconds by kind of card, and what fraction of first answers is right."""

    seconds: Mapping[str, float]
    first_right: float

    def of(self, kind: str) -> float:
        """Seconds of one answer to a card of this kind."""
        return self.seconds.get(kind, kinds.USUAL)

    def to_begin(self, card: Card) -> float:
        """Seconds of the first answer to a card and, where that fails, the second."""
        return self.of(card.kind) * (2 - self.first_right)


class Outlook(NamedTuple):
    """What a forecast begins with.

    cards: those that can be asked, the new ones in the order in which they will come.  minutes: per day.  katas: how
    many are not passed yet.
    """

    cards: Sequence[Card]
    states: Mapping[str, CardState]
    settings: SchedulerSettings
    minutes: int
    pace: Pace
    katas: int = 0

    @property
    def unmet(self) -> list[Card]:
        """The cards that are not begun."""
        return [card for card in self.cards if card.id not in self.states]


@dataclass
class Work:
    """What is done on a day: how many cards are begun, the answers to others, and the seconds that both take."""

    new: int = 0
    reviews: int = 0
    seconds: float = 0.0


class _Day(NamedTuple):
    """When the cards of a day are answered, and its end, in microseconds since 1970: it asks what is due before."""

    at: datetime
    end: int


@dataclass(frozen=True)
class Week:
    """Seven days of the plan, or what is left of them: whole numbers on average over the simulations."""

    start: date
    days: int
    new: int
    reviews: int
    minutes: int
    mocks: int
    katas: int


@dataclass(frozen=True)
class Estimate:
    """How many cards are recalled on the day, with its interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Forecast:
    """A plan and what it comes to.

    new_per_day: as the learner chose, else on average up to the day before.  cards: how many there are.  left_out:
    those never asked until the day, by how often interviewers ask them.
    kept: if the plan is kept; stopped: if nothing is practised from now on.
    """

    interview: date
    minutes: int
    new_per_day: int
    weeks: tuple[Week, ...]
    cards: int
    left_out: Mapping[str, int]
    kept: Estimate
    stopped: Estimate


def pace(reviews: Iterable[Review]) -> Pace:
    """The learner's own pace as far as the history tells it, else a typical one."""
    times: dict[str, list[float]] = {}
    first: dict[str, bool] = {}
    for review in reviews:
        if review.kind != "code":
            times.setdefault(review.kind, []).append(min(review.took / 1000, 600))
            first.setdefault(review.card, Rating(review.rating).right)
    own = {kind: max(5.0, median(values)) for kind, values in times.items() if len(values) >= ENOUGH}
    return Pace({**kinds.USUAL_SECONDS, **own}, fmean(first.values()) if len(first) >= ENOUGH else KNOWN_AT_FIRST)


def new_today(outlook: Outlook, now: datetime) -> int:
    """How many new cards today has time for after what is due; if all fit in, no more than meet them all in time."""
    days, states, pace = _days(now, outlook.settings), outlook.states, outlook.pace
    if not days:
        return 0
    due = [card for card in outlook.cards if card.id in states and states[card.id].next < days[0].end]
    room = _budget(min(7, len(days)), outlook.minutes, outlook.katas)[0]
    room -= sum(pace.of(card.kind) * (2 - states[card.id].recall(days[0].at)) for card in due)
    unmet = outlook.unmet
    spent = accumulate(map(pace.to_begin, unmet[: _needed(len(unmet), len(days))]))
    return sum(seconds <= room for seconds in spent)


def plan_ahead(
    outlook: Outlook, now: datetime, *, new: int | None = None, done: Work | None = None, seed: int = 0
) -> Forecast:
    """What fits into so many minutes a day until the interview, and what will be recalled then.

    new: new cards per day at most; without it, as many as fit.  done: today; the states know of it.
    """
    cards, states, settings, minutes, _, katas = outlook
    assert settings.interview, "settings with an interview"
    days = _days(now, settings)
    budget = _budget(len(days), minutes, katas)
    runs = [
        _Simulation(outlook, days, budget, new, done or Work(), Random(f"{seed} {run}")) for run in range(SIMULATIONS)
    ]
    met = Counter(id for run in runs for id in run.states)
    left_out = Counter(frequency(card) for card in outlook.unmet if met[card.id] < SIMULATIONS / 2)
    weeks = []
    for week, mocks, exercises in _extras(len(days), minutes, katas):
        new_cards, reviews, seconds = (
            fmean(sum(getattr(run.days[day], name) for day in week) for run in runs)
            for name in ("new", "reviews", "seconds")
        )
        weeks.append(
            Week(
                start=now.astimezone().date() + timedelta(days=week.start),
                days=len(week),
                new=round(new_cards),
                reviews=round(reviews),
                minutes=round(seconds / 60 + MOCK_MINUTES * mocks + KATA_MINUTES * exercises),
                mocks=mocks,
                katas=exercises,
            )
        )
    asked = {card.id for card in cards}
    brought = fmean(sum(work.new for work in run.days) for run in runs)
    return Forecast(
        interview=settings.interview.astimezone().date(),
        minutes=minutes,
        new_per_day=round(brought / max(1, len(days) - 1)) if new is None else new,
        weeks=tuple(weeks),
        cards=len(cards),
        left_out=left_out,
        kept=estimate([[state.recall(settings.interview) for state in run.states.values()] for run in runs]),
        stopped=estimate([[state.recall(settings.interview) for id, state in states.items() if id in asked]]),
    )


def estimate(runs: Sequence[Sequence[float]]) -> Estimate:
    """The number recalled, from the probabilities of each run: see the module for the formula.

    >>> estimate([[0.5] * 100])
    Estimate(mean=50.0, low=40.0, high=60.0)
    """
    sums = [sum(chances) for chances in runs]
    mean = fmean(sums)
    spread = sqrt(fmean(sum(r * (1 - r) for r in chances) for chances in runs) + pvariance(sums))
    return Estimate(mean, max(0.0, mean - 2 * spread), min(mean + 2 * spread, max(map(len, runs))))


def _days(now: datetime, settings: SchedulerSettings) -> list[_Day]:
    """The days until the interview: cards are answered at noon, today at once if it is later."""
    assert settings.interview, "settings with an interview"
    today = now.astimezone().date()
    dates = [today + timedelta(days=n) for n in range((settings.interview.astimezone().date() - today).days + 1)]
    noons = (max(now, datetime.combine(day, time(12)).astimezone()) for day in dates[:-1])
    ends = (microseconds(datetime.combine(day, time()).astimezone()) for day in dates[1:])
    return list(map(_Day, noons, ends))


def _needed(unmet: int, days: int) -> int:
    """The fewest new cards per day that meet all in time: before the last day, on which each card is due."""
    return -(-unmet // max(1, days - 1))


def _extras(days: int, minutes: int, katas: int) -> Iterator[tuple[range, int, int]]:
    """The days of each week, its mock interviews and its katas: a mock a week, katas in a fifth of the time."""
    for start in range(0, days, 7):
        week = range(start, min(start + 7, days))
        room = minutes * len(week)
        exercises = min(katas, len(week), int(KATA_FRACTION * room / KATA_MINUTES))
        katas -= exercises
        yield week, int(room >= 3 * MOCK_MINUTES), exercises


def _budget(days: int, minutes: int, katas: int) -> list[float]:
    """The seconds that each day has for cards: a mock or a kata takes its time from the whole week.

    Where a few minutes more would bring a mock or a kata, and so leave less for cards, no more than that is left: more
    minutes never mean fewer cards.
    """
    rooms = [
        [
            60 * (more - (MOCK_MINUTES * mocks + KATA_MINUTES * exercises) / len(week))
            for week, mocks, exercises in _extras(days, more, katas)
            for _ in week
        ]
        for more in range(minutes, MINUTES[1] + 1)
    ]
    return [min(of_day) for of_day in zip(*rooms, strict=True)]


class _Simulation:
    """One simulation: the days with what is done on them, and the states at their end. done: today so far."""

    def __init__(
        self,
        outlook: Outlook,
        days: Sequence[_Day],
        budget: Sequence[float],
        new: int | None,
        done: Work,
        rng: Random,
    ) -> None:
        cards, states, settings, _, pace, _ = outlook
        self.states = {card.id: states[card.id] for card in cards if card.id in states}
        self.days = [replace(done), *(Work() for _ in days[1:])][: len(days)]
        self._settings = settings
        self._rng = rng
        kind_of = {card.id: card.kind for card in cards}
        unmet = outlook.unmet
        for left, day, work, room in zip(range(len(days), 0, -1), days, self.days, budget, strict=True):
            most = _needed(len(unmet) + work.new, left) if new is None else new
            due = sorted((state.next, id) for id, state in self.states.items() if state.next < day.end)
            for _, id in due:
                if work.seconds >= room:
                    break
                times = self._review(id, day.at, self.states[id].recall(day.at))
                work.seconds += times * pace.of(kind_of[id])
                work.reviews += times
            while unmet and work.new < most and work.seconds + pace.to_begin(unmet[0]) <= room:
                card = unmet.pop(0)
                work.seconds += self._review(card.id, day.at, pace.first_right) * pace.of(card.kind)
                work.new += 1

    def _review(self, id: str, at: datetime, chance: float) -> int:
        """Answer a card, once more if it fails; how many answers that took."""
        right = self._rng.random() < chance
        state = reviewed(self.states.get(id), GOOD if right else AGAIN, microseconds(at), self._settings)
        if not right:
            state = reviewed(state, GOOD, microseconds(at + STEP[0]), self._settings)
        self.states[id] = with_deadline(state, self._settings)
        return 1 if right else 2
