"""How networks are judged: each metric has a value for each member."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from regdemo.lab.training import Learner

Scores = dict[str, list[float]]

TEST_ACCURACY, TRAINING_ACCURACY, GAP = "test accuracy, %", "training accuracy, %", "gap, points"
TEST_LOSS, CALIBRATION = "test loss, nats", "calibration error, %"
TEST_ERROR, TRAINING_ERROR = "test error", "training error"
BETTER = {TEST_ACCURACY: 1, TEST_LOSS: -1, CALIBRATION: -1, TEST_ERROR: -1}  # which way is better; of the rest, none
BINS = 15
CHUNK = 1000  # labels judged at a time, and training examples judged at all


def scores(learner: Learner) -> Scores:
    """Every metric of a learner's task, without gradient; the training's is over CHUNK of its examples at most."""
    task = learner.task
    test = (learner.everyone(task.test_x), learner.everyone(task.test_y))
    train = learner.training_examples(CHUNK)
    if not task.classes:
        errors = [_root_mean_square(learner, *part) * task.scale for part in (test, train)]
        found = {TEST_ERROR: errors[0], TRAINING_ERROR: errors[1]}
    else:
        accuracy, loss, calibration = classified(learner, *test)
        trained, *_ = classified(learner, *train)
        found = {
            TEST_ACCURACY: accuracy,
            TRAINING_ACCURACY: trained,
            GAP: trained - accuracy,
            TEST_LOSS: loss,
            CALIBRATION: calibration,
        }
        if "tokens" in task.offers:  # a language model is judged by its loss before all
            found = {TEST_LOSS: loss} | found
    found |= {name: measure(learner) for name, measure in learner.measures.items()}
    return {name: values.tolist() for name, values in found.items()}


def classified(learner: Learner, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Each member's accuracy in percent, mean loss in nats and calibration error in percent on (S, N, ...) examples.

    The calibration error is expected calibration error over 15 bins of equal width:

        ECE = sum over bins of  |bin| / N * |accuracy in it - mean confidence in it|

    Guo et al. 2017, https://arxiv.org/abs/1706.04599
    """
    # A sequence has a label at each of its positions: as many as CHUNK at a time, whatever the examples are.
    chunk = max(1, CHUNK // y[0, 0].numel())
    found = []
    for part, labels in zip(torch.split(x, chunk, dim=1), torch.split(y, chunk, dim=1), strict=True):
        log_p = learner.predict(part).flatten(1, -2).double().log_softmax(-1)
        confidence, predicted = log_p.max(-1)
        labels = labels.flatten(1)
        losses = -log_p.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
        found.append((confidence.exp(), (predicted == labels).double(), losses))
    confidence, right, losses = (torch.cat(parts, dim=1) for parts in zip(*found, strict=True))
    bins = (confidence * BINS).ceil().clamp(1, BINS).nan_to_num(1).long() - 1
    apart = torch.zeros(len(right), BINS, dtype=torch.float64, device=right.device).scatter_add(
        1, bins, right - confidence
    )
    return 100 * right.mean(1), losses.mean(1), 100 * apart.abs().sum(1) / right.shape[1]


def _root_mean_square(learner: Learner, x: Tensor, y: Tensor) -> Tensor:
    return F.mse_loss(learner.predict(x).squeeze(-1).double(), y.double(), reduction="none").mean(1).sqrt()
