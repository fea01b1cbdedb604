"""Runs to diagnose: each trains something small, in seconds, and returns the table or the log that a card asks about.

A run is a function without arguments that is noted by `@diagnosis`; its docstring's first line is the title of its
report and names the cause. It returns the tables: first what one sees, then what the next experiment shows.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

import sklearn

from regdemo.errors import unknown_name
from regdemo.report import Block, Report, Table

Diagnosis = Callable[[], list[Block]]
DIAGNOSES: dict[str, Diagnosis] = {}
CARDS: dict[str, tuple[str, ...]] = {}
MODULES = ("curves", "training", "splits", "models", "measured")


def diagnosis(*cards: str) -> Callable[[Diagnosis], Diagnosis]:
    """Note a run under its name, with the cards that ask about it."""

    def note(function: Diagnosis) -> Diagnosis:
        name = function.__name__.replace("_", "-")
        DIAGNOSES[name], CARDS[name] = function, cards
        return function

    return note


@cache
def names() -> dict[str, str]:
    """The title of each run by its name, read from the text of the files: importing them takes torch."""
    texts = (Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8") for module in MODULES)
    functions = (node for text in texts for node in ast.parse(text).body if isinstance(node, ast.FunctionDef))
    return {
        function.name.replace("_", "-"): (ast.get_docstring(function) or "").partition("\n")[0].rstrip(".")
        for function in functions
        if any(isinstance(each, ast.Call) and ast.unparse(each.func) == "diagnosis" for each in function.decorator_list)
    }


def report(name: str) -> Report:
    """Do one run. The same name gives the same report.

    Raises ArgumentError for an unknown name, with the nearest ones.

    >>> report("softmax-twice").title
    'The softmax is applied twice'
    """
    found = name.replace("_", "-")
    if found not in names():
        raise unknown_name("run", name, names(), "diagnose")
    for module in MODULES:
        _ = import_module(f"regdemo.diagnoses.{module}").diagnosis  # an attribute, since imports may be lazy
    # The data are ours: checking them again in each of a thousand small fits takes longer than fitting.
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        blocks = DIAGNOSES[found]()
    return Report(names()[found], {}, [], blocks, "", "", list(CARDS[found]))


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], note: str = "") -> Table:
    """A table of texts, as a card quotes it: floats get two decimals, or the digits that they were written with."""
    return Table(
        title, list(columns), [[f"{c:.2f}" if isinstance(c, float) else str(c) for c in row] for row in rows], note
    )
