"""What is wrong with a learner's file before it runs: found in milliseconds, without torch."""

from __future__ import annotations

import ast
from typing import NamedTuple

from pyflakes import checker, messages


class SourceFault(NamedTuple):
    """A line of the file, and what is wrong with it."""

    line: int
    message: str


def fault_in(source: str, file: str) -> SourceFault | None:
    """Why a file cannot pass: it isn't Python, uses a name that it defines nowhere, or imports the answers.

    >>> fault_in("def double(x):\\n    return two * x", "double.py")
    SourceFault(line=2, message="double.py, line 2: the name 'two' is defined nowhere: return two * x")
    >>> fault_in("def double(x): return 2 * x", "double.py")
    """
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        return _at(source, file, error.lineno or 0, error.msg)
    except (ValueError, RecursionError, MemoryError) as error:
        return SourceFault(0, f"{file} can't be read as Python: {error}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            if any(name.partition(".")[0] == "regdemo" for name in names):
                return _at(source, file, node.lineno, "regdemo holds the answers: write it yourself, with torch alone")
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):  # annotations may name what isn't imported
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
    try:
        found = checker.Checker(tree, filename=file).messages
    except RecursionError:  # an expression nested too deep to be checked runs all the same
        return None
    for one in sorted(found, key=lambda one: int(one.lineno)):
        if isinstance(one, messages.UndefinedName):
            return _at(source, file, one.lineno, f"the name {one.message_args[0]!r} is defined nowhere")
    return None


def _at(source: str, file: str, line: int, message: str) -> SourceFault:
    lines = source.splitlines()
    shown = f": {lines[line - 1].strip()}" if 0 < line <= len(lines) else ""
    place = f", line {line}" if line else ""
    return SourceFault(line, f"{file}{place}: {message}{shown}")
