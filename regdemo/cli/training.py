"""What every command that trains has: its options, several values of one, and a progress bar."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer
from typer.core import TyperCommand, TyperOption

from regdemo import lazy
from regdemo.cli.as_json import AsJson
from regdemo.cli.options import check_save, declare, described, emit, import_torch, parameters_of
from regdemo.errors import ArgumentError
from regdemo.lab import compare as comparisons
from regdemo.lab.choices import EPOCHS, LABEL_NOISE, SEEDS, TRAIN_SIZE, TUNE, takers
from regdemo.lab.data import TASKS
from regdemo.lab.metrics import NAMES as METRICS
from regdemo.lab.recipe import parameters
from regdemo.lab.splits import FOLDS, REPEATS
from regdemo.lab.task import BATCH_SIZE, DEPTH, LEARNING_RATE, OPTIMIZERS, PRECISIONS, WIDTH
from regdemo.lab.techniques import TECHNIQUES
from regdemo.parameters import SEED

Techniques = Annotated[
    list[str],
    typer.Argument(
        metavar="ARM...",
        autocompletion=lambda: list(TECHNIQUES),
        help="What to train with: techniques, each with its parameters if you like, joined by + in one arm, as in "
        f"dropout:p=0.1+weight-decay:strength=0.1. There are {', '.join(TECHNIQUES)}.",
        show_default=False,
    ),
]
Seeds = Annotated[int, typer.Option(help=described(SEEDS))]
# Calls a function with `progress=` behind a progress bar of this title, and emits the report that it returns.
Watch = Callable[[Callable[..., Any], str], None]

NETWORK_SUFFIXES = (".csv", ".parquet")  # forms of every network's values alone

_NAMED = "regdemo.named"  # the words of a command line that may name techniques
_VALUES = list(takers())


class ManyValues(TyperCommand):
    """A command whose technique options take several values: `--p 0.1 0.2` is read as `--p 0.1 --p 0.2`.

    Its help shows the options of the techniques that are named: `compare dropout --help` has --p and no other.
    """

    many: ClassVar[Sequence[str]] = _VALUES

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The options, those of techniques only where one was named; else which technique has which is said."""
        named = [word for word in ctx.meta.get(_NAMED, ()) if word in TECHNIQUES]
        shown = {name for technique in named for name in parameters(TECHNIQUES[technique])}
        every = self.params
        self.params = [option for option in every if option.name not in _VALUES or option.name in shown]
        for option in self.params:
            if option.name in shown and isinstance(option, TyperOption):
                option.help = _help(option.name, named)
        try:
            super().format_options(ctx, formatter)
        finally:
            self.params = every
        if not named:
            with formatter.section("Options of techniques"):
                formatter.write_text(
                    f"Name a technique to see its own, as in `{ctx.command_path} dropout --help`. There are "
                    f"{', '.join('--' + name.replace('_', '-') for name in _VALUES)}."
                )

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option before each further number."""
        ctx.meta[_NAMED] = [part.partition(":")[0] for word in args for part in word.split("+")]
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


def _help(name: str, named: Sequence[str] = ()) -> str:
    """Which techniques take a parameter, what it means to them, and its range. named: of these only."""
    meanings: dict[str, list[str]] = {}
    for taker in [taker for taker in takers()[name] if taker in named or not named]:
        _, default, allowed = parameters(TECHNIQUES[taker])[name]
        meanings.setdefault(described(allowed), []).append(f"{taker} {default:g}")
    return " ".join(f"{meaning.rstrip('.')} ({', '.join(who)})." for meaning, who in meanings.items())


def on_task(
    task: Annotated[
        str, typer.Option(metavar="|".join(TASKS), autocompletion=lambda: list(TASKS), help="The data to train on.")
    ] = "mnist1d",
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Train on your own table (.csv, .tsv, .parquet) or text (.txt, .md) instead.",
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="What to predict in a table; the last column if not given.")
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Leave a column of the table out; may be repeated.")
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Keep rows with the same value of this column in one part of each split."),
    ] = None,
    regression: Annotated[bool, typer.Option("--regression", help="Predict numbers, even if they are few.")] = False,
    folds: Annotated[
        int,
        typer.Option(
            help=f"{described(FOLDS)} By default each seed tests on a random quarter of a table.", show_default=False
        ),
    ] = 0,
    repeats: Annotated[int | None, typer.Option(help=f"{described(REPEATS)}", show_default="4 with --folds")] = None,
    label_noise: Annotated[float, typer.Option(help=described(LABEL_NOISE))] = 0.0,
    train_size: Annotated[int | None, typer.Option(metavar="N", help=TRAIN_SIZE.help)] = None,
) -> None:
    """The options that choose what is learned."""


def network(
    lr: Annotated[float | None, typer.Option(help=described(LEARNING_RATE), show_default="the task's")] = None,
    width: Annotated[int | None, typer.Option(help=described(WIDTH), show_default="the task's")] = None,
    depth: Annotated[int | None, typer.Option(help=described(DEPTH), show_default="the task's")] = None,
    batch_size: Annotated[int | None, typer.Option(help=described(BATCH_SIZE), show_default="the task's")] = None,
    optimizer: Annotated[
        str | None,
        typer.Option(metavar="|".join(OPTIMIZERS), help="How to step; momentum is 0.9.", show_default="the task's"),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(METRICS),
            help="The primary metric, which the verdict is on.",
            show_default="accuracy; of text the loss, of numbers the error",
        ),
    ] = None,
) -> None:
    """The options of the network, its training and its judgement."""


def tuned(
    tune: Annotated[int, typer.Option(help=described(TUNE))] = 1,
) -> None:
    """The option of what is chosen on validation data."""


def in_runs(
    seeds: Seeds = 16,
    epochs: Annotated[int | None, typer.Option(help=described(EPOCHS), show_default="what the task takes")] = None,
    seed: Annotated[int, typer.Option(help=described(SEED))] = 0,
    device: Annotated[
        str,
        typer.Option(
            metavar="cpu|cuda",
            help="Train on the processor, or on an NVIDIA or AMD GPU; cuda:1 is the second of several.",
        ),
    ] = "cpu",
    precision: Annotated[
        str,
        typer.Option(
            metavar="|".join(PRECISIONS),
            help="bfloat16: matrix products in it, by torch.autocast; parameters, losses and the optimizer in float32. "
            "float16 isn't offered: its range is so small that the loss would need scaling.",
        ),
    ] = "float32",
) -> None:
    """The options of the training itself."""


Save = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Write the report as well; its ending chooses .html, .svg, .json or .txt. A .csv or .parquet has every "
        "network's values alone.",
    ),
]


def _output(as_json: AsJson = False, save: Save = None) -> None:
    """The options of what is done with the report."""


def trains(*groups: Callable[..., None]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of these groups, one for each parameter of a technique, and those of its report.

    The command receives the options as keywords, the parameters of techniques only if they were typed, and `watch`,
    which emits its report. In the help, options before the star in the command's signature precede those of the groups;
    options after the star follow them, or replace an option of the same name.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def run(*, as_json: bool, save: Path | None, **options: Any) -> None:
            values = {name: given for name in _VALUES if (given := options.pop(name))}
            for name, given in values.items():
                if len(set(given)) < len(given):
                    raise ArgumentError(f"{name} has the same value twice: {', '.join(f'{v:g}' for v in given)}")
            command(**options, **values, watch=partial(_watched, as_json=as_json, save=save))

        own = [p for p in parameters_of(command) if p.kind != p.VAR_KEYWORD and p.name != "watch"]
        first, *before = [p for p in own if p.kind != p.KEYWORD_ONLY]
        shared = [p for group in groups for p in parameters_of(group)]
        behind = [p for p in own if p.kind == p.KEYWORD_ONLY]
        order = [first, *map(_of_technique, _VALUES), *before, *shared, *behind, *parameters_of(_output)]
        found = {p.name: p.replace(kind=p.KEYWORD_ONLY) for p in order}  # where a name comes again, at its first place
        declare(run, list(found.values()))
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        return run

    return decorate


def _of_technique(name: str) -> inspect.Parameter:
    kind = Annotated[list[float] | None, typer.Option(metavar="NUMBER...", help=_help(name))]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)


def _watched(run: Callable[..., comparisons.ExperimentReport], what: str, *, as_json: bool, save: Path | None) -> None:
    """Run something long behind a progress bar and emit its report; on Ctrl-C, the report of what is finished."""
    from rich.console import Console  # here, since a help text needs neither
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    rows = save if save is not None and save.suffix.lower() in NETWORK_SUFFIXES else None
    check_save(save.with_suffix(".json") if save is not None and rows else save)
    import_torch()
    quiet = as_json or not (sys.stdout.isatty() and sys.stderr.isatty())
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    code = 0
    try:
        shown = Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet)
        with lazy.interruptible(), shown as bar:
            line = bar.add_task(what, total=None)
            report = run(progress=lambda done, total: bar.update(line, completed=done, total=total))
    except comparisons.Stopped as stop:
        report, code = stop.report, 130
    except KeyboardInterrupt:
        print("regdemo: stopped before there was anything to show", file=sys.stderr)
        raise typer.Exit(130) from None
    if rows:
        report.results.save(rows)
        print(f"Saved {rows}", file=sys.stderr)
    emit(report, as_json=as_json, save=None if rows else save)
    if code:
        raise typer.Exit(code)
