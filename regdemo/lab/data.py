"""The tasks to train on: small, real, and at hand without a download."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from regdemo.errors import ArgumentError

if TYPE_CHECKING:
    import torch
    from torch import Generator, Tensor

    from regdemo.lab.ensemble import Model

# What a task offers to techniques: continuous inputs, hidden layers, nothing but linear layers, classes to predict,
# training examples enough to hold some out; tokens; a transformer's blocks; weights that were pretrained.
CLASSIFIER = frozenset({"inputs", "hidden", "linear", "classes", "validation"})
LINEAR_MODEL = frozenset({"inputs", "linear", "validation"})
HELD_OUT = 0.2  # of the training examples, where a technique validates
PRECISIONS = ("float32", "bfloat16")  # float16 is not among them: its gradients vanish unless the loss is scaled


@dataclass(frozen=True)
class Task:
    """Training and test examples that one labelling function labelled, and the network to learn them.

    x: (N, ...), floating point for a perceptron.  y: (N,): int64 from 0 to classes - 1, or floating point where classes
    is 0, a regression.  origin: a sentence on where they come from.
    hidden, batch, steps, learning_rate, optimizer: of the network and its training; optimizer is "adam" or "sgd".
    resampled: each member trains on a bootstrap sample of its own.  scale: what a unit of y stands for.
    features: their names.
    offers: what techniques may need.  together: how many members can be trained as one, if that is limited.
    precision: of the matrix products, of PRECISIONS, where the numbers are float32; all else stays as it is.
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
    batch: int = 100
    steps: int = 1600
    learning_rate: float = 3e-3
    optimizer: str = "adam"
    resampled: bool = False
    scale: float = 1.0
    features: tuple[str, ...] = ()
    offers: frozenset[str] = CLASSIFIER
    validation: tuple[Tensor, Tensor] | None = None
    together: int | None = None
    precision: str = "float32"

    def model(self, generators: Sequence[Generator]) -> Model:
        """The networks, one for each generator, with their initial weights."""
        from regdemo.lab.ensemble import Ensemble

        return Ensemble((self.x.shape[1], *self.hidden, self.classes or 1), generators, self.dtype, self.device)

    @property
    def dtype(self) -> torch.dtype:
        """Of the parameters and the noise: that of x, or float32 where x are tokens."""
        import torch

        return self.x.dtype if self.x.is_floating_point() else torch.float32

    @property
    def device(self) -> torch.device:
        """Where the examples are, and so the networks."""
        return self.x.device

    def on(self, device: str, precision: str = "float32") -> Self:
        """The task with its examples on a device, and its products to be computed in a precision.

        device: "cpu", or an NVIDIA or AMD GPU as torch calls them, "cuda" or "cuda:1".
        Raises ArgumentError on another device, one that is not there, and a precision that is unknown or not for the
        task's numbers.
        """
        import torch

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
                + (
                    f"{there} GPU{'s' * (there > 1)} here, from cuda:0"
                    if there
                    else "no GPU here; leave it out for the CPU"
                )
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

    def hold_out(self) -> Task:
        """The task with its last fifth of training examples set apart for validation."""
        n = len(self.x) - max(1, round(HELD_OUT * len(self.x)))
        return replace(self, x=self.x[:n], y=self.y[:n], validation=(self.x[n:], self.y[n:]))

    def first(self, n: int) -> Task:
        """The task with its first n training examples only; raise ArgumentError if it has fewer."""
        if not 2 <= n <= len(self.x):
            raise ArgumentError(f"train_size = {n:,} is not allowed: {self.title} has from 2 to {len(self.x):,}")
        return replace(self, x=self.x[:n], y=self.y[:n])

    def with_label_noise(self, share: float) -> Task:
        """The task with this share of its training labels replaced by another class, the same ones each time."""
        import torch

        if not share:
            return self
        if not self.classes:
            raise ArgumentError(f"label_noise = {share} needs classes, and {self.title} has numbers to predict")
        generator = torch.Generator().manual_seed(0)
        wrong = torch.randperm(self.y.numel(), generator=generator)[: round(share * self.y.numel())]
        y = self.y.clone(memory_format=torch.contiguous_format)
        labels = y.view(-1)  # of sequences too, which have one at each position
        shift = torch.randint(1, self.classes, wrong.shape, generator=generator)
        labels[wrong] = (labels[wrong] + shift) % self.classes
        return replace(self, y=y)


def device_type(device: str) -> str:
    """Of a device as torch calls it, "cpu", "cuda" or "cuda:1", what kind it is; raise ArgumentError on any other."""
    kind, colon, number = device.partition(":")
    if device != "cpu" and (kind != "cuda" or bool(colon) != number.isdecimal()):
        raise ArgumentError(f"device = {device!r} is not allowed: it must be cpu or cuda, or one of several, cuda:1")
    return kind


def _moved(value: Any, device: torch.device) -> Any:
    """A tensor, several, or a module on a device; anything else as it is."""
    import torch

    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, torch.nn.Module):
        return deepcopy(value).to(device)
    return tuple(_moved(part, device) for part in value) if isinstance(value, tuple) else value


def load(name: str, file: Path | None = None, target: str | None = None) -> Task:
    """The task of that name, or that of the user's own file: a text, or a CSV whose column target is predicted.

    Raises ArgumentError on a name that is not in TASKS, a target without a CSV, or a file of another kind; FileError on
    a file that cannot be understood.
    """
    if file is not None and file.suffix.lower() in (".csv", ".tsv"):
        from regdemo.lab.table import read_table

        return read_table(file, target)
    if target is not None:
        raise ArgumentError(f"target = {target!r} needs a table: name a file that ends in .csv or .tsv by --data")
    if file is not None:
        from regdemo.lab.text import own

        if file.suffix.lower() not in (".txt", ".md"):
            raise ArgumentError(f"data = {file} must be a table that ends in .csv or .tsv, or a text in .txt or .md")
        return own(file)
    if name not in TASKS:
        raise ArgumentError(f"there is no task {name!r}: choose {' or '.join(TASKS)}")
    return TASKS[name]()


def shared_examples(task: Task) -> int:
    """How many test examples stand among the training or validation examples too, value for value."""
    used = [task.x, *(task.validation or ())[:1]]
    seen = {tuple(example) for part in used for example in part.flatten(1).tolist()}
    return sum(tuple(example) in seen for example in task.test_x.flatten(1).tolist())


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
        steps=700,
    )


def _diabetes() -> Task:
    import torch
    from sklearn.datasets import load_diabetes

    data = load_diabetes()
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
        batch=len(train),
        steps=2000,
        learning_rate=0.15,
        optimizer="sgd",
        resampled=True,
        scale=scale,
        features=tuple(data.feature_names),
        offers=LINEAR_MODEL,
    )


def _text() -> Task:
    from regdemo.lab.text import shipped

    return shipped()


TASKS: dict[str, Callable[[], Task]] = {"mnist1d": _mnist1d, "digits": _digits, "diabetes": _diabetes, "text": _text}
