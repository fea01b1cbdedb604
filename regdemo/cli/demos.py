"""A command for every demo, made from its signature."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from typer.core import TyperCommand, TyperGroup

from regdemo import catalog
from regdemo.catalog import Demo
from regdemo.cli.options import AsJson, Save, check_save, described, emit
from regdemo.parameters import Parameter, Words


class Commands(TyperGroup):
    """The commands written by hand, then the demos, each imported only when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Every command: those written by hand, then the map's."""
        by_hand = [name for name in self.commands if name.replace("-", "_") not in catalog.stems()]
        return [*by_hand, *(entry.name for entry in catalog.entries())]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One command. A name that is unknown loads every demo, so that the nearest names can be suggested."""
        if cmd_name not in self.commands:
            stem = cmd_name.replace("-", "_")
            for demo in [catalog.load(stem)] if stem in catalog.stems() else catalog.demos():
                self.commands.setdefault(demo.name, _command(demo))
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list of commands in the help, grouped; no demo is imported for it."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for name, command in self.commands.items():
            groups.setdefault(getattr(command, "rich_help_panel", None) or "Commands", []).append(
                (name, command.get_short_help_str(limit=200))
            )
        for entry in catalog.entries():
            groups.setdefault(f"Demos: {entry.acts_on}", []).append((entry.name, entry.what))
        for title, rows in groups.items():
            with formatter.section(title):
                formatter.write_dl(rows)


def _command(demo: Demo) -> TyperCommand:
    def run(*, as_json: bool, save: Path | None, **values: Any) -> None:
        check_save(save)
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
