"""Training: some networks of one arm as one model, and all arms of a comparison in step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from math import ceil
from queue import Empty, SimpleQueue
from threading import Event

import torch
import torch.nn.functional as F
from torch import Tensor

from regdemo.lab import fused, metrics
from regdemo.lab.ensemble import Acting, Model
from regdemo.lab.metrics import Scores
from regdemo.lab.recipe import Recipe, Technique, overridden, overriding
from regdemo.lab.streams import RngStreams
from regdemo.lab.task import Examples, Task
from regdemo.lab.techniques.activations import DropoutTechnique
from regdemo.lab.techniques.weights import WeightDecayTechnique

EVALUATIONS = 10  # points of a learning curve
GROUP = 8  # networks trained as one: as many as keep their activations in the cache
GROUP_ON_GPU = 256  # where a step costs its launches, of however many networks
STEPS_PER_LOOK = 20  # steps between two looks at whether to stop
POLL = 0.1  # seconds between two looks at whether the caller has cancelled
OnProgress = Callable[[int, int], None]  # called with how much is done, and of how much

# Where a technique may act without changing a step of the fused path.
OUTSIDE_STEPS = {"begin", "epoch_ended", "evaluated", "predict", "measures"}


def group_size(task: Task, kind: str = "") -> int:
    """How many networks of a task are trained as one, on its own device or one of another kind, such as "cuda"."""
    most = GROUP if (kind or task.device.type) == "cpu" else GROUP_ON_GPU
    return min(most, task.together or most)


def groups_abreast(task: Task) -> int:
    """How many groups are trained at the same time: one on each of torch's threads, or one on a GPU."""
    return torch.get_num_threads() if task.device.type == "cpu" else 1


class Cancelled(Exception):
    """Training was stopped by its caller."""


