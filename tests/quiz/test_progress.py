"""What is told of practice, topics and predictions, against figures worked out by hand."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from scipy.stats import binomtest

from regdemo.quiz.cards import Card
from regdemo.quiz.fitting import Prediction
from regdemo.quiz.history import Review
from regdemo.quiz.progress import calibration, topics, weakest, wilson
from regdemo.quiz.schedule import AGAIN, DEFAULT_SETTINGS, GOOD, SchedulerSettings, after, microseconds

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def review(card="Q1", at=START, rating=GOOD):
    return Review(card, microseconds(at), "recall", rating, 1.0, "", "{}", "", 0, 0, "s")


def test_predictions_are_held_against_what_came_in_bins():
    found = calibration(
        [Prediction("a", 0, 0.92, True)] * 3 + [Prediction("a", 0, 0.94, False), Prediction("a", 0, 0.6, True)]
    )
    assert [(each.low, each.high, each.count, each.seen) for each in found] == [
        (0.5, 0.7, 1, 1.0),
        (0.9, 0.95, 4, 0.75),
    ]
    assert found[1].predicted == pytest.approx(0.925)


@pytest.mark.parametrize(("hits", "count"), [(0, 3), (3, 4), (50, 50), (171, 200)])
def test_the_interval_is_wilsons(hits, count):
    expected = binomtest(hits, count).proportion_ci(method="wilson")
    assert wilson(hits / count, count) == pytest.approx((expected.low, expected.high), abs=1e-6)


def card(id, topic):
    return Card(id=id, kind="recall", question="", answer="", file=Path("d.md"), line=1, topic=topic)


def test_a_topic_counts_its_cards_and_forecasts_an_interview():
    cards = [card("a", "one"), card("b", "one"), card("c", "two")]
    settings = SchedulerSettings(interview=START + 30 * DAY)
    states = {"a": after(None, review("a"), settings)}
    one, two = topics(cards, states, START + DAY, settings)
    assert (one.name, one.cards, one.answered, one.learned, one.due) == ("one", 2, 1, 0, 0)
    assert one.recall == states["a"].recall(START + 2 * DAY)  # tomorrow
    assert one.stopped == states["a"].recall(START + 30 * DAY) / 2  # the other card was never met
    assert one.stopped < one.kept <= 0.5
    assert (two.answered, two.recall, two.stopped, two.kept) == (0, None, 0, 0)
    assert topics(cards, states, START, DEFAULT_SETTINGS)[0].stopped is None


def test_right_after_the_answers_the_weakest_topic_is_the_one_that_was_failed():
    cards = [card("a", "known"), card("b", "failed"), card("c", "never answered")]
    states = {
        "a": after(None, review("a"), DEFAULT_SETTINGS),
        "b": after(None, review("b", rating=AGAIN), DEFAULT_SETTINGS),
    }
    assert [topic.name for topic in weakest(topics(cards, states, START, DEFAULT_SETTINGS))] == ["failed", "known"]
