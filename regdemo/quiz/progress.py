"""What a history says of its learner: days of practice, topics, and whether what was predicted came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from math import sqrt

from regdemo.quiz.cards import Card
from regdemo.quiz.fitting import Prediction
from regdemo.quiz.history import Review
from regdemo.quiz.schedule import CardState, Plan, simulate_practice

EDGES = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)  # of the bins in which predictions are held against what came


def practised(reviews: Iterable[Review]) -> Counter[date]:
    """How many answers there were on each day, as days are where the learner is."""
    return Counter(date.fromtimestamp(review.at / 1_000_000) for review in reviews)


def streaks(days: Collection[date], today: date) -> tuple[int, int]:
    """The days in a row with practice: up to today, or to yesterday while today has none yet; and the most ever."""
    longest = current = run = 0
    for day in sorted(days):
        run = run + 1 if day - timedelta(days=1) in days else 1
        longest = max(longest, run)
        if day in (today, today - timedelta(days=1)):
            current = run
    return current, longest


def calendar(days: Mapping[date, int], today: date, weeks: int) -> list[list[int | None]]:
    """Seven rows, Monday first, of so many weeks up to this one: the answers of each day, None for days to come."""
    monday = today - timedelta(days=today.weekday(), weeks=weeks - 1)
    dates = [[monday + timedelta(weeks=week, days=day) for week in range(weeks)] for day in range(7)]
    return [[None if day > today else days.get(day, 0) for day in row] for row in dates]


@dataclass(frozen=True)
class Bin:
    """Reviews whose recall was predicted from `low` to `high`: the mean prediction, the share that was recalled.

    least, most: what the share may be in truth, by Wilson's 95% interval.
    """

    low: float
    high: float
    count: int
    predicted: float
    seen: float
    least: float
    most: float


def calibration(predictions: Sequence[Prediction]) -> list[Bin]:
    """Predictions against what came, in bins; empty bins are left out."""
    found = []
    for low, high in pairwise(EDGES):
        here = [each for each in predictions if low < each.recall <= high]
        if here:
            count = len(here)
            predicted = sum(each.recall for each in here) / count
            seen = sum(each.recalled for each in here) / count
            found.append(Bin(low, high, count, predicted, seen, *wilson(seen, count)))
    return found


def wilson(share: float, count: int) -> tuple[float, float]:
    """Wilson's 95% interval of a share. Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953"""
    z = 1.959964
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True)
class Topic:
    """Where a topic stands. recall: mean over its answered cards, now; left, kept: at the interview, over all cards.

    left: if nothing is practised until then.  kept: if each review comes when due and is Good. A card that was never
    answered counts as not recalled.
    """

    name: str
    cards: int
    answered: int
    learned: int
    due: int
    recall: float | None
    left: float | None
    kept: float | None


def topics(cards: Iterable[Card], states: Mapping[str, CardState], now: datetime, plan: Plan) -> list[Topic]:
    """Each topic in the order of the bank."""
    ids: dict[str, list[str]] = {}
    for card in cards:
        ids.setdefault(card.topic, []).append(card.id)
    found = []
    for name, all_ids in ids.items():
        known = [states[id] for id in all_ids if id in states]
        left = kept = None
        if plan.interview:
            left = sum(state.recall(plan.interview) for state in known) / len(all_ids)
            kept = sum(simulate_practice(state, now, plan).recall(plan.interview) for state in known) / len(all_ids)
        found.append(
            Topic(
                name=name,
                cards=len(all_ids),
                answered=len(known),
                learned=sum(state.learned for state in known),
                due=sum(state.due <= now for state in known),
                recall=sum(state.recall(now) for state in known) / len(known) if known else None,
                left=left,
                kept=kept,
            )
        )
    return found
