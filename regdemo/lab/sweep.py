"""A grid of techniques, their values and sizes of training data, past one machine, and what it allows to say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import ceil, isfinite
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from regdemo.bounds import EXACT
from regdemo.errors import ArgumentError, RegdemoError
from regdemo.lab.cells import Cell, Member, Results, Setting, digest, missing, train_cell, values_of
from regdemo.lab.choices import NONE, SEEDS, WORKERS, arms, lists, shown
from regdemo.lab.compare import Source, Stopped, passes, validates
from regdemo.lab.data import Task, device_type, shared_examples
from regdemo.lab.executors import Make, Processes, run
from regdemo.lab.findings import (
    MOST_CURVES,
    capital,
    change_columns,
    listed,
    lost_runs,
    p_cell,
    unit_of,
    verdict,
    what,
)
from regdemo.lab.memory import check_workers
from regdemo.lab.metrics import BETTER
from regdemo.lab.recipe import Recipe, acting, parameters
from regdemo.lab.statistics import holm, mean_interval, p_value
from regdemo.lab.training import group_size
from regdemo.parameters import SEED
from regdemo.report import Block, Claim, Curves, Report, Series, Table, Text
from regdemo.report import Cell as Entry

HEADS = ["", "examples"]  # of a table's first columns: the arm, and its size where there are several


def sweep(
    techniques: str | Sequence[str],
    out: Path,
    *,
    task: str = "mnist1d",
    data: Path | None = None,
    target: str | None = None,
    label_noise: float = 0.0,
    train_sizes: Sequence[int] = (),
    seeds: int = 16,
    epochs: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    precision: str = "float32",
    workers: int = 1,
    executor: Make | None = None,
    check: Callable[[], None] = lambda: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    **values: float | Sequence[float],
) -> Report:
    """Train what is missing of a grid, each cell in a worker, and report each technique against none.

    The grid is none and the techniques, each at every combination of its values, at every size, over paired seeds. Its
    cells are appended to `out` as they end; those that are there are not trained again.
    out: the results file.  train_sizes: how many training examples, all if empty.
    executor: what makes a `concurrent.futures.Executor` with so many workers; processes of this machine if not given.
    device: the workers'. With an executor of your own it need not be on this machine; processes share out its GPUs.
    check: called while no cell ends, to raise if none will any more.
    progress: told how many networks are done, and of how many; the first time how many were there before.
    The rest is as in `compare`. The report depends on the grid, what is in the file and what was lost, on nothing else.
    What a technique measures beside is measured in every network that is trained; one in the file may lack it.
    Raises ArgumentError on a value that is not allowed, or more workers than fit in memory; FileError on a results file
    that cannot be written or is of something else; on Ctrl-C, Stopped with what the file shows, or KeyboardInterrupt if
    there is nothing in it yet.
    """
    names = [techniques] if isinstance(techniques, str) else list(techniques)
    WORKERS.check("workers", workers)
    SEEDS.check("seeds", seeds)
    SEED.check("seed", seed)
    source, given = Source(task, data, target, label_noise, None, device, precision), lists(values)
    kind, here = device_type(device), source if executor is None else replace(source, device="cpu")
    whole = here.prepared()
    recipes = arms(names, given, against=NONE, offers=whole.offers, task=whole.title)
    if len(set(train_sizes)) < len(train_sizes):
        raise ArgumentError(f"train_size has the same value twice: {', '.join(map(str, train_sizes))}")
    sized = [replace(here, train_size=size).prepared() for size in train_sizes]
    common = {
        "task": task if data is None else "",
        "digest": digest(data) if data else "",
        "target": target,
        "label_noise": float(label_noise),
        "seed": seed,
        "device": kind,
        "precision": precision,
    }
    settings, tasks = _grid(sized or [whole], recipes, epochs, common)
    gpus = torch.cuda.device_count() if device == "cuda" else 0  # to share out: none, where one is named
    lost: list[tuple[Cell, BaseException]] = []
    stopped = False
    with Results(out) as results:
        measured = tuple(acting([t for recipe in recipes for t in recipe.techniques], "measures"))
        cells = missing(
            settings, seeds, results.done, group_size(whole, kind), data=data, device=device, measured=measured
        )
        if cells and executor is None:
            check_workers(max(tasks, key=lambda t: len(t.x)), recipes, ceil(workers / max(gpus, 1)))
        total = len(settings) * seeds
        done = total - sum(len(cell) for cell in cells)
        progress(done, total)
        try:
            for cell, line, error in run(train_cell, cells, executor or partial(Processes, gpus=gpus), workers, check):
                if error is None:
                    results.add(line)
                    done += len(cell)
                    progress(done, total)
                else:
                    lost.append((cell, error))
        except KeyboardInterrupt:
            stopped = True
    if not any(results.done.get(setting.key) for setting in settings):
        if stopped:
            raise KeyboardInterrupt
        raise RegdemoError(f"no network was trained, all were lost, the first by this: {_reason(lost[0][1])}")
    told = {"technique": ", ".join(names)} | shown(given) | source.shown
    told |= {"train_size": ", ".join(map(str, train_sizes))} if train_sizes else {}
    told |= {"seeds": seeds} | ({"epochs": epochs} if epochs else {"steps": whole.steps}) | {"seed": seed}
    report = _conclude(tasks, recipes, settings, seeds, results, lost, stopped, told)
    if stopped:
        raise Stopped(report)
    return report


def _grid(
    tasks: Sequence[Task], recipes: Sequence[Recipe], epochs: int | None, common: dict[str, Any]
) -> tuple[list[Setting], list[Task]]:
    """Each arm's setting at the first size, then at the next; and the task of each size, as it is trained on."""
    holds = validates(recipes)
    settings, used = [], []
    for whole in tasks:
        task = whole.hold_out() if holds else whole
        used.append(task)
        settings += [
            Setting(
                **common,
                train_size=len(whole.x),
                hold_out=holds,
                technique=recipe.techniques[0].NAME if recipe.techniques else NONE,
                values=values_of(recipe.techniques[0]) if recipe.techniques else (),
                epochs=passes(task, epochs),
            )
            for recipe in recipes
        ]
    return settings, used


