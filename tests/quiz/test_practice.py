"""A learner's bank, history and goal together: what is due today, and which cards come."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from regdemo.quiz import goal, progress
from regdemo.quiz.cards import Card
from regdemo.quiz.decks import Bank
from regdemo.quiz.goal import NEW_PER_DAY, Goal
from regdemo.quiz.history import History, Review
from regdemo.quiz.practice import NEW_TODAY, Practice
from regdemo.quiz.schedule import AGAIN, GOOD, microseconds
from regdemo.quiz.session import CRAM

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
CARDS = tuple(
    Card(id, "code" if id == "K" else "recall", "Why?", "So.", Path("d.md"), 1, topic=id) for id in "ABCDEFGHIJLMK"
)


@pytest.fixture
def practise(tmp_path):
    with History(tmp_path) as history:

        def practise(cards=CARDS, now=NOW, **more):
            return Practice(Bank(cards), history, tmp_path, lambda: now, **more)

        yield practise


def answer(practice, card, ago, rating=GOOD, **more):
    kind = "code" if card == "K" else "recall"
    review = Review(card, microseconds(NOW - ago), kind, rating, 1.0, "", "{}", "", 0, 0, "s", id=uuid4().hex, **more)
    practice.history.add(review)
    return review


def chosen(practice, **more):
    return "".join(card.id for card in practice.choose(**more))


def test_new_cards_are_counted_by_day(practise):
    practice = practise()
    answer(practice, "A", timedelta(minutes=1))
    answer(practice, "B", 3 * DAY)
    answer(practice, "B", timedelta(minutes=1))  # answered before, so not new today
    answer(practice, "K", timedelta(minutes=1))  # a kata is no new card
    practice = practise()
    assert practice.today().introduced == 1
    assert chosen(practice, new=3) == "CD"
    assert practice.today().new == 9


def test_an_answer_that_moves_no_schedule_begins_no_card(practise, monkeypatch):
    monkeypatch.setenv("REGDEMO_OWN_GRADES_ONLY", "1")
    practice = practise()
    answer(practice, "A", timedelta(minutes=2), mode="cram")
    answer(practice, "B", timedelta(minutes=2), graded_by="assistant")
    answer(practice, "C", DAY, mode="cram")
    answer(practice, "C", timedelta(minutes=1))
    today = practise().today()
    assert (today.introduced, today.unanswered, today.new) == (1, 11, 9)


def test_an_answer_that_was_taken_back_uses_up_no_new_card(practise):
    practice = practise()
    practice.history.undo(answer(practice, "A", timedelta(minutes=1)), microseconds(NOW))
    assert practise().today().introduced == 0


def test_a_goal_says_how_many_new_cards_a_day_brings(practise, tmp_path):
    goal.write(tmp_path, Goal(new=2))
    assert chosen(practise()) == "AB"
    assert chosen(practise(), new=4) == "ABCD"


PLAN = Goal(date(2026, 3, 8), minutes=10)


def test_todays_new_cards_are_the_same_all_day_whatever_is_answered(practise, tmp_path):
    number = practise(goal=PLAN).new_today()
    assert 0 < number < 10
    for minutes, card in enumerate("ABK", 1):
        answer(practise(), card, timedelta(minutes=minutes))
    assert practise(goal=PLAN).new_today() == number
    (tmp_path / "cache" / NEW_TODAY).unlink()
    later = practise(goal=PLAN, now=NOW + timedelta(hours=11))
    assert later.new_today() == number
    assert later.today().new == number - 2
    assert later.forecast().weeks[0].new >= 2  # those of today


def test_todays_new_cards_are_computed_once(practise, monkeypatch):
    number = practise(goal=PLAN).new_today()
    monkeypatch.setattr("regdemo.quiz.forecast.new_today", None)
    assert practise(goal=PLAN).new_today() == number


def test_todays_new_cards_follow_the_plan_the_bank_and_what_was_known_this_morning(practise):
    number = practise(goal=PLAN).new_today()
    assert practise(goal=replace(PLAN, minutes=3)).new_today() < number
    assert practise(CARDS[:1], goal=PLAN).new_today() == 1
    assert practise(goal=PLAN).new_today() == number
    assert practise(goal=PLAN, now=NOW + 7 * DAY).new_today() == 0  # the day of the interview
    assert practise(goal=PLAN, now=NOW + 8 * DAY).new_today() == NEW_PER_DAY
    assert practise(goal=replace(PLAN, new=4)).new_today() == 4
    assert practise(goal=Goal(minutes=10)).new_today() == practise(goal=Goal(PLAN.interview)).new_today() == NEW_PER_DAY
    for card in "ABCDE":
        answer(practise(), card, 20 * DAY)  # as an import brings them
    assert practise(goal=PLAN).new_today() < number


def test_today_counts_what_is_due_and_what_comes_next(practise):
    practice = practise()
    answer(practice, "A", 9 * DAY)
    answer(practice, "B", timedelta(hours=1))
    today = practise(goal=Goal(date(2026, 3, 11))).today()
    assert (today.due, today.unanswered, today.days_left) == (1, 10, 10)
    assert today.next_due[0] == "B"


def test_a_session_asks_what_was_chosen_and_knows_the_whole_bank(practise):
    practice = practise()
    session = practice.session(practice.choose(limit=1), policy=CRAM)
    assert (session.question.card.id, session.question.left) == ("A", 0)
    session.follow_up("M")
    assert session.question.card.id == "M"


def test_a_mock_ends_with_its_time(practise):
    session = practise().mock(minutes=30, seed=1)
    assert session.time_left == timedelta(minutes=30)
    assert session.policy.feedback_at_end
    assert session.question.card.kind != "code"


def test_an_interview_that_is_over_shortens_nothing(practise):
    assert practise(goal=Goal(date(2026, 2, 1))).settings.interview is None
    assert practise(goal=Goal(date(2026, 4, 1))).settings.interview is not None


def test_a_forecast_leaves_out_katas_that_have_passed(practise):
    practice = practise(goal=Goal(date(2026, 3, 15), minutes=60))
    assert sum(week.katas for week in practice.forecast().weeks) == 1
    answer(practice, "K", DAY)
    assert sum(week.katas for week in practice.forecast().weeks) == 0


def test_an_overview_counts_cards_katas_and_weak_ones(practise):
    practice = practise()
    answer(practice, "A", 9 * DAY, AGAIN)
    answer(practice, "B", 2 * DAY)
    answer(practice, "K", DAY)
    found = progress.overview(practise())
    assert (found.cards, found.answers, found.new) == (12, 2, 10)
    assert [weak.card.id for weak in found.weak] == ["A"]
    assert (found.katas.cards, found.katas.passed, found.katas.failed) == (1, 1, 0)
    assert sum(found.practised.values()) == 3


def test_retention_is_told_week_by_week(practise):
    practice = practise()
    for days, rating in ((20, GOOD), (15, AGAIN), (14, GOOD), (2, GOOD)):
        answer(practice, "A", days * DAY, rating)
    found = progress.overview(practise()).retention
    assert found.reviews == 3
    assert [(monday, count, seen) for monday, count, _, seen in found.weeks] == [
        (date(2026, 2, 9), 2, 0.5),
        (date(2026, 2, 23), 1, 1.0),
    ]
