"""A card's `See it` run there and then. Decks come from strangers, so only what measures and shows is run."""

from __future__ import annotations

import shlex
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import typer
from typer.exceptions import TyperException

from regdemo import catalog, lazy
from regdemo.cli import commands
from regdemo.errors import ArgumentError, RegdemoError

SHOWS = ("list", "compare", "combine", "pitfalls", "diagnose")  # in addition to the demos: what only reports


def see(command: str) -> str:
    """Run one command in this process, its report on standard output; what to say of how it ended, or nothing.

    There is no shell: the words are split, the first must be `regdemo`, the second a demo, and none may name a file.
    Ctrl-C ends the command and nothing else.
    """
    try:
        name, arguments = _words(command)
        with lazy.interruptible():
            _run(name, arguments)
    except typer.Exit:
        return ""  # a claim that did not hold, which its report says
    except (KeyboardInterrupt, typer.Abort):
        return "Stopped."
    except TyperException as error:
        return f"`{command}` cannot be run: {error.format_message()}"
    except (RegdemoError, MemoryError) as error:
        return f"`{command}` cannot be run: {error or 'it needs more memory than there is'}"
    return ""


def why_not(command: str) -> str:
    """Why a command would not run as `see` runs it, found out without running it; nothing if it would."""
    try:
        name, arguments = _words(command)
        with redirect_stdout(StringIO()):
            values = _parsed(name, arguments).params
        demos = {demo.name: demo for demo in catalog.demos()}
        if name in demos:
            demos[name].check(**{parameter: values[parameter] for parameter in demos[name].parameters})
    except TyperException as error:
        return error.format_message().rstrip(".")
    except RegdemoError as error:
        return str(error)
    except (typer.Exit, typer.Abort, SystemExit):  # as by --help
        return "it shows no result: leave out the option that ends it"
    return ""


def _words(command: str) -> tuple[str, list[str]]:
    """The name and the arguments of a command that may be run. Raises ArgumentError for any other."""
    try:
        program, name, *arguments = shlex.split(command)
    except ValueError:
        program, name, arguments = "", "", []
    if program != "regdemo" or (name not in {demo.name for demo in catalog.demos()} and name not in SHOWS):
        raise ArgumentError(f"only regdemo's own demos are, {', '.join(f'`regdemo {show}`' for show in SHOWS)}")
    return name, arguments


def _run(name: str, arguments: list[str]) -> None:
    with _parsed(name, arguments) as context:
        context.command.invoke(context)


def _parsed(name: str, arguments: list[str]) -> Any:
    """The context of a command with its options. Raises ArgumentError if one names a file."""
    context = commands.every_command().get_command(None, name).make_context(f"regdemo {name}", arguments)
    for option in context.command.params:
        if commands.type_name(option) == "path" and context.params.get(option.name):
            raise ArgumentError(f"{option.opts[0]} names a file, and a deck may not: type it yourself")
    return context
