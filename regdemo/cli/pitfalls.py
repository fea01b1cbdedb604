"""`regdemo pitfalls`: the gallery, or one snippet of it."""

from __future__ import annotations

import json
import sys
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from regdemo.cli.options import AsJson, Save, check_save, described, emit, import_torch
from regdemo.errors import ArgumentError
from regdemo.parameters import SEED

if TYPE_CHECKING:
    from regdemo.gallery import Pitfall


def _names() -> list[str]:
    from regdemo.gallery import pitfalls

    return [pitfall.name for pitfall in pitfalls()]


def pitfalls(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", autocompletion=_names, help="The one to open; without it, all are listed."),
    ] = None,
    run_all: Annotated[bool, typer.Option("--all", help="Run every one, and say whether its claims hold.")] = False,
    seed: Annotated[int, typer.Option(help=described(SEED))] = 0,
    as_json: AsJson = False,
    save: Save = None,
) -> None:
    """Snippets that are copied everywhere and wrong: what they really do, measured, and the line that mends them."""
    from regdemo import gallery

    if name is None and save is not None:
        raise ArgumentError(
            "--save needs one pitfall to write down: name it, as in regdemo pitfalls token-noise --save"
        )
    if name is not None and run_all:
        raise ArgumentError(f"--all runs every pitfall: leave it out, or leave {name!r} out")
    if name is not None:
        pitfall = gallery.find(name)
        check_save(save)
        import_torch()
        emit(gallery.run(pitfall, seed=seed), as_json=as_json, save=save)
    elif run_all:
        _run_all(seed, as_json)
    elif as_json:
        _print_json(
            [
                {"name": p.name, "breaks": p.technique.stem, "title": p.title, "command": p.command}
                for p in gallery.pitfalls()
            ]
        )
    else:
        _table({p: p.what for p in gallery.pitfalls()})
        print("\nregdemo pitfalls NAME opens one: what it really does, and what mends it.")


def _run_all(seed: int, as_json: bool) -> None:
    """Every pitfall's verdict, or as JSON its whole report; exit 1 if a claim does not hold."""
    from rich.console import Console
    from rich.progress import Progress

    from regdemo import gallery

    import_torch()
    quiet = as_json or not (sys.stdout.isatty() and sys.stderr.isatty())
    with Progress(console=Console(stderr=True), transient=True, disable=quiet) as bar:
        pitfalls = bar.track(gallery.pitfalls(), description="Running pitfalls")
        reports = {pitfall: gallery.run(pitfall, seed=seed) for pitfall in pitfalls}
    if as_json:
        _print_json([report.as_dict() for report in reports.values()])
    else:
        from regdemo.render.format import verdict

        _table({p: f"{'✓' if report.holds else '✗'} {verdict(report.claims)}" for p, report in reports.items()})
    if not all(report.holds for report in reports.values()):
        raise typer.Exit(1)


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def _table(rows: dict[Pitfall, str]) -> None:
    """A line for each pitfall, under the place where the technique that it breaks acts."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column()
    for place, here in groupby(rows, lambda pitfall: pitfall.technique.acts_on):
        table.add_row(f"[bold default]{place}[/]", "")
        for pitfall in here:
            table.add_row(f"  {pitfall.name}", rows[pitfall])
    Console(highlight=False).print(table)
