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
from regdemo.lab.data import Task
from regdemo.lab.recipe import Recipe
from regdemo.lab.training import Learner, group_size, groups_abreast

MARGIN = 1.25  # for what the allocator and the operations between two layers take beside what is counted

PROCESS = 0.4e9  # of one more process: torch and what it loads


def footprint(task: Task, recipe: Recipe) -> tuple[int, int]:
    """Bytes that one network holds from step to step, and those it holds within one for the backward pass.

    Both are counted on a first step: parameters, gradients, the optimizer's and the techniques' state; and the tensors
    that autograd saves.
    """
    learner = Learner(task, recipe, [0], seed=0)
    weights = {p.data_ptr() for p in learner.parameters}
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
        learner.step(torch.arange(min(task.batch, len(task.x)), device=task.device)[None])
    state = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in _held(learner)}
    return sum(state.values()), most


class _Kept:
    """A tensor that autograd saves, for as long as it does."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


def _held(learner: Learner) -> Iterator[Tensor]:
    for p in learner.parameters:
        yield from (p, p.grad) if p.grad is not None else (p,)
    optimizer: Any = learner.optimizer
    while optimizer is not None:
        yield from _tensors([list(state.values()) for state in optimizer.state.values()])
        optimizer = getattr(optimizer, "base", None)
    yield from _tensors([list(vars(technique).values()) for technique in learner.techniques])


def _tensors(values: Any) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, list):
        for value in values:
            yield from _tensors(value)


def check_memory(task: Task, recipes: Sequence[Recipe], seeds: int) -> None:
    """Raise ArgumentError if so many networks of each recipe would not fit, saying how many would."""
    held, within = zip(*(footprint(task, recipe) for recipe in recipes), strict=True)
    fixed = MARGIN * groups_abreast(task) * min(group_size(task), seeds) * max(within)
    each = MARGIN * sum(held)
    free = available_bytes(task.device)
    if fixed + seeds * each > free:
        raise ArgumentError(
            f"seeds = {seeds:,} would take about {(fixed + seeds * each) / 1e9:,.1f} GB of memory in {len(recipes)} "
            f"arms, and {free / 1e9:,.1f} GB are free: {max(0, int((free - fixed) / each)):,} seeds fit"
        )


def check_workers(task: Task, recipes: Sequence[Recipe], workers: int) -> None:
    """Raise ArgumentError if so many processes, each training a group of a recipe's networks, would not fit."""
    each = PROCESS + MARGIN * group_size(task) * max(sum(footprint(task, recipe)) for recipe in recipes)
    free = available_bytes(task.device)
    if workers * each > free:
        raise ArgumentError(
            f"workers = {workers:,} would take about {workers * each / 1e9:,.1f} GB of memory, and "
            f"{free / 1e9:,.1f} GB are free: {int(free / each):,} fit"
        )


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
