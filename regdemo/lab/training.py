"""Training the arms of a comparison in step, over paired seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import ceil
from threading import Event

import torch
import torch.nn.functional as F
from torch import Tensor

from regdemo.lab.data import Task
from regdemo.lab.ensemble import Acting, Model
from regdemo.lab.metrics import Scores, scores
from regdemo.lab.recipe import Recipe, acting
from regdemo.lab.streams import Draws

EVALUATIONS = 10  # points of a learning curve
GROUP = 8  # networks trained as one: as many as keep their activations in the cache
GROUP_ON_GPU = 256  # where a step costs its launches, of however many networks


def group_size(task: Task, kind: str = "") -> int:
    """How many networks of a task are trained as one, on its own device or one of another kind, such as "cuda"."""
    most = GROUP if (kind or task.device.type) == "cpu" else GROUP_ON_GPU
    return min(most, task.together or most)


def groups_abreast(task: Task) -> int:
    """How many groups are trained at the same time: one on each of torch's threads, or one on a GPU."""
    return torch.get_num_threads() if task.device.type == "cpu" else 1


class Learner:
    """Some members of one arm in training: their networks as one model under one optimizer.

    members: their numbers; each keeps its random numbers, and so its result, whoever else is trained.
    seed: of all streams.  steps: of the whole training, for what changes along the way.
    Kingma and Ba 2015 (Adam), https://arxiv.org/abs/1412.6980
    """

    def __init__(self, task: Task, recipe: Recipe, members: Sequence[int], *, seed: int, steps: int = 1) -> None:
        self.task, self.recipe, self.members, self.seed, self.steps = task, recipe, members, seed, steps
        # Of the CPU on every device, so that a network starts from the same weights and sees the same batches on each.
        start, self._batches, resample = (
            Draws(seed, members, use, task.dtype) for use in ("weights", "batches", "resample")
        )
        self.model: Model = task.model(start.generators)
        self.parameters = self.model.parameters
        self.step_count = 0
        # What each member has seen, in order, as a number: equal in two arms if they saw the same batches.
        self.seen = torch.zeros(len(members), dtype=torch.int64, device=task.device)
        self._examples = resample.sample(len(task.x)).to(task.device) if task.resampled else None
        self.techniques = recipe.begin(self)
        self.optimizer = self._make_optimizer()
        self._at = {site: acting(self.techniques, site) for site in ("weight", "tokens", "activations", "linear")}
        self.seconds = 0.0
        self.measures: dict[str, Callable[[Learner], Tensor]] = {}

    def draws(self, use: str) -> Draws:
        """The members' random numbers for one use, drawn where the networks are."""
        return Draws(self.seed, self.members, use, self.task.dtype, self.task.device)

    def after(self, part: float) -> int:
        """The step at which this part of the training is over, at least 1."""
        return max(1, round(part * self.steps))

    def _make_optimizer(self) -> torch.optim.Optimizer:
        weights = {id(w) for w in self.model.weights}
        groups = [
            {"params": [p for p in self.parameters if (id(p) in weights) == decayed]} for decayed in (True, False)
        ]
        optimizer: torch.optim.Optimizer
        if self.task.optimizer == "sgd":
            optimizer = torch.optim.SGD(groups, lr=self.task.learning_rate, fused=True)
        else:
            optimizer = torch.optim.AdamW(groups, lr=self.task.learning_rate, weight_decay=0, fused=True)
        for technique in self.techniques:
            optimizer = technique.optimizer(optimizer)
        return optimizer

    # What the model asks for in a training pass.

    def weight(self, weight: Tensor) -> Tensor:
        """A weight matrix as the pass uses it."""
        for technique in self._at["weight"]:
            weight = technique.weight(self, weight)
        return weight

    def tokens(self, h: Tensor, ids: Tensor) -> Tensor:
        """The embeddings of these tokens as the pass uses them."""
        for technique in self._at["tokens"]:
            h = technique.tokens(self, h, ids)
        return h

    def activations(self, h: Tensor, site: str, layer: int, depth: int) -> Tensor:
        """What leaves a site of the model."""
        for technique in self._at["activations"]:
            h = technique.activations(self, h, site, layer, depth)
        return h

    def linear(self, inputs: Tensor, outputs: Tensor) -> None:
        """What entered and left a linear layer."""
        for technique in self._at["linear"]:
            technique.linear(self, inputs, outputs)

    # What the techniques ask for.

    def forward(self, x: Tensor) -> Tensor:
        """A training pass."""
        return self.run(x, self)

    def judge(self, x: Tensor) -> Tensor:
        """A pass in eval mode."""
        return self.run(x, None)

    def run(self, x: Tensor, acting: Acting | None) -> Tensor:
        """A pass with something acting, or nothing: products in the task's precision, outputs in its numbers."""
        if self.task.precision == "float32":
            return self.model(x, acting)
        with torch.autocast(self.task.device.type, getattr(torch, self.task.precision)):
            return self.model(x, acting).to(self.task.dtype)

    def predict(self, x: Tensor) -> Tensor:
        """The logits, or numbers, that the members are judged by."""
        for technique in acting(self.techniques, "predict"):
            return technique.predict(self, x)
        return self.judge(x)

    def training_examples(self, most: int) -> tuple[Tensor, Tensor]:
        """What each member is trained on, the first `most` of it: (S, N, ...) and their labels."""
        if self._examples is None:
            return self.everyone(self.task.x[:most]), self.everyone(self.task.y[:most])
        chosen = self._examples[:, :most]
        return self.task.x[chosen], self.task.y[chosen]

    def losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Each example's loss: (S, B, ...).  y: labels, soft targets, or numbers to regress on."""
        if not self.task.classes:
            return (outputs.squeeze(-1) - y).square()
        if outputs.stride(-1) != 1:  # in memory each class is a row, and the softmax over rows is quicker
            y = y.movedim(-1, 1) if y.is_floating_point() else y
            return F.cross_entropy(outputs.movedim(-1, 1), y, reduction="none")
        examples = outputs.shape[:-1]
        target = y.flatten(0, len(examples) - 1)
        losses: Tensor = F.cross_entropy(outputs.flatten(0, -2), target, reduction="none").view(examples)
        return losses

    def soft(self, y: Tensor) -> Tensor:
        """Labels as one-hot rows; soft targets, and numbers to regress on, as they are."""
        if not self.task.classes or y.is_floating_point():
            return y
        return F.one_hot(y, self.task.classes).to(self.parameters[0].dtype)

    def everyone(self, x: Tensor) -> Tensor:
        """The same examples for every member."""
        return x.expand(len(self.members), *x.shape)

    def backward(self, losses: Tensor) -> None:
        """Leave the gradient of the members' losses, (S,), in the parameters, where each has its own."""
        self.optimizer.zero_grad()
        torch.autograd.backward(losses, torch.ones_like(losses))

    @property
    def gradients(self) -> list[Tensor]:
        """What `backward` has left in each parameter."""
        return [p.grad for p in self.parameters if p.grad is not None]

    def gradient_norms(self) -> Tensor:
        """The norm of each member's gradient, over all its parameters: (S,)."""
        squares = [gradient.square().flatten(1).sum(1) for gradient in self.gradients]
        return torch.stack(squares).sum(0).sqrt()

    def validation_loss(self, parameters: Sequence[Tensor]) -> Tensor:
        """The mean loss on the validation examples, (S,), with these parameters."""
        if self.task.validation is None:
            raise AssertionError("no validation examples: compare() holds them out for techniques that need them")
        with self.wearing(parameters), torch.no_grad():
            x, y = (self.everyone(part) for part in self.task.validation)
            losses = self.losses(self.judge(x), y)
            return losses.flatten(1).double().mean(1)

    @contextmanager
    def wearing(self, parameters: Sequence[Tensor]) -> Iterator[None]:
        """Within it the model has these parameters."""
        own = [p.data for p in self.parameters]
        try:
            for p, other in zip(self.parameters, parameters, strict=True):
                p.data = other.data
            yield
        finally:
            for p, data in zip(self.parameters, own, strict=True):
                p.data = data

    # The training itself.

    def step(self, batch: Tensor) -> None:
        """One step on these examples: (S, B), their numbers."""
        ranks = torch.arange(1, batch.shape[1] + 1, device=batch.device)
        self.seen = self.seen * 1_000_003 + (batch * ranks).sum(1)
        x, y = (
            part.index_select(0, batch.flatten()).view(*batch.shape, *part.shape[1:])
            for part in (self.task.x, self.task.y)
        )
        for technique in acting(self.techniques, "batch"):
            x, y = technique.batch(self, x, y)
        compute: Callable[[], None] = partial(self._compute, x, y)
        for technique in acting(self.techniques, "gradient"):
            compute = partial(technique.gradient, self, x, y, compute)
        compute()
        for technique in acting(self.techniques, "clip"):
            technique.clip(self)
        self.optimizer.step()
        self.step_count += 1
        for technique in self.techniques:
            technique.stepped(self)

    def _compute(self, x: Tensor, y: Tensor) -> None:
        outputs = self.forward(x)
        # Losses are summed over the members, which leaves the gradient of each as it would be alone.
        losses = self.losses(outputs, y).flatten(1).mean(1)
        for technique in acting(self.techniques, "penalty"):
            penalty = technique.penalty(self, x, y, outputs)
            losses = losses if penalty is None else losses + penalty
        self.backward(losses)

    def epoch(self) -> None:
        """Train on every example once, in batches that are each member's own."""
        order = self._batches.order(len(self.task.x)).to(self.task.device)
        if self._examples is not None:
            order = self._examples.gather(1, order)
        for batch in torch.split(order, self.task.batch, dim=1):
            self.step(batch)
        for technique in self.techniques:
            technique.epoch_ended(self)

    def scores(self) -> Scores:
        """How the networks do now, as they are judged."""
        parameters = list(self.parameters)
        for technique in self.techniques:
            parameters = technique.evaluated(self, parameters)
        with self.wearing(parameters), torch.no_grad():
            return scores(self)


