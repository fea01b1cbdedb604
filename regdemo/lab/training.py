"""Training the arms of a comparison in step, over paired seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from math import ceil

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from regdemo.lab.data import Task
from regdemo.lab.ensemble import Ensemble

HIDDEN = (256, 256)
BATCH = 200
LEARNING_RATE = 3e-3
EVALUATIONS = 20  # points of a learning curve
CHUNK = 1000  # examples evaluated at a time, which bounds the memory that many seeds take


@dataclass(frozen=True)
class Arm:
    """One side of a comparison. p: the rate of dropout after each hidden layer; None for no dropout at all."""

    name: str
    p: float | None


@dataclass(frozen=True)
class Scores:
    """How the networks of one arm do in eval mode: a value for each seed. Accuracy in percent, loss in nats."""

    train_accuracy: list[float]
    test_accuracy: list[float]
    test_loss: list[float]


@dataclass(frozen=True)
class Evaluation:
    """The scores of every arm after an epoch, in the order of the arms."""

    epoch: int
    scores: list[Scores]


class Use(IntEnum):
    """What a stream of random numbers is for."""

    WEIGHTS = 0
    BATCHES = 1
    MASKS = 2


def stream(seed: int, member: int, use: Use) -> Generator:
    """The random numbers that one member, a pair of networks, has for one use: the same whoever else is trained."""
    state = np.random.SeedSequence((seed, member, use)).generate_state(1)
    return torch.Generator().manual_seed(int(state[0]))


class Learner:
    """One arm in training: its networks as one `Ensemble` under one Adam, and the streams of its masks.

    Kingma and Ba 2015, https://arxiv.org/abs/1412.6980
    """

    def __init__(self, task: Task, arm: Arm, members: Sequence[int], seed: int) -> None:
        self.task, self.arm = task, arm
        sizes = (task.x.shape[1], *HIDDEN, task.classes)
        self.ensemble = Ensemble(sizes, [stream(seed, k, Use.WEIGHTS) for k in members], task.x.dtype)
        self._masks = [stream(seed, k, Use.MASKS) for k in members]
        self._optimizer = torch.optim.Adam(self.ensemble.parameters, lr=LEARNING_RATE, fused=True)

    def epoch(self, order: Tensor) -> None:
        """Train on batches of the examples in this order: (S, N), a permutation for each network."""
        for batch in torch.split(order, BATCH, dim=1):
            logits = self.ensemble(self.task.x[batch], p=self.arm.p, generators=self._masks)
            # Losses are summed over the networks, which leaves the gradient of each as it would be alone.
            loss = F.cross_entropy(logits.flatten(0, 1), self.task.y[batch].flatten(), reduction="sum")
            self._optimizer.zero_grad()
            torch.autograd.backward(loss / batch.shape[1])
            self._optimizer.step()

    def scores(self) -> Scores:
        """How the networks do now, in eval mode."""
        train_accuracy, _ = _evaluate(self.ensemble, self.task.x, self.task.y)
        return Scores(train_accuracy, *_evaluate(self.ensemble, self.task.test_x, self.task.test_y))


class PairedTraining:
    """Train every arm on the same task from the same seeds; only the masks of their dropout differ.

    Member k of each arm has the same initial weights and sees the same batches in the same order.
    members: their numbers; each keeps its random numbers, and so its result, whoever else is trained.
    seed: of all streams.
    """

    def __init__(self, task: Task, arms: Sequence[Arm], members: Sequence[int], *, seed: int) -> None:
        self.learners = [Learner(task, arm, members, seed) for arm in arms]
        self._examples = len(task.x)
        self._batches = [stream(seed, k, Use.BATCHES) for k in members]

    def run(self, epochs: int, progress: Callable[[int, int], None] = lambda done, total: None) -> Iterator[Evaluation]:
        """Train, and evaluate at most EVALUATIONS times at even distances, always after the last epoch.

        The arms advance side by side, an epoch at a time.
        progress: told after each epoch how many are done, of how many in all. What it raises ends the run.
        """
        every = ceil(epochs / EVALUATIONS)
        with _threads(len(self.learners)) as pool:
            for epoch in range(1, epochs + 1):
                order = torch.stack([torch.randperm(self._examples, generator=g) for g in self._batches])
                list(pool.map(lambda learner: learner.epoch(order), self.learners))  # noqa: B023 - used at once
                progress(epoch, epochs)
                if epoch % every == 0 or epoch == epochs:
                    yield Evaluation(epoch, list(pool.map(Learner.scores, self.learners)))


@contextmanager
def _threads(arms: int) -> Iterator[ThreadPoolExecutor]:
    """A thread for each arm, sharing out torch's own threads: these would wait for each other at every operation."""
    before = torch.get_num_threads()
    workers = min(arms, before)
    try:
        torch.set_num_threads(before // workers)
        with ThreadPoolExecutor(workers) as pool:
            yield pool
    finally:
        torch.set_num_threads(before)


def largest_difference(one: Learner, other: Learner) -> float:
    """The largest distance between a weight of one arm and the same weight of the other."""
    pairs = zip(one.ensemble.parameters, other.ensemble.parameters, strict=True)
    return torch.stack([(a - b).detach().abs().max() for a, b in pairs]).max().item()


@torch.no_grad()
def _evaluate(ensemble: Ensemble, x: Tensor, y: Tensor) -> tuple[list[float], list[float]]:
    """Accuracy in percent and mean loss in nats, of each network, without dropout."""
    members = len(ensemble.parameters[0])
    right, loss = torch.zeros(2, members, dtype=torch.float64)
    for part_x, part_y in zip(torch.split(x, CHUNK), torch.split(y, CHUNK), strict=True):
        logits, labels = ensemble(part_x.expand(members, -1, -1)), part_y.expand(members, -1)
        right += (logits.argmax(-1) == labels).sum(1)
        loss += F.cross_entropy(logits.transpose(1, 2), labels, reduction="none").sum(1)
    return (100 * right / len(x)).tolist(), (loss / len(x)).tolist()
