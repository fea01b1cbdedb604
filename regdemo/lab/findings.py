"""What results let you conclude: verdicts, differences with their intervals, curves, and what each arm cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isnan

import torch

from regdemo.bounds import EXACT
from regdemo.lab.metrics import TRAINING_ACCURACY
from regdemo.lab.results import Results, mean_seconds
from regdemo.lab.statistics import Change, mean_interval
from regdemo.lab.task import Task
from regdemo.report import Block, Box, Boxes, Cell, Claim, Curves, Interval, Series, Table, Text
from regdemo.words import pluralize

MOST_CURVES = 5  # arms that one plot can show
MOST_BOXES = 15  # arms whose differences are drawn as boxes
EARLY = 0.5  # of the training: a reference that is best before that makes every regularizer look good


@dataclass(frozen=True)
class Scope:
    """What a task's intervals speak of.

    where: where a difference holds, as the end of a sentence.  basis: what was paired.  note: in whole sentences.
    """

    where: str
    basis: str
    note: str


def scope_of(task: Task, seeds: int) -> Scope:
    """What the intervals of a task speak of: other rows like these, or one test set."""
    if task.resplit:
        assert task.split is not None
        kind = (
            f"{seeds // task.split.folds} x {task.split.folds} folds" if task.split.folds else f"{seeds} random splits"
        )
        groups = " of whole groups" if task.split.groups is not None else ""
        return Scope(
            " on new rows like these",
            f"{kind}{groups}",
            f"Each seed draws its own training and test rows ({kind}{groups}), so the intervals speak of new rows from "
            "the same source. Splits share training rows, so Nadeau and Bengio's correction adds test rows over "
            "training rows to the variance of a mean.",
        )
    pairs = f"{seeds} paired seeds"
    if task.resampled:
        return Scope(
            " on this test set",
            pairs,
            "Each seed trains on its own bootstrap sample: the intervals speak of other training samples, and of this "
            "test set only.",
        )
    return Scope(
        " on this test set", pairs, "The intervals speak of training again on these data and of this test set only."
    )


def what(metric: str) -> str:
    """A metric without its unit: "test accuracy"."""
    return metric.partition(",")[0]


def unit_of(metric: str) -> str:
    """What its differences are in, with the space before: percent differ by points."""
    unit = metric.partition(", ")[2].replace("%", "points")
    return f" {unit}" if unit else ""


def conclusion(
    name: str, found: Change, metric: str, scope: Scope, comparisons: int = 1, plain: Change | None = None
) -> str:
    """What paired differences in a metric let you say of one arm: a direction only if the interval has one.

    comparisons: how many the change was corrected for.  plain: the same differences over these splits alone.
    """
    n, unit = found.n, unit_of(metric)
    if n < 2:
        return f"No verdict on {name}: {pluralize(n, 'pair')} left, and an interval needs 2."
    if isnan(found.p):
        moved = (
            f"changes {what(metric)} by {found.value:+.2g}{unit}" if found.value else f"leaves {what(metric)} as it is"
        )
        return f"No difference shown: {name} {moved} in all {n} pairs, which leaves no spread to judge it by."
    several = f", corrected for {comparisons} comparisons" if comparisons > 1 else ""
    interval = "simultaneous 95% interval" if comparisons > 1 else "95% interval"
    basis = f"({interval}, {scope.basis}, p-value {found.p:.1g}{several})"
    if found.direction:
        return f"{capital(name)} {moved_by({metric: found})}{scope.where} {basis}."
    size = f"{signed(found)}{unit} [{digits(found.low)}, {digits(found.high)}]"
    text = f"No difference shown: {name} changes {what(metric)} by {size}{scope.where} {basis}."
    text += f" The smallest difference that this comparison would show in 4 of 5 cases: {digits(found.smallest)}{unit}."
    if plain is not None and plain.direction:
        text += (
            f" Over random splits of these rows alone it is {signed(plain)} [{digits(plain.low)}, "
            f"{digits(plain.high)}]; that says nothing of new rows."
        )
    return text


def secondary_findings(changes: dict[str, Change]) -> str:
    """What the secondary metrics show, in a sentence or two."""
    shown = {name: found for name, found in changes.items() if found.direction}
    rest = [what(name) for name in changes if name not in shown]
    sentences = []
    if shown:
        sentences.append(f"It {moved_by(shown)}.")
    if rest:
        sentences.append(f"No difference shown in {' or '.join(rest)}.")
    return f"Secondary metrics, not corrected for their number: {' '.join(sentences)}"


def moved_by(changes: dict[str, Change]) -> str:
    """ "raises test accuracy by 4.1 points [3.6, 4.7] and lowers ...", the numbers positive either way."""
    moves: dict[str, list[str]] = {}
    for metric, found in changes.items():
        least, most = sorted((abs(found.low), abs(found.high)))
        size = f"{digits(abs(found.value))}{unit_of(metric)} [{digits(least)}, {digits(most)}]"
        moves.setdefault("raises" if found.value > 0 else "lowers", []).append(f"{what(metric)} by {size}")
    return " and ".join(f"{verb} {' and '.join(some)}" for verb, some in moves.items())


def signed(found: Change) -> str:
    """A change with its sign."""
    return digits(found.value, sign=True)


def digits(value: float, *, sign: bool = False) -> str:
    """Two digits or one decimal, the one that says more, so that what is not 0 is not written as 0."""
    if abs(value) >= 1 or value == 0:
        return f"{value:+z.1f}" if sign else f"{value:z.1f}"
    return f"{value:+.2g}" if sign else f"{value:.2g}"


def joined(names: Sequence[str]) -> str:
    """ "a, b and c"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def capital(text: str) -> str:
    """The text with its first letter a capital."""
    return text[:1].upper() + text[1:]


