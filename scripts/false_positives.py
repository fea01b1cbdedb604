"""How often a comparison finds what is not there, and what is: the table of the lab's method, measured.

python scripts/false_positives.py [ROW_ORDERS]

Five data sets of scikit-learn, each in ROW_ORDERS random orders of its rows (200 if not given), 16 seeds, perceptrons
of one hidden layer of 16 units. An order of the rows changes which rows a split draws and nothing else, so it is a set
of 16 splits of its own here. Three arms are compared with none:

    reseeded     none again, from other initial weights: there is no effect, so every verdict is false
    dropout 0.2  a technique whose effect depends on which rows are trained on and tested on
    dropout 0.9  a rate that harms: a verdict that it is worse is right, on most of the data

in three ways:

    one split    the first three quarters of the rows train, the rest test, whatever the seed: what the lab did before
    splits       new training and test rows for each seed, Student's t: what holds over splits of these rows
    corrected    the same differences with Nadeau and Bengio's variance: what the lab concludes for new rows

The second table asks of how many tables, drawn from a larger one, the 95% interval of `dropout 0.5` misses the effect
that it has on average over all of them: 5% is right for a statement on new rows.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import ClassVar

import numpy as np
import torch
from sklearn import datasets

from regdemo.lab import arms, from_arrays
from regdemo.lab.metrics import better, scores
from regdemo.lab.recipe import Recipe, RunProtocol, Technique
from regdemo.lab.splits import Split
from regdemo.lab.statistics import Change, change
from regdemo.lab.task import Task
from regdemo.lab.training import TrainingRun, side_by_side

SEEDS, ROWS, EPOCHS = 16, 600, 15
TOGETHER = 160  # networks trained as one: so small that a call costs more than its sums
TRAINING = {"width": 16, "depth": 1, "batch_size": 32, "epochs": EPOCHS}


@dataclass(eq=False)
class Reseeded(Technique):
    """No technique: other initial weights of the same distribution."""

    NAME: ClassVar = "reseeded"

    def begin(self, run: RunProtocol) -> None:
        """Draw the weights again, from streams of its own."""
        super().begin(run)
        with torch.no_grad():
            for weight, bias in zip(run.parameters[::2], run.parameters[1::2], strict=True):
                bound = weight.shape[1] ** -0.5
                for p in (weight, bias):
                    p.copy_((2 * self.streams.uniform(p.shape[1:]) - 1) * bound)


def data() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The five data sets, the digits cut to ROWS rows."""
    random = np.random.default_rng(0)
    found = {}
    for name in ("iris", "wine", "breast_cancer", "diabetes", "digits"):
        x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        if len(x) > ROWS:
            chosen = random.permutation(len(x))[:ROWS]
            x, y = x[chosen], y[chosen]
        found[name] = x, y
    return found


class OneSplit(Split):
    """The same rows for all seeds of one order."""

    def rows(self, member: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The rows of the member's order."""
        return super().rows(member // SEEDS, seed)


def differences(task: Task, recipes: Sequence[Recipe], members: Sequence[int], seed: int) -> list[list[float]]:
    """Of each arm but the first, the members' paired differences in the primary metric, more being better."""
    found: list[list[float]] = [[] for _ in recipes]
    for start in range(0, len(members), TOGETHER):
        some = members[start : start + TOGETHER]
        examples = task.examples(some, seed)
        for values, recipe in zip(found, recipes, strict=True):
            run = TrainingRun(task, recipe, some, seed=seed, epochs=task.epochs, examples=examples)
            for _ in range(task.epochs):
                run.epoch()
            with torch.no_grad():
                metric, judged = next(iter(scores(run).items()))
            values += [better(task)[metric] * value for value in judged]
    return [[b - a for a, b in zip(found[0], other, strict=True)] for other in found[1:]]


def overlap(task: Task) -> float:
    """Test rows over training rows."""
    assert task.split is not None
    train, test = task.split.sizes(0, 0)
    return test / train


def _by_order(values: Sequence[float]) -> list[Sequence[float]]:
    return [values[i : i + SEEDS] for i in range(0, len(values), SEEDS)]


def verdicts(changes: Sequence[Change]) -> str:
    """How many of 100 are better, and worse."""
    counts = Counter(found.direction for found in changes)
    return f"{100 * counts[1] / len(changes):5.1f} / {100 * counts[-1] / len(changes):5.1f}"


def row_orders(orders: int) -> None:
    """Print the first table."""
    none, *dropouts = arms("none", "dropout:0.2", "dropout:0.9")
    recipes = [none, Recipe("reseeded", (Reseeded(),)), *dropouts]
    print(f"Verdicts in {orders} row orders, {SEEDS} seeds: % better / % worse at 5%")
    print(f"{'data':14} {'arm':12} {'one split':>15} {'splits':>15} {'corrected':>15}")
    for name, (x, y) in data().items():
        task = from_arrays(x, y, **TRAINING)
        assert task.split is not None
        once = replace(task, split=OneSplit(len(x), getattr(task.split, "strata", None)))
        old, new = (differences(t, recipes, range(orders * SEEDS), seed) for seed, t in enumerate((once, task)))
        ways = [(old, 0.0), (new, 0.0), (new, overlap(task))]
        fixed, plain, corrected = (
            [[change(d, overlap=o) for d in _by_order(values)] for values in found] for found, o in ways
        )
        for i, recipe in enumerate(recipes[1:]):
            columns = "".join(f"{verdicts(some[i]):>16}" for some in (fixed, plain, corrected))
            print(f"{name:14} {recipe.name:12}{columns}", flush=True)


def new_rows(tables: int) -> None:
    """Print the second table."""
    recipes = arms("none", "dropout:0.5")
    print(f"Of {tables} tables drawn from a larger one, % whose interval misses the mean effect of dropout 0.5")
    print(f"{'data':14} {'rows':>5} {'splits':>10} {'corrected':>10}")
    for name, size in (("digits", 200), ("breast_cancer", 120)):
        x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        found = []
        for number in range(tables):
            rows = np.random.default_rng((number, 1)).permutation(len(x))[:size]
            task = from_arrays(x[rows], y[rows], **TRAINING)
            found.append((differences(task, recipes, range(SEEDS), number)[0], overlap(task)))
        truth = fmean(fmean(values) for values, _ in found)
        missed = [
            fmean(not c.low <= truth <= c.high for c in changes)
            for changes in ([change(v) for v, _ in found], [change(v, overlap=o) for v, o in found])
        ]
        print(f"{name:14} {size:5} {100 * missed[0]:10.1f} {100 * missed[1]:10.1f}", flush=True)


def main() -> None:
    """Print both tables."""
    orders = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with side_by_side():
        row_orders(orders)
        new_rows(orders)


if __name__ == "__main__":
    main()
