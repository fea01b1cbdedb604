"""`regdemo mcp`: regdemo for an assistant, over standard input and output."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Annotated

import typer

from regdemo.cli import learner
from regdemo.cli.hints import typed
from regdemo.cli.learner import BankPath, Home
from regdemo.errors import ArgumentError
from regdemo.mcp import desk as desks
from regdemo.quiz import decks


def mcp(
    check: Annotated[bool, typer.Option("--check", help="Start it as a client would, and say what works.")] = False,
    bank: BankPath = None,
    home: Home = None,
) -> None:
    """Serve questions, demos, katas and your history to an assistant, over the Model Context Protocol.

    An assistant starts this command by itself: tell it `regdemo mcp` (the tutorial has the configuration to copy). The
    history is shared with the terminal and the page, and all of them can be used at once.
    """
    if not find_spec("mcp"):
        raise ArgumentError("`regdemo mcp` needs the extra mcp: pip install 'regdemo[mcp]'")
    from regdemo.mcp import server, trial  # here, since they need the extra

    folder = learner.home_folder(home)
    if check:
        raise typer.Exit(trial.run(bank))
    if sys.stdin.isatty():
        print(
            typed("This is a server for assistants: it reads from a program. `regdemo mcp --check` tries it."),
            file=sys.stderr,
        )
    loaded = learner.load_bank(bank, folder, asking=True)
    desk = desks.McpDesk(loaded, bank or decks.bundled(), folder, learner.clock)
    try:
        server.build(desk).run("stdio")
    finally:
        desk.close()
