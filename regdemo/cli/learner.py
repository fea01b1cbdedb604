"""Whose history, which bank: the options that every command of practice shares, and the words it counts in."""

from __future__ import annotations

import io
import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import platformdirs
import rich.console
import typer

from regdemo import catalog
from regdemo.cli import keyboard
from regdemo.cli.hints import keep, typed
from regdemo.quiz import decks, goal, identity, kinds, selection
from regdemo.quiz import practice as practices
from regdemo.render import cards as pages
from regdemo.words import pluralize

if TYPE_CHECKING:
    from regdemo.quiz.cards import Card
    from regdemo.quiz.history import History

Names = list[str] | None
# As in `catalog.PLACES`, which is slow to import for a help text.
PLACE_NAMES = (
    "inputs, activations, attention, paths, weights, targets, gradients, optimizers, averaging, schedules, models"
)


def complete_name(incomplete: str) -> list[str]:
    """The names of topics, places, levels and tags that begin like this."""
    found = selection.names(load_bank(None, home_folder(None)).cards, catalog.stems_by_place())
    return [name for name in found if name.casefold().startswith(incomplete.casefold())]


def complete_kind(incomplete: str) -> list[str]:
    """The kinds of card that begin like this."""
    return [name for name in kinds.kind_names() if name.startswith(incomplete)]


def complete_id(incomplete: str) -> list[str]:
    """The ids of cards that begin like this, and the last one of several."""
    before, comma, last = incomplete.rpartition(",")
    cards = load_bank(None, home_folder(None)).cards
    return [f"{before}{comma}{card.id}" for card in cards if card.id.casefold().startswith(last.casefold())]


BankPath = Annotated[
    Path | None,
    typer.Option(
        "--bank",
        metavar="PATH",
        callback=keep,
        help="A deck, or a folder of decks; without it, the bundled ones.",
    ),
]
Home = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        envvar="REGDEMO_HOME",
        callback=keep,
        help="The folder of your history; without it, your data folder.",
    ),
]
Ids = Annotated[
    Names,
    typer.Option("--ids", metavar="ID,...", autocompletion=complete_id, help="These cards and no others, due or not."),
]
Topics = Annotated[
    Names,
    typer.Option(
        "--topic",
        metavar="NAME,...",
        help=f"Cards of these decks; also where a technique acts ({PLACE_NAMES}), a level, or a tag.",
        autocompletion=complete_name,
    ),
]
Kinds = Annotated[
    Names,
    typer.Option(
        "--kind",
        metavar="KIND,...",
        help="recall, choice, multi, numeric, cloze or predict cards only.",
        autocompletion=complete_kind,
    ),
]
Tags = Annotated[
    Names,
    typer.Option(
        "--tag",
        metavar="TAG,...",
        help="Cards with one of these tags: screen, onsite, deep dive, staff, common, regular, rare, or any --topic.",
        autocompletion=complete_name,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(min=0, help="Fixes the values drawn and the order of options."),
]
Transcript = Annotated[
    bool, typer.Option("--json", help="Print a transcript as JSON at the end, and nothing else on standard output.")
]
Model = Annotated[
    str | None,
    typer.Option(
        "--interviewer", metavar="MODEL", help="A model of the library llm, which grades what you answer in words."
    ),
]
Retention = Annotated[
    float,
    typer.Option(
        min=0.7, max=0.97, envvar="REGDEMO_RETENTION", help="How likely a card should still be recalled when it comes."
    ),
]


def parse_day(text: str) -> datetime:
    """A day as it is typed. Raises BadParameter for anything else."""
    try:
        return datetime.strptime(text, "%Y-%m-%d")
    except ValueError:
        raise typer.BadParameter(f"{text!r} isn't a day: write it as in 2026-12-15") from None


Interview = Annotated[
    datetime | None,
    typer.Option(
        parser=parse_day,
        metavar="YYYY-MM-DD",
        envvar="REGDEMO_INTERVIEW",
        help="The day of your interview, if not the one of your plan: every card comes once more on the day before.",
    ),
]


def clock() -> datetime:
    """The clock of every command."""
    return datetime.now(UTC)


def load_bank(bank: Path | None, home: Path, *, asking: bool = False) -> decks.Bank:
    """The bank asked for. What was read is kept next to the history, once there is one.

    asking: whether its cards are asked. Then their texts are noted, and an edited question that keeps its history is
    said in a line on standard error.
    """
    loaded = decks.load(bank or decks.bundled(), cache=home / practices.CACHE if home.is_dir() else None)
    found, edits = identity.keep_ids(loaded, home, write=asking)
    for edit in edits if asking else ():
        print(f"regdemo: {edit}", file=sys.stderr)
    return found


def narrowed(
    bank: decks.Bank, *, ids: Names = None, topic: Names = None, kind: Names = None, tag: Names = None
) -> list[Card]:
    """The cards that these options choose. Raises ArgumentError for a name that no card has."""
    return selection.narrow(
        bank,
        ids=split_names(ids),
        topics=split_names(topic),
        kinds=split_names(kind),
        tags=split_names(tag),
        groups=catalog.stems_by_place() if topic or tag else None,
    )


def practice(
    bank: decks.Bank,
    history: History,
    folder: Path,
    retention: float = 0.9,
    interview: datetime | None = None,
) -> practices.Practice:
    """The learner's practice; an interview named here counts instead of the plan's."""
    aim = goal.read(folder)
    if interview:
        aim = replace(aim, interview=interview.date())
    return practices.Practice(bank, history, folder, clock, retention=retention, goal=aim)


def check_day(interview: datetime | None) -> None:
    """Refuse a day on which no interview can be."""
    if interview:
        goal.check_day(interview.date(), clock().astimezone().date())


def katas_note(number: int) -> str:
    """Where cards of code are asked, since no quiz does."""
    return typed(f"{pluralize(number, 'card')} of code {'is' if number == 1 else 'are'} left to `regdemo kata`.")


def home_folder(home: Path | None) -> Path:
    """The folder asked for, or where this platform keeps a user's data."""
    if home is None and (named := os.environ.get("REGDEMO_HOME")):  # where no option has read it
        return Path(named)
    return platformdirs.user_data_path("regdemo", appauthor=False) if home is None else home


def split_names(names: Names) -> list[str]:
    """The names of an option that may be repeated, and may name several at once, with commas between."""
    return selection.split_names(names or ()) or names or []  # "" alone is refused: it is no wish for everything


def page_and_keyboard(*, as_json: bool) -> tuple[pages.Page, keyboard.Keyboard]:
    """Where questions are printed and where answers come from.

    With --json the questions go to standard error for a person, and nowhere for a pipe.
    """
    person = sys.stdin is not None and sys.stdin.isatty()
    hidden = as_json and not person
    console = rich.console.Console(file=io.StringIO()) if hidden else rich.console.Console(stderr=as_json)
    page = pages.Page(console)
    return page, keyboard.Keyboard(page)
