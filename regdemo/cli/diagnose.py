"""`regdemo diagnose`: the runs behind the cards that show a curve, a log or a diff, or one of them."""

from __future__ import annotations

from typing import Annotated

import typer

from regdemo import diagnoses
from regdemo.cli.as_json import AsJson, print_json
from regdemo.cli.map import print_columns
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
        print_columns(diagnoses.names().items())
        print("\nregdemo diagnose NAME does one: its log, then the next experiment.")
