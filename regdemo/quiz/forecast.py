"""The days until an interview, simulated: how much fits into the time, and what will be recalled on the day.

Each simulated day asks what is due, the most overdue first, then new cards in their order, until the day's time is
used up. A review succeeds with the probability R that FSRS gives it, a first answer with the learner's own rate; what
fails is answered once more. On the day, card i is recalled with probability R_i, so over the simulations

    recalled = mean of sum R_i,    variance = mean of sum R_i (1 - R_i) + variance of sum R_i

and the interval is two standard deviations either way. It holds chance alone: that FSRS's model fits, and that the
plan is kept, is assumed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import sqrt
from random import Random
from statistics import fmean, median, pvariance

from regdemo.quiz import kinds
from regdemo.quiz.cards import Card
from regdemo.quiz.history import Review
from regdemo.quiz.schedule import (
    AGAIN,
    GOOD,
    STEP,
    CardState,
    Plan,
    Rating,
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

    cards: how many there are.  left_out: those never asked until the day, by how often interviewers ask them.
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


def plan_ahead(
    cards: Sequence[Card],
    states: Mapping[str, CardState],
    now: datetime,
    plan: Plan,
    *,
    minutes: int,
    pace: Pace,
    katas: int = 0,
    new: int | None = None,
    seed: int = 0,
) -> Forecast:
    """What fits into so many minutes a day until the plan's interview, and what will be recalled then.

    cards: those that can be asked, the new ones in the order in which they will come.  katas: how many are not passed
    yet.  new: new cards per day; without it, as many as fit.
    """
    assert plan.interview, "a plan with an interview"
    today = now.astimezone().date()
    interview = plan.interview.astimezone().date()
    days = max(0, (interview - today).days)
    mocks, exercises = _extras(days, minutes, katas)
    spent = [MOCK_MINUTES * mock + KATA_MINUTES * kata for mock, kata in zip(mocks, exercises, strict=True)]
    # A mock or a kata takes its time from the whole week, not from its own day.
    budget = [max(0.0, 60 * (minutes - sum(spent[d // 7 * 7 : d // 7 * 7 + 7]) / 7)) for d in range(days)]
    unmet = [card for card in cards if card.id not in states]
    if new is None:
        new = _most_new(cards, states, now, plan, budget, pace, len(unmet), seed)
    runs = [_Run(cards, states, now, plan, budget, pace, new, Random(f"{seed} {run}")) for run in range(SIMULATIONS)]
    met = Counter(id for run in runs for id in run.states)
    left_out = Counter(frequency(card) for card in unmet if met[card.id] < SIMULATIONS / 2)
    weeks = []
    for start in range(0, days, 7):
        span = range(start, min(start + 7, days))
        new_cards, reviews, seconds = (
            fmean(sum(getattr(run, name)[day] for day in span) for run in runs)
            for name in ("new", "reviews", "seconds")
        )
        weeks.append(
            Week(
                start=today + timedelta(days=start),
                days=len(span),
                new=round(new_cards),
                reviews=round(reviews),
                minutes=round(seconds / 60 + sum(spent[day] for day in span)),
                mocks=sum(mocks[day] for day in span),
                katas=sum(exercises[day] for day in span),
            )
        )
    asked = {card.id for card in cards}
    return Forecast(
        interview=interview,
        minutes=minutes,
        new_per_day=new,
        weeks=tuple(weeks),
        cards=len(cards),
        left_out=left_out,
        kept=estimate([[state.recall(plan.interview) for state in run.states.values()] for run in runs]),
        stopped=estimate([[state.recall(plan.interview) for id, state in states.items() if id in asked]]),
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


def _extras(days: int, minutes: int, katas: int) -> tuple[list[int], list[int]]:
    """For each day, its mock interviews and its katas: a mock a week, katas in a fifth of the time."""
    mocks, exercises = [0] * days, [0] * days
    left = katas
    for start in range(0, days, 7):
        length = min(7, days - start)
        if minutes * length >= 3 * MOCK_MINUTES:
            mocks[start + length - 1] = 1
        count = min(left, length, int(KATA_FRACTION * minutes * length / KATA_MINUTES))
        for number in range(count):
            exercises[start + number * length // count] = 1
        left -= count
    return mocks, exercises


def _most_new(
    cards: Sequence[Card],
    states: Mapping[str, CardState],
    now: datetime,
    plan: Plan,
    budget: Sequence[float],
    pace: Pace,
    unmet: int,
    seed: int,
) -> int:
    """The fewest new cards per day that meet all cards in time, or else as many as fit."""
    if not budget or not unmet:
        return 0
    low, high = 1, -(-unmet // max(1, len(budget) - 1))
    if high <= 1:
        return high
    met = _Run(cards, states, now, plan, budget, pace, high, Random(seed)).met
    while low < high:
        middle = (low + high) // 2
        if _Run(cards, states, now, plan, budget, pace, middle, Random(seed)).met >= met:
            high = middle
        else:
            low = middle + 1
    return high


class _Run:
    """One simulation. new, reviews, seconds: of each day.  met: how many cards were answered at its end."""

    def __init__(
        self,
        cards: Sequence[Card],
        states: Mapping[str, CardState],
        now: datetime,
        plan: Plan,
        budget: Sequence[float],
        pace: Pace,
        new: int,
        rng: Random,
    ) -> None:
        self.states = {card.id: states[card.id] for card in cards if card.id in states}
        self._plan = plan
        self._rng = rng
        kind_of = {card.id: card.kind for card in cards}
        unmet = [card for card in cards if card.id not in states]
        self.new, self.reviews, self.seconds = ([0] * len(budget) for _ in range(3))
        for day, room in enumerate(budget):
            at = now + timedelta(days=day)
            end = microseconds(at + timedelta(hours=12))
            spent = 0.0
            due = sorted((state.next, id) for id, state in self.states.items() if state.next <= end)
            for _, id in due:
                if spent >= room:
                    break
                times = self._review(id, at, self.states[id].recall(at))
                spent += times * pace.seconds.get(kind_of[id], kinds.USUAL)
                self.reviews[day] += times
            while unmet and self.new[day] < new and spent < room and day < max(1, len(budget) - 1):
                card = unmet.pop(0)
                spent += self._review(card.id, at, pace.first_right) * pace.seconds.get(card.kind, kinds.USUAL)
                self.new[day] += 1
            self.seconds[day] = round(spent)
        self.met = len(self.states)

    def _review(self, id: str, at: datetime, chance: float) -> int:
        """Answer a card, once more if it fails; how many answers that took."""
        right = self._rng.random() < chance
        state = reviewed(self.states.get(id), GOOD if right else AGAIN, microseconds(at), self._plan)
        if not right:
            state = reviewed(state, GOOD, microseconds(at + STEP[0]), self._plan)
        self.states[id] = with_deadline(state, self._plan)
        return 1 if right else 2
