"""How networks are judged: each metric has a value for each member."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from regdemo.lab.recipe import RunProtocol
    from regdemo.lab.task import Task

Scores = dict[str, list[float]]

TEST_ACCURACY, TRAINING_ACCURACY, GAP = "test accuracy, %", "training accuracy, %", "gap, points"
TEST_LOSS, CALIBRATION = "test loss, nats", "calibration error, %"
TEST_ERROR, TRAINING_ERROR = "test error", "training error"
BALANCED, AUC, F1, BRIER = "balanced accuracy, %", "AUC, %", "F1, %", "Brier score"
VALIDATION_LOSS = "validation loss"
# Which way is better; of the rest, none.
BETTER = {
    TEST_ACCURACY: 1,
    TEST_LOSS: -1,
    CALIBRATION: -1,
    TEST_ERROR: -1,
    BALANCED: 1,
    AUC: 1,
    F1: 1,
    BRIER: -1,
    VALIDATION_LOSS: -1,
}
# What the command line calls those that can be declared primary.
NAMES = {
    "accuracy": TEST_ACCURACY,
    "balanced-accuracy": BALANCED,
    "auc": AUC,
    "f1": F1,
    "brier": BRIER,
    "loss": TEST_LOSS,
    "calibration": CALIBRATION,
    "error": TEST_ERROR,
}
BINS = 15
JUDGED_AT_ONCE = 1000  # labels judged at a time, and training examples judged at all


def better(task: Task) -> dict[str, int]:
    """Of each metric of a task, the user's own too, which way is better."""
    return BETTER | {metric.name: metric.better for metric in task.metrics}


def scores(run: RunProtocol) -> Scores:
    """Every metric of a run's task, the primary one first; in training over at most JUDGED_AT_ONCE examples."""
    return {name: values.tolist() for name, values in measured(run).items()}


def measured(run: RunProtocol) -> dict[str, Tensor]:
    """The scores as tensors, (S,) each."""
    task, examples = run.task, run.examples
    found: dict[str, Tensor] = {}
    chosen = examples.train[:, :JUDGED_AT_ONCE]
    train = examples.x[chosen], examples.y[chosen]
    outputs = _outputs(run, examples.test_x)
    trained = _outputs(run, train[0])
    if not task.classes:
        for name, part, y in ((TEST_ERROR, outputs, examples.test_y), (TRAINING_ERROR, trained, train[1])):
            found[name] = (
                torch.nn.functional.mse_loss(part.squeeze(-1), y.double(), reduction="none").mean(1).sqrt()
                * examples.scale
            )
    else:
        log_p = outputs.flatten(1, -2).log_softmax(-1)
        y = examples.test_y.flatten(1)
        found[TEST_ACCURACY] = _accuracy(log_p, y)
        found[TRAINING_ACCURACY] = _accuracy(trained.flatten(1, -2), train[1].flatten(1))
        found[GAP] = found[TRAINING_ACCURACY] - found[TEST_ACCURACY]
        found[TEST_LOSS] = -log_p.gather(-1, y.unsqueeze(-1)).squeeze(-1).mean(1)
        found[CALIBRATION] = calibration_error(log_p, y)
        if task.metric in (BALANCED, AUC, F1, BRIER) or task.imbalanced:
            found |= by_class(log_p, y)
        if "tokens" in task.offers:  # a language model is judged by its loss before all
            found = {TEST_LOSS: found[TEST_LOSS]} | found
    for metric in task.metrics:
        in_units = outputs if task.classes else outputs.squeeze(-1) * examples.scale[:, None]
        targets = examples.test_y if task.classes else examples.test_y * examples.scale[:, None]
        values = [float(metric.function(o, y)) for o, y in zip(in_units, targets, strict=True)]
        found[metric.name] = torch.tensor(values, dtype=torch.float64)
    found |= {name: measure(run) for name, measure in run.measures.items()}
    if task.metric:
        found = {task.metric: found[task.metric]} | found
    return found


