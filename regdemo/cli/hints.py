"""The commands that a message names, as the learner must type them: with the bank and the folders typed this time."""

from __future__ import annotations

import re
from shlex import quote
from typing import Any

import typer

from regdemo.cli import commands

_COMMAND = re.compile(r"(?<=`)regdemo [^`\n]+(?=`)|\Aregdemo [^`\n]+\Z")
_typed: dict[str, str] = {}  # by the option's name, in the order in which they were typed


def begin() -> None:
    """Forget the command line before this one."""
    _typed.clear()


def keep(context: typer.Context, parameter: typer.CallbackParam, value: Any) -> Any:
    """Keep an option that was typed; one from the environment holds for the next command as well."""
    source = context.get_parameter_source(parameter.name or "")
    if value is not None and source and source.name == "COMMANDLINE":
        _typed[parameter.opts[0]] = f"{parameter.opts[0]} {quote(str(value))}"
    return value


def typed(text: str) -> str:
    """A command, or a text with commands in backticks: each with those of the options kept that it takes."""
    return _COMMAND.sub(lambda found: _with_options(found[0]), text) if _typed else text


def _with_options(line: str) -> str:
    words, dashes, options = line.partition(" --")
    found: Any = commands.every_command()
    taken: set[str] = set()
    for word in words.split()[1:]:
        if word not in (found.list_commands(None) if hasattr(found, "list_commands") else ()):
            break
        found = found.get_command(None, word)
        taken = {name for option in found.params for name in option.opts}
    return " ".join([words, *(option for name, option in _typed.items() if name in taken)]) + dashes + options
