"""The options that every report shares, and what is done with the report."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import rich.console
import torch
import typer

from regdemo import lazy
from regdemo.parameters import SEED, Parameter, Words
from regdemo.render import files, terminal

if TYPE_CHECKING:
    from regdemo.report import Report

Claims = Annotated[bool, typer.Option("--claims", help="Show each claim: expected, measured, and its tolerance.")]
Full = Annotated[bool, typer.Option("--full", help="Show everything: every table, every claim.")]
Save = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write the report as well; its ending chooses .html, .svg, .json or .txt."),
]


def described(parameter: Parameter | Words) -> str:
    """A parameter's help with its range; without the range of a seed, or of a text that may be empty."""
    plain = parameter is SEED or (isinstance(parameter, Words) and not parameter.low)
    return parameter.help if plain else f"{parameter.help.rstrip('.')}, {parameter.allowed}."


def parameters_of(function: Callable[..., object]) -> list[inspect.Parameter]:
    """The parameters of a function, their annotations as Typer reads them."""
    return list(inspect.signature(function, eval_str=True).parameters.values())


def declare(run: Callable[..., None], parameters: Sequence[inspect.Parameter]) -> None:
    """Let Typer see these parameters in place of a function's own."""
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}


def check_save(save: Path | None) -> None:
    """Refuse, before any work is done, a file that could not be written."""
    if save is not None:
        files.refuse_unwritable(save)


def import_torch() -> None:
    """Import torch. Ctrl-C waits until that is done: within it, torch would abort the process."""
    with lazy.interruptible():
        _ = torch.Tensor  # loads it now, where imports are lazy


def emit(report: Report, *, as_json: bool, save: Path | None, short: bool = False, claims: bool = False) -> None:
    """Print the report, write it where asked, and exit 1 if one of its claims does not hold."""
    if as_json:
        print(files.to_json(report), end="")
    else:
        terminal.show(report, rich.console.Console(highlight=False), short=short, claims=claims)
    if save is not None:
        files.save(report, save)
        rich.console.Console(stderr=True, highlight=False).print(f"Saved {save}", markup=False)
    if not report.holds:
        raise typer.Exit(1)
