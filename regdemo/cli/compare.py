"""`regdemo compare`: paired training runs behind a progress bar."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from regdemo.cli.options import AsJson, Save, check_save, described, emit
from regdemo.lab.choices import EPOCHS, SEEDS, TECHNIQUES, P
from regdemo.lab.data import TASKS
from regdemo.parameters import SEED


def compare(
    technique: Annotated[str, typer.Argument(help=f"What to compare with nothing: {', '.join(TECHNIQUES)}.")],
    p: Annotated[float, typer.Option(help=described(P))] = 0.2,
    task: Annotated[
        str,
        typer.Option(metavar="|".join(TASKS), autocompletion=lambda: list(TASKS), help="The data to train on."),
    ] = "mnist1d",
    seeds: Annotated[int, typer.Option(help=described(SEEDS))] = 8,
    epochs: Annotated[int, typer.Option(help=described(EPOCHS))] = 45,
    seed: Annotated[int, typer.Option(help=described(SEED))] = 0,
    as_json: AsJson = False,
    save: Save = None,
) -> None:
    """Train with and without a technique, over paired seeds, and see what the difference allows to say.

    Ctrl-C ends it early and shows what is finished.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from regdemo.lab.compare import Stopped
    from regdemo.lab.compare import compare as run

    check_save(save)
    quiet = as_json or not (sys.stdout.isatty() and sys.stderr.isatty())
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet) as bar:
            line = bar.add_task(f"Training 2 x {seeds} networks", total=None)
            report = run(
                technique,
                p=p,
                task=task,
                seeds=seeds,
                epochs=epochs,
                seed=seed,
                progress=lambda done, total: bar.update(line, completed=done, total=total),
            )
    except Stopped as stop:
        emit(stop.report, as_json=as_json, save=save)
        raise typer.Exit(130) from None
    except KeyboardInterrupt:
        print("regdemo: stopped before there was anything to show", file=sys.stderr)
        raise typer.Exit(130) from None
    emit(report, as_json=as_json, save=save)
