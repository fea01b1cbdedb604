"""When a card comes again, against FSRS's own formulas."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from regdemo.quiz.history import Review
from regdemo.quiz.schedule import AGAIN, EASY, GOOD, HARD, after, microseconds, queue, replay

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def review(rating, at=START, card="Q1"):
    return Review(card, microseconds(at), "recall", rating, 1.0, "", "{}", "", 0, 0, "s")


def learned_on(days, rating=GOOD):
    """A card answered with the same rating on each of these days."""
    memory = None
    for day in days:
        memory = after(memory, review(rating, START + day * DAY))
    return memory


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
    memory = learned_on([0, 2, 10])
    # Whole days are counted, so the two around S enclose 0.9.
    days = int(memory.stability)
    last = START + 10 * DAY
    assert memory.recall(last + days * DAY) >= 0.9 >= memory.recall(last + (days + 1) * DAY)


def test_the_wait_grows_while_a_card_is_recalled_when_due():
    memory, waits = None, []
    at = START
    for _ in range(6):
        memory = after(memory, review(GOOD, at))
        waits.append(memory.due - at)
        at = memory.due
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
    memory = replay([review(rating, START + i * DAY) for i, rating in enumerate([AGAIN, GOOD, AGAIN, HARD])])["Q1"]
    assert (memory.reviews, memory.failed) == (4, 2)


def test_a_replay_is_what_the_answers_made_one_by_one():
    answers = [
        review(int(rating), START + i * DAY, card) for i, (card, rating) in enumerate(["a3", "b1", "a4", "b2", "a3"])
    ]
    memories = {}
    for answer in answers:
        memories[answer.card] = after(memories.get(answer.card), answer)
    assert replay(answers) == memories
    assert set(memories) == {"a", "b"}


def test_a_cram_moves_no_schedule():
    answers = [review(GOOD, START + i * DAY) for i in range(3)]
    crammed = replace(answers[1], mode="cram", rating=AGAIN)
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


def test_due_cards_come_first_the_most_overdue_before_all():
    memories = {
        id: after(None, review(GOOD, START - age * DAY)) for id, age in [("b", 3), ("c", 9), ("d", 5), ("e", 1)]
    }
    assert queue("abcdef", memories, START, new=9) == ["c", "d", "b", "a", "f"]


def test_a_card_is_due_from_the_very_moment():
    memories = {"a": after(None, review(GOOD))}
    due = START + 2 * DAY
    assert queue("a", memories, due - timedelta(microseconds=1), new=0) == []
    assert queue("a", memories, due, new=0) == ["a"]


@pytest.mark.parametrize("new", [0, 1, 2, 9])
def test_new_cards_come_in_the_order_of_the_bank_and_no_more_than_asked_for(new):
    assert queue("zyx", {}, START, new=new) == list("zyx")[:new]


def test_a_card_answered_that_the_bank_no_longer_holds_is_not_asked():
    assert queue("a", {"gone": after(None, review(AGAIN))}, START + DAY, new=9) == ["a"]
