"""What paired evaluations allow to say: verdicts, differences with their intervals, curves, and what each arm cost."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import isfinite, isnan
from statistics import fmean
from typing import Any

from regdemo.lab.coefficients import survival
from regdemo.lab.data import Task
from regdemo.lab.memory import footprint
from regdemo.lab.metrics import BETTER, TRAINING_ACCURACY, Scores
from regdemo.lab.recipe import Recipe
from regdemo.lab.statistics import holm, mean_interval, p_value
from regdemo.lab.training import Evaluation, Learner, PairedTraining
from regdemo.report import Block, Cell, Claim, Curves, Report, Series, Table, Text

MOST_CURVES = 5  # arms that one plot can still tell apart
LEVEL = 0.05

Changes = dict[str, list[float]]  # a metric's paired differences, by its name


def conclude(
    training: PairedTraining,
    recipes: Sequence[Recipe],
    evaluations: Sequence[Evaluation],
    claims: list[Claim],
    parameters: dict[str, Any],
) -> Report:
    """What the evaluations so far show of each arm against the first.

    Seeds at which an arm diverged (a metric is no longer a finite number) are named and left out of all arms; an arm
    that has fewer than two others left is left out itself.
    """
    last, reference, names = evaluations[-1], recipes[0], [recipe.name for recipe in recipes[1:]]
    seeds, task, lost = training.members, training.task, diverged(last)
    gone = [lost_runs(recipe.name, some, seeds) for recipe, some in zip(recipes, lost, strict=True) if some]
    which = [i for i, some in enumerate(lost) if i == 0 or seeds - len(some) > 1]
    kept = [k for k in range(seeds) if not any(k in lost[i] for i in which)]
    recipes, learners = [recipes[i] for i in which], [training.arms[i] for i in which]
    evaluations = [Evaluation(e.epoch, [e.scores[i] for i in which]) for e in evaluations]
    last = evaluations[-1]
    levels = [chosen(scores, kept) for scores in last.scores]
    changes = [differences(levels[0], other) for other in levels[1:]]
    headline = next(iter(levels[0]))

    blocks: list[Block] = []
    corrected = {name: holm([p_value(change[name]) for change in changes]) for name in levels[0]}
    for i, (recipe, change) in enumerate(zip(recipes[1:], changes, strict=True)):
        text = verdict(recipe.name, change[headline], headline, corrected[headline][i], len(changes))
        others = [name for name in change if name in BETTER and name != headline]
        if len(kept) > 1 and others:
            text += " " + beside({name: change[name] for name in others}, {n: corrected[n][i] for n in others})
        blocks.append(Text(text))
    blocks += map(Text, gone)
    if len(kept) > 1 and changes:
        title = f"After epoch {last.epoch}, over {len(kept)} pairs, with 95% intervals"
        note = (
            "Intervals and p-values by Student's t, differences paired by seed"
            + (", p-values corrected for the number of arms by Holm's method" if len(changes) > 1 else "")
            + (
                ". Each seed trains on a bootstrap sample of its own, so they speak of other training samples too, not "
                "of other test data."
                if task.resampled
                else ". They speak of training again on this data, not of other data."
            )
            + (" The gap is training minus test." if task.classes else "")
            + " Training is judged on at most 1,000 examples. The last epoch counts, not the best."
        )
        if len(changes) == 1:
            blocks.append(_one_change(title, recipes, levels, changes[0], note))
        else:
            blocks += [
                level_table(title, recipes, levels),
                changes_table(
                    f"Differences from {reference.name}",
                    [recipe.name for recipe in recipes[1:]],
                    changes,
                    corrected,
                    note,
                ),
                _pairs(recipes, levels, headline),
            ]
        if task.features and not task.hidden:
            blocks.append(survival(task, recipes, learners, kept))
        if len(recipes) <= MOST_CURVES:
            shown = [name for name in (headline, TRAINING_ACCURACY) if name in levels[0]]
            blocks += [_curves(name, recipes, evaluations, kept) for name in shown]
    blocks.append(cost_table(task, recipes, learners, changes, headline if len(kept) > 1 else ""))
    blocks.append(
        Text(
            f"The data: {task.origin} The network: {task.network}, trained by "
            f"{'Adam' if task.optimizer == 'adam' else 'gradient descent'} on batches of "
            f"{min(task.batch, len(task.x))}"
            + (f", {len(task.validation[0])} examples held out in every arm to validate on" if task.validation else "")
            + ", judged in eval mode unless the technique says otherwise."
        )
    )
    spread = ""
    if len(kept) > 1:
        low, high = min(levels[0][headline]), max(levels[0][headline])
        spread = f" Seeds alone move a run: with {reference.name}, {what(headline)} is {low:.3g} to {high:.3g}."
    early, stopped_at = ended(training, last)
    return Report(
        title=f"{capital(listed(names))} against {reference.name} on {task.title}, {seeds} paired seeds{early}",
        parameters=parameters | stopped_at,
        claims=claims,
        blocks=blocks,
        say=(
            "I train each arm several times, in pairs: a seed gives all of them the same initial weights and the same "
            f"batches, so only the technique differs. Then I report the mean difference in {what(headline)} with its "
            "95% interval, and say no more than the interval does. Beside it stand the loss, the gap, and what it cost."
        ),
        wrong_answer=f"'I ran it once each way, and it won.'{spread} Two runs cannot tell technique from seed.",
        cards=["Q18.90", "Q18.91", "Q18.92"],
    )


def diverged(last: Evaluation) -> list[list[int]]:
    """Of each arm, the seeds at which a metric is no longer a finite number."""
    runs = (zip(*scores.values(), strict=True) for scores in last.scores)
    return [[k for k, values in enumerate(arm) if not all(map(isfinite, values))] for arm in runs]


def ended(training: PairedTraining, last: Evaluation) -> tuple[str, dict[str, int]]:
    """What a report's title and parameters say of a training that ended early."""
    if last.epoch == training.epochs:
        return "", {}
    return f" (stopped at epoch {last.epoch} of {training.epochs})", {"stopped_at_epoch": last.epoch}


