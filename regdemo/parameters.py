"""The types and ranges of a demo's parameters, said once: for its signature, its help and its checks."""

from __future__ import annotations

from dataclasses import dataclass

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
        return f"at least {self.low:,} and below {self.high:,}" if self.below else f"from {self.low:,} to {self.high:,}"

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


def rate(help: str) -> Parameter:
    """A drop probability: 0 <= p < 1, since at 1 nothing survives to be rescaled."""
    return Parameter(help, 0, 1, below=True)


def count(help: str, low: int, high: int) -> Parameter:
    """A whole number from low to high."""
    return Parameter(help, low, high)


def flag(help: str) -> Parameter:
    """A switch that is off by default: False or True."""
    return Parameter(help, 0, 1)


SEED = Parameter("Seed of every random draw; the same seed gives the same report.", 0, 2**32 - 1)