class TrainingRun:
    """Some members of one arm in training: their networks as one model under one optimizer.

    members: their numbers; each has its own random numbers, so its result does not depend on the other members.
    seed: of all streams.  epochs: of the whole training, for what changes along the way.
    examples: what the members learn from, if it is known already.
    judge_held_out: hold out a fifth of each member's training examples, as a technique that validates does too, and
    judge the members by their loss on it.
    Kingma and Ba 2015 (Adam), https://arxiv.org/abs/1412.6980
    """

    def __init__(
        self,
        task: Task,
        recipe: Recipe,
        members: Sequence[int],
        *,
        seed: int,
        epochs: int = 1,
        examples: Examples | None = None,
        judge_held_out: bool = False,
    ) -> None:
        self.task, self.recipe, self.members, self.seed, self.epochs = task, recipe, list(members), seed, epochs
        self.judge_held_out, self.hold_out = judge_held_out, recipe.validates or judge_held_out
        self.examples = examples or task.examples(self.members, seed, hold_out=self.hold_out)
        self.steps = task.steps(epochs, self.examples.train.shape[1])
        # Of the CPU on every device, so that a network starts from the same weights and sees the same batches on each.
        start, self._batches = (RngStreams(seed, self.members, use, task.dtype) for use in ("weights", "batches"))
        self.model: Model = task.model(start.generators)
        self.parameters = self.model.parameters
        self.step_count = self.epoch_count = 0
        # What each member has seen, in order, as a number: equal in two arms if they saw the same batches.
        self.seen = torch.zeros(len(self.members), dtype=torch.int64, device=task.device)
        self.techniques = recipe.begin(self)
        self.optimizer = self._make_optimizer()
        self._at = {site: overriding(self.techniques, site) for site in ("weight", "tokens", "activations", "linear")}
        self.seconds = 0.0
        self.measures: dict[str, Callable[[TrainingRun], Tensor]] = {}

    def streams(self, use: str) -> RngStreams:
        """The members' random numbers for one use, drawn where the networks are."""
        return RngStreams(self.seed, self.members, use, self.task.dtype, self.task.device)

    def after(self, part: float) -> int:
        """The step at which this part of the training is over, at least 1."""
        return max(1, round(part * self.steps))

    def _make_optimizer(self) -> torch.optim.Optimizer | fused.Adam:
        decay = next((t.weight_decay for t in self.techniques if isinstance(t, WeightDecayTechnique)), 0.0)
        if fused.fits(self.task, self.model) and all(map(_keeps_steps, self.techniques)):
            return fused.Adam(self.parameters, self.task.learning_rate, decay)
        weights = {id(w) for w in self.model.weights}
        groups = [
            {"params": [p for p in self.parameters if (id(p) in weights) == decayed], "weight_decay": decay * decayed}
            for decayed in (True, False)
        ]
        optimizer: torch.optim.Optimizer
        if self.task.optimizer != "adam":
            momentum = 0.9 if self.task.optimizer == "momentum" else 0.0
            optimizer = torch.optim.SGD(groups, lr=self.task.learning_rate, momentum=momentum, fused=True)
        else:
            optimizer = torch.optim.AdamW(groups, lr=self.task.learning_rate, fused=True)
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
        return self.apply(x, self)

    def eval_forward(self, x: Tensor) -> Tensor:
        """A pass in eval mode."""
        return self.apply(x, None)

    def apply(self, x: Tensor, acting: Acting | None) -> Tensor:
        """A pass with something acting, or nothing: products in the task's precision, outputs in its numbers."""
        if self.task.precision == "float32":
            return self.model(x, acting)
        with torch.autocast(self.task.device.type, getattr(torch, self.task.precision)):
            return self.model(x, acting).to(self.task.dtype)

    def predict(self, x: Tensor) -> Tensor:
        """The logits, or numbers, that the members are judged by."""
        for technique in overriding(self.techniques, "predict"):
            return technique.predict(self, x)
        return self.eval_forward(x)

    def training_examples(self, most: int) -> tuple[Tensor, Tensor]:
        """What each member is trained on, the first `most` of it: (S, N, ...) and their labels."""
        chosen = self.examples.train[:, :most]
        return self.examples.x[chosen], self.examples.y[chosen]

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
        held = self.examples.validation
        assert held is not None, "no validation examples were held out"
        total = torch.zeros(len(self.members), dtype=torch.float64, device=self.task.device)
        with self.swapped_parameters(parameters), torch.no_grad():
            for part in torch.split(held, metrics.JUDGED_AT_ONCE, dim=1):
                losses = self.losses(self.eval_forward(self.examples.x[part]), self.examples.y[part])
                total += losses.flatten(2).double().mean(2).sum(1) if losses.dim() > 2 else losses.double().sum(1)
        return total / held.shape[1]

    @contextmanager
    def swapped_parameters(self, parameters: Sequence[Tensor]) -> Iterator[None]:
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
        self._note([batch])
        x, y = (
            part.index_select(0, batch.flatten()).view(*batch.shape, *part.shape[1:])
            for part in (self.examples.x, self.examples.y)
        )
        for technique in overriding(self.techniques, "batch"):
            x, y = technique.batch(self, x, y)
        compute: Callable[[], None] = partial(self._compute, x, y)
        for technique in overriding(self.techniques, "gradient"):
            compute = partial(technique.gradient, self, x, y, compute)
        compute()
        for technique in overriding(self.techniques, "clip"):
            technique.clip(self)
        self.optimizer.step()
        self.step_count += 1
        for technique in overriding(self.techniques, "stepped"):
            technique.stepped(self)

    def steps_on(self, batches: Sequence[Tensor]) -> None:
        """A step on each batch, by hand-written gradients where no technique needs autograd's."""
        if not isinstance(self.optimizer, fused.Adam):
            for batch in batches:
                self.step(batch)
            return
        self._note(batches)
        dropout = next((t for t in self.techniques if isinstance(t, DropoutTechnique)), None)
        p, streams = (dropout.p, dropout.streams) if dropout else (0.0, None)
        fused.train(self.examples.x, self.examples.y, self.parameters, self.optimizer, batches, p, streams)
        self.step_count += len(batches)

    def _note(self, batches: Sequence[Tensor]) -> None:
        """Keep what each member saw, in order, as a number."""
        ranks = torch.arange(1, batches[0].shape[1] + 1, device=batches[0].device, dtype=torch.float64)
        # In one product, as the numbers of examples and the ranks are whole and small: float64 holds the sums.
        whole = [batch for batch in batches if batch.shape[1] == len(ranks)]
        sums = (torch.stack(whole).double() @ ranks).long()
        rest = [(batch.double() @ ranks[: batch.shape[1]]).long() for batch in batches[len(whole) :]]
        for each in (*sums, *rest):
            self.seen = self.seen * 1_000_003 + each

    def _compute(self, x: Tensor, y: Tensor) -> None:
        outputs = self.forward(x)
        # Losses are summed over the members, which leaves the gradient of each as it would be alone.
        losses = self.losses(outputs, y).flatten(1).mean(1)
        for technique in overriding(self.techniques, "penalty"):
            penalty = technique.penalty(self, x, y, outputs)
            losses = losses if penalty is None else losses + penalty
        self.backward(losses)

    def epoch(self, between: Callable[[int], None] = lambda steps: None) -> None:
        """Train on every example once, in batches that are each member's own.

        between: called after every few steps with their number; what it raises ends the epoch.
        """
        order = self._batches.order(self.examples.train.shape[1]).to(self.task.device)
        batches = torch.split(self.examples.train.gather(1, order), self.task.batch_size, dim=1)
        for start in range(0, len(batches), STEPS_PER_LOOK):
            part = batches[start : start + STEPS_PER_LOOK]
            self.steps_on(part)
            between(len(part))
        self.epoch_count += 1
        for technique in self.techniques:
            technique.epoch_ended(self)

    def scores(self) -> Scores:
        """How the networks do now, as they are judged."""
        parameters = self._judged_parameters()
        if self.judge_held_out:
            return {metrics.VALIDATION_LOSS: self.validation_loss(parameters).tolist()}
        with self.swapped_parameters(parameters), torch.no_grad():
            return metrics.scores(self)

    def per_example(self) -> tuple[Tensor, Tensor | None]:
        """What each test example adds to the score of each network now, (S, m), and its calibration."""
        with self.swapped_parameters(self._judged_parameters()), torch.no_grad():
            return metrics.per_example(self)

    def _judged_parameters(self) -> list[Tensor]:
        parameters = list(self.parameters)
        for technique in self.techniques:
            parameters = technique.evaluated(self, parameters)
        return parameters


