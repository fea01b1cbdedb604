"""One experiment: arms trained over paired seeds on one task, here or anywhere, with one kind of result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from math import isnan
from pathlib import Path
from statistics import fmean
from threading import Event
from typing import Any

import numpy as np
import torch

from regdemo.errors import ArgumentError
from regdemo.lab import executors, memory, metrics, store, training
from regdemo.lab.choices import EPOCHS, SEEDS, TUNE
from regdemo.lab.recipe import Recipe, overriding
from regdemo.lab.results import Condition, Evaluation, Pilot, Results
from regdemo.lab.source import Source
from regdemo.lab.store import Network, Setting, Store, TrainingJob
from regdemo.lab.task import Task
from regdemo.lab.training import Cancelled, OnProgress, TrainingRun
from regdemo.parameters import SEED

PILOTS = 4  # networks of the reference that show where it is best on validation data
SPREAD = 8.0  # that tuning tries learning rates from 1/8 of the task's to half of 8 times it


@dataclass(frozen=True)
class Experiment:
    """Arms on a task, the first being what the others are compared with.

        from regdemo.lab import Experiment, arms, from_arrays
        results = Experiment(from_arrays(x, y), arms("none", "dropout:p=0.1"), seeds=16).run()
        print(results.to_pandas())

    Network k of each arm starts from the same weights, has the same training and test rows, and sees the same batches
    in the same order; only what the recipes do differs.
    task: what is learned, or a `Source` that says how to make it, as other machines must.
    seeds: networks of each arm.  seed: of every random draw.  epochs: the task's own if not given.
    sizes: of training data to repeat everything at; all of it if empty.
    tune: how many learning rates each arm tries on validation data before the comparison; 1 is none but the task's.
    """

    task: Task | Source
    arms: Sequence[Recipe]
    seeds: int = 16
    seed: int = 0
    epochs: int | None = None
    sizes: tuple[int, ...] = ()
    tune: int = 1

    def run(
        self,
        executor: Callable[[int], Executor] | None = None,
        store: Path | None = None,
        *,
        workers: int = 1,
        check: Callable[[], None] = lambda: None,
        clock: Callable[[], float] | None = None,
        progress: OnProgress = lambda done, total: None,
        cancel: Event | None = None,
    ) -> Results:
        """Train what is missing, print nothing, and return every network's values.

        executor: makes a `concurrent.futures.Executor` with so many workers, for jobs of a few networks each; without
        one, all arms are trained in step on torch's threads, and the results have learning curves.
        store: a file that finished networks are appended to; those that it has are not trained again.
        check: called while no job ends, to raise if none will any more.
        clock: to time networks by, such as `store.clock_on(device)`; without one there are no times, and the same seed
        gives the same results.
        progress: called with how much is done, and of how much.  cancel: if set, training ends within a second.
        Ctrl-C, or `cancel`, returns what is finished, `stopped` set; KeyboardInterrupt if that is nothing.
        Raises ArgumentError on a value that is not allowed, or more than fits in memory; FileError on a file that can't
        be used.
        """
        plan = self.plan(elsewhere=executor is not None)
        if executor is None and store is None:
            return _in_step(self, plan, clock, progress, cancel)
        return _in_jobs(self, plan, executor, store, workers, check, progress, cancel)

    def check_memory(self, plan: ExperimentPlan | None = None) -> list[tuple[int, int]]:
        """What each arm takes in memory; raises ArgumentError if all networks together do not fit.

        plan: this experiment's, if it is known already.
        """
        task = (plan or self.plan()).task
        one = {held: task.examples([0], self.seed, hold_out=held) for held in {arm.validates for arm in self.arms}}
        footprints = [memory.footprint(task, arm, one[arm.validates]) for arm in self.arms]
        memory.check_memory(task, footprints, self.seeds)
        return footprints

    def plan(self, *, elsewhere: bool = False) -> ExperimentPlan:
        """What is to be trained; raises ArgumentError or FileError if it can't be.

        elsewhere: the device asked for need not be on this machine.
        """
        SEED.check("seed", self.seed)
        TUNE.check("tune", self.tune)
        if self.epochs is not None:
            EPOCHS.check("epochs", self.epochs)
        source = self.task if isinstance(self.task, Source) else None
        here = replace(source, device="cpu") if source is not None and elsewhere else source
        whole = here.prepared() if here is not None else self.task
        assert isinstance(whole, Task)
        if not (whole.split is not None and whole.split.folds):
            SEEDS.check("seeds", self.seeds)
        elif self.seeds % whole.split.folds:
            raise ArgumentError(
                f"seeds = {self.seeds} is not allowed with folds = {whole.split.folds}: it is folds times repeats"
            )
        if len(set(self.sizes)) < len(self.sizes):
            raise ArgumentError(f"train_size has the same value twice: {', '.join(map(str, self.sizes))}")
        digest = store.digest_of(self.task)
        conditions = []
        for size in self.sizes or (None,):
            task = whole if size is None else whole.first(size)
            sized = source if size is None or source is None else replace(source, train_size=size)
            for recipe in self.arms:
                epochs = task.epochs if self.epochs is None else self.epochs
                setting = store.setting_of(task, sized, recipe, epochs, self.seed, digest)
                conditions.append(Condition(recipe, task, setting, sized or task))
        return ExperimentPlan(whole, conditions)


@dataclass(frozen=True)
class ExperimentPlan:
    """The whole task, and each arm at the first size, then at the next.

    tuned: of conditions, the setting of each member that differs from the condition's own.
    """

    task: Task
    conditions: list[Condition]
    tuned: dict[tuple[int, int], Setting] = field(default_factory=dict)

    def setting(self, condition: int, member: int) -> Setting:
        """What a network is trained with."""
        return self.tuned.get((condition, member), self.conditions[condition].setting)

    def finished(self, members: Sequence[int], done: dict[str, dict[int, Network]]) -> list[dict[int, Network]]:
        """Of each condition, the networks that a store holds, by member."""
        return [
            {
                member: network
                for member in members
                if (network := done.get(self.setting(i, member).key, {}).get(member)) is not None
            }
            for i in range(len(self.conditions))
        ]

    def jobs(
        self, members: Sequence[int], seed: int, done: dict[str, dict[int, Network]], size: int, small: bool = False
    ) -> list[TrainingJob]:
        """The jobs that are not done, of at most `size` networks; the first seeds first, so that they can be paired.

        small: fewer where a network takes long, and the longest first, so that no worker waits for another at the end.
        """
        found: list[tuple[int, float, TrainingJob]] = []
        recipes = [condition.recipe for condition in self.conditions]
        measured = tuple(overriding([t for recipe in recipes for t in recipe.techniques], "measures"))
        for number, condition in enumerate(self.conditions):
            wanted: dict[Setting, list[int]] = {}
            for member in members:
                setting = self.setting(number, member)
                if member not in done.get(setting.key, {}):
                    wanted.setdefault(setting, []).append(member)
            for setting, some in wanted.items():
                most = store.quick_enough(condition.task, setting.epochs, size) if small else size
                for start in range(0, max(members) + 1, size):
                    block = [member for member in some if start <= member < start + size]
                    for chunk in store.chunks(condition.task, block, seed, most):
                        expensive = store.cost(condition.task, setting.epochs) * len(chunk) if small else 0.0
                        job = TrainingJob(setting, chunk, condition.made_from, condition.recipe, number, measured)
                        found.append((start, -expensive, job))
        return [job for *_, job in sorted(found, key=lambda item: item[:2])]


def _in_step(
    experiment: Experiment,
    plan: ExperimentPlan,
    clock: Callable[[], float] | None,
    progress: OnProgress,
    cancel: Event | None,
) -> Results:
    """All arms together, evaluated ten times on the way."""
    members, seed = list(range(experiment.seeds)), experiment.seed
    task = plan.conditions[0].task
    footprints = experiment.check_memory(plan)
    tick = clock or (lambda: 0.0)
    tries = experiment.tune if experiment.tune > 1 else 0
    if tries:
        _tune(plan, members, seed, tries, progress, cancel)
    told = _part(progress, tries, tries + 1)
    jobs = plan.jobs(members, seed, {}, training.group_size(task))
    runs = _begin(plan, jobs, seed)
    starts = [store.checksums(run) for run in runs]
    pilot = _pilot(plan, members, seed)
    evaluations: list[Evaluation] = []
    losses: list[tuple[int, float]] = []
    stopped = False
    try:
        for scores in training.in_step([*runs, *([pilot] if pilot else [])], clock=tick, progress=told, cancel=cancel):
            evaluations.append(_evaluation(plan, jobs, runs, scores))
            if pilot is not None:
                losses.append((pilot.epoch_count, fmean(scores[-1][metrics.VALIDATION_LOSS])))
    except (KeyboardInterrupt, Cancelled):
        if not evaluations:
            raise KeyboardInterrupt from None
        stopped = True
    networks: list[dict[int, Network]] = [{} for _ in plan.conditions]
    last = evaluations[-1].scores
    for job, run, start in zip(jobs, runs, starts, strict=True):
        known = last[job.condition]
        latest = {name: [known[member][name] for member in job.members] for name in known[job.members[0]]}
        for line in store.lines_of(job, run, start, latest):
            networks[job.condition][line["seed"]] = store.network_of(line)
    return Results(
        experiment.arms,
        experiment.seeds,
        experiment.seed,
        experiment.tune,
        plan.conditions,
        networks,
        evaluations=evaluations,
        runs=[
            [run for job, run in zip(jobs, runs, strict=True) if job.condition == i]
            for i in range(len(plan.conditions))
        ],
        stopped=stopped,
        pilot=Pilot(losses, len(pilot.members), pilot.hold_out) if pilot and len(losses) > 1 else None,
        footprints=footprints,
        timed=clock is not None,
        shared=task.shared(members, seed),
        tuned=dict(plan.tuned),
    )


def _begin(plan: ExperimentPlan, jobs: Sequence[TrainingJob], seed: int) -> list[TrainingRun]:
    """The run of each job. Arms that train on the same examples hold them once."""
    examples: dict[Any, Any] = {}
    runs = []
    for job in jobs:
        condition = plan.conditions[job.condition]
        key = (condition.setting.train_size, job.members, condition.recipe.validates)
        if key not in examples:
            examples[key] = condition.task.examples(job.members, seed, hold_out=condition.recipe.validates)
        made = replace(condition.task, learning_rate=job.setting.learning_rate)
        runs.append(job.begin(made, examples=examples[key]))
    return runs


def _pilot(plan: ExperimentPlan, members: Sequence[int], seed: int) -> TrainingRun | None:
    """A run that shows where the reference is best on validation data, unless it holds out some itself, or can't."""
    task, recipe, setting = plan.conditions[0].task, plan.conditions[0].recipe, plan.setting(0, 0)
    if recipe.validates or "validation" not in task.offers:
        return None
    made = replace(task, learning_rate=setting.learning_rate)
    few = store.chunks(task, members, seed, min(PILOTS, training.group_size(task)))[0]
    return TrainingRun(made, recipe, few, seed=seed, epochs=setting.epochs, judge_held_out=True)


