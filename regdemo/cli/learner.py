"""Whose history, which bank: the options that every command of practice shares, and the words it counts in."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from regdemo.errors import ArgumentError

if TYPE_CHECKING:
    from regdemo.cli.lines import Lines
    from regdemo.quiz.decks import Bank
    from regdemo.quiz.schedule import Plan
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
Retention = Annotated[
    float,
    typer.Option(
        min=0.7, max=0.97, envvar="REGDEMO_RETENTION", help="How likely a card should still be recalled when it comes."
    ),
]


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d")
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day: write it as in 2026-12-15") from None


Interview = Annotated[
    datetime | None,
    typer.Option(
        parser=_day,
        metavar="YYYY-MM-DD",
        envvar="REGDEMO_INTERVIEW",
        help="The day of your interview: every card comes once more in the last day before it.",
    ),
]
CACHE = "cache"  # the folder, beside the history, of what was worked out before


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


def asking(bank: Path | None) -> str:
    """The command that asks cards of this bank."""
    from shlex import quote

    return f"regdemo quiz --bank {quote(str(bank))}" if bank else "regdemo quiz"


def katas(number: int, bank: Path | None) -> str:
    """Where cards of code are asked, since no quiz does."""
    from shlex import quote

    option = f" --bank {quote(str(bank))}" if bank else ""
    return f"{counted(number, 'card')} of code {'is' if number == 1 else 'are'} left to `regdemo kata{option}`."


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


def streak(times: Iterable[int]) -> int:
    """How many days in a row, up to yesterday, have an answer. times: of answers, the last first; read no further."""
    days, last = 0, clock().astimezone().date()
    for at in times:
        day = date.fromtimestamp(at / 1_000_000)
        if day == last - timedelta(days=1):
            days, last = days + 1, day
        elif day < last:
            break
    return days


def plan_for(home: Path, retention: float = 0.9, interview: datetime | None = None) -> Plan:
    """What was asked for, with the parameters that were fitted to this learner, if any.

    Raises ArgumentError for an interview that has passed.
    """
    from regdemo.quiz.fitting import parameters
    from regdemo.quiz.schedule import Plan

    if interview is None:
        return Plan(retention, None, parameters(home))
    if interview.date() < (today := clock().astimezone().date()):
        raise ArgumentError(f"--interview {interview:%Y-%m-%d} has passed: name today, {today}, or a later day")
    return Plan(retention, interview.astimezone(UTC), parameters(home))
