"""With and without a technique, or one against another: paired training runs, and what they let you conclude."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from threading import Event
from typing import Any

from regdemo.errors import ArgumentError
from regdemo.lab import coefficients, findings
from regdemo.lab.choices import NONE, arms, display_values, lists
from regdemo.lab.experiment import Experiment
from regdemo.lab.results import Results
from regdemo.lab.source import Source
from regdemo.lab.splits import REPEATS
from regdemo.lab.statistics import Change, change
from regdemo.lab.task import Task
from regdemo.lab.training import OnProgress
from regdemo.report import Block, Report, Text

MOST_COLUMNS = 3  # metrics next to the primary one that a table of several arms has room for


class ExperimentReport(Report):
    """A report with the results that it tells of; as JSON it has every network's values too."""

    results: Results

    @classmethod
    def of(cls, results: Results, **content: Any) -> ExperimentReport:
        """The report with this content."""
        report = cls(**content)
        object.__setattr__(report, "results", results)
        return report

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON-ready values, with the settings and every network's values."""
        return super().as_dict() | self.results.as_dict()


class Stopped(KeyboardInterrupt):
    """Ctrl-C, or a caller that cancelled, after the first evaluation. report: what was finished by then."""

    def __init__(self, report: ExperimentReport) -> None:
        super().__init__(report.title)
        self.report = report


def compare(
    techniques: str | Sequence[str] = "dropout",
    *,
    against: str = NONE,
    seeds: int = 16,
    repeats: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    tune: int = 1,
    clock: Callable[[], float] | None = None,
    progress: OnProgress = lambda done, total: None,
    cancel: Event | None = None,
    own: Task | None = None,
    **options: Any,
) -> ExperimentReport:
    """Train `seeds` networks of each arm, paired by seed, and report the differences. Prints nothing.

    techniques: arms in words, as `choices.recipes` reads them.  against: what they are compared with, one more arm.
    repeats: of a cross-validation in `folds`; then there are folds x repeats seeds (4 repeats if not given).
    epochs: the task's own if not given.  tune: learning rates to try for each arm before the comparison.
    clock, progress, cancel: see `Experiment.run`.
    own: a task of your own, from `data.from_arrays`, instead of a named one.
    options: the fields of `source.Source`, such as task="digits" or data=Path("t.csv"); and values of the techniques'
    parameters, such as p=0.2; several, p=[0.1, 0.2], are as many arms.
    Raises ArgumentError on a value that is not allowed, or more seeds than fit in memory; on Ctrl-C, Stopped with what
    the last evaluation shows, or KeyboardInterrupt if there was none yet.
    """
    words = [techniques] if isinstance(techniques, str) else list(techniques)
    source, values = asked(options)
    task = source.prepared() if own is None else own
    seeds = seeds_of(seeds, source.folds, repeats)
    recipes = arms(words, values, against=against, offers=task.offers, task=task.title)
    experiment = Experiment(task, recipes, seeds, seed, epochs, tune=tune)
    results = experiment.run(clock=clock, progress=progress, cancel=cancel)
    parameters = (
        {"technique": ", ".join(words)} | display_values(values) | ({"against": against} if against != NONE else {})
    )
    parameters |= (source.display_values if own is None else {"task": own.title}) | training_values(results)
    plain = source.lr is None and source.optimizer is None and not results.tuned
    report = report_of(results, parameters, converged=plain and results.epoch >= task.epochs)
    if results.stopped:
        raise Stopped(report)
    return report


def asked(options: dict[str, Any]) -> tuple[Source, dict[str, list[float]]]:
    """The source and the techniques' values among a command's options."""
    known = {field.name for field in fields(Source)}
    chosen = {name: value for name, value in options.items() if name in known}
    if "drop" in chosen:
        chosen["drop"] = tuple(chosen["drop"] or ())
    source = replace(Source(task="mnist1d"), **chosen)
    return source, lists({name: value for name, value in options.items() if name not in known})


def seeds_of(seeds: int, folds: int, repeats: int | None) -> int:
    """How many networks an arm has: as many as seeds, or one a fold of each repeat."""
    if not folds:
        if repeats is not None:
            raise ArgumentError(f"repeats = {repeats} is of a cross-validation: name its folds too, as in --folds 5")
        return seeds
    repeats = 4 if repeats is None else repeats
    REPEATS.check("repeats", repeats)
    return folds * repeats


def training_values(results: Results) -> dict[str, Any]:
    """What a report shows of the training itself."""
    found: dict[str, Any] = {"seeds": results.seeds, "epochs": results.conditions[0].setting.epochs}
    found |= {"seed": results.seed} | ({"tune": results.tune} if results.tune > 1 else {})
    return found | ({"stopped_at_epoch": results.epoch} if results.stopped else {})


