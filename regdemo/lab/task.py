"""A task: the examples to learn from and to test on, and the network that learns them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from math import ceil
from typing import TYPE_CHECKING, Any, Protocol, Self

import torch

from regdemo.errors import ArgumentError
from regdemo.lab import ensemble, splits, streams
from regdemo.parameters import Parameter, count
from regdemo.words import pluralize

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from regdemo.lab.ensemble import Model
    from regdemo.lab.splits import Fixed, Split

# What a task offers to techniques: continuous inputs, hidden layers, nothing but linear layers, classes to predict,
# training examples enough to hold some out; inputs that are square images, row by row; tokens; a transformer's blocks;
# weights that were pretrained.
CLASSIFIER = frozenset({"inputs", "hidden", "linear", "classes", "validation"})
LINEAR_MODEL = frozenset({"inputs", "linear", "validation"})
HELD_OUT = 0.2  # of an arm's training examples, where it validates
PRECISIONS = ("float32", "bfloat16")  # float16 is not among them: its gradients vanish unless the loss is scaled
OPTIMIZERS = ("adam", "sgd", "momentum")
LEAST_BATCH = 16  # that fewer examples make a batch shrink to

LEARNING_RATE = Parameter("Learning rate.", 1e-6, 100)
WIDTH = count("Units of each hidden layer.", 1, 8192)
DEPTH = count("Hidden layers; 0 is a linear model.", 0, 16)
BATCH_SIZE = count("Examples per step.", 1, 65_536)


class Preprocessing(Protocol):
    """Turns raw rows into numbers; means and categories are estimated from the training rows alone."""

    def __call__(self, train: Tensor) -> tuple[Tensor, Tensor, float]:
        """Inputs and targets of every row, and the size of a target's unit."""
        ...


@dataclass(frozen=True)
class Examples:
    """What S members train and are tested on.

    x, y: a pool of examples with the labels to train on.  train: (S, n), their numbers in the pool.
    validation: (S, v), numbers of examples that are held out of the training ones; None if nothing is.
    test_x, test_y: (S, m, ...).  scale: (S,), the size of a unit of y.
    """

    x: Tensor
    y: Tensor
    train: Tensor
    validation: Tensor | None
    test_x: Tensor
    test_y: Tensor
    scale: Tensor


