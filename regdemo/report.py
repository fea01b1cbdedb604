"""What every demo returns: claims, and blocks to look at. Plain Python values only, no tensors."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from importlib import import_module
from typing import Any, Literal


@dataclass(frozen=True)
class Claim:
    """A statement checked against a measurement: it holds when |measured - expected| <= tolerance.

    formula says where `expected` comes from, reason why `tolerance` is what it is.  code: in a pitfall, which of the
    two codes it is about.  A measurement that is not a number never holds.
    """

    statement: str
    expected: float
    formula: str
    measured: float
    tolerance: float
    reason: str
    code: Literal["", "broken", "fixed"] = ""

    @property
    def holds(self) -> bool:
        """Whether the measurement agrees with the expectation."""
        return abs(self.measured - self.expected) <= self.tolerance


@dataclass(frozen=True)
class Interval:
    """An estimate with the interval around it, as a cell of a table."""

    value: float
    low: float
    high: float


Cell = str | int | float | Interval


@dataclass(frozen=True)
class Text:
    """A paragraph of prose."""

    text: str


@dataclass(frozen=True)
class Table:
    """Named columns over rows of cells."""

    title: str
    columns: list[str]
    rows: list[list[Cell]]
    note: str = ""


@dataclass(frozen=True)
class HeatMap:
    """A matrix of numbers as coloured blocks. low and high fix the ends of the scale."""

    title: str
    values: list[list[float]]
    low: float
    high: float
    row_label: str = ""
    column_label: str = ""
    note: str = ""


@dataclass(frozen=True)
class Series:
    """One curve: y over x, with a band from low to high where the two are given.

    style: "bars" rise from 0, each centred at its x and as wide as the gap between the first two.
    """

    name: str
    x: list[float]
    y: list[float]
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    style: Literal["line", "points", "bars"] = "line"


@dataclass(frozen=True)
class Curves:
    """Several curves over one pair of axes."""

    title: str
    x_label: str
    y_label: str
    series: list[Series]
    note: str = ""


@dataclass(frozen=True)
class Box:
    """Some values under one name, and an interval of their mean."""

    name: str
    values: list[float]
    mean: Interval


@dataclass(frozen=True)
class Boxes:
    """Box plots on one axis, 0 marked."""

    title: str
    unit: str
    boxes: list[Box]
    note: str = ""


@dataclass(frozen=True)
class Code:
    """Lines of a program, shown as they are; of a "diff", each begins with a blank, a minus or a plus."""

    title: str
    source: str
    language: Literal["python", "diff"] = "python"
    note: str = ""


Block = Text | Table | HeatMap | Curves | Boxes | Code


@dataclass(frozen=True)
class Measurement:
    """What a demo measured: the report without what is written down once for all parameters.

    picture: the blocks that show the technique, and that a short report shows.  blocks: the rest, in order.
    """

    title: str
    claims: list[Claim]
    blocks: list[Block]
    picture: list[Block] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether every claim holds."""
        return all(claim.holds for claim in self.claims)


@dataclass(frozen=True)
class Report:
    """A demo's result.

    parameters: what it ran with, seed included.  picture: the blocks that show the technique, and that a short report
    shows.  blocks: the rest, in order.  say: what to say in the interview.  wrong_answer: the usual wrong one.
    cards: ids of the cards to try next.
    """

    title: str
    parameters: dict[str, Any]
    claims: list[Claim]
    blocks: list[Block]
    say: str
    wrong_answer: str
    cards: list[str]
    picture: list[Block] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether every claim holds."""
        return all(claim.holds for claim in self.claims)

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON-ready values: each claim with `holds`, each block with its `kind`, no NaN or inf."""
        plain: dict[str, Any] = asdict(self)
        for claim, out in zip(self.claims, plain["claims"], strict=True):
            out["holds"] = claim.holds
        for key, blocks in (("picture", self.picture), ("blocks", self.blocks)):
            plain[key] = [
                {"kind": type(block).__name__.lower(), **out} for block, out in zip(blocks, plain[key], strict=True)
            ]
        return {key: _finite(value) for key, value in plain.items()}

    def _repr_html_(self) -> str:
        """The report as a notebook shows it."""
        # By name, since the writers import this module: a report must not need them to be made.
        html: str = import_module("regdemo.render.html").article(self)
        return html


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