def _conclude(
    tasks: Sequence[Task],
    recipes: Sequence[Recipe],
    settings: Sequence[Setting],
    seeds: int,
    results: Results,
    lost: Sequence[tuple[Cell, BaseException]],
    stopped: bool,
    shown: dict[str, Any],
) -> Report:
    """What the file shows of each arm against none at the same size, over the seeds that both have."""
    per = len(recipes)
    found = [{k: m for k, m in results.done.get(s.key, {}).items() if k < seeds} for s in settings]
    metrics = list(next(m.scores for members in found for m in members.values()))
    headline, judged = metrics[0], [name for name in metrics if name in BETTER]
    sizes = [setting.train_size for setting in settings[::per]]
    many = len(sizes) > 1
    names = [f"{recipe.name} at {n:,} examples" if many else recipe.name for n in sizes for recipe in recipes]
    pairs = [
        _Pair([recipes[i % per].name, f"{sizes[i // per]:,}"][: 1 + many], found[i - i % per], members)
        for i, members in enumerate(found)
        if i % per
    ]
    own = list(dict.fromkeys(name for r in recipes for t in r.techniques for name in t.measures()))
    changes = {name: [pair.change(name) for pair in pairs] for name in [*judged, *own]}
    corrected = {name: holm([p_value(d) for d in some]) for name, some in changes.items()}
    compared = [name for i, name in enumerate(names) if i % per]
    blocks: list[Block] = [*map(Text, _verdicts(compared, changes[headline], corrected[headline], headline))]
    for name, members in zip(names, found, strict=True):
        if gone := [k for k, m in sorted(members.items()) if not _finite(m)]:
            blocks.append(Text(lost_runs(name, gone, len(members))))
    columns, rows = _differences(headline, pairs, corrected[headline])
    for row, pair in zip(rows, pairs, strict=True):
        times = [m.seconds for m in pair.members.values()]
        row.append(float(f"{fmean(times):.2g}") if times else "–")
    timed = "processor time" if settings[0].device == "cpu" else "time"
    blocks.append(
        Table(
            f"The difference from none in {what(headline)}",
            [*columns, "s"],
            rows,
            note="Means with 95% intervals by Student's t, differences paired by seed and at the same size. p-values "
            f"are corrected by Holm's method for the {len(pairs)} comparisons of the grid. They speak of training "
            f"again on this data, not of other data. s: {timed} to train one network.",
        )
    )
    if len(judged) > 1:
        beside: list[list[Entry]] = []
        for i, pair in enumerate(pairs):
            rest = ((_mean(changes[name][i]), p_cell(corrected[name][i])) for name in judged[1:])
            beside.append([*pair.head, *(cell for two in rest for cell in two)])
        heads = [*HEADS[: 1 + many], *change_columns(judged[1:])]
        blocks.append(
            Table("The differences from none in the rest", heads, beside, "Corrected likewise, each metric alone.")
        )
    every = [m for members in found for m in members.values()]
    for name in own:
        lacking = sum(name not in m.scores for m in every)
        note = (
            f"{lacking:,} of the networks were trained before this was asked for, and lack it: they are left out. A "
            "new results file would have it of all."
        )
        if any(changes[name]):
            note = f"Corrected likewise. {note}" if lacking else "Corrected likewise."
            table = _differences(name, pairs, corrected[name])
            blocks.append(Table(f"The difference from none in {what(name)}", *table, note))
        elif lacking:
            blocks.append(Text(f"No pair shows {what(name)}: {note}"))
    blocks += _curves(recipes, sizes, found, headline)
    have, wanted = len(every), len(settings) * seeds
    blocks.append(Text(_state(results, {member.by for member in every}, have, wanted, lost)))
    largest = max(tasks, key=lambda task: len(task.x))
    blocks.append(Text(f"The data: {largest.origin} The network: {largest.network}."))
    both = [two for pair in pairs for two in pair.both]
    same_start, same_batches = sum(a.start == b.start for a, b in both), sum(a.seen == b.seen for a, b in both)
    claims = [
        Claim("No test example was trained on", 0, "examples in both", shared_examples(largest), *EXACT),
        Claim("The networks of a pair start from the same weights", len(both), "pairs", same_start, *EXACT),
        Claim(
            "The networks of a pair saw the same batches in the same order", len(both), "pairs", same_batches, *EXACT
        ),
    ]
    if not stopped:
        claims.append(Claim("Every network of the grid is in the file", wanted, "arms x sizes x seeds", have, *EXACT))
    return Report(
        title=f"A grid of {len(recipes)} arms{f' and {len(sizes)} sizes' if many else ''} on {largest.title}, "
        f"{seeds} paired seeds" + (" (stopped)" if stopped else ""),
        parameters=shown,
        claims=claims,
        blocks=blocks,
        say=(
            "A technique that helps at one rate and one size of data says little of the next. I run a grid over paired "
            "seeds, each cell where there is room, keep every finished cell, and correct for the number of "
            "comparisons: of forty true nulls, two would look like finds at 5%."
        ),
        wrong_answer=(
            "'The best cell of the grid won by 1.5 points.' The best of many is lucky too: correct its p-value for the "
            "grid, or run that cell again on seeds that did not choose it."
        ),
        cards=["Q18.90", "Q18.92"],
    )


