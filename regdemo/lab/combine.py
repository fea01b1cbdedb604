"""Several techniques together: a full factorial, and which of them help each other or do the same work twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from math import isnan, prod
from pathlib import Path
from typing import Any

from regdemo.errors import ArgumentError
from regdemo.lab.choices import NONE, find, lists, shown, variants
from regdemo.lab.compare import Source, Stopped, train
from regdemo.lab.findings import (
    LEVEL,
    Changes,
    capital,
    changes_table,
    chosen,
    cost_table,
    differences,
    digits,
    diverged,
    ended,
    level_table,
    listed,
    lost_runs,
    unit_of,
    verdict,
    what,
)
from regdemo.lab.metrics import BETTER, Scores
from regdemo.lab.recipe import Recipe, Technique, describe
from regdemo.lab.statistics import holm, mean_interval, p_value
from regdemo.lab.training import Evaluation, PairedTraining
from regdemo.report import Block, Claim, Report, Text

LEAST, MOST = 2, 5  # techniques: with 5 there are 32 arms

Subset = tuple[int, ...]  # the numbers of the techniques that an arm has, or that an effect is of


def combine(
    techniques: Sequence[str],
    *,
    task: str = "mnist1d",
    data: Path | None = None,
    target: str | None = None,
    label_noise: float = 0.0,
    train_size: int | None = None,
    seeds: int = 16,
    epochs: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    precision: str = "float32",
    clock: Callable[[], float] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    **values: float | Sequence[float],
) -> Report:
    """Train an arm for every subset of the techniques, paired by seed, and report main effects and interactions.

    The arguments are those of `compare`, and so is what it raises; a parameter has one value.
    """
    source, given = Source(task, data, target, label_noise, train_size, device, precision), lists(values)
    learned = source.prepared()
    chosen = _chosen(techniques, given, learned.offers, learned.title)
    recipes = [
        Recipe(" + ".join(describe(chosen[i]) for i in subset) or NONE, tuple(chosen[i] for i in subset))
        for subset in subsets(len(chosen))
    ]
    training, evaluations, claims, stopped = train(learned, recipes, seeds, epochs, seed, clock, progress)
    parameters = {"techniques": ", ".join(techniques)} | shown(given) | source.shown
    parameters |= {"seeds": seeds, "epochs": training.epochs, "seed": seed}
    report = _conclude(training, recipes, [describe(t) for t in chosen], evaluations[-1], claims, parameters)
    if stopped:
        raise Stopped(report)
    return report


def _chosen(names: Sequence[str], given: dict[str, list[float]], offers: frozenset[str], task: str) -> list[Technique]:
    """The techniques at the values given; raise ArgumentError unless there are enough, each once, each with one."""
    if NONE in names:
        raise ArgumentError(f"{NONE!r} is no technique: the arm without any is always there")
    if not LEAST <= len(names) <= MOST:
        raise ArgumentError(f"techniques to combine: {len(names)} given, and it must be from {LEAST} to {MOST}")
    for name, some in given.items():
        if len(some) > 1:
            raise ArgumentError(f"{name} has {len(some)} values: a technique is there or not, so give it one")
    made = [variants(find(name, offers, task), given) for name in names]
    taken = {name for (technique,) in made for name in vars(technique)}
    if unknown := [name for name in given if name not in taken]:
        raise ArgumentError(f"{unknown[0]} is no parameter of {' or '.join(names)}")
    return [technique for (technique,) in made]


def subsets(n: int) -> list[Subset]:
    """Every subset of n techniques, the empty one first, then by size."""
    return [subset for size in range(n + 1) for subset in combinations(range(n), size)]


def effect(of: Subset, arms: Mapping[Subset, Sequence[float]], n: int) -> list[float]:
    """A main effect or an interaction, seed by seed, from the metric of every arm of the factorial.

        effect = 1 / 2^(n - |of|) * sum over arms of  metric * product over t in `of` of (+1 with t, -1 without)

    of one: the mean of what it adds, over all settings of the others. Of two: by how much what the one adds is more
    with the other than without, again a mean over the rest. Of more: the same of the interaction of one fewer.
    Box, Hunter and Hunter 2005, Statistics for Experimenters, chapter 5.

    >>> arms = {(): [0.0], (0,): [1.0], (1,): [2.0], (0, 1): [2.5]}
    >>> effect((0,), arms, 2), effect((0, 1), arms, 2)
    ([0.75], [-0.5])
    """
    signs = {arm: prod(1 if t in arm else -1 for t in of) for arm in arms}
    rows = zip(*([signs[arm] * value for value in values] for arm, values in arms.items()), strict=True)
    # Rounded, so that settings that change nothing leave 0 and not what is lost in adding.
    return [round(sum(row) / 2 ** (n - len(of)), 12) for row in rows]


def _conclude(
    training: PairedTraining,
    recipes: Sequence[Recipe],
    names: Sequence[str],
    last: Evaluation,
    claims: list[Claim],
    parameters: dict[str, Any],
) -> Report:
    n, every, seeds, lost = len(names), subsets(len(names)), training.members, diverged(last)
    kept = [k for k in range(seeds) if not any(k in some for some in lost)]
    levels = [chosen(scores, kept) for scores in last.scores]
    headline, metrics = next(iter(levels[0])), [name for name in levels[0] if name in BETTER]

    blocks: list[Block] = []
    if len(kept) > 1:
        arms = {name: {arm: level[name] for arm, level in zip(every, levels, strict=True)} for name in metrics}
        effects = [{name: effect(of, arms[name], n) for name in metrics} for of in every[1:]]
        corrected = {name: holm([p_value(change[name]) for change in effects]) for name in metrics}
        blocks += map(Text, _verdicts(names, effects, corrected, levels))
        blocks += [
            changes_table(
                f"Effects after epoch {last.epoch}, over {len(kept)} seeds",
                [" x ".join(names[i] for i in of) for of in every[1:]],
                effects,
                corrected,
                "A main effect is what a technique adds, a mean over all settings of the others. An interaction, "
                "A x B, is by how much A adds more with B than without. 95% intervals by Student's t, paired by seed; "
                f"p-values corrected for the {len(effects)} effects of a metric by Holm's method.",
            ),
            level_table(f"Every combination of {n}", recipes, levels),
        ]
    else:
        blocks.append(Text(f"No verdict: {len(kept)} seed{'s' * (len(kept) != 1)} left, and an interval needs 2."))
    blocks += [Text(lost_runs(recipe.name, some, seeds)) for recipe, some in zip(recipes, lost, strict=True) if some]
    changes = [differences(levels[0], other) for other in levels[1:]]
    blocks.append(cost_table(training.task, recipes, training.arms, changes, headline if len(kept) > 1 else ""))
    blocks.append(Text(f"The data: {training.task.origin} The network: {training.task.network}."))
    early, stopped_at = ended(training, last)
    return Report(
        title=f"{capital(listed(names))} together on {training.task.title}, {2**n} arms, {seeds} paired seeds{early}",
        parameters=parameters | stopped_at,
        claims=claims,
        blocks=blocks,
        say=(
            "Two techniques that each help need not help twice: both may remove the same overfitting. I train all "
            f"combinations on the same seeds, and look at the interaction in {what(headline)}: what the second adds "
            "on top of the first, minus what it adds alone, with its interval."
        ),
        wrong_answer=(
            "'Each gained two points, so together they gain four.' Gains add up only where the interaction is 0, and "
            "that takes four arms to see, not two."
        ),
        cards=["Q18.90", "Q18.92"],
    )


def _verdicts(
    names: Sequence[str], effects: Sequence[Changes], corrected: dict[str, list[float]], levels: Sequence[Scores]
) -> list[str]:
    """What each technique does to the first metric, and each pair to any; of the rest only interactions are told."""
    place = {of: i for i, of in enumerate(subsets(len(names))[1:])}
    alone = [differences(levels[0], level) for level in levels[1 : 1 + len(names)]]
    texts: list[str] = []
    for metric, p_values in corrected.items():
        said = [
            _interaction(
                (names[a], names[b]),
                effects[place[a, b]][metric],
                p_values[place[a, b]],
                (alone[a][metric], alone[b][metric]),
                differences(levels[0], levels[1 + place[a, b]])[metric],
                metric,
            )
            for a, b in combinations(range(len(names)), 2)
        ]
        if texts:
            texts += [text for text in said if not text.startswith("No interaction shown")]
            continue
        for name, change, p in zip(names, effects, p_values, strict=False):  # the main effects stand first
            texts.append(verdict(f"over all settings of the rest, {name}", change[metric], metric, p, len(effects)))
        texts += said
    return texts


def _interaction(
    pair: tuple[str, str],
    change: Sequence[float],
    corrected: float,
    alone: Sequence[Sequence[float]],
    together: Sequence[float],
    metric: str,
) -> str:
    """What the interaction of two techniques allows to say: "synergy" and "redundant" only where its interval does.

    alone, together: what each changes without the other, and what both change. Of two that harm, the second mostly
    harms less than it would alone, as there is less left to lose: that is no synergy.
    """
    found, both = mean_interval(change), " and ".join(pair)
    size = f"{digits(found.value, sign=True)}{unit_of(metric)} [{digits(found.low)}, {digits(found.high)}]"
    if isnan(corrected) or found.low <= 0 <= found.high or corrected >= LEVEL:
        return f"No interaction shown in {what(metric)} between {both}: {size}."
    basis = f"{what(metric)} moves by {size} from the sum of what each does alone (corrected p-value {corrected:.1g})"

    def better(change: Sequence[float]) -> bool:
        return all(BETTER[metric] * end > 0 for end in (mean_interval(change).low, mean_interval(change).high))

    if BETTER[metric] * found.value > 0:
        if not better(together):
            return f"No synergy: {both} together do better than the sum of the two, not than neither; {basis}."
        return f"Synergy: {both} together do better than the sum of the two; {basis}."
    if all(map(better, alone)):
        return f"Redundant: {both} each help, together by less than the sum of the two; {basis}."
    return f"In each other's way: {both} together do worse than the sum of the two; {basis}."
