"""Which coefficients of a linear model survive its penalty, and that they are scikit-learn's."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import torch
from torch import Tensor

from regdemo.lab.data import Task
from regdemo.lab.metrics import TEST_ERROR
from regdemo.lab.recipe import Recipe
from regdemo.lab.statistics import mean_interval
from regdemo.lab.techniques.weights import L1Penalty, L2Penalty
from regdemo.lab.training import Evaluation, Learner, PairedTraining
from regdemo.report import Cell, Claim, Table

CONVERGED = (1e-6, "what gradient descent leaves of the way, in standard deviations")


def survival(
    task: Task, recipes: Sequence[Recipe], learners: Sequence[Sequence[Learner]], kept: Sequence[int]
) -> Table:
    """Each feature's coefficient in each arm, and in how many of its resamples it is not exactly 0."""
    arms = [torch.cat([learner.parameters[0].detach()[:, :, 0] for learner in arm])[kept] for arm in learners]
    rows: list[list[Cell]] = []
    for i, name in enumerate(task.features):
        cells: list[Cell] = [name]
        for coefficients in arms:
            column = coefficients[:, i]
            cells += [mean_interval(column.tolist()), f"{int((column != 0).sum())}/{len(kept)}"]
        rows.append(cells)
    return Table(
        "Which coefficients survive",
        ["", *(column for recipe in recipes for column in (recipe.name, "not 0"))],
        rows,
        note="Means over resamples with 95% intervals, features and target in standard deviations. A proximal step "
        "leaves exact zeros; a squared penalty shrinks and leaves none.",
    )


def agreement(training: PairedTraining, recipes: Sequence[Recipe], last: Evaluation) -> list[Claim]:
    """That the coefficients of an L1 arm are scikit-learn's Lasso's, those of an L2 arm its Ridge's."""
    claims = []
    for recipe, arm, scores in zip(recipes, training.arms, last.scores, strict=True):
        penalty = recipe.techniques[0] if len(recipe.techniques) == 1 else None
        if isinstance(penalty, L1Penalty | L2Penalty) and penalty.strength:
            name = "Lasso" if isinstance(penalty, L1Penalty) else "Ridge"
            if not all(map(isfinite, scores[TEST_ERROR])):  # it diverged, which is said elsewhere
                continue
            apart = max(_apart(learner, penalty) for learner in arm)
            claims.append(
                Claim(
                    f"With {recipe.name}, each resample's coefficients are scikit-learn's {name}'s",
                    0,
                    "largest difference",
                    apart,
                    *CONVERGED,
                )
            )
    return claims


def _apart(learner: Learner, penalty: L1Penalty | L2Penalty) -> float:
    """The largest distance of a coefficient from scikit-learn's, over the learner's members."""
    from sklearn.linear_model import Lasso, Ridge

    x, y = learner.training_examples(len(learner.task.x))
    n = x.shape[1]
    # Their losses are half the mean squared error, and the sum of squared errors; ours is the mean.
    model = (
        Lasso(alpha=penalty.strength / 2, tol=1e-10, max_iter=100_000)
        if isinstance(penalty, L1Penalty)
        else Ridge(alpha=penalty.strength * n)
    )
    fitted = [
        torch.from_numpy(model.fit(inputs.numpy(), targets.numpy()).coef_)
        for inputs, targets in zip(x.cpu(), y.cpu(), strict=True)
    ]
    own: Tensor = learner.parameters[0].detach()[:, :, 0].cpu()
    return (own - torch.stack(fitted)).abs().max().item()
