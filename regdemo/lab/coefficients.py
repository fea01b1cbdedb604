"""Which coefficients of a linear model survive its penalty, and that they are scikit-learn's."""

from __future__ import annotations

from collections.abc import Sequence

import sklearn
import torch
from torch import Tensor

from regdemo.lab.results import Results
from regdemo.lab.statistics import mean_interval
from regdemo.lab.techniques.weights import L1PenaltyTechnique, L2PenaltyTechnique
from regdemo.lab.training import TrainingRun
from regdemo.report import Cell, Claim, Table

CONVERGED = (1e-6, "what gradient descent leaves of the way, in standard deviations")


def survival(results: Results, conditions: Sequence[int], kept: Sequence[int]) -> Table:
    """Each feature's coefficient in each arm, and in what percentage of its networks it is not exactly 0."""
    arms = []
    for i in conditions:
        members = [member for run in results.runs[i] for member in run.members]
        order = [members.index(member) for member in kept]
        arms.append(torch.cat([run.parameters[0].detach()[:, :, 0] for run in results.runs[i]])[order])
    rows: list[list[Cell]] = []
    for i, name in enumerate(results.task.features):
        cells: list[Cell] = [name]
        for coefficients in arms:
            column = coefficients[:, i]
            cells += [mean_interval(column.tolist()), round(100 * (column != 0).double().mean().item())]
        rows.append(cells)
    names = [results.conditions[i].name for i in conditions]
    return Table(
        "Which coefficients survive",
        ["", *(column for name in names for column in (name, f"not 0 in {name}, %"))],
        rows,
        note="Means over networks with 95% intervals, features and target in standard deviations. A proximal step "
        "leaves exact zeros; a squared penalty shrinks and leaves none.",
    )


def agreement(results: Results) -> list[Claim]:
    """That the coefficients of an L1 arm are scikit-learn's Lasso's, those of an L2 arm its Ridge's."""
    claims = []
    for i, condition in enumerate(results.conditions):
        penalty = condition.recipe.techniques[0] if len(condition.recipe.techniques) == 1 else None
        if (
            isinstance(penalty, L1PenaltyTechnique | L2PenaltyTechnique)
            and penalty.strength
            and not results.diverged(i)
        ):
            name = "Lasso" if isinstance(penalty, L1PenaltyTechnique) else "Ridge"
            claims.append(
                Claim(
                    f"With {condition.name}, each resample's coefficients are scikit-learn's {name}'s",
                    0,
                    "largest difference",
                    max(_largest_difference(run, penalty) for run in results.runs[i]),
                    *CONVERGED,
                )
            )
    return claims


def _largest_difference(run: TrainingRun, penalty: L1PenaltyTechnique | L2PenaltyTechnique) -> float:
    """The largest distance of a coefficient from scikit-learn's, over the run's members."""
    x, y = run.training_examples(len(run.task.x))
    n = x.shape[1]
    # Their losses are half the mean squared error, and the sum of squared errors; ours is the mean.
    model = (
        sklearn.linear_model.Lasso(alpha=penalty.strength / 2, tol=1e-10, max_iter=100_000)
        if isinstance(penalty, L1PenaltyTechnique)
        else sklearn.linear_model.Ridge(alpha=penalty.strength * n)
    )
    fitted = [
        torch.from_numpy(model.fit(inputs.numpy(), targets.numpy()).coef_)
        for inputs, targets in zip(x.cpu(), y.cpu(), strict=True)
    ]
    own: Tensor = run.parameters[0].detach()[:, :, 0].cpu()
    return (own - torch.stack(fitted)).abs().max().item()
