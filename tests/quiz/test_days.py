"""Days of practice, worked out by hand."""

from datetime import UTC, date, datetime, timedelta

import pytest

from regdemo.quiz.days import calendar, days_of, longest_streak, streak
from regdemo.quiz.schedule import microseconds

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)
SUNDAY = date(2026, 3, 1)


def test_each_answer_has_its_day():
    first, *_, last = days_of(microseconds(START + n * DAY / 2) for n in range(3))
    assert last - first == DAY


@pytest.mark.parametrize(
    ("ago", "current", "longest"),
    [
        ([], 0, 0),
        ([0], 1, 1),
        ([0, 0, 0], 1, 1),
        ([1, 1], 1, 1),
        ([2], 0, 1),
        ([0, 1, 1, 2, 4, 5], 3, 3),
        ([1, 2, 9, 10, 11, 12], 2, 4),
    ],
)
def test_a_streak_lasts_to_today_or_to_yesterday(ago, current, longest):
    days = [SUNDAY - n * DAY for n in ago]
    assert (streak(days, SUNDAY), longest_streak(set(days))) == (current, longest)


def test_no_day_is_read_beyond_the_streak():
    days = iter([SUNDAY, SUNDAY - DAY, SUNDAY - 5 * DAY, SUNDAY - 6 * DAY])
    assert streak(days, SUNDAY) == 2
    assert list(days) == [SUNDAY - 6 * DAY]


def test_the_calendar_has_monday_first_and_nothing_for_days_to_come():
    wednesday = SUNDAY + 3 * DAY
    rows = calendar({SUNDAY: 5, wednesday: 2, SUNDAY - 14 * DAY: 9}, wednesday, 2)
    assert rows == [[0, 0], [0, 0], [0, 2], [0, None], [0, None], [0, None], [5, None]]
