"""The commands: those written by hand, and one for each demo. Each is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperGroup

Make = Callable[[], Any]
BY_HAND: dict[str, Make] = {}  # by name, in the order of the help
LISTED: dict[str, tuple[str, str]] = {}  # by name, the panel of the help and the line that it has there


class Commands(TyperGroup):
    """The commands written by hand, then the demos."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Every command: those written by hand, then the map's."""
        from regdemo import catalog

        return [*BY_HAND, *(demo.name for demo in catalog.demos())]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One command. A name that is unknown loads them all, so that the nearest names can be suggested."""
        if cmd_name not in self.commands:
            names = [cmd_name] if cmd_name in BY_HAND else self.list_commands(ctx)
            for name in [cmd_name] if cmd_name in names else names:
                self.commands.setdefault(name, BY_HAND[name]() if name in BY_HAND else _demo(name))
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list of commands in the help, grouped; no command is imported for it."""
        from regdemo import catalog

        groups: dict[str, list[tuple[str, str]]] = {}
        for name, (panel, line) in LISTED.items():
            groups.setdefault(panel, []).append((name, line))
        for demo in catalog.demos():
            groups.setdefault(f"Demos: {demo.acts_on}", []).append((demo.name, demo.what))
        for title, rows in groups.items():
            with formatter.section(title):
                formatter.write_dl(rows)


def _demo(name: str) -> Any:
    from regdemo.cli.demos import command

    return command(name)


def _command(name: str, panel: str, line: str) -> Callable[[Make], Make]:
    """Note a function that imports a command and makes it."""

    def note(make: Make) -> Make:
        def made() -> Any:
            command = make()
            command.name, command.short_help = name, line
            return command

        BY_HAND[name] = made
        LISTED[name] = panel, line
        return make

    return note


def _made(function: Callable[..., None], example: str, cls: Any = None) -> Any:
    """A function as a command."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(epilog=f"Example: {example}", cls=cls)(function)
    return typer.main.get_command(app)


@_command("list", "Find your way", "Every technique: where it acts, what it does, the command that shows it.")
def _list() -> Any:
    from regdemo.cli.map import list_demos

    return _made(list_demos, "regdemo list --json")


@_command("search", "Find your way", "Find cards, demos, pitfalls, katas and the guide by words.")
def _search() -> Any:
    from regdemo.cli.search import search

    return _made(search, "regdemo search softmax temperature")


@_command(
    "pitfalls",
    "Find your way",
    "Snippets that are copied everywhere and wrong: what they really do, and what mends them.",
)
def _pitfalls() -> Any:
    from regdemo.cli.pitfalls import pitfalls

    return _made(pitfalls, "regdemo pitfalls token-noise")


@_command(
    "diagnose", "Find your way", "Small trainings that go wrong: the log of each, and what the next experiment shows."
)
def _diagnose() -> Any:
    from regdemo.cli.diagnose import diagnose

    return _made(diagnose, "regdemo diagnose overfitting")


@_command("quiz", "Practise", "Practise: the cards that are due, then new ones, topics in turn.")
def _quiz() -> Any:
    from regdemo.cli.quiz import quiz

    return _made(quiz, "regdemo quiz --new 5")


@_command(
    "mock", "Practise", "A mock interview: weak topics more often, follow-ups, a clock, no feedback until the end."
)
def _mock() -> Any:
    from regdemo.cli.mock import mock

    return _made(mock, "regdemo mock --minutes 20")


@_command("kata", "Practise", "Write it, or find the bug: tests judge your code, with exact bounds for what is random.")
def _kata() -> Any:
    from regdemo.cli.kata import kata

    return typer.main.get_group(kata)


@_command("web", "Practise", "The same practice in a browser page, served by this machine for this machine.")
def _web() -> Any:
    from regdemo.cli.web import web

    return _made(web, "regdemo web")


@_command("plan", "Practise", "The day of your interview and your minutes per day: what to do until then.")
def _plan() -> Any:
    from regdemo.cli.plan import plan

    return _made(plan, "regdemo plan --interview 2026-12-15 --minutes 20")


@_command("stats", "Practise", "What is due, what is learned, and what is weak.")
def _stats() -> Any:
    from regdemo.cli.stats import stats

    return _made(stats, "regdemo stats")


@_command(
    "history",
    "Practise",
    "Your answers: carry them to another machine and back, check them, save what a damaged file still holds.",
)
def _history() -> Any:
    from regdemo.cli.history import history

    return typer.main.get_group(history)


@_command("bank", "Practise", "Decks: look into them, check them, write them, carry them to other tools and back.")
def _bank() -> Any:
    from regdemo.cli.bank import bank

    return typer.main.get_group(bank)


@_command(
    "compare",
    "Compare",
    "Train with and without techniques, over paired seeds, and see what the differences allow to say.",
)
def _compare() -> Any:
    from regdemo.cli.compare import compare
    from regdemo.cli.training import ManyValues

    return _made(compare, "regdemo compare dropout --p 0.1 0.2 0.5", ManyValues)


@_command("combine", "Compare", "Train with every combination of techniques, and see which help each other.")
def _combine() -> Any:
    from regdemo.cli.combine import combine
    from regdemo.cli.training import ManyValues

    return _made(combine, "regdemo combine dropout weight-decay label-smoothing", ManyValues)


@_command(
    "finetune", "Compare", "Fine-tune a small pretrained GPT with several techniques, and see which of them help."
)
def _finetune() -> Any:
    from regdemo.cli.finetune import finetune
    from regdemo.cli.training import ManyValues

    return _made(finetune, "regdemo finetune mixout l2-sp --decay 0.5", ManyValues)


@_command("sweep", "Compare", "Run a grid of techniques, values and sizes, on many cores or a cluster; resume it.")
def _sweep() -> Any:
    from regdemo.cli.sweep import ManyValuesAndSizes, sweep

    return _made(sweep, "regdemo sweep dropout --p 0.1 0.3 0.5 --train-size 500 4000", ManyValuesAndSizes)
