"""A command for every demo, made from its signature."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from typer.core import TyperCommand

from regdemo import catalog
from regdemo.catalog import Demo
from regdemo.cli.options import AsJson, Save, check_save, described, emit, import_torch
from regdemo.parameters import Parameter, Words


def command(name: str) -> TyperCommand:
    """The command of one demo."""
    demo = catalog.load(name.replace("-", "_"))

    def run(*, as_json: bool, save: Path | None, **values: Any) -> None:
        check_save(save)
        demo.check(**values)
        import_torch()
        emit(demo.run(**values), as_json=as_json, save=save)

    parameters = [
        *(p.replace(annotation=_option(p.name, p.annotation)) for p in demo.signature.parameters.values()),
        inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=AsJson),
        inspect.Parameter("save", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Save),
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}

    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(demo.name, help=demo.help, short_help=demo.entry.what, epilog=f"Example: {_example(demo)}")(run)
    return typer.main.get_command(app)  # type: ignore[return-value]


def _option(name: str, annotation: Any) -> Any:
    """`Annotated[type, Parameter or Words]` as Typer's own option."""
    kind, *metadata = get_args(annotation)
    parameter = next(item for item in metadata if isinstance(item, Parameter | Words))
    if kind is bool:
        return Annotated[kind, typer.Option(f"--{name.replace('_', '-')}", help=parameter.help)]
    return Annotated[kind, typer.Option(help=described(parameter))]


def _example(demo: Demo) -> str:
    """The command with its first parameter at the default."""
    first = next(iter(demo.signature.parameters.values()))
    return f"{demo.command} --{first.name.replace('_', '-')} {first.default}"
