"""From the columns of a table to numbers: scikit-learn's transformers, fitted on the training rows of each split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import sklearn
import torch

from regdemo.errors import ArgumentError
from regdemo.lab.task import CLASSIFIER, LEAST_BATCH, Task

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from regdemo.lab.splits import Fixed, Split

MOST_BATCH, BATCHES = 512, 40  # a batch is a fortieth of the training rows, from LEAST_BATCH to MOST_BATCH
MOST_STEPS, EPOCHS = 4000, 40  # of a training, the one that is reached first
MOST_CATEGORIES = 32  # columns that one categorical feature becomes at most; rarer categories are put into the last


@dataclass(frozen=True, eq=False)
class Preparation:
    """Columns as they were read, and how each split makes numbers of them.

    numbers: (N, a), NaN where missing: the training median fills the gap, a 0/1 column says where; then standardized.
    categories: (N, b), codes from 0, -1 where missing: one-hot, a category that no training row has is all zeros.
    targets: (N,) numbers to predict, standardized likewise, or None for classes.  names: of the columns.
    """

    numbers: NDArray[np.float64]
    categories: NDArray[np.int64]
    targets: NDArray[np.float64] | None
    names: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """How many numbers a row becomes, the same for every split."""
        missing = int(np.isnan(self.numbers).any(0).sum())
        return int(self.numbers.shape[1]) + missing + sum(map(self._columns, range(self.categories.shape[1])))

    def _columns(self, i: int) -> int:
        return min(MOST_CATEGORIES, len(np.unique(self.categories[:, i])))

    def __call__(self, train: Tensor) -> tuple[Tensor, Tensor, float]:
        """Every row's inputs in float32 and target, and the target's deviation, as the training rows have them."""
        rows = train.cpu().numpy()
        parts: list[NDArray[Any]] = []
        if self.numbers.shape[1]:
            numbers, incomplete = self.numbers, np.isnan(self.numbers).any(0)
            if incomplete.any():
                fill = sklearn.impute.SimpleImputer(strategy="median", keep_empty_features=True)
                numbers = fill.fit(numbers[rows]).transform(numbers)
            parts.append(sklearn.preprocessing.StandardScaler().fit(numbers[rows]).transform(numbers))
            parts.append(np.isnan(self.numbers[:, incomplete]).astype(float))
        if self.categories.shape[1]:
            known = [np.unique(column) for column in self.categories.T]
            encoder = sklearn.preprocessing.OneHotEncoder(
                categories=known, max_categories=MOST_CATEGORIES, sparse_output=False, dtype=np.float32
            )
            parts.append(encoder.fit(self.categories[rows]).transform(self.categories))
        x = np.concatenate(parts, axis=1)
        seen = x[rows]
        x[:, (seen == seen[:1]).all(0)] = 0  # constant in training: nothing was learned of it
        found = torch.from_numpy(x.astype(np.float32))
        if not bool(found.isfinite().all()):
            raise ArgumentError(f"{self._too_large(x)} has a number too large to be standardized: divide the column")
        if self.targets is None:
            return found, torch.empty(0), 1.0
        target = sklearn.preprocessing.StandardScaler().fit(self.targets[rows, None])
        y = target.transform(self.targets[:, None])[:, 0]
        return found, torch.from_numpy(y.astype(np.float32)), float(target.scale_[0])

    def _too_large(self, x: NDArray[Any]) -> str:
        with np.errstate(over="ignore"):
            at = int(np.flatnonzero(~np.isfinite(x.astype(np.float32)).all(0))[0])
        return repr(self.names[at]) if at < len(self.names) else f"column {at + 1}"


def of_rows(title: str, origin: str, fit: Preparation, y: Tensor, classes: int, split: Split | Fixed) -> Task:
    """The task of rows that are split again for each seed, with batches and epochs that follow their number."""
    train, _ = split.sizes(0, 0)
    batch = min(MOST_BATCH, max(LEAST_BATCH, train // BATCHES))
    epochs = max(1, min(EPOCHS, MOST_STEPS * batch // train))
    x = torch.empty(split.n, 0)
    return Task(
        title,
        origin,
        x,
        y,
        x[:0],
        y[:0],
        classes=classes,
        batch_size=batch,
        epochs=epochs,
        offers=CLASSIFIER if classes else CLASSIFIER - {"classes"},
        split=split,
        fit=fit,
    )
