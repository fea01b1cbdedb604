"""The catalog: every demo and every pitfall, found by its file and read from the head of its text.

A file of `demos/` or `pitfalls/` says what it is at its top, as plain literals below its docstring, whose first line is
the title, `Name: what it does`:

    SAY             what to say in the interview
    WRONG_ANSWER    the usual wrong answer
    CARDS           ids of the cards to try next
    ACTS_ON         of a demo, where its technique acts: one of PLACES
    PROVIDED_BY     of a demo whose technique is another library's, what to import
    BREAKS          of a pitfall, the stem of the demo whose technique it gets wrong

Listing them imports no demo; running one does. The interface for a face is

    demos(), pitfalls()                     what there is, in the order of the map
    demo(name), pitfall(name)               one of them, or ArgumentError with the nearest names
    demo(name).ranges                       its parameters, each as a control shows it
    run_demo(name, parameters, seed)        its Report
    run_pitfall(name, seed)
"""

from __future__ import annotations

import ast
import inspect
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from itertools import groupby
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, ClassVar, TypeVar, get_args

import torch

from regdemo.errors import ArgumentError, FileError, unknown_name
from regdemo.measure import Wrong
from regdemo.parameters import SEED, Parameter, Range, Words, range_of
from regdemo.report import Code, Report, Text
from regdemo.text import line_diff

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
FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Listing:
    """What the file of a demo or of a pitfall says about itself."""

    folder: ClassVar[str]
    stem: str
    title: str
    help: str
    say: str
    wrong_answer: str
    cards: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name as it is typed: drop_path is `drop-path`."""
        return self.stem.replace("_", "-")

    @property
    def label(self) -> str:
        """The name as it is written: `DP-SGD`, `SAM`."""
        return self.title.partition(": ")[0]

    @property
    def what(self) -> str:
        """The title without the name: what it does, or what goes wrong."""
        return self.title.partition(": ")[2]

    @property
    def module(self) -> ModuleType:
        """The imported file."""
        return import_module(f"regdemo.{self.folder}.{self.stem}")

    @property
    def wrong(self) -> list[Wrong]:
        """Wrong implementations, or fixes that people propose and that do not help: each fails one of the claims."""
        return list(getattr(self.module, "WRONG", []))


@dataclass(frozen=True)
class Demo(Listing):
    """A demo, written down in `demos/STEM.py`.

    Besides its head, the file has a function STEM(*, ..., seed) -> Measurement, whose parameters are
    `Annotated[type, Parameter or Words]` with a default, and WRONG, the wrong implementations that its claims notice.
    """

    folder = "demos"
    acts_on: str
    provided_by: str

    @property
    def command(self) -> str:
        """What to type to see it."""
        return f"regdemo {self.name}"

    @property
    def function(self) -> FunctionType:
        """What measures. Raises FileError if the file has no function of its stem."""
        function = getattr(self.module, self.stem, None)
        if not isinstance(function, FunctionType):
            raise FileError(f"demos/{self.stem}.py has no function {self.stem}: write one that returns a Measurement")
        return function

    @property
    def signature(self) -> inspect.Signature:
        """The function's signature, annotations resolved."""
        return inspect.signature(self.function, eval_str=True)

    @property
    def parameters(self) -> dict[str, tuple[type, Parameter | Words, Any]]:
        """Each parameter's type, what it may be, and its default; the seed comes last."""
        found = {}
        for p in self.signature.parameters.values():
            kind, *metadata = get_args(p.annotation)
            (allowed,) = [item for item in metadata if isinstance(item, Parameter | Words)]
            found[p.name] = kind, allowed, p.default
        return found

    @property
    def ranges(self) -> tuple[Range, ...]:
        """The parameters as controls show them, without the seed."""
        return tuple(
            range_of(name, kind, allowed, default)
            for name, (kind, allowed, default) in self.parameters.items()
            if allowed is not SEED
        )

    def check(self, **values: Any) -> None:
        """Raise ArgumentError on an unknown parameter, or on a value outside its range."""
        parameters = self.parameters
        for name in values:
            if name not in parameters:
                raise ArgumentError(f"{self.name} has no parameter {name!r}: it has {', '.join(parameters)}")
        for name, (_, allowed, default) in parameters.items():
            try:
                allowed.check(name, values.get(name, default))
            except (TypeError, AttributeError):
                raise ArgumentError(f"{name} = {values[name]!r} is not allowed: it must be {allowed.allowed}") from None

    def run(self, **values: Any) -> Report:
        """Run the demo; raise ArgumentError as `check` does."""
        self.check(**values)
        measured = self.function(**values)
        defaults = {name: default for name, (_, _, default) in self.parameters.items()}
        return Report(
            title=measured.title,
            parameters={**defaults, **values},
            claims=measured.claims,
            blocks=measured.blocks,
            say=self.say,
            wrong_answer=self.wrong_answer,
            cards=list(self.cards),
            picture=measured.picture,
        )


