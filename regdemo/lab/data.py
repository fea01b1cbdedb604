"""The tasks to train on: shipped ones, your own file, and your own arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import torch

from regdemo.errors import ArgumentError
from regdemo.lab import modules, preparation, splits, table, text
from regdemo.lab.task import CLASSIFIER, LINEAR_MODEL, Metric, Task

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")  # how the name of a table ends


def load(
    name: str,
    file: Path | None = None,
    target: str | None = None,
    *,
    drop: Sequence[str] = (),
    group: str | None = None,
    regression: bool = False,
    folds: int = 0,
) -> Task:
    """The task of that name, or that of your own file: a text, or a table whose column target is predicted.

    The rest is as in `table.read_table`. Raises ArgumentError on a name that is not in TASKS, an option of tables
    without a table, or a file of another kind; FileError on a file that can't be understood.
    """
    if file is not None and file.suffix.lower() in TABLE_SUFFIXES:
        if find_spec("pandas") is None:
            raise ArgumentError(f"data = {file} needs the package pandas: pip install 'regdemo[tables]'")
        return table.read_table(file, target, drop=drop, group=group, regression=regression, folds=folds)
    for option, value in {
        "target": target,
        "drop": drop,
        "group": group,
        "regression": regression,
        "folds": folds,
    }.items():
        if value:
            raise ArgumentError(
                f"{option} = {value!r} needs a table: name a file ending in {' or '.join(TABLE_SUFFIXES)} with --data"
            )
    if file is not None:
        if file.suffix.lower() not in (".txt", ".md"):
            raise ArgumentError(
                f"data = {file} must be a table that ends in {', '.join(TABLE_SUFFIXES)}, or a text in .txt or .md"
            )
        return text.own(file)
    if name not in TASKS:
        raise ArgumentError(f"there is no task {name!r}: choose {' or '.join(TASKS)}")
    return TASKS[name]()


def from_arrays(
    x: Any,
    y: Any,
    *,
    test: tuple[Any, Any] | None = None,
    groups: Any = None,
    folds: int = 0,
    regression: bool | None = None,
    model: modules.Factory | None = None,
    metrics: Sequence[Metric] = (),
    title: str = "your data",
    **training: Any,
) -> Task:
    """A task from your own arrays, and your own module if you like.

    x: (N, ...) numbers, NaN where missing if they are a matrix.  y: (N,) classes, of any type, or numbers.
    test: a fixed test set, x and y; without it every seed draws its own rows, as `groups` (a group for each row) and
    `folds` (of a repeated cross-validation; 0 for random quarters) say.
    regression: predict numbers; by default, floating-point targets are.
    model: makes a new `torch.nn.Module` from (B, ...) inputs to (B, classes) logits, or (B, 1) numbers.
    metrics: of your own, next to the usual ones; the first of them is the primary one.
    training: learning_rate, width, depth, batch_size, optimizer, as `Task.trained_with` takes them; and epochs.
    A matrix is standardized by each split's training rows; other inputs stay as they are.
    Raises ArgumentError on arrays of other shapes.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(60, 3))
    >>> from_arrays(x, x.sum(1) > 0, title="signs").labels
    ('False', 'True')
    """
    inputs, targets = np.asarray(x), np.asarray(y)
    if targets.ndim != 1 or len(inputs) != len(targets) or inputs.ndim < 2:
        raise ArgumentError(f"x of shape {inputs.shape} and y of {targets.shape}: they must be (N, ...) and (N,)")
    if inputs.ndim > 2 and model is None:
        raise ArgumentError(f"x of shape {inputs.shape} needs a model of yours: without one a row is a row of a matrix")
    if test is not None and (groups is not None or folds):
        raise ArgumentError("groups and folds are for data without a fixed test set: leave them or the test out")
    every, whole, tested_on = inputs, targets, ""
    if test is not None:
        every, whole = np.concatenate([inputs, np.asarray(test[0])]), np.concatenate([targets, np.asarray(test[1])])
        tested_on = f", {len(every) - len(inputs):,} of them to test on"
    numeric = targets.dtype.kind == "f" if regression is None else regression
    names, codes, values = _encoded(whole, numeric=numeric)
    answers = torch.tensor(codes if values is None else values.astype(np.float32))
    split: splits.Split | splits.Fixed
    if test is not None:
        split = splits.Fixed(len(every), len(inputs))
    else:
        strata = None if numeric else splits.strata(codes, max(2, folds))
        owners = None if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
        split = splits.Split(len(every), strata, owners, folds)
    fit = preparation.Preparation(
        every.reshape(len(every), -1).astype(np.float64), np.empty((len(every), 0), dtype=np.int64), values
    )
    described = f"{len(every):,} rows of {title}{tested_on}."
    task = preparation.of_rows(title, described, fit, answers, len(names), split)
    if inputs.ndim > 2:
        task = replace(task, fit=None, x=torch.tensor(every, dtype=torch.float32), y=answers)
    epochs = training.pop("epochs", None)
    task = replace(
        task.trained_with(**training),
        epochs=task.epochs if epochs is None else epochs,
        labels=names,
        metrics=tuple(metrics),
        metric=metrics[0].name if metrics else "",
    )
    if model is None:
        return task
    base = {f.name: getattr(task, f.name) for f in fields(task)}
    base["offers"] = task.offers - {"hidden", "linear"} | modules.offers(model)
    return modules.ModuleTask(**base | {"together": 1}, factory=model)


def _encoded(targets: np.ndarray, *, numeric: bool) -> tuple[tuple[str, ...], np.ndarray, np.ndarray | None]:
    """The names of the classes, each target's class, and None; or no names, zeros, and the numbers to predict."""
    if numeric:
        return (), np.zeros(len(targets), dtype=np.int64), targets.astype(np.float64)
    known, codes = np.unique(targets, return_inverse=True)
    return tuple(map(str, known)), codes, None


