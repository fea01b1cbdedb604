"""What a history says about its learner, as values: what is due and weak, days of practice, topics, predictions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from math import sqrt

from regdemo.quiz import days
from regdemo.quiz.cards import Card
from regdemo.quiz.fitting import Prediction, follow
from regdemo.quiz.history import Review
from regdemo.quiz.practice import Practice
from regdemo.quiz.schedule import CardState, Rating, SchedulerSettings, moment, simulate_practice

EDGES = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)  # of the bins in which predictions are held against what came


@dataclass(frozen=True)
class RecallBin:
    """Reviews whose recall was predicted from `low` to `high`: the mean prediction, the fraction that was recalled.

    least, most: the ends of Wilson's 95% interval for that fraction.
    """

    low: float
    high: float
    count: int
    predicted: float
    seen: float
    least: float
    most: float


def calibration(predictions: Sequence[Prediction]) -> list[RecallBin]:
    """Predictions against what came, in bins; empty bins are left out."""
    found = []
    for low, high in pairwise(EDGES):
        here = [each for each in predictions if low < each.recall <= high]
        if here:
            count = len(here)
            predicted = sum(each.recall for each in here) / count
            seen = sum(each.recalled for each in here) / count
            found.append(RecallBin(low, high, count, predicted, seen, *wilson(seen, count)))
    return found


def wilson(fraction: float, count: int) -> tuple[float, float]:
    """Wilson's 95% interval of a fraction. Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953"""
    z = 1.959964
    middle = (fraction + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * sqrt(fraction * (1 - fraction) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True)
class Topic:
    """How well a topic is known.

    answered: its cards that are begun.  recall: mean over those, tomorrow: right after an answer a card is recalled.
    stopped: the same at the interview over all cards, if nothing is practised until then; a card that is not begun
    counts as not recalled.  kept: if each review comes when due and is Good.
    """

    name: str
    cards: int
    answered: int
    learned: int
    due: int
    recall: float | None
    stopped: float | None
    kept: float | None


def topics(
    cards: Iterable[Card], states: Mapping[str, CardState], now: datetime, settings: SchedulerSettings
) -> list[Topic]:
    """Each topic in the order of the bank."""
    ids: dict[str, list[str]] = {}
    for card in cards:
        ids.setdefault(card.topic, []).append(card.id)
    found = []
    for name, all_ids in ids.items():
        known = [states[id] for id in all_ids if id in states]
        stopped = kept = None
        if day := settings.interview:
            stopped = sum(state.recall(day) for state in known) / len(all_ids)
            kept = sum(simulate_practice(state, now, settings).recall(day) for state in known) / len(all_ids)
        found.append(
            Topic(
                name=name,
                cards=len(all_ids),
                answered=len(known),
                learned=sum(state.learned for state in known),
                due=sum(state.due <= now for state in known),
                recall=sum(state.recall(now + timedelta(days=1)) for state in known) / len(known) if known else None,
                stopped=stopped,
                kept=kept,
            )
        )
    return found


def weakest(found: Iterable[Topic]) -> list[Topic]:
    """The topics that were begun, the one that is recalled least first."""
    return sorted((topic for topic in found if topic.answered), key=lambda topic: topic.recall or 0)


@dataclass(frozen=True)
class Weak:
    """A card that was failed and isn't learned since. recall: the probability to recall it tomorrow."""

    card: Card
    recall: float
    state: CardState


@dataclass(frozen=True)
class Retention:
    """What was predicted of reviews on a later day, and what came. The scores are None without such a review.

    weeks: for each week with such reviews its Monday, their number, the mean prediction and the fraction recalled.
    """

    wanted: float
    reviews: int
    predicted: float | None
    seen: float | None
    log_loss: float | None
    brier: float | None
    bins: tuple[RecallBin, ...]
    weeks: tuple[tuple[date, int, float, float], ...]


@dataclass(frozen=True)
class Katas:
    """How many katas there are, have passed last time they were judged, have failed, and are due again."""

    cards: int
    passed: int
    failed: int
    due: int


@dataclass(frozen=True)
class Overview:
    """All of it. due: cards by when they are due.  weak: the least likely recalled first.  flagged: ids.

    practised: answers by day, katas included.  streak, longest: in days.
    """

    cards: int
    new: int
    answers: int
    due: Mapping[str, int]
    learned: int
    weak: tuple[Weak, ...]
    flagged: tuple[str, ...]
    topics: tuple[Topic, ...]
    practised: Mapping[date, int]
    streak: int
    longest: int
    retention: Retention
    katas: Katas


def overview(practice: Practice) -> Overview:
    """What the history says of a bank's cards. Replays every review: a second for about 40,000 of them."""
    now, settings = practice.now(), practice.settings
    everything = practice.history.reviews()
    cards = {card.id: card for card in practice.askable}
    answers = [review for review in everything if review.card in cards]
    predictions, states = follow(answers, settings)
    waits = [(state.due - now) / timedelta(days=1) for state in states.values()]
    tomorrow = {id: state.recall(now + timedelta(days=1)) for id, state in states.items()}
    weak = sorted((id for id, state in states.items() if state.failed and not state.learned), key=tomorrow.__getitem__)
    practised = Counter(days.days_of(review.at for review in everything))
    flagged = practice.history.flagged()
    return Overview(
        cards=len(cards),
        new=len(cards) - len(states),
        answers=len(answers),
        due={
            "now": sum(wait <= 0 for wait in waits),
            "within a day": sum(0 < wait <= 1 for wait in waits),
            "within a week": sum(1 < wait <= 7 for wait in waits),
            "later": sum(wait > 7 for wait in waits),
        },
        learned=sum(state.learned for state in states.values()),
        weak=tuple(Weak(cards[id], tomorrow[id], states[id]) for id in weak),
        flagged=tuple(id for id in cards if id in flagged),
        topics=tuple(topics(cards.values(), states, now, settings)),
        practised=practised,
        streak=days.streak(sorted(practised, reverse=True), now.astimezone().date()),
        longest=days.longest_streak(practised),
        retention=retention(predictions, settings),
        katas=katas(practice, everything),
    )


def retention(predictions: Sequence[Prediction], settings: SchedulerSettings) -> Retention:
    """Predictions against what came: means, scores, bins, and week by week."""
    count = len(predictions)
    weeks: dict[date, list[Prediction]] = {}
    for each in predictions:
        day = moment(each.at).astimezone().date()
        weeks.setdefault(day - timedelta(days=day.weekday()), []).append(each)
    return Retention(
        wanted=settings.retention,
        reviews=count,
        predicted=sum(each.recall for each in predictions) / count if count else None,
        seen=sum(each.recalled for each in predictions) / count if count else None,
        log_loss=sum(each.loss for each in predictions) / count if count else None,
        brier=sum((each.recall - each.recalled) ** 2 for each in predictions) / count if count else None,
        bins=tuple(calibration(predictions)),
        weeks=tuple(
            (monday, len(here), sum(p.recall for p in here) / len(here), sum(p.recalled for p in here) / len(here))
            for monday, here in sorted(weeks.items())
        ),
    )


def katas(practice: Practice, reviews: Iterable[Review]) -> Katas:
    """The katas of a bank: reviews in the order of time."""
    codes = {card.id for card in practice.bank.cards if not card.askable}
    last = {review.card: Rating(review.rating) for review in reviews if review.card in codes}
    now = practice.now()
    return Katas(
        cards=len(codes),
        passed=sum(rating.right for rating in last.values()),
        failed=sum(not rating.right for rating in last.values()),
        due=sum(practice.states[id].due <= now for id in codes if id in practice.states),
    )
