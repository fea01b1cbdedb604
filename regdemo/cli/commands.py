"""The commands: the table below, and one for each demo. Each is imported when it is asked for."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from itertools import groupby
from textwrap import fill
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup

from regdemo import catalog


class Entry(NamedTuple):
    """A command: the group it has in the help, its line there, and where it is written.

    target: module of `regdemo.cli` and name in it, of a function or of a Typer with commands of its own.  parser: the
    same, of the class that reads its words where they are unusual.
    """

    group: str
    line: str
    target: str
    example: str = ""
    parser: str = ""


PRACTISE, FIND, TRAIN = "Practise", "Look things up", "Train and compare"
COMMANDS = {
    "quiz": Entry(PRACTISE, "Cards that are due, then new ones.", "quiz:quiz", "quiz --new 5"),
    "mock": Entry(PRACTISE, "A mock interview with a clock and a score card.", "mock:mock", "mock --minutes 20"),
    "kata": Entry(PRACTISE, "Write it or find the bug; tests judge your code.", "kata:kata"),
    "plan": Entry(
        PRACTISE,
        "What to do each day until your interview.",
        "plan:plan",
        "plan --interview 2026-12-15 --minutes 20",
    ),
    "stats": Entry(PRACTISE, "What you know, what is due, what is weak.", "stats:stats", "stats"),
    "web": Entry(PRACTISE, "All of this as a page in your browser.", "web:web", "web"),
    "mcp": Entry(PRACTISE, "An interviewer in your assistant.", "mcp:mcp", "mcp --check"),
    "search": Entry(FIND, "Find cards, demos, katas and more by words.", "search:search", "search weight decay"),
    "list": Entry(FIND, "All demos, by where their technique acts.", "map:list_demos", "list weights"),
    "pitfalls": Entry(
        FIND, "Wrong snippets that people copy, and their fixes.", "pitfalls:pitfalls", "pitfalls token-noise"
    ),
    "diagnose": Entry(
        FIND, "Trainings that go wrong: read the log, find why.", "diagnose:diagnose", "diagnose overfitting"
    ),
    "bank": Entry(FIND, "Read, check, write, export and import decks.", "bank:bank", "bank list"),
    "history": Entry(FIND, "Export, import, check and recover your answers.", "history:history", "history check"),
    "compare": Entry(
        TRAIN,
        "Train with and without techniques.",
        "compare:compare",
        "compare dropout --p 0.1 0.2 0.5",
        "training:ManyValues",
    ),
    "combine": Entry(
        TRAIN,
        "Find which techniques help each other.",
        "combine:combine",
        "combine dropout weight-decay label-smoothing",
        "training:ManyValues",
    ),
    "finetune": Entry(
        TRAIN,
        "Fine-tune a small GPT with several techniques.",
        "finetune:finetune",
        "finetune mixout l2-sp --decay 0.5",
        "training:ManyValues",
    ),
    "sweep": Entry(
        TRAIN,
        "Train a grid of values and sizes; resume it.",
        "sweep:sweep",
        "sweep dropout --p 0.1 0.3 0.5 --train-size 500 4000",
        "sweep:ManyValuesAndSizes",
    ),
}


class Commands(TyperGroup):
    """The commands of the table, then the demos."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Every command: those of the table, then the map's."""
        return [*COMMANDS, *(demo.name for demo in catalog.demos())]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One command. A name that is unknown loads them all, so that the nearest names can be suggested."""
        if cmd_name not in self.commands:
            names = [cmd_name] if cmd_name in COMMANDS else self.list_commands(ctx)
            for name in [cmd_name] if cmd_name in names else names:
                made = _made(name) if name in COMMANDS else _named("demos:command")(name)
                self.commands.setdefault(name, _with_plain_words(made))
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list of commands in the help, grouped; no command is imported for it. Demos are names, a line a place."""
        for group, entries in groupby(COMMANDS.items(), lambda item: item[1].group):
            with formatter.section(group):
                formatter.write_dl([(name, entry.line) for name, entry in entries])
        with formatter.section("Demos, by where the technique acts (`regdemo list` says what each does)"):
            column, width = " " * formatter.current_indent, max(map(len, catalog.PLACES)) + 2
            for place, demos in catalog.by_place().items():
                # Not `write_dl`, which would break a name at its hyphen.
                formatter.write(
                    fill(
                        ", ".join(demo.name for demo in demos),
                        formatter.width,
                        initial_indent=f"{column}{place:{width}}",
                        subsequent_indent=column + " " * width,
                        break_on_hyphens=False,
                        break_long_words=False,
                    )
                    + "\n"
                )


@cache
def every_command() -> Commands:
    """The commands, made once: they keep those that were asked for."""
    return Commands(name="regdemo")


def _made(name: str) -> Any:
    """A command of the table, imported."""
    entry = COMMANDS[name]
    target = _named(entry.target)
    if isinstance(target, typer.Typer):
        command: Any = typer.main.get_group(target)
        command.epilog = command.epilog or f"Example: regdemo {entry.example}"
    else:
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        parser = _named(entry.parser) if entry.parser else None
        app.command(epilog=f"Example: regdemo {entry.example}", cls=parser)(target)
        command = typer.main.get_command(app)
    command.name, command.short_help = name, entry.line
    return command


def _with_plain_words(command: Any) -> Any:
    """The command, in whose help an option takes N or NUMBER, and not `<int range>`: its range is in its help."""
    for option in command.params:
        if option.param_type_name == "argument" and not hasattr(option, "type"):  # typer 0.29 adds what we write
            option.metavar = (option.metavar or option.name).strip("[]").removesuffix("...")
            option.display_type_rich = lambda ctx: None
        if option.metavar is None and (kind := type_name(option)) in ("int", "float"):
            option.metavar = "NUMBER" if kind == "float" else "N"
    for child in getattr(command, "commands", {}).values():
        _with_plain_words(child)
    return command


def type_name(option: Any) -> str:
    """What a parameter of a command takes: "int", "float", "path" or another word of typer's."""
    if hasattr(option, "type"):  # typer up to 0.28
        name: str = option.type.name.removesuffix(" range")
        return {"integer": "int"}.get(name, name)
    described = option.type_descriptor
    return "path" if described.is_path else getattr(described.annotation, "__name__", str(described.annotation))


def _named(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(f"regdemo.cli.{module}"), name)
