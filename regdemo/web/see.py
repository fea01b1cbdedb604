"""A card's `See it` as a page here. Decks come from strangers: a command is read as words and never run as one."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import urlencode

from regdemo import catalog, diagnoses
from regdemo.errors import ArgumentError
from regdemo.lab import techniques
from regdemo.web import controls


class Link(NamedTuple):
    """Where a command's result is to be seen. demo: whether it can be shown next to the card."""

    command: str
    address: str
    demo: str = ""
    query: str = ""


def link(command: str) -> Link | None:
    """The page of a demo, a pitfall, a run to diagnose or a comparison; None for a command that has none."""
    try:
        program, name, *words = shlex.split(command)
    except ValueError:
        return None
    stem = name.replace("-", "_")
    if program != "regdemo":
        return None
    if stem in {demo.stem for demo in catalog.demos()}:
        query = _demo_query(catalog.demo(stem), words)
        if query is None:
            return None
        address = f"/demos/{name}"
        return Link(command, f"{address}?{query}" if query else address, name, query)
    if name == "pitfalls":
        names = {pitfall.name for pitfall in catalog.pitfalls()}
        return Link(command, f"/pitfalls/{words[0]}" if words and words[0] in names else "/pitfalls")
    if name == "diagnose" and words and words[0] in diagnoses.names():
        return Link(command, f"/diagnose/{words[0]}")
    if name in ("compare", "combine"):
        return Link(command, f"/compare?{urlencode(_training(name, words), doseq=True)}")
    return Link(command, "/demos") if name == "list" else None


def links(commands: Iterable[str]) -> list[Link]:
    """The pages of those commands that have one."""
    return [found for command in commands if (found := link(command))]


def _demo_query(demo: catalog.Demo, words: Sequence[str]) -> str | None:
    """A demo's options as an address holds them; None where one is unknown or outside its range."""
    values: dict[str, str] = {}
    parameters = demo.parameters
    rest = list(words)
    while rest:
        option, given, value = rest.pop(0).partition("=")
        name = option.removeprefix("--").replace("-", "_")
        if not option.startswith("--") or name not in parameters or parameters[name][0] not in (int, float):
            return None  # a text or a switch may load a model: the learner has to ask for that
        if not given:
            if not rest:
                return None
            value = rest.pop(0)
        values[name] = value
    try:
        return urlencode(controls.changed(demo, controls.parsed(demo, values)))
    except ArgumentError:
        return None


def _training(name: str, words: Sequence[str]) -> dict[str, list[str]]:
    """The techniques and the task of a comparison."""
    found: dict[str, list[str]] = {"arms": [word for word in words if word in techniques.TECHNIQUES]}
    for option, value in pairwise(words):
        if option == "--task":
            found["task"] = [value]
    return found | ({"combine": ["on"]} if name == "combine" else {})
