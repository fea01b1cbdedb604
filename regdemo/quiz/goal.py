"""The day of the interview, the minutes and the new cards per day: kept next to the history until they change."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from regdemo import storage
from regdemo.errors import ArgumentError, FileError

GOAL_FILE = "plan.json"
NEW_PER_DAY = 10  # where neither the goal nor its time says otherwise
MINUTES = (1, 600)  # a day, at least and at most
USUAL_MINUTES = 20  # a day, where no goal says otherwise
MOST_DAYS = 366  # until the interview


@dataclass(frozen=True)
class Goal:
    """None means that nothing was said. new: cards per day.

    Raises ArgumentError for minutes or cards that no day has room for.

    >>> Goal(date(2026, 12, 15), minutes=20).days_left(date(2026, 12, 1))
    14
    """

    interview: date | None = None
    minutes: int | None = None
    new: int | None = None

    def __post_init__(self) -> None:
        """Check the numbers."""
        least, most = MINUTES
        if self.minutes is not None and not least <= self.minutes <= most:
            raise ArgumentError(f"{self.minutes} minutes per day: choose from {least} to {most}")
        if self.new is not None and not 0 <= self.new <= 1000:
            raise ArgumentError(f"{self.new} new cards per day: choose from 0 to 1000")

    @property
    def moment(self) -> datetime | None:
        """When the day of the interview begins, where the learner is."""
        return datetime.combine(self.interview, time()).astimezone(UTC) if self.interview else None

    def days_left(self, today: date) -> int | None:
        """The days until the interview; None where there is none, or it has passed."""
        return (self.interview - today).days if self.interview and self.interview >= today else None


def days_allowed(today: date) -> tuple[date, date]:
    """The first and the last day that an interview may be on."""
    return today, today + timedelta(days=MOST_DAYS)


def check_day(day: date, today: date) -> None:
    """Raise ArgumentError for the day of an interview that has passed, or that is more than a year away."""
    first, last = days_allowed(today)
    if not first <= day <= last:
        fact = "has passed" if day < first else "is more than a year away"
        raise ArgumentError(f"{day} {fact}: choose a day from {first} to {last}")


def read(home: Path) -> Goal:
    """The goal kept in a folder; an empty one if there is none. Raises FileError if the file cannot be understood."""
    file = home / GOAL_FILE
    try:
        kept = json.loads(file.read_text("utf-8"))
        day = kept["interview"]
        numbers = {name: None if kept[name] is None else int(kept[name]) for name in ("minutes", "new")}
        return Goal(date.fromisoformat(day) if day else None, **numbers)
    except (FileNotFoundError, NotADirectoryError):
        return Goal()
    except (OSError, ValueError, TypeError, KeyError, RecursionError, ArgumentError) as error:
        reason = " ".join(str(error).split())
        raise FileError(f"{file} holds no plan ({reason}): `regdemo plan --clear` removes it") from error


def write(home: Path, goal: Goal) -> None:
    """Keep a goal. Raises FileError if it could not be written."""
    text = json.dumps(asdict(goal), default=date.isoformat, indent=2) + "\n"
    storage.write_file(home / GOAL_FILE, text, parents=True, remedy="check its permissions")


def clear(home: Path) -> bool:
    """Remove the goal; whether there was one."""
    try:
        (home / GOAL_FILE).unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise FileError(f"{home / GOAL_FILE} could not be removed ({error.strerror}): check its permissions") from error
    return True
