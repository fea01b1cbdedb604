"""Numbers, times and topics in words, alike in every face."""

from __future__ import annotations

from datetime import timedelta

_MINUTE = timedelta(minutes=1)


def pluralize(number: int, noun: str) -> str:
    """A number with its noun.

    >>> pluralize(1, "card"), pluralize(2000, "card")
    ('1 card', '2,000 cards')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def from_now(time: timedelta) -> str:
    """How far off a time is, in its largest unit of days, hours and minutes.

    >>> from_now(timedelta(days=3, hours=2)), from_now(timedelta(seconds=5)), from_now(timedelta(0))
    ('in 3 days', 'in a minute', 'now')
    """
    minutes = time / _MINUTE
    if minutes <= 0:
        return "now"
    for size, unit in ((24 * 60, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size:
            return f"in {pluralize(round(minutes / size), unit)}"
    return "in a minute"


def in_days(days: int) -> str:
    """How far off a day is.

    >>> in_days(0), in_days(1), in_days(20)
    ('today', 'in 1 day', 'in 20 days')
    """
    return f"in {pluralize(days, 'day')}" if days else "today"


def in_short(time: timedelta) -> str:
    """How long a time is, as on a grade button.

    >>> in_short(timedelta(minutes=10)), in_short(timedelta(hours=5)), in_short(timedelta(days=12))
    ('10m', '5h', '12d')
    """
    minutes = max(1, round(time / _MINUTE))
    if minutes < 60:
        return f"{minutes}m"
    return f"{round(minutes / 60)}h" if minutes < 24 * 60 else f"{round(minutes / 60 / 24)}d"


def topic_title(name: str) -> str:
    """A topic as it is typed: drop_path is drop-path."""
    return name.replace("_", "-")