def p_cell(p: float) -> Cell:
    """A p-value in a table: to four decimals, or two digits if it is small."""
    return "–" if isnan(p) else float(f"{p:.2g}") if p < 0.001 else round(p, 4)


def claims_of(results: Results) -> list[Claim]:
    """What makes the comparison fair, checked."""
    apart: float = results.unequal_starts()
    found = [
        Claim("No test example was trained on", 0, "examples in both", results.shared, *EXACT),
        Claim("The networks of a pair start from the same weights", 0, "networks that do not", apart, *EXACT),
    ]
    if not results.stopped and not results.tuned:  # otherwise one arm may be some batches ahead of the other
        found.append(
            Claim(
                "The networks of a pair saw the same batches in the same order",
                0,
                "networks that did not",
                results.unequal_batches(),
                *EXACT,
            )
        )
    return found


def kept_members(results: Results) -> tuple[list[int], list[int], list[str]]:
    """The conditions and members that a report of all arms together uses, and what it says of the rest.

    Seeds at which an arm diverged are left out of all arms; an arm that has fewer than two others left is left out.
    """
    seeds, said = results.seeds, []
    lost = [results.diverged(i) for i in range(len(results.conditions))]
    for condition, some in zip(results.conditions, lost, strict=True):
        if some:
            said.append(lost_runs(condition.name, some, seeds))
    which = [i for i, some in enumerate(lost) if i == 0 or seeds - len(some) > 1]
    return which, [member for member in range(seeds) if not any(member in lost[i] for i in which)], said


def lost_runs(name: str, diverged: Sequence[int], seeds: int) -> str:
    """What became of an arm's diverged runs."""
    left = seeds - len(diverged)
    fate = "They are left out of every arm." if left > 1 else f"{left} left: no verdict on it, an interval needs 2."
    return (
        f"{len(diverged)} of {seeds} runs of '{name}' diverged (a metric is not finite): seed "
        f"{', '.join(map(str, diverged))}. {fate}"
    )