def chosen(scores: Scores, kept: Sequence[int]) -> Scores:
    """The scores of the kept seeds."""
    return {name: [values[k] for k in kept] for name, values in scores.items()}


def differences(before: Scores, after: Scores) -> Changes:
    """What changed in each metric, seed by seed."""
    return {name: [b - a for a, b in zip(before[name], after[name], strict=True)] for name in before}


def what(metric: str) -> str:
    """A metric without its unit: "test accuracy"."""
    return metric.partition(",")[0]


def unit_of(metric: str) -> str:
    """What its differences are in, with the space before: percent differ by points."""
    unit = metric.partition(", ")[2].replace("%", "points")
    return f" {unit}" if unit else ""


def verdict(name: str, change: Sequence[float], metric: str, corrected: float = 0.0, arms: int = 1) -> str:
    """What paired differences in a metric allow to say of one arm: a direction only if the interval has one.

    corrected: the p-value after Holm's correction for the number of arms, which must leave it below 5% too.
    """
    n, unit = len(change), unit_of(metric)
    if n < 2:
        return f"No verdict on {name}: {n} pair{'' if n == 1 else 's'} left, and an interval needs 2."
    found, p = mean_interval(change), p_value(change)
    if isnan(p):
        moved = (
            f"changes {what(metric)} by {found.value:+.2g}{unit}" if found.value else f"leaves {what(metric)} as it is"
        )
        return f"No difference shown: {name} {moved} in all {n} pairs, which leaves no spread to judge it by."
    p_text = f"p-value {p:.1g}" if arms == 1 else f"p-value {corrected:.1g}, corrected for {arms} comparisons"
    basis = f"(95% interval, {n} paired seeds, {p_text})"
    if found.low <= 0 <= found.high or corrected >= LEVEL:
        size = f"{digits(found.value, sign=True)}{unit} [{digits(found.low)}, {digits(found.high)}]"
        return f"No difference shown: {name} changes {what(metric)} by {size} {basis}."
    return f"{capital(name)} {_moved({metric: list(change)})} {basis}."


def beside(changes: Changes, corrected: dict[str, float]) -> str:
    """What the other metrics show, in a sentence or two."""
    shown = [name for name, change in changes.items() if corrected[name] < LEVEL and not isnan(p_value(change))]
    rest = [what(name) for name in changes if name not in shown]
    sentences = []
    if shown:
        sentences.append(f"It {_moved({name: changes[name] for name in shown})}.")
    if rest:
        sentences.append(f"No difference shown in {' or '.join(rest)}.")
    return " ".join(sentences)


def _moved(changes: Changes) -> str:
    """ "raises test accuracy by 4.1 points [3.6, 4.7] and lowers ...", the numbers positive either way."""
    moves: dict[str, list[str]] = {}
    for metric, change in changes.items():
        found = mean_interval(change)
        least, most = sorted((abs(found.low), abs(found.high)))
        size = f"{digits(abs(found.value))}{unit_of(metric)} [{digits(least)}, {digits(most)}]"
        moves.setdefault("raises" if found.value > 0 else "lowers", []).append(f"{what(metric)} by {size}")
    return " and ".join(f"{verb} {' and '.join(some)}" for verb, some in moves.items())


def digits(value: float, *, sign: bool = False) -> str:
    """Two digits or one decimal, whichever says more, so that what is not 0 is not written as 0."""
    if abs(value) >= 1 or value == 0:
        return f"{value:+z.1f}" if sign else f"{value:z.1f}"
    return f"{value:+.2g}" if sign else f"{value:.2g}"


