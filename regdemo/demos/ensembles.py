"""Ensembles: bagging averages, boosting adds up.

Bags full regression trees with scikit-learn, on many draws of the labels, and compares the variance of the
average with the formula that uses the trees' correlation. Then it boosts stumps, and compares their bias with that of
one stump and of a bag of stumps.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import sklearn
import torch

from regdemo.bounds import mean_of_squares, rounding
from regdemo.measure import Wrong, normal, seeded
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

ACTS_ON = "averaging"
PROVIDED_BY = "sklearn.ensemble.BaggingRegressor"
SAY = (
    r"Averaging $M$ models of variance $s^2$ and pairwise correlation $\rho$ leaves the variance $\rho s^2 + "
    r"(1-\rho) s^2/M$ and, if they have the same bias, that bias. So bagging takes deep trees, which have little bias "
    "and much variance, and makes them less alike by bootstrap samples. Boosting adds up shallow trees, each fitted to "
    "what the sum still gets wrong, which lowers bias. It can end up fitting the noise, so each tree is shrunk and "
    "training is stopped early."
)
WRONG_ANSWER = (
    r"'With enough models the variance goes to 0.' It goes to $\rho s^2$: models trained on samples of one data "
    "set make errors in common. In this demo the correlation of full trees on bootstrap samples is about one half. "
    "Close second: 'averaging makes weak models strong'. Here an average of stumps keeps most of the squared bias of "
    "one stump."
)
CARDS = ("Q18.525", "Q18.526", "Q18.530", "Q18.705", "Q18.534")

ROWS, POINTS, DRAWS = 60, 20, 1_000  # rows of a training set, points to predict at, draws of the labels for the bag
SETS, STUMPS = 6, 8  # draws of the labels for boosting, and members of a bag of stumps
HEIGHT, RATE = 4.0, 0.3  # of the sine that is to be learned; what boosting adds of each stump
COUNTS = (1, 2, 3, 5, 8, 12, 20, 30, 50, 75)  # of models, at which a curve is drawn
NEAR = 0.15  # how far the correlation in one bag may be from its mean


def ensembles(
    *,
    members: Annotated[int, count("Trees in the bag.", 5, 50)] = 20,
    rounds: Annotated[int, count("Rounds of boosting.", 30, 100)] = 40,
    noise: Annotated[float, Parameter("Standard deviation of the noise in the labels.", 0.1, 1)] = 1.0,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Bag full trees on DRAWS draws of the labels at once, and boost stumps on SETS of them."""
    generator = seeded(seed)
    x = np.sort(torch.rand(ROWS, 1, generator=generator, dtype=torch.float64).numpy(), axis=0)
    points = np.linspace(x[3, 0], x[-4, 0], POINTS)[:, None]
    labels = _truth(x) + noise * normal(generator, ROWS, DRAWS).numpy()
    state = int(torch.randint(2**31, (), generator=generator))
    bag = sklearn.ensemble.BaggingRegressor(_tree(None), n_estimators=members, random_state=state).fit(x, labels)
    averaged = _averaged(np.stack([tree.predict(points) for tree in bag.estimators_]), bag.predict(points), noise)
    boosted = _boosted(x, labels.T[:SETS], points, rounds, state)
    return Measurement(
        title=f"Ensembles: {members} trees averaged, {rounds} stumps boosted",
        claims=[*averaged.claims, *boosted.claims],
        picture=averaged.picture,
        blocks=[
            Text(
                f"The labels are a sine of height {HEIGHT:g} at {ROWS} places, plus noise of standard deviation "
                f"{noise:g}. With one input a full tree splits between all rows of its bootstrap sample, so it "
                f"predicts the label of the nearest of these rows. Each tree fits all {DRAWS:,} draws of the labels at "
                "once."
            ),
            *boosted.blocks,
        ],
    )


def _truth(x: np.ndarray) -> np.ndarray:
    return np.asarray(HEIGHT * np.sin(2 * np.pi * x))


def _tree(depth: int | None) -> Any:
    return sklearn.tree.DecisionTreeRegressor(max_depth=depth, random_state=0)


def _averaged(trees: np.ndarray, average: np.ndarray, noise: float) -> Measurement:
    """The predictions (points, draws) of a bag of full trees, next to those of each tree."""
    same = (trees[:, None, :, 0] == trees[None, :, :, 0]).mean(-1)
    rho = float(same.sum() - len(trees)) / (len(trees) * (len(trees) - 1))
    missed = (1 - np.arange(ROWS + 1) / ROWS) ** ROWS  # the chance that the k nearest rows are in no sample
    sizes = [*(size for size in COUNTS if size < len(trees)), len(trees)]
    at = [float(size) for size in sizes]
    formula = [rho * noise**2 + (1 - rho) * noise**2 / size for size in sizes]
    claims = [
        Claim(
            "A full tree predicts a single label, so its variance is that of the noise",
            noise**2,
            r"$\sigma^2$",
            _variance(trees[0].T),
            *mean_of_squares([noise**2], DRAWS - 1),
        ),
        Claim(
            r"The average of $M$ trees has the variance $\rho s^2 + (1-\rho) s^2/M$",
            formula[-1],
            r"$\rho s^2 + (1-\rho) s^2/M$",
            _variance(average.T),
            *mean_of_squares(formula[-1:], DRAWS - 1),
        ),
        Claim(
            r"The correlation $\rho$ is the chance that the nearest row is the same in two bootstrap samples",
            float(np.square(missed[:-1] - missed[1:]).sum()),
            r"$\sum_k ((1 - (k-1)/n)^n - (1 - k/n)^n)^2$",
            rho,
            NEAR,
            "a range, not an estimate",
        ),
        Claim(
            "The bag predicts the mean of its trees",
            0,
            r"$\max |\hat{f} - \overline{f_m}|$",
            float(np.abs(average - trees.mean(0)).max()),
            *rounding(HEIGHT + 5 * noise),
        ),
    ]
    curves = Curves(
        title=f"Variance of an average of full trees, correlation {rho:.2f}",
        x_label="trees",
        y_label="variance",
        series=[
            Series("measured", at, [_variance(trees[:size].mean(0).T) for size in sizes], style="points"),
            Series("formula", at, formula),
        ],
        note=rf"The variance falls towards the part that the trees have in common, $\rho s^2$ = {rho * noise**2:.2g}.",
    )
    return Measurement("", claims, [], [curves])


