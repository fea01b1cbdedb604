"""A command for every demo, made from its signature."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from regdemo import catalog
from regdemo.catalog import Demo
from regdemo.cli.as_json import AsJson
from regdemo.cli.options import Claims, Full, Save, check_save, declare, described, emit, import_torch
from regdemo.parameters import Parameter, Words


def command(name: str) -> TyperCommand:
    """The command of one demo."""
    demo = catalog.demo(name)

    def run(*, claims: bool, full: bool, as_json: bool, save: Path | None, **values: Any) -> None:
        check_save(save)
        demo.check(**values)
        import_torch()
        emit(demo.run(**values), as_json=as_json, save=save, short=not full, claims=claims)

    shared = {"claims": (Claims, False), "full": (Full, False), "as_json": (AsJson, False), "save": (Save, None)}
    parameters = [
        _keyword(parameter, _option(parameter, kind, allowed), default)
        for parameter, (kind, allowed, default) in demo.parameters.items()
    ]
    parameters += [_keyword(option, annotation, default) for option, (annotation, default) in shared.items()]
    declare(run, parameters)

    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(demo.name, help=demo.help, short_help=demo.what, epilog=f"Example: {_example(demo)}")(run)
    return typer.main.get_command(app)  # type: ignore[return-value]


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _option(name: str, kind: type, allowed: Parameter | Words) -> Any:
    """A parameter as Typer's option: its range in words, its value called by what it is."""
    flag = f"--{name.replace('_', '-')}"
    if kind is bool:
        return Annotated[kind, typer.Option(flag, help=allowed.help)]
    metavar = {int: "N", str: "TEXT"}.get(kind, "X")
    return Annotated[kind, typer.Option(flag, metavar=metavar, help=described(allowed))]


def _example(demo: Demo) -> str:
    """The command with its first parameter at the default."""
    name, (_, _, default) = next(iter(demo.parameters.items()))
    return f"{demo.command} --{name.replace('_', '-')} {default}"
