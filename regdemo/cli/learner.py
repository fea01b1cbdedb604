"""Whose history, which bank: the options that every command of practice shares, and the words it counts in."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from regdemo.cli.lines import Lines
    from regdemo.quiz.decks import Bank
    from regdemo.quiz.history import Review
    from regdemo.render.cards import Page

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
Names = list[str] | None
Ids = Annotated[Names, typer.Option("--ids", metavar="ID,...", help="These cards and no others, due or not.")]
Topics = Annotated[Names, typer.Option("--topic", metavar="NAME,...", help="Cards of these decks only.")]
Kinds = Annotated[
    Names,
    typer.Option("--kind", metavar="KIND,...", help="recall, choice, multi, numeric, cloze or predict cards only."),
]
Tags = Annotated[Names, typer.Option("--tag", metavar="TAG,...", help="Cards with one of these tags only.")]
Seed = Annotated[
    int | None,
    typer.Option(min=0, help="Fixes the values drawn and the order of options."),
]
Transcript = Annotated[
    bool, typer.Option("--json", help="Print a transcript as JSON at the end, and nothing else on standard output.")
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


def listed(names: Names) -> list[str]:
    """The names of an option that may be repeated, and may name several at once, with commas between."""
    return [name.strip() for each in names or () for name in each.split(",")]


def page_and_lines(*, as_json: bool) -> tuple[Page, Lines]:
    """Where questions are printed and where answers come from.

    With --json the questions go to standard error for a person, and nowhere for a pipe.
    """
    from rich.console import Console

    from regdemo.cli.lines import Lines
    from regdemo.render.cards import Page

    person = sys.stdin is not None and sys.stdin.isatty()
    page = Page(Console(file=io.StringIO()) if as_json and not person else Console(stderr=as_json))
    return page, Lines(page)


def streak(reviews: Sequence[Review]) -> int:
    """How many days in a row, up to yesterday, have an answer. reviews: in the order of time."""
    days, last = 0, clock().astimezone().date()
    for review in reversed(reviews):
        day = date.fromtimestamp(review.at / 1_000_000)
        if day == last - timedelta(days=1):
            days, last = days + 1, day
        elif day < last:
            break
    return days
