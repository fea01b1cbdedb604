"""When a card comes again, against FSRS's own formulas."""

import random
import time
from datetime import UTC, datetime, timedelta

import fsrs
import pytest

from regdemo.errors import ArgumentError
from regdemo.quiz.history import Review
from regdemo.quiz.schedule import (
    AGAIN,
    DEFAULT_SETTINGS,
    EASY,
    GOOD,
    HARD,
    SchedulerSettings,
    after,
    microseconds,
    queue,
    replay,
    simulate_practice,
)

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def review(rating, at=START, card="Q1"):
    return Review(card, microseconds(at), "recall", rating, 1.0, "", "{}", "", 0, 0, "s")


def learned_on(days, rating=GOOD):
    """A card answered with the same rating on each of these days."""
    state = None
    for day in days:
        state = after(state, review(rating, START + day * DAY))
    return state


def test_a_time_is_kept_to_the_microsecond():
    assert microseconds(datetime(2026, 3, 1, 9, 0, 0, 999_999, UTC)) == 1_772_355_600_999_999


@pytest.mark.parametrize(
    ("rating", "wait"),
    # FSRS-6's first stabilities are 0.212, 1.2931, 2.3065 and 8.2956 days; a card leaves its step by Good or Easy.
    [(AGAIN, 10 * MINUTE), (HARD, 15 * MINUTE), (GOOD, 2 * DAY), (EASY, 8 * DAY)],
)
def test_a_first_answer_waits_by_its_rating(rating, wait):
    assert after(None, review(rating)).due == START + wait


def test_after_its_stability_in_days_a_card_is_recalled_with_probability_nine_tenths():
    state = learned_on([0, 2, 10])
    # Whole days are counted, so the two around S enclose 0.9.
    days = int(state.stability)
    last = START + 10 * DAY
    assert state.recall(last + days * DAY) >= 0.9 >= state.recall(last + (days + 1) * DAY)


def test_the_wait_grows_while_a_card_is_recalled_when_due():
    state, waits = None, []
    at = START
    for _ in range(6):
        state = after(state, review(GOOD, at))
        waits.append(state.due - at)
        at = state.due
    assert waits == sorted(waits)
    assert waits[-1] > 30 * DAY


def test_a_card_forgotten_after_weeks_comes_again_in_ten_minutes_and_is_less_stable():
    before = learned_on([0, 2, 10, 40])
    forgotten = after(before, review(AGAIN, START + 100 * DAY))
    assert forgotten.due == START + 100 * DAY + 10 * MINUTE
    assert forgotten.stability < before.stability


def test_a_card_is_learned_when_its_stability_reaches_three_weeks():
    early, late = learned_on([0, 2]), learned_on([0, 2, 12])
    assert early.stability < 21 <= late.stability
    assert (early.learned, late.learned) == (False, True)


def test_reviews_and_failures_are_counted():
    state = replay([review(rating, START + i * DAY) for i, rating in enumerate([AGAIN, GOOD, AGAIN, HARD])])["Q1"]
    assert (state.reviews, state.failed) == (4, 2)


def test_a_replay_is_what_the_answers_made_one_by_one():
    answers = [
        review(int(rating), START + i * DAY, card) for i, (card, rating) in enumerate(["a3", "b1", "a4", "b2", "a3"])
    ]
    states = {}
    for answer in answers:
        states[answer.card] = after(states.get(answer.card), answer)
    assert replay(answers) == states
    assert set(states) == {"a", "b"}


# Settings: another retention, an interview


@pytest.mark.parametrize("retention", [0.7, 0.8, 0.9, 0.95, 0.97])
def test_a_card_is_due_when_its_recall_has_fallen_to_the_retention_asked_for(retention):
    settings = SchedulerSettings(retention=retention)
    state = None
    for days in (0, 3, 20):
        state = after(state, review(GOOD, START + days * DAY), settings)
    # Intervals are whole days, at least one.
    assert state.recall(state.due - DAY) > retention - 0.01
    assert state.recall(state.due + DAY) < retention + 0.01


@pytest.mark.parametrize("retention", [0.0, 0.69, 0.98, 1.0, 9.0, float("nan")])
def test_a_retention_that_fsrs_would_take_and_make_nonsense_of_is_refused(retention):
    with pytest.raises(ArgumentError, match=r"0\.7 to 0\.97"):
        SchedulerSettings(retention=retention)


@pytest.mark.parametrize(
    "parameters", [(), DEFAULT_SETTINGS.parameters[:-1], (-1.0, *DEFAULT_SETTINGS.parameters[1:]), (1e9,) * 21]
)
def test_parameters_out_of_range_are_refused_in_one_line(parameters):
    with pytest.raises(ArgumentError, match=r"\A[^\n]*out of range[^\n]*\Z"):
        SchedulerSettings(parameters=parameters)


