"""Whose history, which bank: the options that every command of practice shares, and the words it counts in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from regdemo.quiz.decks import Bank

BankPath = Annotated[
    Path | None,
    typer.Option("--bank", metavar="PATH", help="A deck, or a folder of decks; without it, the bundled ones."),
]
Home = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", envvar="REGDEMO_HOME", help="The folder of your history; without it, your data folder."
    ),
]
CACHE = "cache"  # the folder, beside the history, of decks that were read before


def in_words(time: timedelta) -> str:
    """How far off a time is, in its largest unit: `in 3 days`."""
    minutes = time / timedelta(minutes=1)
    if minutes <= 0:
        return "now"
    for size, unit in ((24 * 60, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size:
            return f"in {counted(round(minutes / size), unit)}"
    return "in a minute"


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 card`, `2 cards`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def clock() -> datetime:
    """The clock of every command."""
    return datetime.now(UTC)


def load_bank(bank: Path | None, home: Path) -> Bank:
    """The bank asked for. What was read is kept beside the history, once there is one."""
    from regdemo.quiz import decks

    return decks.load(bank or decks.bundled(), cache=home / CACHE if home.is_dir() else None)


def home_folder(home: Path | None) -> Path:
    """The folder asked for, or where this platform keeps a user's data."""
    if home is not None:
        return home
    from platformdirs import user_data_path

    return user_data_path("regdemo", appauthor=False)