@dataclass(frozen=True)
class Task:
    """Examples that one labelling function labelled, and the network to learn them.

    x: (N, ...), floating point for a perceptron.  y: (N,): int64 from 0 to classes - 1, or floating point where classes
    is 0, a regression.  test_x, test_y: a fixed test set; empty where `split` draws one from x for each seed.
    origin: a sentence on where the examples come from.
    hidden, batch_size, epochs, learning_rate, optimizer: of the network and its training; optimizer: one of OPTIMIZERS.
    resampled: each member trains on a bootstrap sample of its own.  scale: the size of a unit of y.
    features: names of the inputs.  labels: names of the classes.
    offers: what techniques may need.  together: how many members can be trained as one, if that is limited.
    precision: of the matrix products, of PRECISIONS, where the numbers are float32; all else stays as it is.
    split: how each seed's training and test rows are drawn.  fit: prepares them, see `Preprocessing`.
    training_y: labels to train on, where they are not y.  metric: the primary one, if it is not the first.
    metrics: the user's own.  notes: what a report says of how the data were read.
    Another kind of network is a subclass with its own `model`.
    """

    title: str
    origin: str
    x: Tensor
    y: Tensor
    test_x: Tensor
    test_y: Tensor
    classes: int
    hidden: tuple[int, ...] = (128, 128)
    batch_size: int = 100
    epochs: int = 40
    learning_rate: float = 3e-3
    optimizer: str = "adam"
    resampled: bool = False
    scale: float = 1.0
    features: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    offers: frozenset[str] = CLASSIFIER
    together: int | None = None
    precision: str = "float32"
    split: Split | Fixed | None = None
    fit: Preprocessing | None = None
    training_y: Tensor | None = None
    metric: str = ""
    metrics: tuple[Metric, ...] = ()
    notes: tuple[str, ...] = ()

    def model(self, generators: Sequence[Generator]) -> Model:
        """The networks, one for each generator, with their initial weights."""
        return ensemble.Ensemble((self.inputs, *self.hidden, self.classes or 1), generators, self.dtype, self.device)

    @property
    def inputs(self) -> int:
        """How many numbers an example is."""
        return int(getattr(self.fit, "width", self.x.shape[1]))

    @property
    def dtype(self) -> torch.dtype:
        """Of the parameters and the noise: that of x, or float32 where x are tokens."""
        return self.x.dtype if self.x.is_floating_point() else torch.float32

    @property
    def device(self) -> torch.device:
        """Where the examples are, and so the networks."""
        return self.x.device

    @property
    def imbalanced(self) -> bool:
        """Whether the largest class has at least 1.5 times as many examples as the smallest."""
        if not self.classes or "tokens" in self.offers:
            return False
        sizes = torch.bincount(self.y.flatten(), minlength=self.classes)
        return bool(sizes.max() >= 1.5 * sizes.min())

    def examples(self, members: Sequence[int], seed: int, *, hold_out: bool = False) -> Examples:
        """What these members train on and are tested on.

        hold_out: hold out a fifth of each member's own training examples for validation.
        """
        many = len(members)
        if self.split is not None:
            return self._split_examples(members, seed, hold_out)
        kept, n = self.trained_on(hold_out), len(self.x)
        if self.resampled:
            train = streams.RngStreams(seed, members, "resample", self.dtype).sample(kept).to(self.device)
        else:
            train = torch.arange(kept, device=self.device).expand(many, -1)
        held = torch.arange(kept, n, device=self.device).expand(many, -1) if hold_out else None
        return Examples(
            self.x,
            self.y if self.training_y is None else self.training_y,
            train,
            held,
            self.test_x.expand(many, *self.test_x.shape),
            self.test_y.expand(many, *self.test_y.shape),
            torch.full((many,), self.scale, dtype=torch.float64, device=self.device),
        )

    def _split_examples(self, members: Sequence[int], seed: int, hold_out: bool) -> Examples:
        assert self.split is not None
        labels = self.y if self.training_y is None else self.training_y
        pools: list[Tensor] = []
        targets, trains, tests, test_targets, scales = [], [], [], [], []
        for place, member in enumerate(members):
            train, test = (part.to(self.device) for part in self.split.rows(member, seed))
            x, y, scale = (self.x, labels, 1.0) if self.fit is None else self.fit(train)
            x, y = x.to(self.device), labels if self.classes else y.to(self.device)
            clean = self.y if self.classes else y
            tests.append(x[test])
            test_targets.append(clean[test])
            scales.append(scale)
            own = self.fit is not None
            trains.append(train + place * len(x) if own else train)
            if own or not pools:
                pools.append(x)
                targets.append(y)
        rows = torch.stack(trains)
        kept = self.trained_on(hold_out, rows.shape[1])
        return Examples(
            torch.cat(pools),
            torch.cat(targets),
            rows[:, :kept],
            rows[:, kept:] if hold_out else None,
            torch.stack(tests),
            torch.stack(test_targets),
            torch.tensor(scales, dtype=torch.float64, device=self.device),
        )

    def shared(self, members: Sequence[int], seed: int) -> int:
        """How many test examples are also among the examples to learn from: by value, or rows of a split by number."""
        if self.split is not None:
            rows = [self.split.rows(member, seed) for member in members]
            return sum(int(torch.isin(test, train).sum()) for train, test in rows)
        known = {hash(row.tobytes()) for row in self.x.flatten(1).cpu().numpy()}
        return sum(hash(row.tobytes()) in known for row in self.test_x.flatten(1).cpu().numpy())

    @property
    def resplit(self) -> bool:
        """Whether each seed has test rows of its own."""
        return self.split is not None and not isinstance(self.split, splits.Fixed)

    @property
    def train_size(self) -> int:
        """How many examples a member may learn from; with a split whose sizes differ, seed 0's first member."""
        return len(self.x) if self.split is None else self.split.sizes(0, 0)[0]

    def trained_on(self, hold_out: bool, n: int | None = None) -> int:
        """How many of n examples (all of them if not given) are left to train on."""
        n = self.train_size if n is None else n
        return n - max(1, round(HELD_OUT * n)) if hold_out else n

    def steps(self, epochs: int, n: int | None = None) -> int:
        """How many steps so many epochs over n examples are."""
        return epochs * ceil((self.train_size if n is None else n) / self.batch_size)

    def on(self, device: str, precision: str = "float32") -> Self:
        """The task with its examples on a device, and its products to be computed in a precision.

        device: "cpu", or an NVIDIA or AMD GPU as torch calls them, "cuda" or "cuda:1".
        Raises ArgumentError on another device, one that is not there, and a precision that is unknown or not for the
        task's numbers.
        """
        kind, number = device_type(device), device.partition(":")[2]
        if precision not in PRECISIONS:
            raise ArgumentError(f"precision = {precision!r} is not allowed: it must be {' or '.join(PRECISIONS)}")
        if precision != "float32" and self.dtype != torch.float32:
            raise ArgumentError(
                f"precision = {precision!r} is for networks of float32, and that of {self.title} is {self.network} of "
                f"{str(self.dtype).removeprefix('torch.')}: leave it out"
            )
        if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
            there = torch.cuda.device_count()
            raise ArgumentError(
                f"device = {device!r} is not there: torch {torch.__version__} finds "
                + (f"{pluralize(there, 'GPU')} here, from cuda:0" if there else "no GPU here; leave it out for the CPU")
            )
        place = torch.device(device)
        moved = {f.name: _moved(getattr(self, f.name), place) for f in fields(self)}
        return replace(self, **moved | {"precision": precision})

    @property
    def network(self) -> str:
        """What the network is, in words."""
        if not self.hidden:
            return "a linear model"
        return f"{len(self.hidden)} hidden layers of {self.hidden[0]} units"

    def first(self, n: int) -> Self:
        """The task with n training examples only, in batches that are smaller in proportion; of a split, n of each.

        Raises ArgumentError if there are fewer.
        """
        most = self.train_size
        if not 2 <= n <= most:
            raise ArgumentError(f"train_size = {n:,} is not allowed: {self.title} has from 2 to {most:,}")
        batch = min(self.batch_size, max(LEAST_BATCH, round(self.batch_size * n / most)))
        if self.split is not None:
            return replace(self, batch_size=batch, split=replace(self.split, train_size=n))
        labels = None if self.training_y is None else self.training_y[:n]
        return replace(self, batch_size=batch, x=self.x[:n], y=self.y[:n], training_y=labels)

    def trained_with(
        self,
        learning_rate: float | None = None,
        width: int | None = None,
        depth: int | None = None,
        batch_size: int | None = None,
        optimizer: str | None = None,
    ) -> Self:
        """The task with another training; what is None stays. Raises ArgumentError on a value that is not allowed."""
        limits = {"lr": LEARNING_RATE, "width": WIDTH, "depth": DEPTH, "batch_size": BATCH_SIZE}
        for (name, allowed), value in zip(limits.items(), (learning_rate, width, depth, batch_size), strict=True):
            if value is not None:
                allowed.check(name, value)
        if optimizer is not None and optimizer not in OPTIMIZERS:
            raise ArgumentError(f"optimizer = {optimizer!r} is not allowed: it must be {' or '.join(OPTIMIZERS)}")
        task = self if width is None and depth is None else self._resized(width, depth)
        given: dict[str, Any] = {"learning_rate": learning_rate, "batch_size": batch_size, "optimizer": optimizer}
        return replace(task, **{name: value for name, value in given.items() if value is not None})

    def _resized(self, width: int | None, depth: int | None) -> Self:
        units = width or (self.hidden[0] if self.hidden else 128)
        layers = (len(self.hidden) or 2) if depth is None else depth
        offers = self.offers | {"hidden"} if layers else self.offers - {"hidden"}
        return replace(self, hidden=(units,) * layers, offers=offers)

    def with_label_noise(self, fraction: float) -> Task:
        """The task with this fraction of its training labels replaced by another class, the same ones each time."""
        if not fraction:
            return self
        if not self.classes:
            raise ArgumentError(f"label_noise = {fraction} needs classes, and {self.title} has numbers to predict")
        generator = torch.Generator().manual_seed(0)
        wrong = torch.randperm(self.y.numel(), generator=generator)[: round(fraction * self.y.numel())]
        y = self.y.clone(memory_format=torch.contiguous_format)
        labels = y.view(-1)  # of sequences too, which have one at each position
        shift = torch.randint(1, self.classes, wrong.shape, generator=generator)
        labels[wrong] = (labels[wrong] + shift) % self.classes
        return replace(self, training_y=y)


def device_type(device: str) -> str:
    """Of a device as torch calls it, "cpu", "cuda" or "cuda:1", what kind it is; raise ArgumentError on any other."""
    kind, colon, number = device.partition(":")
    if device != "cpu" and (kind != "cuda" or bool(colon) != number.isdecimal()):
        raise ArgumentError(f"device = {device!r} is not allowed: it must be cpu or cuda, or one of several, cuda:1")
    return kind


def _moved(value: Any, device: torch.device) -> Any:
    """A tensor, several, or a module on a device; anything else as it is."""
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, torch.nn.Module):
        return deepcopy(value).to(device)
    return tuple(_moved(part, device) for part in value) if isinstance(value, tuple) else value


@dataclass(frozen=True)
class Metric:
    """A metric of your own: `function(outputs, targets)` gives a number for one network.

    outputs: (m, classes) logits, or (m,) numbers in the target's unit.  targets: (m,).
    better: 1 if more is better, -1 if less is.  name: with its unit behind a comma, if it has one: "cost, euros".
    """

    name: str
    function: Callable[[Tensor, Tensor], float]
    better: int = 1
