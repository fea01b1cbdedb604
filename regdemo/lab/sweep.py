"""A grid of techniques, their values and sizes of training data, past one machine, and what you can conclude."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from threading import Event
from typing import Any

from regdemo.bounds import EXACT
from regdemo.errors import ArgumentError, RegdemoError
from regdemo.lab import findings
from regdemo.lab.choices import NONE, WORKERS, arms, display_values
from regdemo.lab.compare import ExperimentReport, Stopped, asked, seeds_of
from regdemo.lab.experiment import Experiment
from regdemo.lab.findings import MOST_CURVES, capital, conclusion, joined, p_cell, unit_of, what
from regdemo.lab.recipe import parameters
from regdemo.lab.results import Results
from regdemo.lab.statistics import Change, change, mean_interval
from regdemo.lab.store import TrainingJob
from regdemo.lab.training import OnProgress
from regdemo.report import Block, Cell, Claim, Curves, Series, Table, Text
from regdemo.words import pluralize

SAY = (
    "A technique that helps at one rate and one size of data says little of the next. I run a grid over paired seeds, "
    "each cell where there is room, keep every finished network, and correct for the number of comparisons: of forty "
    "true nulls, two would look like finds at 5%."
)
WRONG_ANSWER = (
    "'The best cell of the grid won by 1.5 points.' The best of many is lucky too: correct its p-value for the grid, "
    "or run that cell again on seeds that did not choose it."
)


def sweep(
    techniques: str | Sequence[str],
    out: Path,
    *,
    train_sizes: Sequence[int] = (),
    seeds: int = 16,
    repeats: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    workers: int = 1,
    executor: Callable[[int], Executor] | None = None,
    check: Callable[[], None] = lambda: None,
    progress: OnProgress = lambda done, total: None,
    cancel: Event | None = None,
    **options: Any,
) -> ExperimentReport:
    """Train what is missing of a grid, each job in a worker, and report each arm against none.

    The grid is none and the arms, each at every combination of its values, at every size, over paired seeds. Networks
    are appended to `out` as they end; those that are there are not trained again.
    out: the results file.  train_sizes: how many training examples, all if empty.
    executor: what makes a `concurrent.futures.Executor` with so many workers; processes of this machine if not given.
    device: the workers'. With an executor of your own it need not be on this machine. Processes divide its GPUs.
    check: called while no job ends, to raise if none will any more.
    progress: called with how many networks are done, and of how many; the first time how many were there before.
    The rest is as in `compare`. The report depends on the grid, what is in the file and what was lost, on nothing else.
    What a technique itself measures is measured in each network that is trained; one in the file may lack it.
    Raises ArgumentError on a value that is not allowed, or more workers than fit in memory; FileError on a results file
    that cannot be written or is of something else; on Ctrl-C, Stopped with what the file shows, or KeyboardInterrupt if
    there is nothing in it yet.
    """
    words = [techniques] if isinstance(techniques, str) else list(techniques)
    WORKERS.check("workers", workers)
    if "own" in options:
        raise ArgumentError("a sweep trains in other processes: name a task or a file, or run an Experiment")
    source, values = asked(options)
    task = (source if executor is None else replace(source, device="cpu")).prepared()
    seeds = seeds_of(seeds, source.folds, repeats)
    recipes = arms(words, values, against=NONE, offers=task.offers, task=task.title)
    experiment = Experiment(source, recipes, seeds, seed, epochs, tuple(train_sizes))
    results = experiment.run(executor, out, workers=workers, check=check, progress=progress, cancel=cancel)
    if not any(results.networks):
        raise RegdemoError(f"no network was trained: all were lost, the first by {_reason(results.lost[0][1])}")
    parameters_shown = {"technique": ", ".join(words)} | display_values(values) | source.display_values
    parameters_shown |= {"train_size": ", ".join(map(str, train_sizes))} if train_sizes else {}
    parameters_shown |= {"seeds": seeds, "epochs": results.conditions[0].setting.epochs, "seed": seed}
    report = _report(results, parameters_shown)
    if results.stopped:
        raise Stopped(report)
    return report


class _Grid:
    """The arms at each size, every one compared with none at the same size, over the seeds that both have.

    sizes: of training data.  compared: the conditions of all arms but none.  own: what only some techniques measure.
    changes: of each metric, the difference from none by condition.  columns: those that say which arm a row is about.
    """

    def __init__(self, results: Results) -> None:
        per, conditions = results.per_size, results.conditions
        self.results = results
        self.sizes = [condition.setting.train_size for condition in conditions[::per]]
        self.compared = [i for i in range(len(conditions)) if i % per]
        self.columns = ["", "examples"] if len(self.sizes) > 1 else [""]
        self.own = list(dict.fromkeys(m for r in results.arms for t in r.techniques for m in t.measures()))
        self.changes = {
            m: {i: results.change(i, m, comparisons=len(self.compared)) for i in self.compared}
            for m in [*results.judged, *self.own]
        }

    def head(self, i: int) -> list[Cell]:
        """The first cells of a condition's row."""
        condition = self.results.conditions[i]
        cells: list[Cell] = [condition.name, condition.setting.train_size]
        return cells[: len(self.columns)]

    def name(self, i: int) -> str:
        """A condition in a sentence."""
        condition = self.results.conditions[i]
        return condition.name + (f" at {condition.setting.train_size:,} examples" if len(self.sizes) > 1 else "")