def _outputs(run: RunProtocol, x: Tensor) -> Tensor:
    """What the members make of their own examples, (S, N, ...), a part of them at a time."""
    places = x[0, 0].numel() if "tokens" in run.task.offers else 1  # a sequence has a label at each position
    return torch.cat(
        [run.predict(part).double() for part in torch.split(x, max(1, JUDGED_AT_ONCE // places), dim=1)], dim=1
    )


def _accuracy(outputs: Tensor, y: Tensor) -> Tensor:
    return 100 * (outputs.argmax(-1) == y).double().mean(1)


def calibration_error(log_p: Tensor, y: Tensor) -> Tensor:
    """Expected calibration error in percent, over 15 bins of equal width: log_p (S, N, classes), y (S, N).

        ECE = sum over bins of  |bin| / N * |accuracy in it - mean confidence in it|

    Guo et al. 2017, https://arxiv.org/abs/1706.04599
    """
    confidence, right, _ = calibration_bins(log_p, y)
    return 100 * (right - confidence).abs().sum(1) / y.shape[1]


def calibration_bins(log_p: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """In each bin of confidence: the sum of confidences, of right answers, and the number of examples: (S, BINS)."""
    confidence, predicted = log_p.max(-1)
    confidence, right = confidence.exp(), (predicted == y).double()
    bins = (confidence * BINS).ceil().clamp(1, BINS).nan_to_num(1).long() - 1
    empty = torch.zeros(len(y), BINS, dtype=torch.float64, device=y.device)
    return tuple(empty.scatter_add(1, bins, part) for part in (confidence, right, torch.ones_like(right)))  # type: ignore[return-value]


def by_class(log_p: Tensor, y: Tensor) -> dict[str, Tensor]:
    """What accuracy hides where classes are unequal: log_p (S, N, classes), y (S, N). Means over the classes in y.

    balanced accuracy = mean recall,    F1 = mean of 2 tp / (2 tp + fp + fn),    AUC = mean of one class against the
    rest, ties counted half,    Brier score = mean over examples of  sum over classes of (p - onehot)^2
    """
    p, onehot = log_p.exp(), torch.nn.functional.one_hot(y, log_p.shape[-1]).double()
    guessed = torch.nn.functional.one_hot(log_p.argmax(-1), log_p.shape[-1]).double()
    hits, sizes, guesses = (part.sum(1) for part in (onehot * guessed, onehot, guessed))
    present = sizes > 0
    others = y.shape[1] - sizes
    # The rank sum of Mann and Whitney; tied values get their mean rank.
    ranks = torch.stack([_ranks(p[..., c]) for c in range(p.shape[-1])], dim=-1)
    wins = (ranks * onehot).sum(1) - sizes * (sizes + 1) / 2
    both = present & (others > 0)
    return {
        BALANCED: 100 * _mean(hits / sizes, present),
        AUC: 100 * _mean(wins / (sizes * others), both),
        F1: 100 * _mean(2 * hits / (sizes + guesses), present),
        BRIER: (p - onehot).square().sum(-1).mean(1),
    }


def _mean(values: Tensor, which: Tensor) -> Tensor:
    return torch.where(which, values, 0).sum(-1) / which.sum(-1)


def _ranks(values: Tensor) -> Tensor:
    """Of each row, the ranks from 1, ties at their mean."""
    ordered, _ = values.sort(dim=1)
    below = torch.searchsorted(ordered, values.contiguous(), right=False)
    upto = torch.searchsorted(ordered, values.contiguous(), right=True)
    return (below + upto + 1).double() / 2


def per_example(run: RunProtocol) -> tuple[Tensor, Tensor | None]:
    """What each test example adds to accuracy, or loss, or squared error, (S, m); and the calibration bins' sums."""
    outputs = _outputs(run, run.examples.test_x)
    y = run.examples.test_y
    if not run.task.classes:
        return (outputs.squeeze(-1) - y.double()).square(), None
    log_p = outputs.log_softmax(-1)
    bins = torch.stack(calibration_bins(log_p.flatten(1, -2), y.flatten(1)), dim=-1)
    if run.task.metric == TEST_LOSS or "tokens" in run.task.offers:
        return -log_p.gather(-1, y.unsqueeze(-1)).squeeze(-1).flatten(2 if y.dim() > 2 else 1).view(
            *y.shape[:2], -1
        ).mean(-1), bins
    return (log_p.argmax(-1) == y).double(), bins
