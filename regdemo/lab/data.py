"""The tasks to train on: small, real, and at hand without a download."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from regdemo.errors import ArgumentError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Task:
    """A classification task: training and test examples that one labelling function labelled.

    x: (N, features), float32.  y: (N,), int64, from 0 to classes - 1.  origin: a sentence on where they come from.
    """

    title: str
    origin: str
    x: Tensor
    y: Tensor
    test_x: Tensor
    test_y: Tensor
    classes: int


def load(name: str) -> Task:
    """The task of that name; raise ArgumentError on a name that is not in TASKS."""
    if name not in TASKS:
        raise ArgumentError(f"there is no task {name!r}: choose {' or '.join(TASKS)}")
    return TASKS[name]()


def shared_examples(task: Task) -> int:
    """How many test examples stand among the training examples too, value for value."""
    seen = set(map(tuple, task.x.tolist()))
    return sum(tuple(example) in seen for example in task.test_x.tolist())


def _mnist1d() -> Task:
    import numpy as np
    import torch

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
    import torch
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    x, y = torch.from_numpy(images).float() / 16, torch.from_numpy(labels).long()
    # One split for everyone: what the seeds vary is the training, not the task.
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
    )


TASKS = {"mnist1d": _mnist1d, "digits": _digits}