def ended(results: Results) -> str:
    """What a report's title says of a training that ended early."""
    if not results.stopped:
        return ""
    return f" (stopped at epoch {results.epoch} of {results.conditions[0].setting.epochs})"


def training_blocks(results: Results) -> list[Block]:
    """What was really trained, where the reference was best, and what tuning chose."""
    task, first = results.task, results.conditions[0]
    by_size: dict[int, list[str]] = {}
    for condition, some in zip(results.conditions[: results.per_size], results.networks, strict=False):
        for n in {network.trained_on for network in some.values()}:
            by_size.setdefault(n, []).append(condition.name)
    sizes = sorted(by_size, reverse=True)
    trained = (
        f"{sizes[0]:,} examples"
        if len(sizes) == 1
        else "; ".join(f"{n:,} examples ({joined(by_size[n])})" for n in sizes)
    )
    held = ", the rest of an arm's own examples held out to validate on" if len(sizes) > 1 and not task.resplit else ""
    tested = {n.tested_on for some in results.networks for n in some.values()}
    kinds = {"adam": "Adam", "sgd": "gradient descent", "momentum": "gradient descent with momentum 0.9"}
    text = (
        f"The data: {task.origin} Trained on {trained}{held}, tested on {max(tested, default=0):,}. The network: "
        f"{task.network}, trained by {kinds[task.optimizer]} at learning rate {first.setting.learning_rate:g} on "
        f"batches of {min([task.batch_size, *sizes[:1]])} for {first.setting.epochs} epochs, judged in "
        "eval mode unless the technique says otherwise."
    )
    blocks: list[Block] = [Text(" ".join([text, *task.notes]))]
    if results.pilot is not None and not results.tuned:
        pilot, epochs = results.pilot, results.conditions[0].setting.epochs
        networks = pluralize(pilot.networks, "network")
        said = (
            f"On validation data (a fifth of the training examples of {networks}, held out in a run of its "
            f"own) {first.name} had its lowest loss at epoch {pilot.best} of {epochs}."
        )
        if pilot.best <= EARLY * epochs:
            said += (
                " It was trained past its best, which makes a regularizer look good: compare at "
                f"--epochs {pilot.best} too, or let every arm choose with --tune 4."
            )
        blocks.append(Text(said))
    if results.tuned:
        rows: list[list[Cell]] = []
        for i, condition in enumerate(results.conditions):
            chosen = [results.tuned[i, member] for member in range(results.seeds) if (i, member) in results.tuned]
            rates, lengths = sorted(s.learning_rate for s in chosen), sorted(s.epochs for s in chosen)
            middle = len(chosen) // 2
            rows.append([condition.name, rates[middle], lengths[middle], lengths[0], lengths[-1]])
        blocks.append(
            Table(
                "What tuning chose",
                ["", "learning rate, median", "epochs, median", "least", "most"],
                rows,
                note=f"Each network tried {results.tune} learning rates and 10 lengths of training on a "
                "fifth of its own training examples, then trained on all of them with the best. Every arm had the same "
                "tries; the test examples had no part in it.",
            )
        )
    return blocks


def test_set_text(results: Results, conditions: Sequence[int]) -> str:
    """How far a fixed test set alone moves the differences, and what it resolves."""
    known = [(results.conditions[i].name, results.test_set_error(i)) for i in conditions]
    errors = [(name, error) for name, error in known if error is not None]
    if not errors:
        return ""
    m = max((n.tested_on for n in results.networks[0].values()), default=0)
    unit = unit_of(results.metrics[0])
    parts = "; ".join(f"{name} {digits(error)}" for name, error in errors)
    several = "s" if len(errors) > 1 else ""
    return (
        f"Another test set of {m:,} examples would move the difference{several} too, by this standard error"
        f"{unit and ','}{unit}: {parts}. The intervals do not include it."
    )


