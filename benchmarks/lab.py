"""How fast seeds are trained together: each figure a ratio of two timings taken in turn in one run.

python benchmarks/lab.py [SEEDS] [EPOCHS]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from regdemo.lab.compare import compare
from regdemo.lab.data import load
from regdemo.lab.ensemble import FEW
from regdemo.lab.metrics import TEST_ACCURACY
from regdemo.lab.recipe import Recipe
from regdemo.lab.statistics import mean_interval
from regdemo.lab.task import Task
from regdemo.lab.techniques import TECHNIQUES
from regdemo.lab.training import GROUP, STEPS_PER_LOOK, TrainingRun, in_step

P = 0.2
DROPOUT = Recipe("dropout", (TECHNIQUES["dropout"](p=P),))
ROUNDS = 5
PARTS = 4


def timed(run: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def loop(task: Task, seed: int, epochs: int) -> float:
    """One network by the usual loop: modules, a DataLoader, Adam, on one thread, where it is quickest.

    Return its test accuracy in percent.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _loop(task, seed, epochs)
    finally:
        torch.set_num_threads(threads)


def _loop(task: Task, seed: int, epochs: int) -> float:
    torch.manual_seed(seed)
    first, second = task.hidden
    model = nn.Sequential(
        nn.Linear(task.x.shape[1], first),
        nn.ReLU(),
        nn.Dropout(P),
        nn.Linear(first, second),
        nn.ReLU(),
        nn.Dropout(P),
        nn.Linear(second, task.classes),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=task.learning_rate)
    loader = DataLoader(TensorDataset(task.x, task.y), batch_size=task.batch_size, shuffle=True)
    loss = nn.CrossEntropyLoss()
    for _ in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            loss(model(x), y).backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        return 100 * (model(task.test_x).argmax(1) == task.test_y).double().mean().item()


def batched(task: Task, seeds: int, epochs: int) -> list[float]:
    """The arm of dropout as `compare` trains it, curve included. Return the test accuracies."""
    groups = [range(i, min(i + GROUP, seeds)) for i in range(0, seeds, GROUP)]
    *_, last = in_step([TrainingRun(task, DROPOUT, group, seed=0, epochs=epochs) for group in groups])
    return [value for scores in last for value in scores[TEST_ACCURACY]]


def against_the_loop(task: Task, seeds: int, epochs: int) -> None:
    """Print how many times longer the loop takes, and that both come to the same accuracy.

    The loops are run in as many parts as there are PARTS, each part in turn with all seeds as one batched model.
    """
    looped: list[float] = []
    together: list[float] = []
    ratios: list[float] = []
    processor: list[float] = []
    for part in range(PARTS):
        own = range(part, seeds, PARTS)
        moments = [(time.perf_counter(), time.process_time())]
        looped += [loop(task, seed, epochs) for seed in own]
        moments.append((time.perf_counter(), time.process_time()))
        together = batched(task, seeds, epochs)
        moments.append((time.perf_counter(), time.process_time()))
        for found, (start, middle, end) in zip((ratios, processor), zip(*moments, strict=True), strict=True):
            found.append((middle - start) * seeds / len(own) / (end - middle))
    print(
        f"A DataLoader loop run {seeds} times: {spread(ratios)} x the batched training (at least 9, aim 11); "
        f"{spread(processor)} x its processor time"
    )
    for name, accuracies in (("loop", looped), ("batched", together)):
        interval = mean_interval(accuracies)
        print(f"  {name:8} test accuracy {interval.value:.1f}% [{interval.low:.1f}, {interval.high:.1f}]")


def against_its_products(task: Task) -> None:
    """Print how many times its own matrix products and optimizer a step takes, on one thread."""
    run = TrainingRun(task, DROPOUT, range(GROUP), seed=0)
    batches = [torch.randint(len(task.x), (GROUP, task.batch_size)) for _ in range(STEPS_PER_LOOK)]
    run.steps_on(batches)
    sizes = (task.x.shape[1], *task.hidden, task.classes)
    weights = [w.detach() for w in run.model.weights]
    values = [torch.randn(GROUP, task.batch_size, n) for n in sizes]

    def products() -> None:
        for layer, weight in enumerate(weights):
            few = weight.shape[-1] < FEW  # then each is quicker the other way round
            torch.bmm(weight.mT, values[layer].mT) if few else torch.bmm(values[layer], weight)
            torch.bmm(values[layer + 1].mT, values[layer]) if few else torch.bmm(values[layer].mT, values[layer + 1])
            if layer:  # the inputs need no gradient
                torch.bmm(values[layer + 1], weight.mT)
        run.optimizer.step()

    ratios = sorted(
        timed(lambda: [run.steps_on(batches) for _ in range(3)])
        / timed(lambda: [products() for _ in range(3 * STEPS_PER_LOOK)])
        for _ in range(3 * ROUNDS)
    )
    print(f"A step: {spread(ratios)} x its matrix products and optimizer (at most 1.4)")


def growth(task: Task) -> None:
    """Print what a network and an epoch cost as there are more of them, in units of the first."""
    for name, runs in (
        ("seeds", [(seeds, lambda seeds=seeds: batched(task, seeds, 2)) for seeds in (16, 32, 64, 128)]),
        (
            "rows",
            [
                (rows, lambda rows=rows: batched(replace(task.first(rows), batch_size=task.batch_size), 16, 4))
                for rows in (2000, 4000)
            ],
        ),
        ("epochs", [(epochs, lambda epochs=epochs: batched(task, 16, epochs)) for epochs in (2, 4, 8, 16)]),
    ):
        costs = [statistics.median(timed(run) / n for _ in range(ROUNDS)) for n, run in runs]
        line = ", ".join(f"{n}: {cost / costs[0]:.2f}" for (n, _), cost in zip(runs, costs, strict=True))
        print(f"Cost of one of so many {name}, of the first: {line}")


def spread(ratios: Sequence[float]) -> str:
    """The median, with the least and the most."""
    return f"{statistics.median(ratios):.1f} [{min(ratios):.1f}, {max(ratios):.1f}]"


def main() -> None:
    """Print every figure."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 16
    task = load("mnist1d")
    epochs = int(sys.argv[2]) if len(sys.argv) > 2 else task.epochs
    print(f"{seeds} seeds of {task.network}, {epochs} epochs, {torch.get_num_threads()} threads")
    against_the_loop(task, seeds, epochs)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    against_its_products(task)
    torch.set_num_threads(threads)
    growth(task)
    print(f"compare('dropout', seeds={seeds}): {timed(lambda: compare('dropout', seeds=seeds, epochs=epochs)):.1f} s")


if __name__ == "__main__":
    main()
