"""A mock interview: which questions are asked, and how well the learner knew what they knew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from random import Random
from statistics import fmean
from typing import NamedTuple

from regdemo.quiz.cards import Card
from regdemo.quiz.schedule import CardState
from regdemo.quiz.session import Reply

CHAIN = 3  # questions at most on one subject: the first and its follow-ups
NEVER_ASKED = 0.5  # what a card counts for that has no history, where 1 is forgotten and 0 is sure
BINS = 5


def questions(cards: Iterable[Card], states: Mapping[str, CardState], now: datetime, rng: Random) -> Iterator[Card]:
    """Every card once. A topic is drawn by how weak it is, a card of it evenly; then come its follow-ups.

    A topic's weakness is the mean, over its cards, of the probability that the card is forgotten now. A chain goes from
    each card to the first of its follow-ups that was not asked yet.
    """
    left = {card.id: card for card in cards}
    topics: dict[str, list[str]] = {}
    weak: dict[str, list[float]] = {}
    for card in left.values():
        topics.setdefault(card.topic, []).append(card.id)
        forgotten = 1 - states[card.id].recall(now) if card.id in states else NEVER_ASKED
        weak.setdefault(card.topic, []).append(forgotten)
    weights = {topic: sum(values) / len(values) + 1e-6 for topic, values in weak.items()}
    while left:
        (topic,) = rng.choices(list(topics), [weights[topic] for topic in topics])
        ids = [id for id in topics[topic] if id in left]
        topics[topic] = ids
        if not ids:
            del topics[topic]
            continue
        card = left.pop(rng.choice(ids))
        yield card
        for _ in range(CHAIN - 1):
            follow_up = next((id for id in card.follow_ups if id in left), None)
            if follow_up is None:
                break
            card = left.pop(follow_up)
            yield card


class Bin(NamedTuple):
    """The answers given with a certainty from low up to high: how many, their mean certainty, the fraction right."""

    low: float
    high: float
    answers: int
    stated: float
    right: float


class Calibration(NamedTuple):
    """How certainty and success went together.

        brier = mean (sure - right)^2, right being 0 or 1    (Brier 1950, https://doi.org/bnb4rd)

    0 is perfect, and 0.25 is what always saying 50% gets. stated, right: the means of either. tail: the probability
    that a learner who is right just as often as they are sure has as many right as these or more, or as few or fewer,
    whichever is the smaller.
    """

    brier: float
    stated: float
    right: float
    tail: float
    bins: tuple[Bin, ...]


def calibration(answers: Sequence[tuple[float, bool]]) -> Calibration | None:
    """What the pairs of certainty, 0 to 1, and success say; None without any."""
    if not answers:
        return None
    count = len(answers)
    by_bin: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for sure, right in answers:
        by_bin[min(int(sure * BINS), BINS - 1)].append((sure, right))
    return Calibration(
        brier=sum((sure - right) ** 2 for sure, right in answers) / count,
        stated=sum(sure for sure, _ in answers) / count,
        right=sum(right for _, right in answers) / count,
        tail=_tail([sure for sure, _ in answers], sum(right for _, right in answers)),
        bins=tuple(
            Bin(
                number / BINS,
                (number + 1) / BINS,
                len(pairs),
                sum(sure for sure, _ in pairs) / len(pairs),
                sum(right for _, right in pairs) / len(pairs),
            )
            for number, pairs in enumerate(by_bin)
            if pairs
        ),
    )


class TopicScore(NamedTuple):
    """The graded answers of one topic: how many, how many of them right, and how sure the learner was on average."""

    topic: str
    right: int
    asked: int
    sure: float | None


class ScoreCard(NamedTuple):
    """What an interview came to. Only graded answers count; topics: the weakest first."""

    asked: int
    graded: int
    right: int
    topics: tuple[TopicScore, ...]
    calibration: Calibration | None


def score(replies: Sequence[Reply]) -> ScoreCard:
    """The score card of an interview's answers."""
    by_topic: dict[str, list[Reply]] = {}
    graded = [reply for reply in replies if reply.graded]
    for reply in graded:
        by_topic.setdefault(reply.question.card.topic, []).append(reply)
    topics = [
        TopicScore(topic, sum(reply.right for reply in here), len(here), _sure(here))
        for topic, here in by_topic.items()
    ]
    return ScoreCard(
        asked=len(replies),
        graded=len(graded),
        right=sum(reply.right for reply in graded),
        topics=tuple(sorted(topics, key=lambda topic: topic.right / topic.asked)),
        calibration=calibration(
            [(reply.review.sure, reply.right) for reply in graded if reply.review.sure is not None]
        ),
    )


def _sure(replies: Iterable[Reply]) -> float | None:
    said = [reply.review.sure for reply in replies if reply.review.sure is not None]
    return fmean(said) if said else None


def _tail(chances: Sequence[float], successes: int) -> float:
    """The smaller of P(K <= successes) and P(K >= successes), K counting independent successes with these chances."""
    counts = [1.0]
    for chance in chances:
        counts = [
            fail * (1 - chance) + success * chance for fail, success in zip([*counts, 0.0], [0.0, *counts], strict=True)
        ]
    return min(sum(counts[: successes + 1]), sum(counts[successes:]), 1.0)