def _finite(member: Member) -> bool:
    return all(map(isfinite, member.scores.values()))


def _mean(values: Sequence[float]) -> Entry:
    return mean_interval(values) if len(values) > 1 else "–"


@dataclass(frozen=True)
class _Pair:
    """An arm against none at the same size: what a row of a table begins with, and what the file has of each."""

    head: Sequence[Entry]
    base: dict[int, Member]
    members: dict[int, Member]

    @property
    def both(self) -> list[tuple[Member, Member]]:
        """Without and with, of the seeds that both have."""
        return [(self.base[k], self.members[k]) for k in sorted(self.members.keys() & self.base.keys())]

    def levels(self, metric: str) -> list[tuple[float, float]]:
        """A metric without and with, where both have it and neither diverged."""
        return [
            (a.scores[metric], b.scores[metric])
            for a, b in self.both
            if all(_finite(m) and metric in m.scores for m in (a, b))
        ]

    def change(self, metric: str) -> list[float]:
        """By how much more with than without."""
        return [b - a for a, b in self.levels(metric)]


def _verdicts(
    names: Sequence[str], changes: Sequence[list[float]], corrected: Sequence[float], metric: str
) -> list[str]:
    """What there is to say of each arm; those of which nothing is shown, or known, in a line."""
    texts, undecided, few = [], [], []
    for name, change, p in zip(names, changes, corrected, strict=True):
        if len(change) < 2:
            few.append(name)
        elif (text := verdict(name, change, metric, p, len(names))).startswith("No difference shown"):
            undecided.append(name)
        else:
            texts.append(text)
    if undecided:
        texts.append(f"No difference shown in {what(metric)}: {'; '.join(undecided)}.")
    if few:
        texts.append(f"No verdict on {listed(few)}: fewer than the 2 pairs that an interval needs.")
    return texts


