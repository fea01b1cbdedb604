"""`regdemo diagnose`: the runs behind the cards that show a curve, a log or a diff, or one of them."""

from __future__ import annotations

from typing import Annotated

import typer
from rich import console, table

from regdemo import diagnoses
from regdemo.cli.as_json import AsJson, print_json
from regdemo.cli.options import Save, check_save, emit, import_torch
from regdemo.errors import ArgumentError


def diagnose(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            autocompletion=lambda: list(diagnoses.names()),
            help="The run to do; without it, all are listed.",
        ),
    ] = None,
    as_json: AsJson = False,
    save: Save = None,
) -> None:
    """Small trainings that go wrong, each with its log, and with what the next experiment shows."""
    if name is None and save is not None:
        raise ArgumentError("--save needs one run to write down: name it, as in regdemo diagnose overfitting --save")
    check_save(save)
    if name is not None:
        import_torch()
        emit(diagnoses.report(name), as_json=as_json, save=save)
    elif as_json:
        print_json(diagnoses.names())
    else:
        rows = table.Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        rows.add_column(style="cyan", no_wrap=True)
        rows.add_column()
        for run, title in diagnoses.names().items():
            rows.add_row(run, title)
        console.Console(highlight=False).print(rows)
        print("\nregdemo diagnose NAME does one: its log, then the next experiment.")