def report_of(results: Results, parameters: dict[str, Any], converged: bool = False) -> ExperimentReport:
    """What results in step show of each arm against the first, so far.

    converged: whether a linear model's coefficients can be held against scikit-learn's.
    """
    task = results.task
    which, kept, gone = findings.kept_members(results)
    names = [recipe.name for recipe in results.arms[1:]]
    primary = results.metrics[0]
    blocks: list[Block] = [*_verdicts(results, which, kept), *map(Text, gone)]
    if len(kept) > 1 and len(which) > 1:
        blocks += _differences(results, which, kept)
        if len(which) <= findings.MOST_CURVES:
            blocks += [findings.curves(results, name, which, kept) for name in findings.plot_metrics(results)]
            if task.classes:
                blocks.append(findings.calibration_curves(results, which))
    blocks += findings.cost_table(results, which, kept)
    blocks += findings.training_blocks(results)
    claims = findings.claims_of(results)
    if converged and not results.stopped and task.features and not task.hidden and task.resampled:
        claims += coefficients.agreement(results)
    return ExperimentReport.of(
        results,
        title=f"{findings.capital(findings.joined(names))} against {results.arms[0].name} on {task.title}, "
        f"{results.seeds} paired seeds{findings.ended(results)}",
        parameters=parameters,
        claims=claims,
        blocks=blocks,
        say=(
            "I train each arm several times, in pairs: a seed gives all of them the same rows, initial weights and "
            f"batches, so only the technique differs. Then I report the mean difference in {findings.what(primary)} "
            "with its 95% interval, and conclude no more than the interval does. With it I give the loss, the gap, and "
            "the cost."
        ),
        wrong_answer=f"'I ran it once each way, and it won.'{findings.spread_text(results, kept)} Two runs cannot tell "
        "technique from seed.",
        cards=["Q18.90", "Q18.91", "Q18.92"],
    )


def _verdicts(results: Results, which: Sequence[int], kept: Sequence[int]) -> Iterator[Text]:
    """What may be concluded of each arm, by the primary metric, and what the others show."""
    compared, primary = which[1:], results.metrics[0]
    scope = findings.scope_of(results.task, len(kept))
    for i in compared:
        found = results.change(i, primary, members=kept, comparisons=len(compared))
        alone = None
        if results.overlap:
            alone = change(results.differences(i, primary, members=kept), comparisons=len(compared))
        text = findings.conclusion(results.conditions[i].name, found, primary, scope, len(compared), alone)
        if len(kept) > 1 and (secondary := _secondary(results)):
            text += " " + findings.secondary_findings(_changes(results, i, secondary, kept, len(compared)))
        yield Text(text)


def _differences(results: Results, which: Sequence[int], kept: Sequence[int]) -> Iterator[Block]:
    """Every arm against the first in numbers: the metrics, each pair, their spread."""
    task, compared, primary = results.task, which[1:], results.metrics[0]
    if fixed := findings.test_set_text(results, compared):
        yield Text(fixed)
    note = "Differences paired by seed; intervals and p-values by Student's t."
    if len(compared) > 1:
        note += (
            f" With {len(compared)} arms, intervals and p-values are corrected by Bonferroni's method, so that all "
            "intervals of a metric hold together."
        )
    note += f" {findings.scope_of(task, len(kept)).note}" + (" The gap is training minus test." if task.classes else "")
    note += (
        f" The primary metric is {findings.what(primary)}. Training is judged on at most 1,000 examples. The last "
        "epoch counts, not the best."
    )
    title = f"After epoch {results.epoch}, over {len(kept)} pairs, with 95% intervals"
    if len(results.conditions) == 2:
        yield findings.one_change(results, title, kept, note)
    else:
        columns = [primary, *_secondary(results)[:MOST_COLUMNS]]
        yield findings.level_table(results, title, which, kept, columns)
        yield findings.changes_table(
            f"Differences from {results.arms[0].name}",
            [results.conditions[i].name for i in compared],
            [_changes(results, i, columns, kept, len(compared)) for i in compared],
            note,
        )
        yield findings.pairs_table(results, which, kept, primary)
    yield from findings.spread_blocks(results, compared, kept, primary, comparisons=len(compared))
    if task.features and not task.hidden and len(task.features) == task.inputs:
        yield coefficients.survival(results, which, kept)


def _secondary(results: Results) -> list[str]:
    """The metrics that are judged, but for the primary one."""
    return [name for name in results.judged if name != results.metrics[0]]


def _changes(
    results: Results, i: int, metrics: Sequence[str], kept: Sequence[int], comparisons: int
) -> dict[str, Change]:
    """How arm i differs from the first in each metric."""
    return {name: results.change(i, name, members=kept, comparisons=comparisons) for name in metrics}
