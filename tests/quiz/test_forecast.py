"""The days until an interview, simulated."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import sqrt
from pathlib import Path
from random import Random
from statistics import fmean

import pytest

from regdemo.quiz.cards import Card
from regdemo.quiz.forecast import (
    ENOUGH,
    KATA_MINUTES,
    KNOWN_AT_FIRST,
    MOCK_MINUTES,
    Outlook,
    Work,
    estimate,
    new_today,
    pace,
    plan_ahead,
)
from regdemo.quiz.history import Review
from regdemo.quiz.kinds import USUAL_SECONDS
from regdemo.quiz.schedule import AGAIN, GOOD, STEP, SchedulerSettings, microseconds, replay, reviewed, with_deadline

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def cards(count, *tags):
    return [Card(f"Q{n}", "choice", "Why?", "So.", Path("d.md"), 1, topic="t", tags=tags) for n in range(count)]


def review(card="Q0", rating=GOOD, days_ago=1, took=30_000, kind="choice"):
    at = microseconds(NOW - timedelta(days=days_ago))
    return Review(card, at, kind, rating, 1.0, "", "{}", "", 0, took, "s")


def ahead(known, reviews=(), *, days=14, minutes=20, katas=0, **more):
    settings = SchedulerSettings(interview=NOW + timedelta(days=days))
    return plan_ahead(Outlook(known, replay(reviews, settings), settings, minutes, pace(reviews), katas), NOW, **more)


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


KINDS = [replace(card, kind=("choice", "recall", "numeric", "multi")[n % 4]) for n, card in enumerate(cards(120))]
HISTORY = [review(f"Q{n}", (AGAIN, GOOD, GOOD)[n % 3], days_ago=1 + n % 9) for n in range(60)]


@pytest.mark.parametrize("reviews", [[], HISTORY], ids=["new", "with a history"])
@pytest.mark.parametrize("days", [1, 3, 7, 14, 30])
def test_more_minutes_never_mean_fewer_new_cards(days, reviews):
    settings = SchedulerSettings(interview=NOW + timedelta(days=days))
    known = Outlook(KINDS, replay(reviews, settings), settings, 20, pace(reviews), katas=40)
    today = [new_today(known._replace(minutes=minutes), NOW) for minutes in range(5, 125, 5)]
    assert today == sorted(today)
    ahead = [plan_ahead(known._replace(minutes=minutes), NOW) for minutes in (5, 10, 20, 60)]
    assert [found.new_per_day for found in ahead] == sorted(found.new_per_day for found in ahead)
    left_out = [found.left_out.total() for found in ahead]
    assert left_out == sorted(left_out, reverse=True)
    for found in ahead:
        # Where reviews take all the time, the last one of a day begins just before its end.
        assert all(week.minutes <= week.days * (found.minutes + 1) for week in found.weeks)


@pytest.mark.parametrize("reviews", [[], HISTORY[:12]], ids=["new", "with a history"])
@pytest.mark.parametrize(("days", "minutes"), [(7, 10), (7, 30), (7, 60), (14, 20), (30, 10), (30, 30)])
def test_what_is_due_and_todays_new_cards_keep_to_the_minutes_day_by_day(days, minutes, reviews):
    """Followed as a quiz asks it, without a clock. On the last day, every card is due."""
    settings = SchedulerSettings(interview=(NOW + timedelta(days=days)).replace(hour=0))
    states, of, rng = replay(reviews, settings), pace(reviews), Random(1)
    begun, spent = len(states), []
    for day in range(days - 1):
        now = NOW + timedelta(days=day)
        new = new_today(Outlook(KINDS, states, settings, minutes, of), now)
        due = [
            card for card in KINDS if card.id in states and states[card.id].next < microseconds(now) + 43_200_000_000
        ]
        asked = [*due, *[card for card in KINDS if card.id not in states][:new]]
        spent.append(0.0)
        for card in asked:
            state = states.get(card.id)
            right = rng.random() < (state.recall(now) if state else of.first_right)
            state = reviewed(state, GOOD if right else AGAIN, microseconds(now), settings)
            if not right:
                state = reviewed(state, GOOD, microseconds(now + STEP[0]), settings)
            states[card.id] = with_deadline(state, settings)
            spent[-1] += of.of(card.kind) * (1 if right else 2) / 60
    assert fmean(spent) <= minutes
    found = plan_ahead(Outlook(KINDS, replay(reviews, settings), settings, minutes, of), NOW)
    assert len(states) - begun >= 0.8 * sum(week.new for week in found.weeks) - 2


def test_a_week_that_is_cut_short_takes_no_more_time_than_its_days():
    (week,) = ahead(KINDS, days=3, minutes=20).weeks
    assert (week.mocks, week.minutes <= 60) == (1, True)


def test_what_was_done_today_is_part_of_today():
    none, some = (ahead(cards(300), minutes=10, done=Work(seconds=seconds)).weeks[0] for seconds in (0, 600))
    assert some.new < none.new
    assert some.minutes == pytest.approx(none.minutes, abs=3)
    assert ahead(cards(9), new=2, days=2, done=Work(new=2)).weeks[0].new == 4


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