def _differences(
    metric: str, pairs: Sequence[_Pair], corrected: Sequence[float]
) -> tuple[list[str], list[list[Entry]]]:
    """The columns and rows of a table of one metric: in how many pairs, without, by how much more with, and p."""
    rows: list[list[Entry]] = []
    for pair, p in zip(pairs, corrected, strict=True):
        without = [a for a, _ in pair.levels(metric)]
        rows.append([*pair.head, len(without), _mean(without), _mean(pair.change(metric)), p_cell(p)])
    unit = unit_of(metric).replace(" ", ", ", 1)
    columns = ["pairs", metric.replace(what(metric), NONE, 1), f"difference{unit}", "p"]  # none, with the unit
    return [*HEADS[: len(pairs[0].head)], *columns], rows


def _state(results: Results, by: set[str], have: int, wanted: int, lost: Sequence[tuple[Cell, BaseException]]) -> str:
    """What is in the file, who trained it, and what is not there, and why."""
    text = f"{have:,} of the grid's {wanted:,} networks are in {results.path}"
    if len(by) > 1:
        text += f", trained by {' and by '.join(sorted(by))}, which may differ"
    text += "."
    if results.cut:
        text += f" {results.cut} line{'s' * (results.cut > 1)} cut short, by a kill or a full disk, passed over."
    reasons: dict[str, list[str]] = {}
    for cell, error in lost:
        reasons.setdefault(_reason(error), []).append(cell.name)
    for reason, cells in reasons.items():
        rest = f" and {len(cells) - 3} more" if len(cells) > 3 else ""
        text += f" Lost, {reason}: {'; '.join(cells[:3])}{rest}."
    return text + (" The same command again trains what is missing." if have < wanted else "")


def _reason(error: BaseException) -> str:
    first = (str(error).splitlines() or [""])[0]
    return first if type(error).__name__ == "BrokenExecutor" else f"{type(error).__name__}: {first}"


def _curves(
    recipes: Sequence[Recipe], sizes: Sequence[int], found: Sequence[dict[int, Member]], headline: str
) -> list[Block]:
    """Over the size where there are several, and over a technique's first parameter where that has several values."""
    per = len(recipes)
    title, unit = capital(what(headline)), headline.partition(", ")[2]
    note = "Means over seeds; a band is the 95% interval."

    def series(name: str, points: Sequence[tuple[float, int]]) -> Series:
        some = [(x, [m.scores[headline] for m in found[i].values() if isfinite(m.scores[headline])]) for x, i in points]
        means = [(x, mean_interval(values)) for x, values in sorted(some) if values]
        at, known = [x for x, _ in means], [mean for _, mean in means]
        return Series(name, at, [m.value for m in known], [m.low for m in known], [m.high for m in known])

    blocks: list[Block] = []
    if len(sizes) > 1 and per <= MOST_CURVES:
        over = [series(r.name, [(float(n), s * per + a) for s, n in enumerate(sizes)]) for a, r in enumerate(recipes)]
        blocks.append(Curves(f"{title} over the number of examples", "examples", unit, over, note))
    for kind in dict.fromkeys(type(recipe.techniques[0]) for recipe in recipes[1:]):
        own = [
            (a, recipe.techniques[0]) for a, recipe in enumerate(recipes) if a and type(recipe.techniques[0]) is kind
        ]
        for name in parameters(kind):
            others = {tuple(v for n, v in values_of(t) if n != name) for _, t in own}
            if len(own) > 1 and len(others) == 1 and len(sizes) <= MOST_CURVES:
                over = [
                    series(f"{n:,} examples", [(float(vars(t)[name]), s * per + a) for a, t in own])
                    for s, n in enumerate(sizes)
                ]
                label = name.replace("_", " ")
                blocks.append(Curves(f"{title} over {kind.NAME}'s {label}", label, unit, over, note))
    return blocks