def level_table(
    results: Results, title: str, conditions: Sequence[int], members: Sequence[int], names: Sequence[str]
) -> Table:
    """A row an arm: the mean of each metric with its interval."""
    rows: list[list[Cell]] = [
        [results.conditions[i].name, *(_level(results, i, name, members) for name in names)] for i in conditions
    ]
    return Table(title, ["", *names], rows)


def _level(results: Results, condition: int, metric: str, members: Sequence[int] | None = None) -> Interval:
    return mean_interval(list(results.values(condition, metric, members).values()), overlap=results.overlap)


def one_change(results: Results, title: str, members: Sequence[int], note: str) -> Table:
    """A row a metric: both arms, and the difference."""
    rows: list[list[Cell]] = []
    for name in results.metrics:
        found = results.change(1, name, members=members)
        rows.append([name, *(_level(results, i, name, members) for i in (0, 1)), found.interval, p_cell(found.p)])
    return Table(
        title,
        ["", *(condition.name for condition in results.conditions), "difference", "p-value"],
        rows,
        note=note,
    )


def changes_table(title: str, names: Sequence[str], changes: Sequence[dict[str, Change]], note: str) -> Table:
    """A row a name: what changes in each metric, and its corrected p-value."""
    shown = list(changes[0])
    rows: list[list[Cell]] = []
    for name, some in zip(names, changes, strict=True):
        cells: list[Cell] = [name]
        for metric in shown:
            cells += [some[metric].interval, p_cell(some[metric].p)]
        rows.append(cells)
    columns = [column for m in shown for column in (m.replace("%", "points"), f"p of {what(m)}")]
    return Table(title, ["", *columns], rows, note=note)


def pairs_table(results: Results, conditions: Sequence[int], members: Sequence[int], metric: str) -> Table:
    """Every arm against every other but the first, by one metric."""
    pairs = list(combinations(conditions[1:], 2))
    rows: list[list[Cell]] = []
    for a, b in pairs:
        found = results.change(b, metric, a, members, comparisons=len(pairs))
        rows.append([results.conditions[b].name, results.conditions[a].name, found.interval, p_cell(found.p)])
    many = len(pairs) > 1
    return Table(
        f"One against another: the difference in {what(metric)}",
        ["", "minus", f"difference{unit_of(metric).replace(' ', ', ', 1)}", "p-value"],
        rows,
        note=f"{len(pairs)} comparisons: simultaneous intervals, corrected by Bonferroni's method." if many else "",
    )


def curves(results: Results, metric: str, conditions: Sequence[int], members: Sequence[int]) -> Curves:
    """The metric's mean over the seeds after each evaluated epoch, with its 95% interval as the band."""
    series = []
    for i in conditions:
        points = [
            mean_interval([evaluation.scores[i][member][metric] for member in members], overlap=results.overlap)
            for evaluation in results.evaluations
        ]
        series.append(
            Series(
                results.conditions[i].name,
                [float(evaluation.epoch) for evaluation in results.evaluations],
                [point.value for point in points],
                [point.low for point in points],
                [point.high for point in points],
            )
        )
    title, _, unit = capital(metric).partition(", ")
    return Curves(
        f"{title}, epoch by epoch", "epoch", unit, series, note="Means over seeds; a band is the 95% interval."
    )


def spread_blocks(
    results: Results,
    conditions: Sequence[int],
    members: Sequence[int] | None,
    metric: str,
    *,
    comparisons: int,
    name: Callable[[int], str] | None = None,
) -> list[Block]:
    """Each pair's difference in a metric, as a box an arm, with the mean in its interval; nothing for many arms.

    members: those that count, or all.  name: of a condition; that of its arm, if not given.
    """
    if not conditions or len(conditions) > MOST_BOXES:
        return []
    boxes = [
        Box(
            name(i) if name else results.conditions[i].name,
            results.differences(i, metric, members=members),
            results.change(i, metric, members=members, comparisons=comparisons).interval,
        )
        for i in conditions
    ]
    reference = results.conditions[conditions[0] - conditions[0] % results.per_size].name
    return [
        Boxes(
            f"The difference from {reference} in {what(metric)}, seed by seed",
            unit_of(metric).strip(),
            boxes,
            note="A box from the first to the third quartile, its line at the median, whiskers to the ends; below it "
            "the mean in its interval.",
        )
    ]


