"""Days of practice: streaks, and the calendar."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, timedelta


def days_of(times: Iterable[int]) -> Iterator[date]:
    """The day of each answer, as days are where the learner is. times: in microseconds since 1970."""
    return (date.fromtimestamp(at / 1_000_000) for at in times)


def streak(days: Iterable[date], today: date) -> int:
    """How many days in a row have an answer, up to today, or to yesterday while today has none yet.

    days: of answers, the last first; read no further than the streak goes.
    """
    length, last = 0, today
    for day in days:
        if last - day > timedelta(days=1):
            break
        length += day != last or not length
        last = day
    return length


def longest_streak(days: Collection[date]) -> int:
    """The most days in a row that have an answer."""
    longest = run = 0
    for day in sorted(days):
        run = run + 1 if day - timedelta(days=1) in days else 1
        longest = max(longest, run)
    return longest


def calendar(days: Mapping[date, int], today: date, weeks: int) -> list[list[int | None]]:
    """Seven rows, Monday first, of so many weeks up to this one: the answers of each day, None for days to come."""
    monday = today - timedelta(days=today.weekday(), weeks=weeks - 1)
    dates = [[monday + timedelta(weeks=week, days=day) for week in range(weeks)] for day in range(7)]
    return [[None if day > today else days.get(day, 0) for day in row] for row in dates]