def _keeps_steps(technique: Technique) -> bool:
    """Whether a technique is dropout at a fixed rate, or does not act within a step."""
    own = overridden(type(technique)) - OUTSIDE_STEPS
    return not own or (
        isinstance(technique, DropoutTechnique)
        and type(technique).rate is DropoutTechnique.rate
        and own == {"activations"}
    )


def in_step(
    runs: Sequence[TrainingRun],
    *,
    clock: Callable[[], float] = lambda: 0.0,
    progress: OnProgress = lambda done, total: None,
    cancel: Event | None = None,
) -> Iterator[list[Scores]]:
    """Train all of them side by side; after each tenth, or epoch if they have fewer, the scores of each.

    A tenth ends when all runs have come so far; the last one ends with the last epoch of each.
    clock: to time each run's epochs by, on its own thread.  progress: called with how many steps of networks are
    done, and of how many. What it raises ends the training, as Ctrl-C does; if `cancel` is set, Cancelled is raised.
    """
    longest = max(run.epochs for run in runs)
    every = ceil(longest / EVALUATIONS)
    total, done = sum(run.steps * len(run.members) for run in runs), 0
    stop, queued = Event(), SimpleQueue[int]()
    _let_freed_memory_stay()
    with side_by_side(groups_abreast(runs[0].task)) as pool:
        for end in range(every, longest + every, every):
            goals = [min(run.epochs, ceil(end * run.epochs / longest)) for run in runs]
            futures = [
                pool.submit(_advance, run, goal, stop, clock, queued) for run, goal in zip(runs, goals, strict=True)
            ]
            try:
                while not all(future.done() for future in futures) or not queued.empty():
                    if cancel is not None and cancel.is_set():
                        raise Cancelled
                    _raise_from(futures)
                    with suppress(Empty):
                        if steps := queued.get(timeout=POLL):
                            done += steps
                            progress(done, total)
                found = [future.result() for future in futures]
            except BaseException:
                stop.set()
                raise
            yield found


def _raise_from(futures: Sequence[Future[Scores]]) -> None:
    for future in futures:
        if future.done():
            future.result()


def _advance(
    run: TrainingRun, epochs: int, stop: Event, clock: Callable[[], float], queued: SimpleQueue[int]
) -> Scores:
    def between(steps: int) -> None:
        queued.put(steps * len(run.members))
        if stop.is_set():
            raise Cancelled

    try:
        while run.epoch_count < epochs:
            start = clock()
            run.epoch(between)
            run.seconds += clock() - start
        return run.scores()
    finally:
        queued.put(0)  # wakes the thread that waits


def _let_freed_memory_stay() -> None:
    """Give back one large block, from which glibc learns to keep what is freed: getting it again takes time."""
    torch.empty(31 * 2**20, dtype=torch.uint8)  # it learns from blocks of up to 32 MiB


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
