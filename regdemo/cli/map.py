"""`regdemo list`: the map of the field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from regdemo import catalog
from regdemo.cli.as_json import AsJson, print_json
from regdemo.errors import ArgumentError
from regdemo.quiz import selection


def list_demos(
    places: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PLACE...]",
            help=f"Only what acts there: {', '.join(catalog.PLACES)}.",
            autocompletion=lambda incomplete: [place for place in catalog.PLACES if place.startswith(incomplete)],
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Every technique: where it acts, what it does, the command that shows it."""
    wanted = {place.casefold() for place in places or catalog.PLACES}
    for place in wanted - set(catalog.PLACES):
        raise ArgumentError(f"there is no place {place!r}: {selection.nearest(place, catalog.PLACES)}")
    demos = [demo for demo in catalog.demos() if demo.acts_on in wanted]
    if as_json:
        shown = [
            {"name": demo.stem, "acts_on": demo.acts_on, "title": demo.title, "command": demo.command} for demo in demos
        ]
        print_json(shown)
    else:
        print_by_place({demo: (demo.command, demo.what) for demo in demos})


def print_by_place(rows: Mapping[catalog.Demo | catalog.Pitfall, tuple[str, str]]) -> None:
    """A line of two columns for each demo or pitfall, under the place where its technique acts."""
    lines = []
    for place, here in groupby(rows, lambda listing: listing.acts_on):
        lines += [(f"[bold default]{place}[/]", ""), *((f"  {rows[one][0]}", rows[one][1]) for one in here)]
    print_columns(lines)


def print_columns(rows: Iterable[tuple[str, str]]) -> None:
    """Rows of two texts in rich's markup. In a pipe no line ends in spaces."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False)
    with console.capture() as captured:
        console.print(table)
    text = captured.get()
    print(text if console.is_terminal else re.sub(" +$", "", text, flags=re.MULTILINE), end="")
