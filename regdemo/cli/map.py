"""`regdemo list`: the map of the field."""

from __future__ import annotations

import json
from itertools import groupby
from typing import Annotated

import typer


def list_demos(as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False) -> None:
    """Every technique: where it acts, what it does, the command that shows it."""
    from regdemo.catalog import entries

    if as_json:
        print(
            json.dumps(
                [
                    {"name": entry.stem, "acts_on": entry.acts_on, "title": entry.title, "command": entry.command}
                    for entry in entries()
                ],
                indent=2,
                ensure_ascii=False,
            )
        )
        return

    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column()
    for place, here in groupby(entries(), lambda entry: entry.acts_on):
        table.add_row(f"[bold default]{place}[/]", "")
        for entry in here:
            table.add_row(f"  {entry.command}", entry.what)
    Console(highlight=False).print(table)
