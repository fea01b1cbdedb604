"""What training takes in memory, counted before it starts."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from regdemo.errors import ArgumentError
from regdemo.lab.recipe import Recipe
from regdemo.lab.task import Examples, Task
from regdemo.lab.training import TrainingRun, group_size, groups_abreast

SAFETY_FACTOR = 1.25  # for what the allocator and the operations between two layers take in addition to what is counted

PROCESS = 0.4e9  # of one more process: torch and what it loads


def footprint(task: Task, recipe: Recipe, examples: Examples | None = None) -> tuple[int, int]:
    """Bytes that one network holds from step to step, and those it holds within one for the backward pass.

    Both are counted on a first step: parameters, gradients, the optimizer's and the techniques' state; and the tensors
    that autograd saves.  examples: of one network, if they are known already.
    """
    run = TrainingRun(task, recipe, [0], seed=0, examples=examples)
    weights = {p.data_ptr() for p in run.parameters}
    living: Counter[tuple[int, int]] = Counter()  # the place and size of what is saved now, and how often
    most = 0

    def keep(tensor: Tensor) -> _Kept:
        nonlocal most
        kept, storage = _Kept(tensor), tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            place = (storage.data_ptr(), storage.nbytes())
            living[place] += 1
            weakref.finalize(kept, living.subtract, [place])
            most = max(most, sum(size for (_, size), times in living.items() if times))
        return kept

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda kept: kept.tensor):
        run.step(run.examples.train[:, : task.batch_size])
    state = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in _held(run)}
    return sum(state.values()), most


class _Kept:
    """A tensor that autograd saves, for as long as it does."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


def _held(run: TrainingRun) -> Iterator[Tensor]:
    for p in run.parameters:
        yield from (p, p.grad) if p.grad is not None else (p,)
    optimizer: Any = run.optimizer
    while optimizer is not None:
        yield from _tensors([list(state.values()) for state in optimizer.state.values()])
        optimizer = getattr(optimizer, "base", None)
    yield from _tensors([list(vars(technique).values()) for technique in run.techniques])


def _tensors(values: Any) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, list):
        for value in values:
            yield from _tensors(value)


def check_memory(task: Task, footprints: Sequence[tuple[int, int]], seeds: int) -> None:
    """Raise ArgumentError if so many networks of each arm would not fit, saying how many would."""
    held, within = zip(*footprints, strict=True)
    fixed = SAFETY_FACTOR * groups_abreast(task) * min(group_size(task), seeds) * max(within)
    each = SAFETY_FACTOR * sum(held) + rows_bytes(task)
    free = available_bytes(task.device)
    if fixed + seeds * each > free:
        raise ArgumentError(
            f"seeds = {seeds:,} would take about {(fixed + seeds * each) / 1e9:,.1f} GB of memory in {len(held)} "
            f"arms, and {free / 1e9:,.1f} GB are free: {max(0, int((free - fixed) / each)):,} seeds fit"
        )


def check_workers(task: Task, footprints: Sequence[tuple[int, int]], workers: int) -> None:
    """Raise ArgumentError if so many processes, each training a group of an arm's networks, would not fit."""
    each = PROCESS + group_size(task) * (SAFETY_FACTOR * max(map(sum, footprints)) + rows_bytes(task))
    free = available_bytes(task.device)
    if workers * each > free:
        raise ArgumentError(
            f"workers = {workers:,} would take about {workers * each / 1e9:,.1f} GB of memory, and "
            f"{free / 1e9:,.1f} GB are free: {int(free / each):,} fit"
        )


def rows_bytes(task: Task) -> float:
    """What a table's rows take once more for each seed, whose split prepares them again."""
    return 4.0 * task.split.n * task.inputs if task.split is not None and task.fit is not None else 0.0


def available_bytes(device: torch.device) -> float:
    """The memory that this process may still take, where Linux or the GPU says it; without a limit elsewhere."""
    if device.type != "cpu":
        return float(torch.cuda.mem_get_info(device)[0])
    limits = [float("inf")]
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        limits += [float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
        group = Path("/sys/fs/cgroup")
        limits.append(float((group / "memory.max").read_text()) - float((group / "memory.current").read_text()))
    except (OSError, ValueError):  # not Linux, no such group, or "max": no limit
        pass
    return min(limits)
