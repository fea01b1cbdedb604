"""Early stopping: keep the weights that validated best.

Trains a small network on noisy labels, beyond the point where training would have stopped. Restores the best weights,
and measures the usual bug: a state_dict kept without a copy keeps nothing, since it changes with the weights.
"""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT
from regdemo.measure import Wrong, fraction, global_generator, seeded
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from regdemo.regularizers import EarlyStopping

    Examples = tuple[Tensor, Tensor]

ACTS_ON = "schedules"
SAY = (
    "Early stopping watches a validation metric, stops when the metric has not improved for `patience` "
    "evaluations, and restores the best weights. Fewer steps usually leave the weights nearer to where they began. For "
    "gradient descent on a quadratic loss this acts much like an L2 penalty on the distance from the start. The best "
    "weights must be copied, since training changes them in place."
)
WRONG_ANSWER = (
    "'best = model.state_dict()', loaded at the end. The state dict refers to the live weights: the weights loaded "
    "are the last ones, no error is raised, and early stopping has done nothing but stop. A shallow dict(...) of the "
    "state does not copy the tensors either."
)
CARDS = ("Q18.210", "Q18.211", "Q18.212", "Q18.213")

EXAMPLES = 500  # of training, of validation and of the test
HIDDEN = 128
LEARNING_RATE = 0.01


