"""New training and test rows for each seed, so that a verdict does not depend on the order of the rows in a file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
import sklearn
import torch

from regdemo.errors import ArgumentError
from regdemo.parameters import count

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

TEST_FRACTION = 0.25
FOLDS = count("Folds of a cross-validation.", 2, 100)
REPEATS = count("Repeats of a cross-validation, each with other folds.", 1, 1000)


@dataclass(frozen=True, eq=False)
class Split:
    """How each seed's rows are drawn: a random quarter to test on, or one fold of a repeated cross-validation.

    n: rows.  strata: a class for each row, so that every split has the classes in the table's proportions; or None.
    groups: a group for each row, such as a patient; no group is in both parts of a split.
    folds: 0 for random quarters; otherwise seed k tests on fold k % folds of repeat k // folds.
    train_size: use so many of the training rows; None for all.
    """

    n: int
    strata: NDArray[np.int64] | None = None
    groups: NDArray[np.int64] | None = None
    folds: int = 0
    train_size: int | None = None

    def __post_init__(self) -> None:
        """Refuse more folds than there are groups or rows to fill them."""
        most = self.n if self.groups is None else len(np.unique(self.groups))
        what = "rows" if self.groups is None else "groups"
        if most < max(4, self.folds):
            raise ArgumentError(f"there are {most} {what}, and a split needs at least {max(4, self.folds)}")

    def rows(self, member: int, seed: int) -> tuple[Tensor, Tensor]:
        """The numbers of a member's training rows, in random order, and of its test rows."""
        train, test = self._parts(member, seed)
        random = _random(seed, member, "order")
        if self.groups is None:
            train = random.permutation(train)
        else:  # whole groups one after the other, so that few are both in what is held out at the end and in the rest
            rank = random.permutation(int(self.groups.max()) + 1)
            train = train[np.argsort(rank[self.groups[train]], kind="stable")]
        return torch.from_numpy(train[: self.train_size]), torch.from_numpy(np.sort(test))

    def sizes(self, member: int, seed: int) -> tuple[int, int]:
        """How many training and test rows a member has."""
        train, test = self._parts(member, seed)
        return len(train[: self.train_size]), len(test)

    def _parts(self, member: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if self.folds:
            return _folds(self, member // self.folds, seed)[member % self.folds]
        state = _state(seed, member, "split")
        make: Any
        if self.groups is not None:
            make = sklearn.model_selection.GroupShuffleSplit(1, test_size=TEST_FRACTION, random_state=state)
        elif self.strata is not None:
            make = sklearn.model_selection.StratifiedShuffleSplit(1, test_size=TEST_FRACTION, random_state=state)
        else:
            make = sklearn.model_selection.ShuffleSplit(1, test_size=TEST_FRACTION, random_state=state)
        return next(iter(make.split(np.zeros(self.n), self.strata, self.groups)))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Fixed:
    """The first `train` of n rows to train on, the rest to test on, for every seed; the interface of `Split`."""

    n: int
    train: int
    train_size: int | None = None
    folds: int = 0
    groups: None = None

    def rows(self, member: int, seed: int) -> tuple[Tensor, Tensor]:
        """The numbers of the training and of the test rows."""
        return torch.arange(self.train)[: self.train_size], torch.arange(self.train, self.n)

    def sizes(self, member: int, seed: int) -> tuple[int, int]:
        """How many training and test rows there are."""
        return min(self.train, self.train_size or self.train), self.n - self.train


@lru_cache(64)
def _folds(split: Split, repeat: int, seed: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The folds of one repeat."""
    state = _state(seed, repeat, "folds")
    kind = {
        (True, True): sklearn.model_selection.StratifiedGroupKFold,
        (True, False): sklearn.model_selection.GroupKFold,
        (False, True): sklearn.model_selection.StratifiedKFold,
        (False, False): sklearn.model_selection.KFold,
    }[split.groups is not None, split.strata is not None]
    make = kind(split.folds, shuffle=True, random_state=state)
    return list(make.split(np.zeros(split.n), split.strata, split.groups))


def strata(labels: NDArray[np.int64], least: int) -> NDArray[np.int64]:
    """Labels to stratify by: classes of fewer than `least` rows count as one, and join the largest if still too few.

    >>> strata(np.array([0, 0, 0, 0, 1, 1, 2]), 2).tolist()
    [0, 0, 0, 0, 1, 1, 0]
    """
    sizes = np.bincount(labels)
    found = labels.copy()
    rare = sizes[labels] < least
    if rare.any():
        found[rare] = len(sizes) if rare.sum() >= least else sizes.argmax()
    return found


def _state(seed: int, member: int, use: str) -> int:
    return int(np.random.SeedSequence((seed, member, crc32(use.encode()))).generate_state(1)[0])


def _random(seed: int, member: int, use: str) -> np.random.Generator:
    return np.random.default_rng(_state(seed, member, use))
