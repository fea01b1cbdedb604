"""What the learner practises for, kept until it is changed."""

from datetime import date

import pytest

from regdemo.errors import ArgumentError, FileError
from regdemo.quiz import goal
from regdemo.quiz.goal import Goal

DAY = date(2026, 12, 15)


def test_without_a_plan_there_is_no_interview(tmp_path):
    found = goal.read(tmp_path / "none")
    assert (found, found.days_left(DAY)) == (Goal(), None)


@pytest.mark.parametrize("kept", [Goal(DAY, 20, 5), Goal(DAY), Goal(None, 30, 0)])
def test_a_plan_is_kept_as_it_was_written(kept, tmp_path):
    goal.write(tmp_path / "home", kept)
    assert goal.read(tmp_path / "home") == kept


def test_a_plan_that_was_cleared_is_gone(tmp_path):
    goal.write(tmp_path, Goal(DAY))
    assert (goal.clear(tmp_path), goal.clear(tmp_path), goal.read(tmp_path)) == (True, False, Goal())


@pytest.mark.parametrize(("today", "left"), [(date(2026, 12, 1), 14), (DAY, 0), (date(2026, 12, 16), None)])
def test_days_are_left_until_the_interview_is_over(today, left):
    assert Goal(DAY).days_left(today) == left


def test_a_file_of_an_older_version_is_read(tmp_path):
    (tmp_path / goal.GOAL_FILE).write_text('{"interview": "2026-12-15", "minutes": 20, "new": null, "planned": 1}')
    assert goal.read(tmp_path) == Goal(DAY, 20)


@pytest.mark.parametrize("values", [{"minutes": 0}, {"minutes": 601}, {"new": -1}, {"new": 1001}])
def test_a_day_that_has_no_room_for_it_is_refused(values):
    with pytest.raises(ArgumentError, match="choose from"):
        Goal(**values)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "{}"),
        '{"interview": "soon", "minutes": 1, "new": 1}',
        '{"interview": 5, "minutes": null, "new": 1}',
        '{"interview": null, "minutes": 9999, "new": 1}',
        '{"interview": null, "minutes": "x", "new": 1}',
    ],
)
def test_a_file_that_holds_no_plan_is_named_with_what_to_do(text, tmp_path):
    (tmp_path / goal.GOAL_FILE).write_text(text)
    with pytest.raises(FileError, match=r"plan\.json holds no plan .*plan --clear"):
        goal.read(tmp_path)
