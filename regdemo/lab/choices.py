"""What can be compared, and within which ranges: a module of its own, which is all that a command's help imports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import product
from typing import Any

from regdemo.errors import ArgumentError
from regdemo.lab.recipe import Recipe, Technique, describe, parameters
from regdemo.lab.techniques import TECHNIQUES
from regdemo.parameters import Parameter, count

SEEDS = count("Networks of each arm, paired by seed.", 8, 10_000)
EPOCHS = count("Passes over the training examples.", 1, 100_000)
TRAIN_SIZE = count("Train on the first N examples only; of a table, on N random rows of each split.", 2, 10**9)
WORKERS = count("Processes that train at the same time, each a job of a few networks.", 1, 10_000)
TUNE = count("Learning rates to try for each arm on validation data, before the comparison.", 1, 100)
LABEL_NOISE = Parameter("Fraction of the training labels replaced by another class.", 0, 0.9)
NONE = "none"
FACTORS = (2, 5)  # techniques to combine, at least and at most: with 5 there are 32 arms
STRENGTH = "strength"  # in an arm's words, the first parameter of any technique

FINETUNING = (  # what a pretrained network is fine-tuned with by default
    "dropout",
    "annealed-dropout",
    "layerwise-dropout",
    "mixout",
    "weight-decay",
    "l2-sp",
    "embedding-noise",
    "early-stopping",
)

Values = Mapping[str, Sequence[float]]


def lists(values: Mapping[str, float | Sequence[float]]) -> dict[str, list[float]]:
    """The values given for each parameter as a list, of one where one was given.

    >>> lists({"p": 0.5, "rho": (1, 2)})
    {'p': [0.5], 'rho': [1.0, 2.0]}
    """
    return {k: [float(v) for v in some] if isinstance(some, Iterable) else [some] for k, some in values.items()}


def display_values(given: Mapping[str, list[float]]) -> dict[str, Any]:
    """What a report shows of the values given: one as it is, several in a line."""
    return {k: some[0] if len(some) == 1 else ", ".join(f"{v:g}" for v in some) for k, some in given.items()}


@cache
def takers() -> dict[str, list[str]]:
    """The techniques that take a parameter, for the name of each parameter."""
    found: dict[str, list[str]] = {}
    for name, technique in TECHNIQUES.items():
        for parameter in parameters(technique):
            found.setdefault(parameter, []).append(name)
    return found


def arms(words: Sequence[str], values: Values, *, against: str, offers: frozenset[str], task: str) -> list[Recipe]:
    """The recipes to train: what to compare with, then each arm, at each of the values given for its techniques.

    words: an arm each, as in `recipes`; if the first is none, it is what the others are compared with.
    values: for a parameter, the values to try; a technique that takes several tries them in every combination, unless
    the arm's own words say which.
    offers: what the task has to offer, under its name.
    Raises ArgumentError for a technique that is unknown or does not fit the task, a parameter that none of them takes,
    a value out of range, a reference with several values, and arms that are the same.
    """
    words = list(words)
    if words[:1] == [NONE] and against == NONE and len(words) > 1:
        words = words[1:]
    if not words:
        raise ArgumentError(f"there is nothing to compare: name a technique, such as {next(iter(fitting(offers)))}")
    for name in values:
        named = [part.partition(":")[0] for word in [*words, against] for part in word.split("+")]
        if not any(name in parameters(find(technique, offers, task)) for technique in named):
            raise ArgumentError(
                f"{name} isn't a parameter of {' or '.join(words)}: it belongs to {', '.join(takers()[name])}"
                if name in takers()
                else f"there is no parameter {name}"
            )
    reference = recipes(against, values, offers, task)
    if len(reference) > 1:
        raise ArgumentError(f"{against} is what the others are compared with: give it one value, not {len(reference)}")
    made = [*reference, *(recipe for word in words for recipe in recipes(word, values, offers, task))]
    names = [recipe.name for recipe in made]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ArgumentError(f"{min(twice)!r} would be compared with itself: name it once")
    return made


def factors(names: Sequence[str], values: Values, offers: frozenset[str], task: str) -> list[Technique]:
    """The techniques at the values given; raise ArgumentError unless there are enough, each once, each with one."""
    if NONE in names:
        raise ArgumentError(f"{NONE!r} isn't a technique: the arm without any is always there")
    least, most = FACTORS
    if not least <= len(names) <= most:
        raise ArgumentError(f"techniques to combine: {len(names)} given, and it must be from {least} to {most}")
    for name, some in values.items():
        if len(some) > 1:
            raise ArgumentError(f"{name} has {len(some)} values: a technique is there or not, so give it one")
    made = [variants(find(name, offers, task), values) for name in names]
    taken = {name for (technique,) in made for name in vars(technique)}
    if unknown := [name for name in values if name not in taken]:
        raise ArgumentError(f"{unknown[0]} isn't a parameter of {' or '.join(names)}")
    return [technique for (technique,) in made]


def recipes(word: str, values: Values, offers: frozenset[str], task: str) -> list[Recipe]:
    """The arm in words, such as "dropout:p=0.2+weight-decay:strength=0.1", at each of the values that it leaves open.

    A technique's parameters follow a colon, parted by commas; `strength`, or a number alone, is its first parameter.

    >>> [found] = recipes("dropout:0.3+sam", {}, frozenset({"hidden"}), "a task")
    >>> found.name
    'dropout 0.3 + sam 0.2'
    """
    choices = []
    for part in word.split("+"):
        name, _, settings = part.strip().partition(":")
        technique = find(name, offers, task)
        choices.append(variants(technique, dict(values) | _settings(technique, settings, word)))
    return [recipe_of([t for t in some if type(t) is not Technique]) for some in product(*choices)]


def recipe_of(techniques: Sequence[Technique]) -> Recipe:
    """The recipe of these techniques, named after them."""
    return Recipe(" + ".join(describe(t) for t in techniques) or NONE, tuple(techniques))


def _settings(technique: type[Technique], text: str, word: str) -> dict[str, list[float]]:
    """The parameters in an arm's words: "p=0.1,part=0.3", "strength=0.1" or "0.1"."""
    own = parameters(technique)
    found: dict[str, list[float]] = {}
    for part in filter(None, text.split(",")):
        name, equals, number = part.rpartition("=")
        name = name.strip().replace("-", "_")
        if own and (not equals or (name == STRENGTH and name not in own)):
            name = next(iter(own))
        if name not in own:
            allowed = f"it takes {' and '.join(own)}" if own else "it takes none"
            raise ArgumentError(f"{word!r}: {part.strip()!r} isn't a parameter of {technique.NAME}: {allowed}")
        try:
            found[name] = [float(number)]
        except ValueError:
            raise ArgumentError(f"{word!r}: {part.strip()!r} must be a number, as in {name}=0.1") from None
    return found


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
    return [name for name, technique in TECHNIQUES.items() if offers >= technique.requires]


def variants(technique: type[Technique], values: Values) -> list[Technique]:
    """The technique at each combination of the values given for its parameters."""
    own = parameters(technique)
    given = {
        name: [_checked(name, value, *own[name]) for value in some] for name, some in values.items() if name in own
    }
    return [technique(**dict(zip(given, combination, strict=True))) for combination in product(*given.values())]


def _checked(name: str, value: float, kind: type, _: float, allowed: Parameter) -> float:
    allowed.check(name, value)
    if kind is int and value != int(value):
        raise ArgumentError(f"{name} = {value} is not allowed: it must be a whole number, {allowed.allowed}")
    return int(value) if kind is int else float(value)
