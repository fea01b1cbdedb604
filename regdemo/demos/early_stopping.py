"""Early stopping: keep the weights that validated best.

Trains a small network on noisy labels, beyond the point where training would have stopped. Restores the best weights,
and measures the usual bug: a state_dict kept without a copy keeps nothing, since it changes with the weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT
from regdemo.measure import Wrong, fraction
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

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
CARDS = (
    "Q18.210",
    "Q18.211",
    "Q18.212",
    "Q18.213",
)

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

    generator = torch.Generator().manual_seed(seed)
    task = data.load("mnist1d")
    x, y = task.x[:EXAMPLES], task.y[:EXAMPLES].clone()
    again = torch.rand(EXAMPLES, generator=generator) < noise
    y[again] = torch.randint(task.classes, (int(again.sum()),), generator=generator)
    validation, test = (
        (task.test_x[part], task.test_y[part]) for part in (slice(EXAMPLES), slice(EXAMPLES, 2 * EXAMPLES))
    )
    with torch.random.fork_rng(
        devices=[]
    ):  # torch.nn.Linear takes no generator: lend it the global one, and put it back
        torch.default_generator.manual_seed(int(torch.randint(2**31, (), generator=generator)))
        model = torch.nn.Sequential(
            torch.nn.Linear(x.shape[1], HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, task.classes)
        )
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)

    stopping = regularizers.EarlyStopping(model, patience=patience)
    uncopied: dict[str, Tensor] = {}
    stopped, train, validated, fitted = 0, [], [], []
    clean, wrong = task.y[:EXAMPLES] == y, task.y[:EXAMPLES] != y
    for epoch in range(1, epochs + 1):
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        train.append(_loss(model, x, y))
        validated.append(_loss(model, *validation))
        with torch.no_grad():
            fits = model(x).argmax(1) == y
        fitted.append([fraction(fits[part]) if part.any() else float("nan") for part in (clean, wrong)])
        if not stopped:
            if stopping.step(validated[-1]):
                stopped = epoch
            if stopping.best_step == epoch:
                uncopied = dict(model.state_dict())
    ended = stopped or epochs

    scores = {f"last, epoch {epochs}": _scores(model, validation, test)}
    model.load_state_dict(uncopied)
    scores["'best', kept without a copy"] = _scores(model, validation, test)
    stopping.restore()
    scores[f"best, epoch {stopping.best_step}, restored"] = _scores(model, validation, test)
    of_last, of_uncopied, of_restored = (score[0] for score in scores.values())
    claims = [
        Claim(
            "Training stops `patience` epochs after the best one, or at the end",
            min(epochs, _best(validated[:ended]) + patience),
            "min(epochs, best + patience)",
            ended,
            *EXACT,
        ),
        Claim(
            "The best loss is the lowest until the stop",
            min(validated[:ended]),
            "min",
            stopping.best,
            *EXACT,
        ),
        Claim("The restored network validates at the best loss", min(validated[:ended]), "best", of_restored, *EXACT),
        Claim("The 'best' kept without a copy validates at the last loss", of_last, "last", of_uncopied, *EXACT),
    ]
    at = [float(epoch) for epoch in range(1, epochs + 1)]
    return Measurement(
        title=f"Early stopping with {noise:.0%} of the labels drawn at random",
        claims=claims,
        picture=[
            Curves(
                title="Labels of the training set that the network fits"
                + (", and where training would have stopped" if stopped else ""),
                x_label="epoch",
                y_label="fraction fitted",
                series=[
                    Series("right labels", at, [right for right, _ in fitted]),
                    *([Series("wrong labels", at, [bad for _, bad in fitted])] if wrong.any() else []),
                    Series(f"best validation, epoch {stopping.best_step}", [float(stopping.best_step)] * 2, [0.0, 1.0]),
                    *([Series(f"stop, epoch {stopped}", [float(stopped)] * 2, [0.0, 1.0])] if stopped else []),
                ],
                note=f"At the end the network fits {fitted[-1][0]:.0%} of the right labels"
                + (f" and {fitted[-1][1]:.0%} of the wrong ones." if wrong.any() else "."),
            )
        ],
        blocks=[
            Curves(
                title="Loss by epoch, in nats",
                x_label="epoch",
                y_label="loss",
                series=[Series("training", at, train), Series("validation", at, validated)],
                note=f"{EXAMPLES} training examples; with a wrong label: {int(wrong.sum())}.",
            ),
            Table(
                title="Scores by the weights that are used in the end",
                columns=["weights", "validation loss", "test loss", "test accuracy"],
                rows=[[name, *score] for name, score in scores.items()],
                note=(
                    "`best = model.state_dict()` holds the weights themselves, which the optimizer changes in place. "
                    "Copy it: copy.deepcopy(model.state_dict())."
                ),
            ),
            Text(
                "The best validation loss was chosen as the lowest of several, so it is optimistic on average: "
                "report the test loss. A lower loss need not mean a higher accuracy. One run of one seed is an "
                "example, not a comparison."
            ),
        ],
    )


def _best(losses: list[float]) -> int:
    """The epoch, from 1, of the first least loss."""
    return losses.index(min(losses)) + 1


def _loss(model: Module, x: Tensor, y: Tensor) -> float:

    with torch.no_grad():
        return torch.nn.functional.cross_entropy(model(x), y).item()


def _scores(model: Module, validation: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> list[float]:
    """Validation loss, test loss and test accuracy."""

    with torch.no_grad():
        accuracy = (model(test[0]).argmax(1) == test[1]).double().mean().item()
    return [_loss(model, *validation), _loss(model, *test), accuracy]


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
