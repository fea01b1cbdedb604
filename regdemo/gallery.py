"""The gallery of pitfalls: snippets that are copied everywhere and wrong, each found by its file in `pitfalls/`."""

from __future__ import annotations

import difflib
import inspect
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from regdemo import catalog
from regdemo.errors import ArgumentError, FileError
from regdemo.parameters import SEED

if TYPE_CHECKING:
    from regdemo.report import Report

HEAD = re.compile(r'"""(?P<title>[^\n]+?)\.?\n.*?^BREAKS = "(?P<breaks>\w+)"', re.DOTALL | re.MULTILINE)


class Pitfall(NamedTuple):
    """A pitfall's line in the gallery, read from the text of its file."""

    stem: str
    title: str
    technique: catalog.Entry

    @property
    def name(self) -> str:
        """What to call it: token_noise is opened by `regdemo pitfalls token-noise`."""
        return self.stem.replace("_", "-")

    @property
    def command(self) -> str:
        """What to type to open it."""
        return f"regdemo pitfalls {self.name}"

    @property
    def what(self) -> str:
        """The title without the name: what goes wrong."""
        return self.title.partition(": ")[2]


@cache
def pitfalls() -> tuple[Pitfall, ...]:
    """Every pitfall, in the order of the techniques they break. Reads the files' text: importing them takes torch.

    Raises FileError for a file that is no pitfall.
    """
    techniques = {entry.stem: entry for entry in catalog.entries()}
    found = []
    for path in (Path(__file__).parent / "pitfalls").glob("[!_]*.py"):
        head = HEAD.match(path.read_text(encoding="utf-8"))
        if head is None or ": " not in head["title"] or head["breaks"] not in techniques:
            raise FileError(
                f'pitfalls/{path.name} must begin with a docstring of the form """Name: what goes wrong. ...""" and '
                "have a constant BREAKS that names a demo"
            )
        found.append(Pitfall(path.stem, head["title"], techniques[head["breaks"]]))
    order = list(techniques)
    return tuple(sorted(found, key=lambda pitfall: (order.index(pitfall.technique.stem), pitfall.stem)))


def find(name: str) -> Pitfall:
    """The pitfall of this name, or of this stem. Raises ArgumentError, with the nearest names, if there is none."""
    names = {pitfall.name: pitfall for pitfall in pitfalls()}
    found = names.get(name.replace("_", "-"))
    if found is None:
        near = " or ".join(map(repr, difflib.get_close_matches(name, names)))
        raise ArgumentError(
            f"there is no pitfall {name!r}: {f'did you mean {near}? ' if near else ''}`regdemo pitfalls` lists them all"
        )
    return found


def run(pitfall: Pitfall, *, seed: int = 0) -> Report:
    """Run the snippet and its mended twin, and report what each does. The code in the report is the code that ran.

    Raises ArgumentError for a seed outside its range. The global random states are left as found.
    """
    from regdemo.report import Code, Report, Text

    SEED.check("seed", seed)
    module = import_module(f"regdemo.pitfalls.{pitfall.stem}")
    broken, mended = inspect.getsource(module.broken), inspect.getsource(module.mended)
    with _seeded(seed):
        claims, blocks = module.measure()
    _, _, story = (inspect.getdoc(module) or "").partition("\n\n")
    return Report(
        title=pitfall.title,
        parameters={"seed": seed},
        claims=claims,
        blocks=[
            Text(story.replace("\n", " ")),
            Code("The snippet", broken.rstrip()),
            *blocks,
            Code(
                "What mends it", _diff(broken, mended), "diff", f"More on the technique: `{pitfall.technique.command}`"
            ),
        ],
        say=module.SAY,
        wrong_answer=module.WRONG_ANSWER,
        cards=list(module.CARDS),
    )


def _diff(broken: str, mended: str) -> str:
    """Every line of both: those that go, those that come, those that stay."""
    before, after = broken.splitlines(), mended.splitlines()
    return "\n".join([*difflib.unified_diff(before, after, n=len(before), lineterm="")][3:])


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """The global generators of torch and Python, which such snippets draw from, seeded for a while."""
    import torch

    state = random.getstate()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(state)
