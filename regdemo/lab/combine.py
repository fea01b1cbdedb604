"""Several techniques together: a full factorial, and which of them help each other or do the same work twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from math import prod
from threading import Event
from typing import Any

from regdemo.lab import findings, metrics
from regdemo.lab.choices import display_values, factors, recipe_of
from regdemo.lab.compare import ExperimentReport, Stopped, asked, seeds_of, training_values
from regdemo.lab.experiment import Experiment
from regdemo.lab.findings import conclusion, digits, signed, unit_of, what
from regdemo.lab.recipe import describe
from regdemo.lab.results import Results
from regdemo.lab.statistics import Change, change
from regdemo.lab.training import OnProgress
from regdemo.report import Block, Text
from regdemo.words import pluralize

Subset = tuple[int, ...]  # the numbers of the techniques that an arm has, or that an effect is of


def combine(
    techniques: Sequence[str],
    *,
    seeds: int = 16,
    repeats: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    tune: int = 1,
    clock: Callable[[], float] | None = None,
    progress: OnProgress = lambda done, total: None,
    cancel: Event | None = None,
    **options: Any,
) -> ExperimentReport:
    """Train an arm for every subset of the techniques, paired by seed, and report main effects and interactions.

    The arguments are those of `compare`, and so is what it raises; a parameter has one value.
    """
    source, values = asked(options)
    task = source.prepared()
    seeds = seeds_of(seeds, source.folds, repeats)
    chosen = factors(techniques, values, task.offers, task.title)
    recipes = [recipe_of([chosen[i] for i in subset]) for subset in subsets(len(chosen))]
    results = Experiment(task, recipes, seeds, seed, epochs, tune=tune).run(
        clock=clock, progress=progress, cancel=cancel
    )
    parameters = (
        {"techniques": ", ".join(techniques)}
        | display_values(values)
        | source.display_values
        | training_values(results)
    )
    report = _report(results, [describe(t) for t in chosen], parameters)
    if results.stopped:
        raise Stopped(report)
    return report


def subsets(n: int) -> list[Subset]:
    """Every subset of n techniques, the empty one first, then by size."""
    return [subset for size in range(n + 1) for subset in combinations(range(n), size)]


def effect(of: Subset, arms: Mapping[Subset, Sequence[float]], n: int) -> list[float]:
    """A main effect or an interaction, seed by seed, from the metric of every arm of the factorial.

        effect = 1 / 2^(n - |of|) * sum over arms of  metric * product over t in `of` of (+1 with t, -1 without)

    of one: the mean of what it adds, over all settings of the others. Of two: by how much what the one adds is more
    with the other than without, again a mean over the rest. Of more: the same of the interaction of one fewer.
    Box, Hunter and Hunter 2005, Statistics for Experimenters.

    >>> arms = {(): [0.0], (0,): [1.0], (1,): [2.0], (0, 1): [2.5]}
    >>> effect((0,), arms, 2), effect((0, 1), arms, 2)
    ([0.75], [-0.5])
    """
    signs = {arm: prod(1 if t in arm else -1 for t in of) for arm in arms}
    rows = zip(*([signs[arm] * value for value in values] for arm, values in arms.items()), strict=True)
    # Rounded, so that settings that change nothing leave 0 and not what is lost in adding.
    return [round(sum(row) / 2 ** (n - len(of)), 12) for row in rows]


def _report(results: Results, names: Sequence[str], parameters: dict[str, Any]) -> ExperimentReport:
    n, every, seeds = len(names), subsets(len(names)), results.seeds
    lost = [results.diverged(i) for i in range(len(results.conditions))]
    kept = [member for member in range(seeds) if not any(member in some for some in lost)]
    primary, judged = results.metrics[0], results.judged
    scope = findings.scope_of(results.task, len(kept))
    blocks: list[Block] = []
    if len(kept) > 1:
        arms = {m: {arm: list(results.values(i, m, kept).values()) for i, arm in enumerate(every)} for m in judged}
        effects = [
            {m: change(effect(of, arms[m], n), overlap=results.overlap, comparisons=len(every) - 1) for m in judged}
            for of in every[1:]
        ]
        blocks += map(Text, _verdicts(results, names, effects, scope, kept))
        blocks += [
            findings.changes_table(
                f"Effects after epoch {results.epoch}, over {len(kept)} seeds",
                [" x ".join(names[i] for i in of) for of in every[1:]],
                [{m: some[m] for m in judged[:3]} for some in effects],
                "A main effect is what a technique adds, a mean over all settings of the others. An interaction, "
                "A x B, is how much more A adds with B than without. Intervals and p-values by Student's t, paired by "
                f"seed, corrected for the {len(effects)} effects of a metric by Bonferroni's method, so that all its "
                f"intervals hold together. {scope.note}",
            ),
            findings.level_table(
                results, f"Every combination of {n}", list(range(len(every))), kept, [primary, *judged[1:4]]
            ),
        ]
        compared = list(range(1, len(every)))
        if fixed := findings.test_set_text(results, compared):
            blocks.append(Text(fixed))
        blocks += findings.spread_blocks(results, compared, kept, primary, comparisons=len(compared))
    else:
        blocks.append(Text(f"No verdict: {pluralize(len(kept), 'seed')} left, and an interval needs 2."))
    blocks += [
        Text(findings.lost_runs(condition.name, some, seeds))
        for condition, some in zip(results.conditions, lost, strict=True)
        if some
    ]
    blocks += findings.cost_table(results, list(range(len(every))), kept)
    blocks += findings.training_blocks(results)
    return ExperimentReport.of(
        results,
        title=f"{findings.capital(findings.joined(names))} together on {results.task.title}, {2**n} arms, {seeds} "
        f"paired seeds{findings.ended(results)}",
        parameters=parameters,
        claims=findings.claims_of(results),
        blocks=blocks,
        say=(
            "Two techniques that each help need not help twice: both may remove the same overfitting. I train all "
            f"combinations on the same seeds, and look at the interaction in {what(primary)}: what the second adds "
            "on top of the first, minus what it adds alone, with its interval."
        ),
        wrong_answer=(
            "'Each gained two points, so together they gain four.' Gains add up only where the interaction is 0, and "
            "that takes four arms to see, not two."
        ),
        cards=["Q18.90", "Q18.92"],
    )


def _verdicts(
    results: Results,
    names: Sequence[str],
    effects: Sequence[Mapping[str, Change]],
    scope: findings.Scope,
    kept: Sequence[int],
) -> list[str]:
    """What each technique does to the primary metric, and each pair to any; of the rest, interactions alone."""
    index = {of: i for i, of in enumerate(subsets(len(names)))}
    texts: list[str] = []
    for metric in results.judged:
        if not texts:
            for i, name in enumerate(names):  # the main effects are the first
                found = effects[i][metric]
                texts.append(conclusion(f"over all settings of the rest, {name}", found, metric, scope, len(effects)))
        first = metric == results.metrics[0]
        for a, b in combinations(range(len(names)), 2):
            found = effects[index[a, b] - 1][metric]
            if not found.direction:
                if first:
                    both, size = f"{names[a]} and {names[b]}", _size(found, metric)
                    texts.append(f"No interaction shown in {what(metric)} between {both}: {size}.")
                continue
            alone = [results.change(index[(i,)], metric, members=kept) for i in (a, b)]
            together = results.change(index[a, b], metric, members=kept)
            better = metrics.better(results.task)[metric]
            texts.append(_interaction(f"{names[a]} and {names[b]}", found, alone, together, metric, better))
    return texts


def _size(found: Change, metric: str) -> str:
    return f"{signed(found)}{unit_of(metric)} [{digits(found.low)}, {digits(found.high)}]"


def _interaction(both: str, found: Change, alone: Sequence[Change], together: Change, metric: str, better: int) -> str:
    """What an interaction that its interval shows lets you say: "synergy" and "redundant" only where that is shown too.

    alone, together: what each changes without the other, and what both change. Of two that harm, the second mostly
    harms less than it would alone, as there is less left to lose: that isn't synergy.
    """
    basis = (
        f"{what(metric)} moves by {_size(found, metric)} from the sum of what each does alone (p-value {found.p:.1g})"
    )
    if better * found.value > 0:
        if better * together.direction <= 0:
            return f"No synergy: {both} together do better than the sum of the two, not than neither; {basis}."
        return f"Synergy: {both} together do better than the sum of the two; {basis}."
    if all(better * some.direction > 0 for some in alone):
        return f"Redundant: {both} each help, together by less than the sum of the two; {basis}."
    return f"In each other's way: {both} together do worse than the sum of the two; {basis}."