def _boosted(x: np.ndarray, labels: np.ndarray, points: np.ndarray, rounds: int, state: int) -> Measurement:
    """One stump, a bag of stumps and boosted stumps, fitted to each draw of the labels."""
    bag = sklearn.ensemble.BaggingRegressor(_tree(1), n_estimators=STUMPS, random_state=state)
    boosting = sklearn.ensemble.GradientBoostingRegressor(
        n_estimators=rounds, max_depth=1, learning_rate=RATE, random_state=state
    )
    one = np.array([_tree(1).fit(x, y).predict(points) for y in labels])
    averaged = np.array([bag.fit(x, y).predict(points) for y in labels])
    staged = np.array([list(boosting.fit(x, y).staged_predict(points)) for y in labels]).swapaxes(0, 1)
    truth = _truth(points)[:, 0]
    one_bias, averaged_bias = _bias(one, truth), _bias(averaged, truth)
    after = [*(step for step in COUNTS if step < rounds), rounds]
    at = [float(step) for step in after]
    biases = [max(0.0, _bias(staged[step - 1], truth)) for step in after]
    variances = [_variance(staged[step - 1]) for step in after]
    claims = [
        Claim(
            "Averaged stumps keep at least half of the squared bias of one stump",
            1,
            "squared bias, bag / stump, from 0.5 to 1.5",
            averaged_bias / one_bias,
            0.5,
            "a range, not an estimate",
        ),
        Claim(
            "Boosted stumps have less than a quarter of the squared bias of one stump",
            0,
            "squared bias, boosted / stump, up to 0.25",
            biases[-1] / one_bias,
            0.25,
            "a range, not an estimate",
        ),
    ]
    curves = Curves(
        title=f"Boosted stumps, learning rate {RATE:g}, over {SETS} draws of the labels",
        x_label="rounds",
        y_label="squared error",
        series=[Series("squared bias", at, biases), Series("variance", at, variances)],
    )
    table = Table(
        title=f"Squared bias and variance over {SETS} draws of the labels",
        columns=["model", "squared bias", "variance"],
        rows=[
            ["one stump", one_bias, _variance(one)],
            [f"{STUMPS} stumps, averaged", averaged_bias, _variance(averaged)],
            [f"{rounds} stumps, boosted", biases[-1], variances[-1]],
        ],
    )
    return Measurement("", claims, [curves, table])


def _variance(predictions: np.ndarray) -> float:
    """Over draws of the labels, the first dimension; the mean over points."""
    return float(predictions.var(axis=0, ddof=1).mean())


def _bias(predictions: np.ndarray, truth: np.ndarray) -> float:
    """The squared bias, less what the variance of the mean over the draws adds to it."""
    return float(((predictions.mean(0) - truth) ** 2).mean()) - _variance(predictions) / len(predictions)


class _Changed:
    """An ensemble that predicts something else."""

    def __init__(self, model: Any, predict: Any) -> None:
        self.model, self.change = model, predict

    def fit(self, x: Any, y: Any) -> Any:
        """Fit the ensemble."""
        self.model.fit(x, y)
        self.estimators_ = self.model.estimators_
        return self

    def predict(self, x: Any) -> Any:
        """What is made of the members' predictions."""
        return self.change(np.stack([tree.predict(x) for tree in self.estimators_]))


BAGGING = "sklearn.ensemble.BaggingRegressor"
WRONG = [
    Wrong("the same sample for each tree", BAGGING, lambda right, tree, **kw: right(tree, bootstrap=False, **kw)),
    Wrong("samples of a fifth of the rows", BAGGING, lambda right, tree, **kw: right(tree, max_samples=0.2, **kw)),
    Wrong("shallow trees in the bag", BAGGING, lambda right, tree, **kw: right(tree.set_params(max_depth=2), **kw)),
    Wrong("adds the trees up", BAGGING, lambda right, *a, **kw: _Changed(right(*a, **kw), lambda each: each.sum(0))),
    Wrong(
        "the median of the trees",
        BAGGING,
        lambda right, *a, **kw: _Changed(right(*a, **kw), lambda each: np.median(each, axis=0)),
    ),
    Wrong(
        "boosting that hardly learns",
        "sklearn.ensemble.GradientBoostingRegressor",
        lambda right, **kw: right(**{**kw, "learning_rate": 0.001}),
    ),
]