def early_stopping(
    *,
    noise: Annotated[float, Parameter("Fraction of the training labels drawn again at random.", 0, 1)] = 0.4,
    patience: Annotated[int, count("Epochs without a better validation loss before training stops.", 1, 100)] = 10,
    epochs: Annotated[int, count("Epochs of the whole run, which goes on beyond the stop.", 2, 200)] = 60,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Train on noisy labels for `epochs` epochs, stop with `patience`, and restore."""
    from regdemo.lab import data

    generator = seeded(seed)
    task = data.load("mnist1d")
    x, y = task.x[:EXAMPLES], task.y[:EXAMPLES].clone()
    again = torch.rand(EXAMPLES, generator=generator) < noise
    y[again] = torch.randint(task.classes, (int(again.sum()),), generator=generator)
    wrong = task.y[:EXAMPLES] != y
    validation, test, *_ = zip(task.test_x.split(EXAMPLES), task.test_y.split(EXAMPLES), strict=True)
    with global_generator(generator):
        model = torch.nn.Sequential(
            torch.nn.Linear(x.shape[1], HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, task.classes)
        )
    stopping = regularizers.EarlyStopping(model, patience=patience)
    run, stopped, uncopied = _train(model, stopping, (x, y), wrong, validation, epochs)

    scores = {f"last, epoch {epochs}": _scores(model, validation, test)}
    model.load_state_dict(uncopied)
    scores["'best', kept without a copy"] = _scores(model, validation, test)
    stopping.restore()
    scores[f"best, epoch {stopping.best_step}, restored"] = _scores(model, validation, test)
    at = [float(epoch) for epoch in range(1, epochs + 1)]
    return Measurement(
        title=f"Early stopping with {noise:.0%} of the labels drawn at random",
        claims=_claims(run["validation"], stopped or epochs, patience, stopping.best, scores),
        picture=[_labels_fitted(run["right labels"], run["wrong labels"], stopping.best_step, stopped)],
        blocks=[
            Curves(
                title="Loss by epoch, in nats",
                x_label="epoch",
                y_label="loss",
                series=[Series(name, at, run[name]) for name in ("training", "validation")],
                note=f"{EXAMPLES} training examples; with a wrong label: {int(wrong.sum())}.",
            ),
            _scores_table(scores),
            Text(
                "The best validation loss was chosen as the lowest of several, so it is optimistic on average: "
                "report the test loss. A lower loss need not mean a higher accuracy. One run of one seed is an "
                "example, not a comparison."
            ),
        ],
    )


def _train(
    model: Module, stopping: EarlyStopping, training: Examples, wrong: Tensor, validation: Examples, epochs: int
) -> tuple[dict[str, list[float]], int, dict[str, Tensor]]:
    """By epoch the losses and the fractions of labels fitted; when to stop, 0 if never; the 'best', not copied."""
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    run: dict[str, list[float]] = {name: [] for name in ("training", "validation", "right labels", "wrong labels")}
    uncopied: dict[str, Tensor] = {}
    stopped = 0
    for epoch in range(1, epochs + 1):
        loss = torch.nn.functional.cross_entropy(model(training[0]), training[1])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        run["training"].append(_loss(model, *training))
        run["validation"].append(_loss(model, *validation))
        fits = _fits(model, *training)
        run["right labels"].append(fraction(fits[~wrong]))
        run["wrong labels"].append(fraction(fits[wrong]))
        if not stopped:
            if stopping.step(run["validation"][-1]):
                stopped = epoch
            if stopping.best_step == epoch:
                uncopied = dict(model.state_dict())
    return run, stopped, uncopied


def _loss(model: Module, x: Tensor, y: Tensor) -> float:
    with torch.no_grad():
        return torch.nn.functional.cross_entropy(model(x), y).item()


def _fits(model: Module, x: Tensor, y: Tensor) -> Tensor:
    with torch.no_grad():
        return model(x).argmax(1) == y


def _scores(model: Module, validation: Examples, test: Examples) -> list[float]:
    """Validation loss, test loss and test accuracy."""
    return [_loss(model, *validation), _loss(model, *test), fraction(_fits(model, *test))]


def _claims(
    validated: list[float], ended: int, patience: int, best: float, scores: dict[str, list[float]]
) -> list[Claim]:
    least = min(validated[:ended])
    of_last, of_uncopied, of_restored = (loss for loss, *_ in scores.values())
    return [
        Claim(
            "Training stops `patience` epochs after the best one, or at the end",
            min(len(validated), validated.index(least) + 1 + patience),
            "min(epochs, best + patience)",
            ended,
            *EXACT,
        ),
        Claim("The best loss is the lowest until the stop", least, "min", best, *EXACT),
        Claim("The restored network validates at the best loss", least, "best", of_restored, *EXACT),
        Claim("The 'best' kept without a copy validates at the last loss", of_last, "last", of_uncopied, *EXACT),
    ]


def _labels_fitted(right: list[float], wrong: list[float], best: int, stopped: int) -> Curves:
    """Over the epochs, the wrong labels where there are any; stopped: 0 if training would have gone on."""
    at = [float(epoch) for epoch in range(1, len(right) + 1)]
    fitted = {"right labels": right} | ({} if isnan(wrong[-1]) else {"wrong labels": wrong})
    epochs = {"best validation": best, "stop": stopped}
    return Curves(
        title="Labels of the training set that the network fits"
        + (", and where training would have stopped" if stopped else ""),
        x_label="epoch",
        y_label="fraction fitted",
        series=[
            *(Series(name, at, each) for name, each in fitted.items()),
            *(Series(f"{name}, epoch {n}", [float(n)] * 2, [0.0, 1.0]) for name, n in epochs.items() if n),
        ],
        note=f"At the end the network fits {right[-1]:.0%} of the right labels"
        + (f" and {wrong[-1]:.0%} of the wrong ones." if len(fitted) > 1 else "."),
    )


def _scores_table(scores: dict[str, list[float]]) -> Table:
    return Table(
        title="Scores by the weights that are used in the end",
        columns=["weights", "validation loss", "test loss", "test accuracy"],
        rows=[[name, *score] for name, score in scores.items()],
        note="`best = model.state_dict()` holds the weights themselves, which the optimizer changes in place. "
        "Copy it: copy.deepcopy(model.state_dict()).",
    )


WRONG = [
    Wrong("nothing is restored", "EarlyStopping.restore", lambda right, self: None),
    Wrong("the state is kept without a copy", "regdemo.regularizers.schedules.deepcopy", lambda right, state: state),
    Wrong("stops an epoch late", "EarlyStopping", lambda right, model, patience: right(model, patience=patience + 1)),
    Wrong("keeps the worst", "EarlyStopping.step", lambda right, self, loss: right(self, -loss)),
    Wrong(
        "wants improvements of 1",
        "EarlyStopping",
        lambda right, model, patience: right(model, patience=patience, min_delta=1.0),
    ),
]