def _report(results: Results, parameters_shown: dict[str, Any]) -> ExperimentReport:
    """What the file shows of each arm against none at the same size."""
    grid, per = _Grid(results), results.per_size
    primary = results.metrics[0]
    scope = findings.scope_of(results.task, results.seeds)
    blocks: list[Block] = [*map(Text, _verdicts(grid, scope))]
    for i, some in enumerate(results.networks):
        if gone := results.diverged(i):
            blocks.append(Text(findings.lost_runs(grid.name(i), gone, len(some))))
    blocks += [_primary_table(grid, scope), *_other_metrics(grid), *_own_measures(grid)]
    paired = [i for i in grid.compared if grid.changes[primary][i].n > 1]
    blocks += findings.spread_blocks(results, paired, None, primary, comparisons=len(grid.compared), name=grid.name)
    blocks += _curves(results, grid.sizes, primary)
    have, wanted = sum(map(len, results.networks)), len(results.conditions) * results.seeds
    blocks.append(Text(_state(results, have, wanted)))
    blocks += findings.training_blocks(results)
    pairs = sum(len(results.networks[i].keys() & results.networks[i - i % per].keys()) for i in grid.compared)
    claims = findings.claims_of(results)[: 3 if pairs else 1]
    if not results.stopped:
        claims.append(Claim("Every network of the grid is in the file", wanted, "arms x sizes x seeds", have, *EXACT))
    sizes = f" and {len(grid.sizes)} sizes" if len(grid.sizes) > 1 else ""
    return ExperimentReport.of(
        results,
        title=f"A grid of {per} arms{sizes} on {results.task.title}, {results.seeds} paired seeds"
        + (" (stopped)" if results.stopped else ""),
        parameters=parameters_shown,
        claims=claims,
        blocks=blocks,
        say=SAY,
        wrong_answer=WRONG_ANSWER,
        cards=["Q18.90", "Q18.92"],
    )


def _verdicts(grid: _Grid, scope: findings.Scope) -> list[str]:
    """What there is to say of each arm; those of which nothing is shown, or known, in a line."""
    metric = grid.results.metrics[0]
    changes = {grid.name(i): found for i, found in grid.changes[metric].items()}
    texts = [conclusion(name, found, metric, scope, len(changes)) for name, found in changes.items() if found.direction]
    undecided = [name for name, found in changes.items() if found.n > 1 and not found.direction]
    few = [name for name, found in changes.items() if found.n < 2]
    if undecided:
        smallest = max(changes[name].smallest for name in undecided)
        texts.append(
            f"No difference shown in {what(metric)}{scope.where}: {'; '.join(undecided)}. Differences from "
            f"{findings.digits(smallest)}{unit_of(metric)} on would have been shown in 4 of 5 cases."
        )
    if few:
        texts.append(f"No verdict on {joined(few)}: fewer than the 2 pairs that an interval needs.")
    return texts


def _primary_table(grid: _Grid, scope: findings.Scope) -> Table:
    """Each arm's difference in the primary metric, and how long a network takes."""
    results = grid.results
    metric = results.metrics[0]
    columns, rows = _differences(grid, metric)
    for row, i in zip(rows, grid.compared, strict=True):
        times = [n.seconds for n in results.networks[i].values()]
        row.append(float(f"{fmean(times):.2g}") if times else "–")
    timed = "processor time" if results.conditions[0].setting.device == "cpu" else "time"
    note = (
        "Means with 95% intervals by Student's t, differences paired by seed and at the same size, corrected "
        f"by Bonferroni's method for the {len(grid.compared)} comparisons of the grid, so that all intervals of a "
        f"metric hold together. {scope.note} s: {timed} to train one network."
    )
    return Table(f"The difference from none in {what(metric)}", [*columns, "s"], rows, note)


def _other_metrics(grid: _Grid) -> list[Block]:
    """The differences in the other metrics, next to one another."""
    metrics = grid.results.judged[1:]
    if not metrics:
        return []
    rows: list[list[Cell]] = []
    for i in grid.compared:
        found = [grid.changes[m][i] for m in metrics]
        rows.append([*grid.head(i), *(cell for each in found for cell in (_cell(each), p_cell(each.p)))])
    heads = [*grid.columns, *(c for m in metrics for c in (m.replace("%", "points"), f"p of {what(m)}"))]
    note = "Corrected likewise, each metric alone."
    return [Table("The differences from none in the rest", heads, rows, note)]


