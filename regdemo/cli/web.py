"""`regdemo web`: the same practice in a browser page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from regdemo.cli import hints, learner
from regdemo.cli.learner import BankPath, Home
from regdemo.errors import ArgumentError


def web(
    bank: BankPath = None,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Listen there; 0 takes the last port if it is free, else any.")
    ] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address, on a line of its own, and open nothing.")
    ] = False,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Listen on another address of this machine.")] = (
        "127.0.0.1"
    ),
    allow_network: Annotated[
        bool,
        typer.Option("--allow-network", help="Confirm a --host that other machines reach. The token stays."),
    ] = False,
    folder: Annotated[
        Path, typer.Option("--dir", metavar="DIR", callback=hints.keep, help="The folder of your katas.")
    ] = Path("katas"),
    home: Home = None,
) -> None:
    """Practise in a browser page: served by this machine for this machine, without an account and without a network.

    The address that is printed works once; the browser that opens it is remembered. Ctrl-C ends the server.
    """
    try:
        from regdemo.web import server
        from regdemo.web.site import Site
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("regdemo", "torch"):
            raise
        raise ArgumentError(f"`regdemo web` needs {error.name}: pip install 'regdemo[web]'") from error
    site = Site(bank=bank, home=learner.home_folder(home), folder=folder, typed=hints.typed)
    server.serve(site, server.ListenAddress(host, port, allow_network), browser=not no_browser)
