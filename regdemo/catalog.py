"""The map of the field: every demo, found by its file in `demos/` and ordered by where its technique acts."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

from regdemo.errors import FileError
from regdemo.parameters import Parameter, Words

if TYPE_CHECKING:
    from regdemo.report import Report

PLACES = (
    "inputs",
    "activations",
    "attention",
    "paths",
    "weights",
    "targets",
    "gradients",
    "optimizers",
    "averaging",
    "schedules",
    "models",
)


HEAD = re.compile(r'"""(?P<title>.+?)\.?\n.*?^ACTS_ON = "(?P<acts_on>\w+)"', re.DOTALL | re.MULTILINE)


class Entry(NamedTuple):
    """A demo's line in the map, read from the text of its file."""

    stem: str
    title: str
    acts_on: str

    @property
    def name(self) -> str:
        """The command's name: drop_path is run as `regdemo drop-path`."""
        return self.stem.replace("_", "-")

    @property
    def command(self) -> str:
        """What to type to see it."""
        return f"regdemo {self.name}"

    @property
    def what(self) -> str:
        """The title without the technique's name: what it does."""
        return self.title.partition(": ")[2] or self.title


@dataclass(frozen=True)
class Demo:
    """A demo as it is written down in `demos/STEM.py`.

    That module has a docstring whose first line is the title, a constant ACTS_ON naming one of PLACES, and a function
    STEM(*, ..., seed) -> Report whose parameters are `Annotated[type, Parameter or Words]` with a default.
    """

    stem: str
    title: str
    help: str
    acts_on: str
    function: Callable[..., Report]

    @property
    def entry(self) -> Entry:
        """Its line in the map."""
        return Entry(self.stem, self.title, self.acts_on)

    @property
    def name(self) -> str:
        """The command's name."""
        return self.entry.name

    @property
    def command(self) -> str:
        """What to type to see it."""
        return self.entry.command

    @property
    def signature(self) -> inspect.Signature:
        """The function's signature, annotations resolved."""
        hints = get_type_hints(self.function, include_extras=True)
        signature = inspect.signature(self.function)
        return signature.replace(
            parameters=[p.replace(annotation=hints[p.name]) for p in signature.parameters.values()]
        )

    def check(self, **values: Any) -> None:
        """Raise ArgumentError on a value outside its parameter's range."""
        for name, parameter in self.signature.parameters.items():
            for allowed in getattr(parameter.annotation, "__metadata__", ()):
                if isinstance(allowed, Parameter | Words):
                    allowed.check(name, values.get(name, parameter.default))

    def run(self, **values: Any) -> Report:
        """Run the demo; raise ArgumentError as `check` does."""
        self.check(**values)
        return self.function(**values)


@cache
def stems() -> tuple[str, ...]:
    """The stems of all demos, in the order of the alphabet: the files of `demos/`, none imported."""
    folder = Path(__file__).parent / "demos"
    return tuple(sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__"))


@cache
def entries() -> tuple[Entry, ...]:
    """The map: every demo by where it acts, then by name. Reads the files' text, since importing them all is slow.

    Raises FileError, as `load` does, for a file that is no demo.
    """
    folder = Path(__file__).parent / "demos"
    found = []
    for stem in stems():
        head = HEAD.match((folder / f"{stem}.py").read_text(encoding="utf-8"))
        found.append(Entry(stem, **head.groupdict()) if head and head["acts_on"] in PLACES else load(stem).entry)
    return tuple(sorted(found, key=lambda entry: (PLACES.index(entry.acts_on), entry.name)))


@cache
def load(stem: str) -> Demo:
    """The demo of one stem; imports its module, which imports nothing heavy. Raises FileError if a part is missing."""
    module = import_module(f"regdemo.demos.{stem}")
    help = (inspect.getdoc(module) or "").strip()
    title = help.partition("\n")[0].rstrip(".")
    acts_on, function = getattr(module, "ACTS_ON", None), getattr(module, stem, None)
    if not title:
        raise FileError(f"demos/{stem}.py has no docstring: write one, its first line is the demo's title")
    if acts_on not in PLACES:
        raise FileError(f"demos/{stem}.py has ACTS_ON = {acts_on!r}: choose one of {', '.join(PLACES)}")
    if not inspect.isfunction(function):
        raise FileError(f"demos/{stem}.py has no function {stem}: write one that returns a Report")
    return Demo(stem, title, help, acts_on, function)


@cache
def demos() -> tuple[Demo, ...]:
    """Every demo, in the order of the map."""
    return tuple(load(entry.stem) for entry in entries())