def _evaluation(
    plan: ExperimentPlan, jobs: Sequence[TrainingJob], runs: Sequence[TrainingRun], scores: Sequence[metrics.Scores]
) -> Evaluation:
    found: list[dict[int, dict[str, float]]] = [{} for _ in plan.conditions]
    epochs = [0] * len(plan.conditions)
    for job, run, some in zip(jobs, runs, scores, strict=False):
        epochs[job.condition] = max(epochs[job.condition], run.epoch_count)
        for i, member in enumerate(job.members):
            found[job.condition][member] = {name: values[i] for name, values in some.items()}
    return Evaluation(max(epochs), found)


def _part(progress: OnProgress, number: int, parts: int) -> OnProgress:
    """The progress of one of several equal parts, numbered from 0, told as that of the whole."""
    return lambda done, total: progress(number * total + done, parts * total)


def _tune(
    plan: ExperimentPlan, members: Sequence[int], seed: int, tries: int, progress: OnProgress, cancel: Event | None
) -> None:
    """Give each network the learning rate and number of epochs that were best on its own validation examples.

    Every arm tries the same learning rates, the task's own first; each try is judged after every tenth of its epochs.
    """
    random = np.random.default_rng((seed, 7))
    factors = [1.0, *np.exp(random.uniform(-np.log(SPREAD), np.log(SPREAD / 2), tries - 1)).tolist()]
    best: dict[tuple[int, int], tuple[float, Setting]] = {}
    for number, factor in enumerate(factors):
        told = _part(progress, number, tries + 1)
        jobs = plan.jobs(members, seed, {}, training.group_size(plan.task))
        runs = []
        for job in jobs:
            task = plan.conditions[job.condition].task
            made = replace(task, learning_rate=task.learning_rate * factor)
            runs.append(job.begin(made, judge_held_out=True))
        for scores in training.in_step(runs, progress=told, cancel=cancel):
            for job, run, some in zip(jobs, runs, scores, strict=True):
                setting = replace(job.setting, learning_rate=run.task.learning_rate, epochs=run.epoch_count)
                for member, loss in zip(job.members, some[metrics.VALIDATION_LOSS], strict=True):
                    known = best.get((job.condition, member))
                    if not isnan(loss) and (known is None or loss < known[0]):
                        best[job.condition, member] = loss, setting
    plan.tuned.update({key: setting for key, (_, setting) in best.items()})