@dataclass(frozen=True)
class Evaluation:
    """The scores of every arm after an epoch, in the order of the arms."""

    epoch: int
    scores: list[Scores]


class PairedTraining:
    """Train every arm on the same task from the same seeds; only what the recipes do differs.

    Member k of each arm has the same initial weights and sees the same batches in the same order. The members of an
    arm are trained as many at a time as `group_size` says, the groups side by side on torch's threads.
    members: their numbers.  seed: of all streams.  clock: to time each learner's epochs by, on its own thread.
    """

    def __init__(
        self,
        task: Task,
        recipes: Sequence[Recipe],
        members: Sequence[int],
        *,
        seed: int,
        epochs: int,
        clock: Callable[[], float] | None = None,
    ) -> None:
        steps = epochs * ceil(len(task.x) / task.batch)
        size = group_size(task)
        groups = [members[i : i + size] for i in range(0, len(members), size)]
        measures = {k: v for recipe in recipes for t in recipe.techniques for k, v in t.measures().items()}
        self.arms = [[Learner(task, recipe, group, seed=seed, steps=steps) for group in groups] for recipe in recipes]
        for learner in (learner for arm in self.arms for learner in arm):
            learner.measures = measures
        self.task, self.members, self.epochs = task, len(members), epochs
        self.clock = clock or (lambda: 0.0)

    def run(self, progress: Callable[[int, int], None] = lambda done, total: None) -> Iterator[Evaluation]:
        """Train, and evaluate at most EVALUATIONS times at even distances, always after the last epoch.

        progress: told how many epochs are done, each of each group counting, of how many in all. What it raises ends
        the run within an epoch.
        """
        learners = [learner for arm in self.arms for learner in arm]
        every, total = ceil(self.epochs / EVALUATIONS), self.epochs * len(learners)
        stop, done = Event(), 0
        _let_freed_memory_stay()
        with side_by_side(groups_abreast(self.task)) as pool:
            for start in range(0, self.epochs, every):
                epochs = min(every, self.epochs - start)
                futures = {pool.submit(_advance, learner, epochs, stop, self.clock): learner for learner in learners}
                try:
                    for future in as_completed(futures):
                        future.result()
                        done += epochs
                        progress(done, total)
                except BaseException:
                    stop.set()
                    raise
                found = {futures[future]: future.result() for future in futures}
                yield Evaluation(start + epochs, [_together([found[learner] for learner in arm]) for arm in self.arms])

    def starts_apart(self) -> float:
        """The largest distance between a weight of the first arm and the same weight of another."""
        return max((largest_difference(a, b) for a, b in self._pairs()), default=0.0)

    def seen_apart(self) -> int:
        """How many members of other arms did not see the batches that the first arm's did."""
        return sum(int((a.seen != b.seen).sum()) for a, b in self._pairs())

    def _pairs(self) -> Iterator[tuple[Learner, Learner]]:
        first, *others = self.arms
        for arm in others:
            yield from zip(first, arm, strict=True)


