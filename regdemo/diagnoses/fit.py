"""A small training loop whose log is what the runs show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from sklearn.datasets import load_digits, make_moons
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from regdemo.report import Curves, Series

Loss = Callable[[Tensor, Tensor], Tensor]

LOSSES_AND_ACCURACIES = ("train loss", "val loss", "train acc", "val acc")


@dataclass(frozen=True)
class Data:
    """Training and validation examples, the inputs in float64."""

    x: Tensor
    y: Tensor
    val_x: Tensor
    val_y: Tensor


@dataclass
class Log:
    """What was measured after some of the epochs, by name."""

    rows: list[dict[str, float]] = field(default_factory=list)

    @property
    def last(self) -> dict[str, float]:
        """What was measured last."""
        return self.rows[-1]

    def columns(self, *names: str) -> tuple[list[str], list[list[object]]]:
        """The columns and rows of a table: the epoch, then these."""
        return ["epoch", *names], [[int(row["epoch"]), *(row[name] for name in names)] for row in self.rows]

    def curves(self, title: str, y_label: str, *names: str) -> Curves:
        """These over the epoch."""
        epochs = [row["epoch"] for row in self.rows]
        return Curves(
            title, "epoch", y_label, [Series(name, epochs, [row[name] for row in self.rows]) for name in names]
        )


def digits(train: int = 300, wrong: float = 0.0, val: int = 600, seed: int = 0) -> Data:
    """Scikit-learn's 8 x 8 digits in [0, 1]; a fraction of the training labels is replaced by random ones."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(x))
    x, y = torch.tensor(x[order] / 16), torch.tensor(y[order])
    labels = y[:train].clone()
    generator = torch.Generator().manual_seed(seed)
    count = round(wrong * train)
    labels[:count] = torch.randint(10, (count,), generator=generator)
    return Data(x[:train], labels, x[train : train + val], y[train : train + val])


def moons(train: int = 200, noise: float = 0.25, val: int = 2000) -> Data:
    """Two interleaved half circles with noise."""
    x, y = make_moons(train + val, noise=noise, random_state=0)
    x, y = torch.tensor(x), torch.tensor(y)
    return Data(x[:train], y[:train], x[train:], y[train:])


def mlp(
    *widths: int, dropout: float = 0.0, act: Callable[[], nn.Module] = nn.ReLU, norm: bool = False
) -> nn.Sequential:
    """A perceptron in float64, always initialized alike."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        for i, (inputs, outputs) in enumerate(pairwise(widths)):
            layers.append(nn.Linear(inputs, outputs))
            if i < len(widths) - 2:
                layers += [nn.BatchNorm1d(outputs)] * norm + [act()] + [nn.Dropout(dropout)] * (dropout > 0)
        return nn.Sequential(*layers).double()


def evaluate(model: nn.Module, x: Tensor, y: Tensor, loss: Loss = cross_entropy) -> tuple[float, float]:
    """Mean loss and accuracy in eval mode."""
    training = model.training
    model.eval()
    with torch.no_grad():
        out = model(x)
    model.train(training)
    return loss(out, y).item(), (out.argmax(1) == y).double().mean().item()


def fit(
    model: nn.Module,
    data: Data,
    *,
    epochs: Sequence[int],
    rate: float,
    decay: float = 0.0,
    batch: int = 50,
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.AdamW,
    loss: Loss = cross_entropy,
    shuffle: bool = True,
    zero: bool = True,
    clip: float = 0.0,
    measure: Callable[[nn.Module], dict[str, float]] = lambda model: {},
    seed: int = 0,
) -> Log:
    """Train by minibatches and measure after the epochs named. The global random state is left as it was.

    A log has: train loss, train acc (in eval mode, after the epoch), val loss, val acc, running (the mean of the
    batches' losses during the epoch, in training mode), grad (the mean of their gradients' norms, before clipping).
    """
    log = Log()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        steps = optimizer(model.parameters(), lr=rate, weight_decay=decay, fused=True)
        for epoch in range(1, max(epochs) + 1):
            model.train()
            order = torch.randperm(len(data.x)) if shuffle else torch.arange(len(data.x))
            losses, norms = [], []
            for rows in torch.split(order, batch):
                if zero:
                    steps.zero_grad()
                value = loss(model(data.x[rows]), data.y[rows])
                torch.autograd.backward(value)
                if clip or epoch in epochs:
                    norms.append(nn.utils.clip_grad_norm_(model.parameters(), clip or float("inf")).item())
                    losses.append(value.item())
                steps.step()
            if epoch in epochs:
                train, val = evaluate(model, data.x, data.y, loss), evaluate(model, data.val_x, data.val_y, loss)
                log.rows.append(
                    {
                        "epoch": epoch,
                        "train loss": train[0],
                        "train acc": train[1],
                        "val loss": val[0],
                        "val acc": val[1],
                        "running": sum(losses) / len(losses),
                        "grad": sum(norms) / len(norms),
                        **measure(model),
                    }
                )
    return log
