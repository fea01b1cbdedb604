"""`regdemo compare`: paired training runs behind a progress bar."""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer
from typer.core import TyperCommand

from regdemo.cli.options import AsJson, Save, check_save, described, emit
from regdemo.errors import ArgumentError
from regdemo.lab.choices import EPOCHS, LABEL_NOISE, NONE, SEEDS, TRAIN_SIZE, takers
from regdemo.lab.data import TASKS
from regdemo.lab.recipe import parameters
from regdemo.lab.techniques import TECHNIQUES
from regdemo.parameters import SEED
from regdemo.report import Report

Techniques = Annotated[
    list[str],
    typer.Argument(
        metavar="TECHNIQUE...",
        autocompletion=lambda: list(TECHNIQUES),
        help=f"What to train with: {', '.join(TECHNIQUES)}.",
        show_default=False,
    ),
]
TaskName = Annotated[
    str, typer.Option(metavar="|".join(TASKS), autocompletion=lambda: list(TASKS), help="The data to train on.")
]
Data = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Train on your own text instead, or your CSV: a row an example, numbers but for the target.",
    ),
]
Target = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="What to predict in a CSV; the last column if not given.")
]
LabelNoise = Annotated[float, typer.Option(help=described(LABEL_NOISE))]
TrainSize = Annotated[int | None, typer.Option(metavar="N", help=TRAIN_SIZE.help)]
Seeds = Annotated[int, typer.Option(help=described(SEEDS))]
Epochs = Annotated[int | None, typer.Option(help=described(EPOCHS), show_default="what the task takes")]
Seed = Annotated[int, typer.Option(help=described(SEED))]

_VALUES = list(dict.fromkeys(name for technique in TECHNIQUES.values() for name in parameters(technique)))


class ManyValues(TyperCommand):
    """A command whose technique options take several values: `--p 0.1 0.2` is read as `--p 0.1 --p 0.2`."""

    many: ClassVar[Sequence[str]] = _VALUES

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option before each further number."""
        spread: list[str] = []
        option = ""
        for word in args:
            if spread and option and word != option and spread[-1] != option and _is_number(word):
                spread.append(option)
            spread.append(word)
            name = word.partition("=")[0]
            if word.startswith("-") and not _is_number(word):
                option = name if name.removeprefix("--").replace("-", "_") in self.many else ""
            elif not _is_number(word):
                option = ""
        return super().parse_args(ctx, spread)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _help(name: str) -> str:
    """Which techniques take a parameter, what it means to them, and its range."""
    meanings: dict[str, list[str]] = {}
    for taker in takers(name):
        _, default, allowed = parameters(TECHNIQUES[taker])[name]
        meanings.setdefault(described(allowed), []).append(f"{taker} {default:g}")
    return " ".join(f"{meaning.rstrip('.')} ({', '.join(who)})." for meaning, who in meanings.items())


def with_values(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each parameter of a technique; it is handed those typed, as `values`."""
    fixed = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "values"]

    def run(**arguments: Any) -> None:
        values = {name: given for name in _VALUES if (given := arguments.pop(name))}
        command(**arguments, values=values)

    options = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[list[float] | None, typer.Option(metavar="NUMBER...", help=_help(name))],
        )
        for name in _VALUES
    ]
    first, *rest = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in fixed]
    run.__signature__ = inspect.Signature([first, *options, *rest])  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in [first, *options, *rest]}
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run


@with_values
def compare(
    techniques: Techniques,
    against: Annotated[
        str, typer.Option(metavar="TECHNIQUE", help="What to compare with; none is a network without any.")
    ] = NONE,
    task: TaskName = "mnist1d",
    data: Data = None,
    target: Target = None,
    label_noise: LabelNoise = 0.0,
    train_size: TrainSize = None,
    seeds: Seeds = 16,
    epochs: Epochs = None,
    seed: Seed = 0,
    as_json: AsJson = False,
    save: Save = None,
    *,
    values: dict[str, list[float]],
) -> None:
    """Train with and without techniques, over paired seeds, and see what the differences allow to say.

    Several techniques, and several values of an option as in --p 0.1 0.2, are as many arms.
    Ctrl-C ends it early and shows what is finished.
    """
    from regdemo.lab.compare import compare as run

    check_values(values)
    watched(
        lambda progress: run(
            techniques,
            against=against,
            task=task,
            data=data,
            target=target,
            label_noise=label_noise,
            train_size=train_size,
            seeds=seeds,
            epochs=epochs,
            seed=seed,
            clock=time.thread_time,
            progress=progress,
            **values,
        ),
        f"Training {seeds} networks an arm",
        as_json=as_json,
        save=save,
    )


def check_values(values: dict[str, list[float]]) -> None:
    """Refuse a value that is given twice."""
    for name, given in values.items():
        if len(set(given)) < len(given):
            raise ArgumentError(f"{name} has the same value twice: {', '.join(f'{v:g}' for v in given)}")


def watched(run: Callable[[Callable[[int, int], None]], Report], what: str, *, as_json: bool, save: Any) -> None:
    """Run something long behind a progress bar and emit its report; on Ctrl-C, the report of what is finished."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from regdemo.lab.compare import Stopped

    check_save(save)
    quiet = as_json or not (sys.stdout.isatty() and sys.stderr.isatty())
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet) as bar:
            line = bar.add_task(what, total=None)
            report = run(lambda done, total: bar.update(line, completed=done, total=total))
    except Stopped as stop:
        emit(stop.report, as_json=as_json, save=save)
        raise typer.Exit(130) from None
    except KeyboardInterrupt:
        print("regdemo: stopped before there was anything to show", file=sys.stderr)
        raise typer.Exit(130) from None
    emit(report, as_json=as_json, save=save)
