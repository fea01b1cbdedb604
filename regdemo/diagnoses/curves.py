"""Curves of a training run: what the losses of both sets say, and what they leave open."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import learning_curve
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from regdemo.diagnoses import diagnosis, table
from regdemo.diagnoses.fit import LOSSES_AND_ACCURACIES, digits, fit, mlp, moons
from regdemo.report import Block


@diagnosis("Q18.600")
def overfitting() -> list[Block]:
    """A network with more capacity than its few examples can constrain: overfitting."""
    large = digits(train=900, wrong=0.2)
    data = replace(digits(train=150, wrong=0.2), val_x=large.val_x, val_y=large.val_y)
    log = fit(mlp(64, 128, 10), data, epochs=[1, 5, 10, 20, 40, 80], rate=3e-3)
    seen = table("Training log", *log.columns(*LOSSES_AND_ACCURACIES))
    changes = {
        "as above": log.last,
        "dropout 0.5": fit(mlp(64, 128, 10, dropout=0.5), data, epochs=[80], rate=3e-3).last,
        "weight decay 3": fit(mlp(64, 128, 10), data, epochs=[80], rate=3e-3, decay=3.0).last,
        "900 examples": fit(mlp(64, 128, 10), large, epochs=[80], rate=3e-3).last,
    }
    after = table(
        "The state after epoch 80, with one change at a time",
        ["change", *LOSSES_AND_ACCURACIES],
        [[name, *(last[key] for key in LOSSES_AND_ACCURACIES)] for name, last in changes.items()],
    )
    return [seen, log.curves("The losses", "loss", "train loss", "val loss"), after]


@diagnosis("Q18.601")
def underfitting() -> list[Block]:
    """A linear model on two half circles: underfitting."""
    data = moons()
    log = fit(mlp(2, 2), data, epochs=[10, 50, 100, 200], rate=3e-2)
    wide = fit(mlp(2, 32, 32, 2), data, epochs=[10, 50, 100, 200], rate=3e-3)
    return [
        table("Training log of a linear classifier", *log.columns(*LOSSES_AND_ACCURACIES)),
        table("Training log of a network with two hidden layers of 32 units", *wide.columns(*LOSSES_AND_ACCURACIES)),
    ]


@diagnosis("Q18.602")
def stopped_too_early() -> list[Block]:
    """Both losses still fall side by side: trained too briefly, or with too small a learning rate."""
    data = digits(train=600)
    log = fit(mlp(64, 64, 10), data, epochs=[1, 5, 10, 15, 20], rate=0.01, optimizer=torch.optim.SGD)
    longer = fit(mlp(64, 64, 10), data, epochs=[1, 5, 10, 15, 20], rate=0.3, optimizer=torch.optim.SGD)
    return [
        table("Training log, SGD at a learning rate of 0.01", *log.columns(*LOSSES_AND_ACCURACIES)),
        table("A learning rate of 0.3, all else the same", *longer.columns(*LOSSES_AND_ACCURACIES)),
    ]


@diagnosis("Q18.603")
def four_curves() -> list[Block]:
    """Four runs on digits: one that overfits, a good one, one that underfits, one whose steps are too large."""
    epochs = [1, 5, 10, 20, 40]
    large = digits(train=900)
    small = replace(digits(train=100, wrong=0.2), val_x=large.val_x, val_y=large.val_y)
    logs = [
        fit(mlp(64, 128, 10), small, epochs=epochs, rate=1e-2),
        fit(mlp(64, 128, 10), large, epochs=epochs, rate=3e-3, decay=0.1),
        fit(mlp(64, 2, 10), large, epochs=epochs, rate=3e-3),
        fit(mlp(64, 128, 10), large, epochs=epochs, rate=8.0, optimizer=torch.optim.SGD),
    ]
    rows = []
    for i, epoch in enumerate(epochs):
        cells: list[object] = [epoch]
        for log in logs:
            row = log.rows[i]
            cells.append(
                " / ".join(
                    f"{row[key]:.2f}" if row[key] < 100 else f"{row[key]:.0e}" for key in LOSSES_AND_ACCURACIES[:2]
                )
            )
        rows.append(cells)
    return [table("Training loss / validation loss", ["epoch", "A", "B", "C", "D"], rows)]


@diagnosis("Q18.604")
def overconfidence() -> list[Block]:
    """The validation loss rises while the accuracy holds: the wrong predictions grow surer."""
    data = digits(train=300)

    def sure(model: torch.nn.Module) -> dict[str, float]:
        with torch.no_grad():
            out = model(data.val_x)
        wrong = out.argmax(1) != data.val_y
        return {
            "confidence when wrong": out[wrong].softmax(1).max(1).values.mean().item(),
            "largest loss": torch.nn.functional.cross_entropy(out, data.val_y, reduction="none").max().item(),
        }

    log = fit(mlp(64, 256, 256, 10), data, epochs=[3, 10, 30, 100, 300], rate=3e-3, measure=sure)
    return [
        table("Training log", *log.columns(*LOSSES_AND_ACCURACIES)),
        table("What the wrong validation predictions look like", *log.columns("confidence when wrong", "largest loss")),
    ]


@diagnosis("Q18.605")
def validation_below_training() -> list[Block]:
    """The logged training loss is above the validation loss until epoch 20: dropout acts in one of them only."""
    log = fit(mlp(64, 128, 128, 10, dropout=0.5), digits(train=900), epochs=[5, 10, 20, 40], rate=3e-3)
    return [
        table("Training log", ["epoch", "train loss", "val loss"], log.columns("running", "val loss")[1]),
        table(
            "The training set once more, in eval mode",
            ["epoch", "train loss, as logged", "train loss, eval mode", "val loss"],
            log.columns("running", "train loss", "val loss")[1],
        ),
    ]


@diagnosis("Q18.606")
def half_an_epoch_late() -> list[Block]:
    """The logged training loss is a mean over the epoch, the validation loss is taken at its end."""
    log = fit(mlp(64, 128, 10), digits(train=900), epochs=[1, 2, 3, 5, 10], rate=3e-3)
    return [
        table(
            "Training log, without dropout", ["epoch", "train loss", "val loss"], log.columns("running", "val loss")[1]
        ),
        table(
            "The training loss as logged, and after the epoch",
            ["epoch", "train loss, as logged", "train loss, after the epoch", "val loss"],
            log.columns("running", "train loss", "val loss")[1],
        ),
    ]


@diagnosis("Q18.607")
def too_much_dropout() -> list[Block]:
    """High training loss without a gap, in a network that is large enough: regularized too hard."""
    data = digits(train=900)
    rows = []
    for p in (0.0, 0.2, 0.5, 0.8, 0.95):
        last = fit(mlp(64, 32, 32, 10, dropout=p), data, epochs=[40], rate=3e-3).last
        rows.append([f"{p:g}", last["running"], last["train loss"], last["val loss"], last["val acc"]])
    return [
        table("After 40 epochs", ["p", "train loss, dropout on", "train loss, eval mode", "val loss", "val acc"], rows)
    ]


def _sizes(model: object, x: np.ndarray, y: np.ndarray) -> list[list[object]]:
    sizes, train, held_out = learning_curve(
        model, x, y, train_sizes=[50, 100, 200, 400, 800, 1400], cv=5, shuffle=True, random_state=0
    )
    return [
        [int(n), 1 - float(t), 1 - float(v)] for n, t, v in zip(sizes, train.mean(1), held_out.mean(1), strict=True)
    ]


@diagnosis("Q18.608", "Q18.609")
def more_data() -> list[Block]:
    """Error over the number of training examples: where more data help, and where they do not."""
    x, y = load_digits(return_X_y=True)
    columns = ["examples", "training error", "validation error"]
    return [
        table(
            "Model A on digits, five-fold cross-validation",
            columns,
            _sizes(DecisionTreeClassifier(random_state=0), x, y),
            "A: a full tree.",
        ),
        table(
            "Model B on digits, five-fold cross-validation",
            columns,
            _sizes(GaussianNB(var_smoothing=1.0), x, y),
            "B: naive Bayes, smoothed.",
        ),
    ]


@diagnosis("Q18.610")
def rate_cut() -> list[Block]:
    """The training loss drops and the validation loss steadies: the learning rate was cut."""
    data = digits(train=900, wrong=0.1)
    model = mlp(64, 32, 10)
    sgd = torch.optim.SGD
    first = fit(model, data, epochs=[5, 10, 15, 19, 20], rate=0.3, batch=5, optimizer=sgd)
    second = fit(model, data, epochs=[1, 2, 5], rate=0.01, batch=5, optimizer=sgd, seed=1)
    rows = [[int(row["epoch"]), row["running"], row["val loss"], 0.3] for row in first.rows]
    rows += [[20 + int(row["epoch"]), row["running"], row["val loss"], 0.01] for row in second.rows]
    columns = ["epoch", "train loss", "val loss", "learning rate"]
    return [
        table("Training log", columns[:3], [row[:3] for row in rows]),
        table("The same log, with the learning rate", columns, rows),
    ]