@dataclass(frozen=True)
class Pitfall(Listing):
    """A snippet that is copied everywhere and wrong, written down in `pitfalls/STEM.py` with its fix.

    Besides its head, the file has `broken` and `fixed`, functions or classes, and measure() -> (claims, blocks).
    """

    folder = "pitfalls"
    technique: Demo

    @property
    def command(self) -> str:
        """What to type to open it."""
        return f"regdemo pitfalls {self.name}"

    @property
    def acts_on(self) -> str:
        """Where the technique acts that it gets wrong."""
        return self.technique.acts_on

    def run(self, *, seed: int = 0) -> Report:
        """Run the snippet and its fix, and report what each does. The code in the report is the code that ran.

        Raises ArgumentError for a seed outside its range. The global random states are left as found.
        """
        SEED.check("seed", seed)
        module = self.module
        broken, fixed = inspect.getsource(module.broken), inspect.getsource(module.fixed)
        with _global_generators(seed):
            claims, blocks = module.measure()
        return Report(
            title=self.title,
            parameters={"seed": seed},
            claims=[claim if claim.code else replace(claim, code="broken") for claim in claims],
            blocks=[
                Text(self.help.partition("\n\n")[2].replace("\n", " ")),
                Code("The snippet", broken.rstrip()),
                *blocks,
            ],
            say=self.say,
            wrong_answer=self.wrong_answer,
            cards=list(self.cards),
            picture=[
                Code("The fix", line_diff(broken, fixed), "diff", f"More: `{self.technique.command}`"),
            ],
        )


def run_demo(name: str, parameters: Mapping[str, Any] | None = None, seed: int = 0) -> Report:
    """Run a demo by its name, or by its stem.

    Raises ArgumentError if there is none, for a parameter that it does not have, and for a value outside its range.

    >>> run_demo("dropout", {"p": 0.3}).holds
    True
    """
    return demo(name).run(**{**(parameters or {}), "seed": seed})


def run_pitfall(name: str, seed: int = 0) -> Report:
    """Run a pitfall by its name, or by its stem. Raises ArgumentError if there is none."""
    return pitfall(name).run(seed=seed)


@cache
def demos() -> tuple[Demo, ...]:
    """Every demo by where it acts, then by name: the map of the field. Raises FileError for a file that is none."""
    found = []
    for path in _files(Demo.folder):
        head, listing = _head(path), _listing(path)
        acts_on = head.get("ACTS_ON")
        if acts_on not in PLACES:
            raise FileError(f"demos/{path.name} has ACTS_ON = {acts_on!r}: choose one of {', '.join(PLACES)}")
        found.append(Demo(**vars(listing), acts_on=acts_on, provided_by=head.get("PROVIDED_BY", "")))
    return tuple(sorted(found, key=lambda demo: (PLACES.index(demo.acts_on), demo.name)))


@cache
def pitfalls() -> tuple[Pitfall, ...]:
    """Every pitfall, in the order of the techniques that they break. Raises FileError for a file that is none."""
    techniques = {demo.stem: demo for demo in demos()}
    found = []
    for path in _files(Pitfall.folder):
        breaks = _head(path).get("BREAKS")
        if breaks not in techniques:
            raise FileError(f"pitfalls/{path.name} has BREAKS = {breaks!r}: name the stem of a demo")
        found.append(Pitfall(**vars(_listing(path)), technique=techniques[breaks]))
    order = list(techniques)
    return tuple(sorted(found, key=lambda pitfall: (order.index(pitfall.technique.stem), pitfall.stem)))


def by_place() -> dict[str, list[Demo]]:
    """The demos by where their techniques act."""
    return {place: list(here) for place, here in groupby(demos(), lambda demo: demo.acts_on)}


def stems_by_place() -> dict[str, list[str]]:
    """Where techniques act, each with the stems of its demos: names for several topics of the bank."""
    return {place: [demo.stem for demo in here] for place, here in by_place().items()}


def demo(name: str) -> Demo:
    """The demo of this name, or of this stem. Raises ArgumentError, with the nearest names, if there is none."""
    return _find(demos(), name, "demo", "list")


def pitfall(name: str) -> Pitfall:
    """The pitfall of this name, or of this stem. Raises ArgumentError, with the nearest names, if there is none."""
    return _find(pitfalls(), name, "pitfall", "pitfalls")


Found = TypeVar("Found", Demo, Pitfall)


def _find(listings: tuple[Found, ...], name: str, kind: str, command: str) -> Found:
    names = {listing.name: listing for listing in listings}
    found = names.get(name.replace("_", "-"))
    if found is None:
        raise unknown_name(kind, name, names, command)
    return found


def _files(folder: str) -> list[Path]:
    return sorted((FOLDER / folder).glob("[!_]*.py"))


@cache
def _head(path: Path) -> dict[str, Any]:
    """The docstring, as `__doc__`, and the literals that are assigned above the first function or class."""
    text = path.read_text(encoding="utf-8")
    end = min((at for word in ("\ndef ", "\nclass ", "\n@") if (at := text.find(word)) >= 0), default=len(text))
    try:
        tree = ast.parse(text[:end])
    except SyntaxError as error:
        raise FileError(f"{path.parent.name}/{path.name}:{error.lineno}: {error.msg}") from error
    head: dict[str, Any] = {"__doc__": ast.get_docstring(tree) or ""}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                head[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue  # computed, so no part of what the catalog reads
    return head


def _listing(path: Path) -> Listing:
    """What every file says about itself. Raises FileError with what is missing."""
    head, place = _head(path), f"{path.parent.name}/{path.name}"
    title = head["__doc__"].partition("\n")[0].rstrip(".")
    if ": " not in title:
        raise FileError(f'{place} must begin with a docstring of the form """Name: what it does. ...""", got {title!r}')
    for name in ("SAY", "WRONG_ANSWER", "CARDS"):
        if not head.get(name):
            raise FileError(f"{place} has no {name}: write it above the first function, without computing it")
    return Listing(path.stem, title, head["__doc__"], head["SAY"], head["WRONG_ANSWER"], tuple(head["CARDS"]))


@contextmanager
def _global_generators(seed: int) -> Iterator[None]:
    """The global generators of torch and Python, which snippets draw from, seeded for a while."""
    state = random.getstate()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(state)
