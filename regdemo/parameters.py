"""The types and ranges of a demo's parameters, said once: for its signature, its help, its checks, and its sliders."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log10
from typing import Any, Literal

from regdemo.errors import ArgumentError


@dataclass(frozen=True)
class Parameter:
    """What a parameter means and which numbers it may take, as metadata: `Annotated[float, rate("...")]`.

    The range is [low, high], or [low, high) with `below`; both ends are finite.
    """

    help: str
    low: float
    high: float
    below: bool = False

    @property
    def allowed(self) -> str:
        """The range in words."""
        low, high = bound_text(self.low), bound_text(self.high)
        return f"at least {low} and below {high}" if self.below else f"from {low} to {high}"

    def check(self, name: str, value: float) -> None:
        """Raise ArgumentError unless value is in the range, where NaN never is."""
        if not (self.low <= value < self.high if self.below else self.low <= value <= self.high):
            raise ArgumentError(f"{name} = {value:,} is not allowed: it must be {self.allowed}")


@dataclass(frozen=True)
class Words:
    """What a parameter that is a text means, and how many words it may have, as metadata like Parameter."""

    help: str
    low: int = 0
    high: int = 1_000

    @property
    def allowed(self) -> str:
        """The number of words, in words."""
        return f"from {self.low:,} to {self.high:,} words"

    def check(self, name: str, value: str) -> None:
        """Raise ArgumentError unless value has an allowed number of words."""
        if not self.low <= len(value.split()) <= self.high:
            raise ArgumentError(f"{name} has {len(value.split()):,} words: it must have {self.allowed}")


@dataclass(frozen=True)
class Range:
    """A parameter as a control shows it: what it may be, in which steps, and what it means.

    low, high and step are what a slider needs: `high` is allowed (where the range excludes its end, it is one step
    below it), and `scale` says whether equal distances are equal differences or equal ratios. A text has the bounds of
    its number of words; a switch is 0 or 1.
    """

    name: str
    kind: Literal["number", "integer", "switch", "text"]
    default: Any
    low: float
    high: float
    step: float
    scale: Literal["linear", "log"]
    words: str
    help: str


def range_of(name: str, kind: type, parameter: Parameter | Words, default: Any) -> Range:
    """The Range of a parameter of a demo.

    >>> range_of("p", float, rate("Drop probability."), 0.1)
    Range(name='p', kind='number', default=0.1, low=0, high=0.99, step=0.01, scale='linear', words='at least 0 and \
below 1', help='Drop probability.')
    >>> range_of("draws", int, count("Masks drawn.", 10, 10_000), 500).scale
    'log'
    """
    low, high = parameter.low, parameter.high
    kinds: dict[type, Literal["number", "integer", "switch", "text"]] = {int: "integer", bool: "switch", str: "text"}
    wide = kind is not str and low > 0 and high / low >= 1_000
    step = _hundredth(low if wide else high - low) if kind is float else 1
    if isinstance(parameter, Parameter) and parameter.below:
        high -= step
    return Range(
        name,
        kinds.get(kind, "number"),
        default,
        low,
        high,
        step,
        "log" if wide else "linear",
        "off or on" if kind is bool else parameter.allowed,
        parameter.help,
    )


def bound_text(value: float) -> str:
    """A bound as it is read aloud: thousands apart, no point where there is no fraction.

    >>> bound_text(1_000_000.0), bound_text(0.05), bound_text(1e-12)
    ('1,000,000', '0.05', '1e-12')
    """
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


def rate(help: str) -> Parameter:
    """A drop probability: 0 <= p < 1, since at 1 nothing survives to be rescaled."""
    return Parameter(help, 0, 1, below=True)


def count(help: str, low: int, high: int) -> Parameter:
    """A whole number from low to high."""
    return Parameter(help, low, high)


def flag(help: str) -> Parameter:
    """A switch that is off by default: False or True."""
    return Parameter(help, 0, 1)


def _hundredth(span: float) -> float:
    """The power of ten at or below a hundredth of the span."""
    return float(f"1e{floor(log10(span) + 1e-9) - 2}")


SEED = Parameter("Seed of every random draw; the same seed gives the same report.", 0, 2**32 - 1)
