"""A control for each parameter of a demo, made from its range: a slider over steps, with the number in a field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from regdemo.catalog import Demo
from regdemo.errors import ArgumentError
from regdemo.parameters import SEED, Range

SEED_RANGE = Range("seed", "integer", 0, SEED.low, SEED.high, 1, "linear", SEED.allowed, SEED.help)
MOST_STEPS = 1_000  # steps of a slider


@dataclass(frozen=True)
class Control:
    """A parameter's range with its value, and the steps that its slider goes through."""

    range: Range
    value: Any
    steps: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """The parameter's name."""
        return self.range.name

    @property
    def at(self) -> int:
        """Where the slider is: the step nearest to the value."""
        return min(range(len(self.steps)), key=lambda index: abs(self.steps[index] - self.value), default=0)


def controls(demo: Demo, values: Mapping[str, Any]) -> list[Control]:
    """The controls of a demo with their values, the seed last and without a slider."""
    found = [Control(one, values.get(one.name, one.default), tuple(_steps(one))) for one in demo.ranges]
    return [*found, Control(SEED_RANGE, values.get("seed", 0))]


def parsed(demo: Demo, query: Mapping[str, str]) -> dict[str, Any]:
    """The values in an address or a form, those that are not there at their defaults.

    Raises ArgumentError for one that isn't a number, or is outside its range.
    """
    values: dict[str, Any] = {}
    for name, (kind, _, default) in demo.parameters.items():
        text = query.get(name, "")
        if kind is bool:
            values[name] = query.get(name, str(default)).casefold() in ("on", "true", "1")
        elif name not in query or (not text.strip() and kind is not str):
            values[name] = default
        else:
            try:
                values[name] = text if kind is str else kind(text.replace(",", "").strip())
            except ValueError:
                what = "a whole number" if kind is int else "a number"
                raise ArgumentError(f"{name} = {text[:40]!r} isn't {what}") from None
    demo.check(**values)
    return values


def changed(demo: Demo, values: Mapping[str, Any]) -> dict[str, str]:
    """The values that are not at their defaults, as an address holds them."""
    return {
        name: ("on" if values[name] else "off") if kind is bool else f"{values[name]}"
        for name, (kind, _, default) in demo.parameters.items()
        if values[name] != default
    }


def _steps(one: Range) -> Iterator[float]:
    """Equal steps, or 1, 2, 3, 5 and 7 in each power of ten for equal ratios; always both ends and the default."""
    if one.kind in ("text", "switch"):
        return
    kind = int if one.kind == "integer" else float
    if one.scale == "linear" and (one.high - one.low) / one.step <= MOST_STEPS:
        count = round((one.high - one.low) / one.step)
        found = [kind(round(one.low + one.step * index, 10)) for index in range(count + 1)]
    else:
        lowest = one.low if one.low > 0 else one.step
        powers = takewhile(lambda power: power <= one.high, (10.0**exponent for exponent in range(-9, 12)))
        inside = (kind(round(factor * power, 10)) for power in powers for factor in (1, 2, 3, 5, 7))
        found = [kind(one.low), *(value for value in inside if lowest <= value)]
    yield from sorted({*(value for value in found if value <= one.high), kind(one.high), one.default})