def _in_jobs(
    experiment: Experiment,
    plan: ExperimentPlan,
    executor: Callable[[int], Executor] | None,
    path: Path | None,
    workers: int,
    check: Callable[[], None],
    progress: OnProgress,
    cancel: Event | None,
) -> Results:
    """Job by job, each in a worker; what ends is kept at once."""
    if experiment.tune > 1:
        raise ArgumentError(
            f"tune = {experiment.tune} is for experiments in step: run it without an executor or a file"
        )
    task, members = plan.task, list(range(experiment.seeds))
    device = experiment.task.device if isinstance(experiment.task, Source) else str(task.device)
    gpus = torch.cuda.device_count() if device == "cuda" else 0  # for the workers: none, where one is named
    size = training.group_size(task, plan.conditions[0].setting.device)
    lost: list[tuple[TrainingJob, BaseException]] = []
    stopped = False
    kept: AbstractContextManager[Store | _Memory] = nullcontext(_Memory()) if path is None else Store(path)
    with kept as file:
        jobs = plan.jobs(members, experiment.seed, file.done, size, small=True)
        if jobs and executor is None:
            largest = max(plan.conditions, key=lambda condition: condition.setting.train_size).task
            each = [memory.footprint(largest, recipe) for recipe in experiment.arms]
            memory.check_workers(largest, each, -(-workers // max(gpus, 1)))
        make = executor or partial(executors.Processes, gpus=gpus)
        total = len(plan.conditions) * len(members)
        done = total - sum(len(job.members) for job in jobs)
        try:
            progress(done, total)
            for job, lines, error in executors.run_all(
                store.train_job, jobs, make, workers, partial(_watch, check, cancel)
            ):
                if error is None:
                    file.add(lines)
                    done += len(lines)
                    progress(done, total)
                else:
                    lost.append((job, error))
        except (KeyboardInterrupt, Cancelled):
            stopped = True
        networks = plan.finished(members, file.done)
    if stopped and not any(networks):
        raise KeyboardInterrupt
    return Results(
        experiment.arms,
        experiment.seeds,
        experiment.seed,
        experiment.tune,
        plan.conditions,
        networks,
        stopped=stopped,
        lost=lost,
        kept_in=path,
        cut=file.cut,
        shared=task.shared(members[:1], experiment.seed),
        timed=True,
    )


def _watch(check: Callable[[], None], cancel: Event | None) -> None:
    if cancel is not None and cancel.is_set():
        raise Cancelled
    check()


class _Memory:
    """What a store holds, without a file."""

    def __init__(self) -> None:
        self.done: dict[str, dict[int, Network]] = {}
        self.cut = 0

    def add(self, lines: Sequence[dict[str, Any]]) -> None:
        """Keep the lines of some networks."""
        for line in lines:
            self.done.setdefault(store.key_of(line), {})[line["seed"]] = store.network_of(line)
