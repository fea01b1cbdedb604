"""What can be compared, and within which ranges: apart, so that a command's help need import nothing more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

from regdemo.errors import ArgumentError
from regdemo.lab.recipe import Recipe, Technique, describe, parameters
from regdemo.lab.techniques import TECHNIQUES
from regdemo.parameters import Parameter, count

SEEDS = count("Networks of each arm, paired by seed.", 8, 10_000)
EPOCHS = count("Passes over the training examples.", 1, 100_000)
TRAIN_SIZE = count("Train on the first N examples only.", 2, 10**9)
WORKERS = count("Cells that are trained at the same time.", 1, 10_000)
LABEL_NOISE = Parameter("Share of the training labels replaced by another class.", 0, 0.9)
NONE = "none"


def lists(values: Mapping[str, float | Sequence[float]]) -> dict[str, list[float]]:
    """The values given for each parameter as a list, of one where one was given.

    >>> lists({"p": 0.5, "rho": (1, 2)})
    {'p': [0.5], 'rho': [1.0, 2.0]}
    """
    return {k: [float(v) for v in some] if isinstance(some, Iterable) else [some] for k, some in values.items()}


def shown(given: Mapping[str, list[float]]) -> dict[str, Any]:
    """What a report shows of the values given: one as it is, several in a line."""
    return {k: some[0] if len(some) == 1 else ", ".join(f"{v:g}" for v in some) for k, some in given.items()}


def takers(parameter: str) -> list[str]:
    """The techniques that take a parameter of this name."""
    return [name for name, technique in TECHNIQUES.items() if parameter in parameters(technique)]


def arms(
    techniques: list[str], values: dict[str, list[float]], *, against: str, offers: frozenset[str], task: str
) -> list[Recipe]:
    """The recipes to train: what to compare with, then each technique at each of the values given for it.

    values: for a parameter, the values to try; a technique that takes several tries them in every combination.
    offers: what the task has to offer, under its name.
    Raises ArgumentError for a technique that is unknown or does not fit the task, a parameter that none of them takes,
    a value out of range, a reference with several values, and arms that are the same.
    """
    if not techniques:
        raise ArgumentError(f"there is nothing to compare: name a technique, such as {next(iter(fitting(offers)))}")
    for name in values:
        if not any(name in parameters(find(technique, offers, task)) for technique in [*techniques, against]):
            raise ArgumentError(
                f"{name} is no parameter of {' or '.join(techniques)}: it belongs to {', '.join(takers(name))}"
                if takers(name)
                else f"there is no parameter {name}"
            )
    reference = variants(find(against, offers, task), values)
    if len(reference) > 1:
        raise ArgumentError(f"{against} is what the others are compared with: give it one value, not {len(reference)}")
    made = [*reference, *(t for name in techniques for t in variants(find(name, offers, task), values))]
    recipes = [Recipe(describe(t), (t,)) if type(t) is not Technique else Recipe(NONE) for t in made]
    names = [recipe.name for recipe in recipes]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ArgumentError(f"{min(twice)!r} would be compared with itself: name it once")
    return recipes


def find(name: str, offers: frozenset[str], task: str) -> type[Technique]:
    """The technique of this name, if it fits the task; `NONE` is the one that does nothing."""
    if name == NONE:
        return Technique
    fits = fitting(offers)
    stem = name.replace("_", "-")
    if stem not in TECHNIQUES:
        raise ArgumentError(f"{name!r} cannot be compared: choose {', '.join(fits)}")
    if stem not in fits:
        raise ArgumentError(f"{stem} does not fit the task {task}: those that fit are {', '.join(fits)}")
    return TECHNIQUES[stem]


def fitting(offers: frozenset[str]) -> list[str]:
    """The techniques for which a task offers what they need."""
    return [name for name, technique in TECHNIQUES.items() if offers >= technique.NEEDS]


def variants(technique: type[Technique], values: dict[str, list[float]]) -> list[Technique]:
    """The technique at each combination of the values given for its parameters."""
    own = parameters(technique)
    given = {
        name: [_checked(name, value, *own[name]) for value in some] for name, some in values.items() if name in own
    }
    return [technique(**dict(zip(given, combination, strict=True))) for combination in product(*given.values())]


def _checked(name: str, value: float, kind: type, default: float, allowed: Parameter) -> float:
    allowed.check(name, value)
    if kind is int and value != int(value):
        raise ArgumentError(f"{name} = {value} is not allowed: it must be a whole number, {allowed.allowed}")
    return int(value) if kind is int else float(value)