def calibration_curves(results: Results, conditions: Sequence[int]) -> Curves:
    """Accuracy over confidence, all networks of an arm together."""
    series = [Series("calibrated", [0.0, 100.0], [0.0, 100.0])]
    for i in conditions:
        bins = torch.cat([found for run in results.runs[i] if (found := run.per_example()[1]) is not None]).sum(0)
        some = [(float(c / n), float(r / n)) for c, r, n in bins.tolist() if n >= 1]
        series.append(Series(results.conditions[i].name, [100 * c for c, _ in some], [100 * r for _, r in some]))
    return Curves(
        "Calibration: accuracy over confidence",
        "confidence, %",
        "accuracy, %",
        series,
        note="Test examples of all networks of an arm, in 15 bins of confidence. Below the line is overconfident.",
    )


def cost_table(results: Results, conditions: Sequence[int], members: Sequence[int]) -> list[Block]:
    """What each arm took next to what it gained, as a table and, where networks were timed, as a picture."""
    if not results.footprints:
        return []
    memory = [sum(results.footprints[i]) for i in conditions]
    seconds = [mean_seconds(results.networks[i]) for i in conditions]
    timed, time = results.timed and seconds[0] > 0, "processor time" if results.task.device.type == "cpu" else "time"
    primary = results.metrics[0]
    gains = [results.change(i, primary, members=members) for i in conditions]
    shows_gain = len(members) > 1
    columns = ["", *(["training, s", "time ratio"] if timed else []), "memory, MB", "memory ratio"]
    columns += [f"change in {primary.replace('%', 'points')}"] if shows_gain else []
    rows: list[list[Cell]] = []
    for i, (condition, gain) in enumerate(zip(conditions, gains, strict=True)):
        cells: list[Cell] = [results.conditions[condition].name]
        if timed:
            cells += [_rounded(seconds[i]), round(seconds[i] / seconds[0], 2)]
        cells += [_rounded(memory[i] / 1e6), round(memory[i] / memory[0], 2)]
        if shows_gain:
            cells.append(_rounded(gain.value) if i else 0)
        rows.append(cells)
    note = (f"{capital(time)} to train one network; m" if timed else "M") + (
        "emory for its weights, gradients, states and what the backward pass needs. Ratios are to the first arm."
    )
    blocks: list[Block] = [Table("What each cost and what it gained", columns, rows, note=note)]
    if timed and shows_gain and 1 < len(conditions) <= 2 * MOST_CURVES:
        points = [
            Series(results.conditions[i].name, [ratio], [gain.value], [gain.low], [gain.high], style="points")
            for i, ratio, gain in zip(conditions[1:], [s / seconds[0] for s in seconds[1:]], gains[1:], strict=True)
        ]
        blocks.append(
            Curves(
                f"The change in {what(primary)} over its cost",
                f"{time}, as a multiple of {results.conditions[0].name}'s",
                unit_of(primary).strip() or what(primary),
                points,
                note="A point an arm, with its 95% interval.",
            )
        )
    return blocks


def spread_text(results: Results, members: Sequence[int]) -> str:
    """How much seeds alone move a run."""
    values = list(results.values(0, results.metrics[0], members).values())
    if len(values) < 2:
        return ""
    name = results.conditions[0].name
    return (
        f" Seeds alone move a run: with {name}, {what(results.metrics[0])} is {min(values):.3g} to {max(values):.3g}."
    )


def plot_metrics(results: Results) -> list[str]:
    """The metrics that learning curves are drawn of."""
    return [name for name in dict.fromkeys((results.metrics[0], TRAINING_ACCURACY)) if name in results.metrics]


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