def listed(names: Sequence[str]) -> str:
    """ "a, b and c"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def capital(text: str) -> str:
    """The text with its first letter a capital."""
    return text[:1].upper() + text[1:]


def p_cell(p: float) -> Cell:
    """A p-value in a table: to four decimals, or two digits if it is small."""
    return "–" if isnan(p) else float(f"{p:.2g}") if p < 0.001 else round(p, 4)


def _one_change(title: str, recipes: Sequence[Recipe], levels: Sequence[Scores], change: Changes, note: str) -> Table:
    return Table(
        title,
        ["", *(recipe.name for recipe in recipes), "difference", "p-value"],
        [
            [name, *(mean_interval(level[name]) for level in levels), mean_interval(d), p_cell(p_value(d))]
            for name, d in change.items()
        ],
        note=note,
    )


def level_table(title: str, recipes: Sequence[Recipe], levels: Sequence[Scores]) -> Table:
    """A row an arm: the mean of each metric with its interval."""
    names = list(levels[0])
    rows: list[list[Cell]] = [
        [recipe.name, *(mean_interval(level[name]) for name in names)]
        for recipe, level in zip(recipes, levels, strict=True)
    ]
    return Table(title, ["", *names], rows)


def changes_table(
    title: str, names: Sequence[str], changes: Sequence[Changes], corrected: dict[str, list[float]], note: str
) -> Table:
    """A row a name: what changes in each metric that has a better way, and its corrected p-value."""
    metrics = [metric for metric in changes[0] if metric in BETTER]
    rows: list[list[Cell]] = []
    for i, (name, change) in enumerate(zip(names, changes, strict=True)):
        cells: list[Cell] = [name]
        for metric in metrics:
            cells += [mean_interval(change[metric]), p_cell(corrected[metric][i])]
        rows.append(cells)
    return Table(title, ["", *change_columns(metrics)], rows, note=note)


def change_columns(metrics: Sequence[str]) -> list[str]:
    """The heads of two columns a metric: its change, and the p-value."""
    return [column for metric in metrics for column in (metric.replace("%", "points"), "p")]


def _pairs(recipes: Sequence[Recipe], levels: Sequence[Scores], headline: str) -> Table:
    """Every arm against every other but the first, by the headline."""
    pairs = list(combinations(range(1, len(recipes)), 2))
    found = [differences(levels[a], levels[b])[headline] for a, b in pairs]
    corrected = holm([p_value(d) for d in found])
    return Table(
        f"One against another: the difference in {what(headline)}",
        ["", "minus", f"difference{unit_of(headline).replace(' ', ', ', 1)}", "p-value"],
        [
            [recipes[b].name, recipes[a].name, mean_interval(d), p_cell(p)]
            for (a, b), d, p in zip(pairs, found, corrected, strict=True)
        ],
        note=f"{len(pairs)} comparison{'s' * (len(pairs) > 1)}, corrected by Holm's method." if len(pairs) > 1 else "",
    )


def _curves(metric: str, recipes: Sequence[Recipe], evaluations: Sequence[Evaluation], kept: Sequence[int]) -> Curves:
    """The metric's mean over the kept seeds after each evaluated epoch, with its 95% interval as the band."""
    series = []
    for i, recipe in enumerate(recipes):
        points = [mean_interval(chosen(evaluation.scores[i], kept)[metric]) for evaluation in evaluations]
        series.append(
            Series(
                recipe.name,
                [float(evaluation.epoch) for evaluation in evaluations],
                [point.value for point in points],
                [point.low for point in points],
                [point.high for point in points],
            )
        )
    title, _, unit = capital(metric).partition(", ")
    return Curves(
        f"{title}, epoch by epoch", "epoch", unit, series, note="Means over seeds; a band is the 95% interval."
    )


def lost_runs(name: str, diverged: Sequence[int], seeds: int) -> str:
    """What became of an arm's diverged runs."""
    left = seeds - len(diverged)
    fate = "They are left out of every arm." if left > 1 else f"{left} left: no verdict on it, an interval needs 2."
    return (
        f"{len(diverged)} of {seeds} runs of '{name}' diverged, a figure of theirs is not finite: seed "
        f"{', '.join(map(str, diverged))}. {fate}"
    )


def cost_table(
    task: Task,
    recipes: Sequence[Recipe],
    learners: Sequence[Sequence[Learner]],
    changes: Sequence[Changes],
    headline: str,
) -> Table:
    """What each arm took beside what it gained."""
    memory = [sum(footprint(task, recipe)) for recipe in recipes]
    seconds = [sum(group.seconds for group in arm) / sum(len(group.members) for group in arm) for arm in learners]
    timed, time = seconds[0] > 0, "Processor time" if task.device.type == "cpu" else "Time"
    columns = ["", *(["training, s", "x"] if timed else []), "memory, MB", "x"]
    rows: list[list[Cell]] = []
    for i, recipe in enumerate(recipes):
        cells: list[Cell] = [recipe.name]
        if timed:
            cells += [_rounded(seconds[i]), f"{seconds[i] / seconds[0]:.2f}"]
        cells += [_rounded(memory[i] / 1e6), f"{memory[i] / memory[0]:.2f}"]
        if headline:
            cells.append(digits(fmean(changes[i - 1][headline]), sign=True) if i else "–")
        rows.append(cells)
    if headline:
        columns.append(headline.replace("%", "points"))
    return Table(
        "What each cost beside what it gained",
        columns,
        rows,
        note=(f"{time} to train one network; m" if timed else "M")
        + "emory for its weights, gradients, states and what the backward pass needs. x is times the first arm's"
        + (f"; {what(headline)}: the change from it." if headline else "."),
    )


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