def _own_measures(grid: _Grid) -> Iterator[Block]:
    """The differences in what a technique itself measures, which networks that were in the file before may lack."""
    every = [n for some in grid.results.networks for n in some.values()]
    for m in grid.own:
        lacking = sum(m not in n.scores for n in every)
        note = (
            f"{lacking:,} of the networks were trained before this was asked for, and lack it: they are left out. A "
            "new results file would have it of all."
        )
        if any(found.n for found in grid.changes[m].values()):
            note = f"Corrected likewise. {note}" if lacking else "Corrected likewise."
            yield Table(f"The difference from none in {what(m)}", *_differences(grid, m), note)
        elif lacking:
            yield Text(f"No pair shows {what(m)}: {note}")


def _differences(grid: _Grid, metric: str) -> tuple[list[str], list[list[Cell]]]:
    """The columns and rows of a table of one metric: in how many pairs, without, by how much more with, and p."""
    results = grid.results
    rows: list[list[Cell]] = []
    for i, found in grid.changes[metric].items():
        base, own = results.values(i - i % results.per_size, metric), results.values(i, metric)
        without = change([base[member] for member in base if member in own], overlap=results.overlap)
        rows.append([*grid.head(i), found.n, _cell(without), _cell(found), p_cell(found.p)])
    unit = unit_of(metric).replace(" ", ", ", 1)
    without_title = metric.replace(what(metric), NONE, 1)  # none, with the unit
    return [*grid.columns, "pairs", without_title, f"difference{unit}", "p"], rows


def _cell(found: Change) -> Cell:
    return found.interval if found.n > 1 else "–"


def _state(results: Results, have: int, wanted: int) -> str:
    """What is in the file, who trained it, and what is not there, and why."""
    by = {n.by for some in results.networks for n in some.values()}
    text = f"{have:,} of the grid's {wanted:,} networks are in {results.kept_in}"
    if len(by) > 1:
        text += f", trained by {' and by '.join(sorted(by))}, which may differ"
    text += "."
    if results.cut:
        text += f" {pluralize(results.cut, 'line')} cut short, by a kill or a full disk, skipped."
    reasons: dict[str, list[TrainingJob]] = {}
    for job, error in results.lost:
        reasons.setdefault(_reason(error), []).append(job)
    for reason, jobs in reasons.items():
        rest = f" and {len(jobs) - 3} more" if len(jobs) > 3 else ""
        text += f" Lost, {reason}: {'; '.join(job.name for job in jobs[:3])}{rest}."
    return text + (" The same command again trains what is missing." if have < wanted else "")


def _reason(error: BaseException) -> str:
    first = (str(error).splitlines() or [""])[0]
    return first if type(error).__name__ == "BrokenExecutor" else f"{type(error).__name__}: {first}"


def _curves(results: Results, sizes: Sequence[int], primary: str) -> list[Block]:
    """Over the size where there are several, and over a technique's first parameter where that has several values."""
    per, recipes = results.per_size, list(results.arms)
    title, unit = capital(what(primary)), primary.partition(", ")[2]
    note = "Means over seeds; a band is the 95% interval."

    def series(name: str, points: Sequence[tuple[float, int]]) -> Series:
        some = [(x, list(results.values(i, primary).values())) for x, i in points]
        means = [(x, mean_interval(values, overlap=results.overlap)) for x, values in sorted(some) if values]
        at, known = [x for x, _ in means], [mean for _, mean in means]
        return Series(name, at, [m.value for m in known], [m.low for m in known], [m.high for m in known])

    blocks: list[Block] = []
    if len(sizes) > 1 and per <= MOST_CURVES:
        over = [series(r.name, [(float(n), s * per + a) for s, n in enumerate(sizes)]) for a, r in enumerate(recipes)]
        blocks.append(Curves(f"{title} over the number of examples", "examples", unit, over, note))
    alone = [(a, recipe.techniques[0]) for a, recipe in enumerate(recipes) if len(recipe.techniques) == 1]
    for kind in dict.fromkeys(type(technique) for _, technique in alone):
        own = [(a, technique) for a, technique in alone if a and type(technique) is kind]
        for name in parameters(kind):
            others = {tuple(v for n, v in vars(t).items() if n != name) for _, t in own}
            if len(own) > 1 and len(others) == 1 and len(sizes) <= MOST_CURVES:
                over = [
                    series(f"{n:,} examples", [(float(vars(t)[name]), s * per + a) for a, t in own])
                    for s, n in enumerate(sizes)
                ]
                label = name.replace("_", " ")
                blocks.append(Curves(f"{title} over {kind.NAME}'s {label}", label, unit, over, note))
    return blocks
