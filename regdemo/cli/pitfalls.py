"""`regdemo pitfalls`: the gallery, or one snippet of it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

from regdemo import catalog
from regdemo.cli.as_json import AsJson, print_json
from regdemo.cli.map import print_by_place
from regdemo.cli.options import Claims, Full, Save, check_save, described, emit, import_torch
from regdemo.errors import ArgumentError
from regdemo.parameters import SEED
from regdemo.render import format


def _names() -> list[str]:
    return [pitfall.name for pitfall in catalog.pitfalls()]


def pitfalls(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", autocompletion=_names, help="The one to open; without it, all are listed."),
    ] = None,
    run_all: Annotated[bool, typer.Option("--all", help="Run every one, and say whether its claims hold.")] = False,
    seed: Annotated[int, typer.Option(metavar="N", help=described(SEED))] = 0,
    claims: Claims = False,
    full: Full = False,
    as_json: AsJson = False,
    save: Save = None,
) -> None:
    """Snippets that are copied everywhere and wrong: what they really do, measured, and the fix."""
    if name is None and save is not None:
        raise ArgumentError(
            "--save needs one pitfall to write down: name it, as in regdemo pitfalls token-noise --save"
        )
    if name is not None and run_all:
        raise ArgumentError(f"--all runs every pitfall: leave it out, or leave {name!r} out")
    if name is not None:
        pitfall = catalog.pitfall(name)
        check_save(save)
        import_torch()
        emit(pitfall.run(seed=seed), as_json=as_json, save=save, short=not full, claims=claims)
    elif run_all:
        _run_all(seed, as_json)
    elif as_json:
        print_json(
            [
                {"name": p.name, "breaks": p.technique.stem, "title": p.title, "command": p.command}
                for p in catalog.pitfalls()
            ]
        )
    else:
        print_by_place({p: (p.name, p.what) for p in catalog.pitfalls()})
        print("\nregdemo pitfalls NAME opens one: what it really does, and the fix.")


def _run_all(seed: int, as_json: bool) -> None:
    """Every pitfall's verdict, or as JSON its whole report; exit 1 if a claim does not hold."""
    from rich.progress import Progress  # loads at once, and only this needs it

    import_torch()
    quiet = as_json or not (sys.stdout.isatty() and sys.stderr.isatty())
    with Progress(console=Console(stderr=True), transient=True, disable=quiet) as bar:
        found = bar.track(catalog.pitfalls(), description="Running pitfalls")
        reports = {pitfall: pitfall.run(seed=seed) for pitfall in found}
    if as_json:
        print_json([report.as_dict() for report in reports.values()])
    else:
        print_by_place(
            {p: (p.name, f"{'✓' if r.holds else '✗'} {format.claims_summary(r.claims)}") for p, r in reports.items()}
        )
    if not all(report.holds for report in reports.values()):
        raise typer.Exit(1)