def test_before_an_interview_no_card_waits_longer_than_till_its_eve():
    settings = SchedulerSettings(interview=START + 60 * DAY)
    eve = START + 59 * DAY
    for days in range(0, 59, 7):
        state = after(None, review(EASY, START + days * DAY), settings)
        free = after(None, review(EASY, START + days * DAY))
        assert state.due == min(free.due, eve)
        assert state[:5] == free[:5]  # what is remembered does not depend on the settings


def test_a_card_answered_on_the_eve_or_later_is_not_due_again_because_of_the_interview():
    settings = SchedulerSettings(interview=START + 60 * DAY)
    for days in (59, 60, 61):
        assert after(None, review(EASY, START + days * DAY), settings).due == START + (days + 8) * DAY


def test_what_comes_on_the_eve_comes_with_the_least_stable_first():
    settings = SchedulerSettings(interview=START + 2 * DAY)
    states = {id: after(None, review(rating), settings) for id, rating in [("easy", EASY), ("good", GOOD)]}
    assert queue(states, states, START + DAY) == ["good", "easy"]


def test_kept_up_a_card_is_recalled_at_the_interview_and_more_surely_than_if_it_is_left():
    settings = SchedulerSettings(interview=START + 90 * DAY)
    left = after(None, review(GOOD), settings)
    kept = simulate_practice(left, START + DAY, settings)
    assert left.recall(settings.interview) < 0.7 < 0.97 < kept.recall(settings.interview)
    assert kept.last == microseconds(settings.interview - DAY)


def test_a_recall_is_what_fsrs_says():
    state = learned_on([0, 3, 11])
    card = fsrs.Card(1, stability=state.stability, difficulty=5.0, last_review=START + 11 * DAY, due=START)
    for days in (0, 0.9, 1, 5.5, 400):
        now = START + (11 + days) * DAY
        assert state.recall(now) == pytest.approx(
            DEFAULT_SETTINGS.scheduler.get_card_retrievability(card, now), rel=1e-12
        )


# What bites in FSRS


def test_hard_is_recalled_and_again_is_not():
    # Hard after a lapse would lose the failure: a wrong answer must be Again.
    before = learned_on([0, 3, 20])
    hard, again = (after(before, review(rating, START + 45 * DAY)) for rating in (HARD, AGAIN))
    assert hard.stability > before.stability > again.stability
    assert (hard.failed, again.failed) == (0, 1)


def test_a_review_costs_no_nap_and_draws_nothing(monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("fsrs sleeps for cards without an id"))
    random.seed(5)
    before = random.getstate()
    learned_on(range(0, 99, 9))
    assert random.getstate() == before


def test_the_times_handed_to_fsrs_are_in_the_one_zone_it_takes():
    assert isinstance(after(None, review(GOOD)).due.tzinfo, type(UTC))


def test_answers_long_ago_and_far_ahead_are_no_error():
    for at in (datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)):
        assert after(after(None, review(EASY, at)), review(EASY, START)).reviews == 2


def test_a_cram_moves_no_schedule():
    answers = [review(GOOD, START + i * DAY) for i in range(3)]
    crammed = answers[1]._replace(mode="cram", rating=AGAIN)
    assert replay([answers[0], crammed, answers[2]]) == replay([answers[0], answers[2]])
    assert replay([crammed]) == {}


def test_a_clock_that_went_back_is_no_error():
    assert after(learned_on([5]), review(GOOD, START)).reviews == 2


def test_the_same_history_gives_the_same_schedule_and_leaves_the_global_randomness():
    random.seed(5)
    before = random.getstate()
    answers = [review(GOOD, START + i * 20 * DAY) for i in range(6)]
    assert replay(answers)["Q1"].due == replay(answers)["Q1"].due
    assert random.getstate() == before


def test_due_cards_come_with_the_most_overdue_first():
    states = {id: after(None, review(GOOD, START - age * DAY)) for id, age in [("b", 3), ("c", 9), ("d", 5), ("e", 1)]}
    assert queue("abcdef", states, START) == ["c", "d", "b"]


def test_a_card_is_due_from_the_very_moment():
    states = {"a": after(None, review(GOOD))}
    due = START + 2 * DAY
    assert queue("a", states, due - timedelta(microseconds=1)) == []
    assert queue("a", states, due) == ["a"]


def test_a_card_answered_that_the_bank_no_longer_holds_is_not_asked():
    assert queue("a", {"gone": after(None, review(AGAIN))}, START + DAY) == []