def _mnist1d() -> Task:
    with np.load(Path(__file__).parent / "mnist1d" / "mnist1d.npz") as data:
        x, y = torch.from_numpy(data["x"]).float(), torch.from_numpy(data["y"]).long()
    return Task(
        "MNIST-1D",
        "4,000 training and 1,000 test series of 40 values in 10 classes, all made and labelled by one run of one "
        "generator: Greydanus and Kobak, https://arxiv.org/abs/2011.14439.",
        x[:4000],
        y[:4000],
        x[4000:],
        y[4000:],
        classes=10,
    )


def _digits() -> Task:
    images, labels = sklearn.datasets.load_digits(return_X_y=True)
    x, y = torch.from_numpy(images).float() / 16, torch.from_numpy(labels).long()
    # One split for all members: what the seeds vary is the training, not the task.
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    train, test = order[:1400], order[1400:]
    return Task(
        "scikit-learn's digits",
        "1,400 training and 397 test images of 8 x 8 grey values in 10 classes: scikit-learn's `load_digits`, split "
        "once at random.",
        x[train],
        y[train],
        x[test],
        y[test],
        classes=10,
        epochs=50,
        offers=OFFERS["digits"],
    )


def _diabetes() -> Task:
    data = sklearn.datasets.load_diabetes()
    x, y = torch.from_numpy(data.data).double(), torch.from_numpy(data.target).double()
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    train, test = order[:331], order[331:]
    x = (x - x[train].mean(0)) / x[train].std(0)
    scale = y[train].std().item()
    y = (y - y[train].mean()) / scale
    return Task(
        "the diabetes data",
        "331 training and 111 test patients, 10 measurements each, and how far their disease went in a year: "
        "scikit-learn's `load_diabetes`, of Efron et al. 2004, https://doi.org/10.1214/009053604000000067, split once "
        "at random and standardized.",
        x[train],
        y[train],
        x[test],
        y[test],
        classes=0,
        hidden=(),
        batch_size=len(train),
        epochs=2000,
        learning_rate=0.15,
        optimizer="sgd",
        resampled=True,
        scale=scale,
        features=tuple(data.feature_names),
        offers=OFFERS["diabetes"],
    )


def _text() -> Task:
    return text.shipped()


OFFERS = {
    "mnist1d": CLASSIFIER,
    "digits": CLASSIFIER | {"images"},
    "diabetes": LINEAR_MODEL,
    "text": text.OFFERS,
}  # of each task, to be known before it is loaded
TASKS: dict[str, Callable[[], Task]] = {"mnist1d": _mnist1d, "digits": _digits, "diabetes": _diabetes, "text": _text}
