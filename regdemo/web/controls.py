"""A control for each parameter of a demo, made from its range: a slider over steps, with the number in a field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import log10
from typing import Any, get_args

from regdemo.catalog import Demo
from regdemo.errors import ArgumentError
from regdemo.parameters import SEED, Parameter, Words

FEW = 200  # whole numbers in a range that a slider steps through one by one
HUNDREDTHS = 100  # steps of a range of fractions


@dataclass(frozen=True)
class Control:
    """What a form shows for one parameter. kind: number, check or text. steps: what a slider goes through."""

    name: str
    kind: str
    value: Any
    default: Any
    help: str
    allowed: str = ""
    low: float = 0
    high: float = 0
    step: str = "any"
    steps: tuple[float, ...] = ()

    @property
    def label(self) -> str:
        """The parameter's name in words."""
        return self.name.replace("_", " ")

    @property
    def at(self) -> int:
        """Where the slider is: the step nearest to the value."""
        return min(range(len(self.steps)), key=lambda index: abs(self.steps[index] - self.value), default=0)


def controls(demo: Demo, values: Mapping[str, Any]) -> list[Control]:
    """The controls of a demo with their values, the seed last."""
    found = [_control(name, p, values.get(name, p.default)) for name, p in demo.signature.parameters.items()]
    return sorted(found, key=lambda control: control.name == "seed")


def parsed(demo: Demo, query: Mapping[str, str]) -> dict[str, Any]:
    """The values in an address or a form, those that are not there at their defaults.

    Raises ArgumentError for one that is no number, or is outside its range.
    """
    values: dict[str, Any] = {}
    for name, parameter in demo.signature.parameters.items():
        kind = get_args(parameter.annotation)[0]
        if kind is bool:
            values[name] = query.get(name, str(parameter.default)).casefold() in ("on", "true", "1")
            continue
        text = query.get(name, "")
        if name not in query or (not text.strip() and kind is not str):
            values[name] = parameter.default
            continue
        try:
            values[name] = kind(text.replace(",", "").strip()) if kind in (int, float) else text
        except ValueError:
            what = "a whole number" if kind is int else "a number"
            raise ArgumentError(f"{name} = {text[:40]!r} isn't {what}") from None
    demo.check(**values)
    return values


def changed(demo: Demo, values: Mapping[str, Any]) -> dict[str, str]:
    """The values that are not at their defaults, as an address holds them."""
    return {
        name: ("on" if values[name] else "off") if isinstance(values[name], bool) else f"{values[name]}"
        for name, parameter in demo.signature.parameters.items()
        if values[name] != parameter.default
    }


def _control(name: str, parameter: Any, value: Any) -> Control:
    kind, *metadata = get_args(parameter.annotation)
    allowed = next(item for item in metadata if isinstance(item, Parameter | Words))
    if isinstance(allowed, Words) or kind is str:
        return Control(name, "text", value, parameter.default, allowed.help, allowed.allowed)
    if kind is bool:
        return Control(name, "check", value, parameter.default, allowed.help)
    steps = () if allowed is SEED else tuple(sorted({*_steps(kind, allowed), parameter.default}))
    return Control(
        name, "number", value, parameter.default, allowed.help, allowed.allowed, allowed.low, allowed.high,
        "1" if kind is int else "any", steps,
    )  # fmt: skip


def _steps(kind: type, allowed: Parameter) -> Iterator[float]:
    """One by one where they are few; in hundredths of a range of fractions; else by 1, 2, 5 in each power of ten."""
    low, high = allowed.low, allowed.high
    if kind is int and high - low <= FEW:
        yield from range(int(low), int(high) + 1)
    elif kind is float and high - low <= 1:
        last = HUNDREDTHS - 1 if allowed.below else HUNDREDTHS
        yield from (round(low + (high - low) * index / HUNDREDTHS, 10) for index in range(last + 1))
    else:
        if low <= 0:
            yield kind(0)
        first = int(log10(low)) if low > 0 else (0 if kind is int else -3)
        for power in range(first, int(log10(max(high, 1))) + 1):
            for factor in (1, 2, 3, 5, 7):
                value = kind(round(factor * 10.0**power, 10))
                if low <= value <= high and not (allowed.below and value == high):
                    yield value
        if not allowed.below:
            yield kind(high)
