"""Results for programs to read."""

from __future__ import annotations

import json
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def print_json(value: object) -> None:
    """Print JSON-ready values, indented, with characters as they are."""
    print(json.dumps(value, indent=2, ensure_ascii=False))