def _advance(learner: Learner, epochs: int, stop: Event, clock: Callable[[], float]) -> Scores:
    for _ in range(epochs):
        if stop.is_set():
            return {}
        start = clock()
        learner.epoch()
        learner.seconds += clock() - start
    return learner.scores()


def _let_freed_memory_stay() -> None:
    """Give back one large block, from which glibc learns to keep what is freed: to get it anew takes a step longer."""
    torch.empty(31 * 2**20, dtype=torch.uint8)  # it learns from blocks of up to 32 MiB


def _together(parts: Sequence[Scores]) -> Scores:
    """The scores of several groups as those of one arm."""
    return {name: [value for part in parts for value in part[name]] for name in parts[0]}


@contextmanager
def side_by_side(workers: int = 1) -> Iterator[ThreadPoolExecutor]:
    """Workers with one thread of torch's each: several would wait for each other at every operation."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        with ThreadPoolExecutor(workers) as pool:
            yield pool
    finally:
        torch.set_num_threads(before)


def largest_difference(one: Learner, other: Learner) -> float:
    """The largest distance between a weight of one learner and the same weight of the other."""
    pairs = zip(one.parameters, other.parameters, strict=True)
    return torch.stack([(a - b).detach().abs().max() for a, b in pairs]).max().item()
