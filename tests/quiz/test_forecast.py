"""The days until an interview, simulated."""

from datetime import UTC, datetime, timedelta
from math import sqrt
from pathlib import Path

import pytest

from regdemo.quiz.cards import Card
from regdemo.quiz.forecast import (
    ENOUGH,
    KATA_MINUTES,
    KNOWN_AT_FIRST,
    MOCK_MINUTES,
    estimate,
    pace,
    plan_ahead,
)
from regdemo.quiz.history import Review
from regdemo.quiz.kinds import USUAL_SECONDS
from regdemo.quiz.schedule import AGAIN, GOOD, Plan, microseconds, replay

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def cards(count, *tags):
    return [Card(f"Q{n}", "choice", "Why?", "So.", Path("d.md"), 1, topic="t", tags=tags) for n in range(count)]


def review(card="Q0", rating=GOOD, days_ago=1, took=30_000, kind="choice"):
    at = microseconds(NOW - timedelta(days=days_ago))
    return Review(card, at, kind, rating, 1.0, "", "{}", "", 0, took, "s")


def ahead(known, reviews=(), *, days=14, minutes=20, **more):
    plan = Plan(interview=NOW + timedelta(days=days))
    return plan_ahead(known, replay(reviews, plan), NOW, plan, minutes=minutes, pace=pace(reviews), **more)


def test_everything_that_fits_is_asked_before_the_day():
    found = ahead(cards(20))
    assert (found.left_out, sum(week.new for week in found.weeks)) == ({}, 20)
    assert found.kept.mean > 15


def test_no_more_new_cards_a_day_than_are_needed_to_meet_all_of_them():
    assert ahead(cards(26), days=14).new_per_day == 2


def test_what_does_not_fit_is_left_out_from_the_end_and_counted_by_frequency():
    asked = [*cards(4, "common"), *[c.__class__(**{**vars(c), "id": f"R{c.id}"}) for c in cards(400, "rare")]]
    found = ahead(asked, days=7, minutes=5)
    assert set(found.left_out) == {"rare"}
    assert found.left_out["rare"] + sum(week.new for week in found.weeks) == pytest.approx(404, abs=3)


def test_a_week_does_not_take_more_time_than_there_is():
    for week in ahead(cards(300), minutes=20, katas=9).weeks:
        # The last answer of a day may begin just before its time is up.
        assert week.minutes <= week.days * (20 + 2 * USUAL_SECONDS["choice"] / 60) + 1


def test_mocks_and_katas_are_part_of_the_plan():
    found = ahead(cards(5), minutes=60, katas=3)
    assert [week.mocks for week in found.weeks] == [1, 1]
    assert sum(week.katas for week in found.weeks) == 3
    assert found.weeks[0].minutes >= MOCK_MINUTES + KATA_MINUTES * found.weeks[0].katas


def test_who_stops_now_recalls_what_the_schedule_says():
    reviews = [review("Q0", days_ago=9), review("Q1", days_ago=1)]
    found = ahead(cards(2), reviews)
    recalled = [state.recall(NOW + timedelta(days=14)) for state in replay(reviews).values()]
    assert found.stopped.mean == pytest.approx(sum(recalled))
    assert found.kept.mean > found.stopped.mean


def test_new_cards_a_day_can_be_chosen():
    assert ahead(cards(300), new=1).new_per_day == 1


def test_on_the_day_itself_there_is_nothing_left_to_plan():
    found = ahead(cards(3), days=0)
    assert (found.weeks, found.kept.mean, found.left_out.total()) == ((), 0, 3)


def test_the_same_seed_forecasts_the_same():
    assert ahead(cards(50), seed=3) == ahead(cards(50), seed=3)


def test_the_interval_is_two_standard_deviations_of_a_poisson_binomial_and_of_the_runs():
    found = estimate([[0.9] * 30, [0.8] * 30])
    deviation = sqrt((30 * 0.09 + 30 * 0.16) / 2 + 1.5**2)
    assert (found.mean, found.low, found.high) == pytest.approx((25.5, 25.5 - 2 * deviation, 30))


def test_a_pace_is_the_learners_own_from_enough_answers_on():
    few = [review(f"Q{n}", AGAIN, took=9_000) for n in range(ENOUGH - 1)]
    assert (pace(few).seconds["choice"], pace(few).first_right) == (USUAL_SECONDS["choice"], KNOWN_AT_FIRST)
    enough = [*few, review("last", GOOD, took=9_000)]
    assert (pace(enough).seconds["choice"], pace(enough).first_right) == (9.0, 1 / ENOUGH)
    assert pace(enough).seconds["recall"] == USUAL_SECONDS["recall"]
