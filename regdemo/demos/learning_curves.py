"""Learning curves: error over rows and over capacity.

Fits least squares on many training sets with Gaussian features, of which the model uses the first few. Compares
training error, test error, squared bias and variance with their formulas, and plots the errors over the number of rows
and over the number of features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import scipy
import torch

from regdemo.bounds import mean_of_bounded, mean_of_squares
from regdemo.measure import Wrong, mean_square, normal, seeded
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

if TYPE_CHECKING:
    from torch import Tensor

ACTS_ON = "models"
PROVIDED_BY = "torch.linalg.lstsq"
SAY = (
    "A learning curve plots training and test error over the number of training rows. If the two are far apart, the "
    "model has variance, and more rows help; if they are close and both too high, the model has bias or the labels are "
    "noisy, and more rows help little. Let the target be linear in independent Gaussian features of mean 0, plus "
    "noise: least squares with $p$ of them and no intercept on $n > p + 1$ rows has on average the training error "
    "$s^2 (1 - p/n)$ and the test error $s^2 (1 + p/(n-p-1))$; $s^2$ is the variance of the noise plus the variance "
    "that the omitted features contribute."
)
WRONG_ANSWER = (
    "'The test error is too high, so we need more data.' In this demo's fit, more data reduces only the variance. Look "
    "at the gap: where training and test error have nearly met, ten times the rows change little. Close second: 'the "
    "training error rises with more rows, so something is wrong'. It rises in a sound fit too: more rows are harder to "
    "fit."
)
CARDS = ("Q18.608", "Q18.609", "Q18.252", "Q18.240", "Q18.475")

WEIGHTS = tuple(2 * 0.8**place for place in range(30))  # of the features, each of which matters less than the last
SETS, DRAWN = 2_000, 150  # training sets behind a claim, and behind a point of a curve
CAPACITIES, SIZES = (1, 2, 4, 6, 8, 10, 13, 16, 20, 24, 28), (25, 30, 40, 60, 90, 140, 200)


def learning_curves(
    *,
    rows: Annotated[int, count("Training rows.", 40, 100)] = 40,
    features: Annotated[int, count("Features that the model uses, of 30.", 1, 20)] = 10,
    noise: Annotated[float, Parameter("Standard deviation of the noise in the target.", 0.1, 3)] = 1.0,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Fit SETS training sets of `rows` rows with the first `features` features, and SETS / 4 of four times the rows."""
    generator = seeded(seed)
    fits = _fit(*_rows(SETS, rows, noise, generator), features, noise)
    more = _fit(*_rows(SETS // 4, 4 * rows, noise, generator), features, noise)
    fresh_x, fresh_y = _rows(SETS, 1, noise, generator)
    fresh = mean_square(fresh_y - fresh_x @ fits.weights)
    x, y = _rows(DRAWN, max(SIZES), noise, generator)
    by_size = [_fit(x[:, :size], y[:, :size], features, noise) for size in SIZES]
    by_capacity = [_fit(x[:, :rows], y[:, :rows], used, noise) for used in CAPACITIES]
    at = [float(size) for size in SIZES]
    return Measurement(
        title=f"Learning curves: least squares with {features} of 30 features on {rows} rows",
        claims=_claims(rows, features, fits, more, fresh),
        picture=[
            Curves(
                title=f"Error over the number of rows; features: {features}",
                x_label="training rows",
                y_label="mean squared error",
                series=[*_errors(at, by_size), Series("noise and bias", at, [_left_over(features, noise)] * len(at))],
                note=f"Means over {DRAWN} training sets. Both errors approach the sum of noise and bias, which more "
                "rows do not lower.",
            ),
        ],
        blocks=[
            Text(
                "The target is linear in 30 independent standard normal features, plus noise of standard deviation "
                f"{noise:g}. Each feature matters less than the one before. A model of $p$ features uses the first $p$."
            ),
            Curves(
                title=f"Error over the number of features, on {DRAWN} training sets of {rows} rows",
                x_label="features",
                y_label="mean squared error",
                series=_errors([float(used) for used in CAPACITIES], by_capacity),
            ),
            _capacity_table(rows, noise, by_capacity),
        ],
    )


def _rows(sets: int, rows: int, noise: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Training sets: features (sets, rows, 30) and targets (sets, rows, 1)."""
    x = normal(generator, sets, rows, len(WEIGHTS))
    return x, (x @ _true()[:, 0] + noise * normal(generator, sets, rows))[..., None]


def _true() -> Tensor:
    """The true weights, (30, 1)."""
    return torch.tensor(WEIGHTS, dtype=torch.float64)[:, None]


class _Fits(NamedTuple):
    """Fits to many training sets: weights (sets, 30, 1), 0 for a feature that is not used, and the training error."""

    weights: Tensor
    training: float
    noise: float

    @property
    def errors(self) -> Tensor:
        """The expected error of each fit on a new row."""
        return self.noise**2 + (self.weights - _true()).square().sum((1, 2))

    @property
    def test(self) -> float:
        """The mean of those errors."""
        return self.errors.mean().item()

    @property
    def bias(self) -> float:
        """The squared bias: what the average fit gets wrong."""
        return (self.weights.mean(0) - _true()).square().sum().item()

    @property
    def variance(self) -> float:
        """How far the fits are from their average."""
        return (self.weights - self.weights.mean(0)).square().sum((1, 2)).mean().item()


def _fit(x: Tensor, y: Tensor, features: int, noise: float) -> _Fits:
    """Least squares on the first features."""
    used = torch.linalg.lstsq(x[..., :features], y, driver="gels").solution
    weights = torch.nn.functional.pad(used, (0, 0, 0, len(WEIGHTS) - features))
    return _Fits(weights, _training_error(x, y, weights), noise)


def _training_error(x: Tensor, y: Tensor, weights: Tensor) -> float:
    return mean_square(y - x @ weights)


def _claims(rows: int, features: int, fits: _Fits, more: _Fits, fresh: float) -> list[Claim]:
    """Of the fits, of those to four times the rows, and of the error on fresh rows."""
    s2, lost = _left_over(features, fits.noise), _left_over(features, 0)
    share = features / (rows - features - 1)
    return [
        Claim(
            "The training error is $s^2 (1 - p/n)$",
            s2 * (1 - features / rows),
            "$s^2 (1 - p/n)$",
            fits.training,
            *mean_of_squares([s2 / rows] * (rows - features), SETS),
        ),
        Claim(
            "The test error is $s^2 (1 + p/(n-p-1))$",
            s2 * (1 + share),
            "$s^2 (1 + p/(n-p-1))$",
            fits.test,
            *_excess_bound(rows, features, s2, SETS),
        ),
        Claim(
            "On fresh rows the error is what the fitted weights imply",
            fits.test,
            r"the noise's variance + the mean of $|\hat{w} - w|^2$",
            fresh,
            *mean_of_squares((fits.errors / SETS).tolist(), 1),
        ),
        Claim(
            "The squared bias is the sum of the squared weights left out",
            lost + s2 * share / SETS,
            r"$\sum_{j>p} w_j^2$ plus the variance of the mean fit",
            fits.bias,
            *mean_of_squares([s2 * share / features / SETS] * features, 1),
        ),
        Claim(
            "With four times the rows the variance is $s^2 p/(4n-p-1)$",
            s2 * features / (4 * rows - features - 1),
            "$s^2 p/(4n-p-1)$",
            more.test - s2,
            *_excess_bound(4 * rows, features, s2, SETS // 4),
        ),
    ]


def _left_over(features: int, noise: float) -> float:
    """What a model of these features cannot explain: the noise, and the other features."""
    return noise**2 + sum(weight**2 for weight in WEIGHTS[features:])


def _excess_bound(rows: int, features: int, s2: float, sets: int) -> tuple[float, str]:
    """The bound on a mean of |w' - w|^2, each of which is s^2 p/(n-p+1) times an F with p and n-p+1 degrees of freedom.

    Its span ends where one of the sets lies beyond with a probability of 1e-10.
    """
    excess = scipy.stats.f(features, rows - features + 1, scale=s2 * features / (rows - features + 1))
    return mean_of_bounded(float(excess.var()), float(excess.isf(1e-10 / sets)), sets)


def _errors(at: list[float], fits: list[_Fits]) -> list[Series]:
    return [Series("training", at, [fit.training for fit in fits]), Series("test", at, [fit.test for fit in fits])]


def _capacity_table(rows: int, noise: float, fits: list[_Fits]) -> Table:
    return Table(
        title=f"Errors by the number of features, on {DRAWN} training sets of {rows} rows",
        columns=["features", "bias²", "variance", "training", "test", "$s^2 (1 + p/(n-p-1))$"],
        rows=[
            [p, fit.bias, fit.variance, fit.training, fit.test, _left_over(p, noise) * (1 + p / (rows - p - 1))]
            for p, fit in zip(CAPACITIES, fits, strict=True)
        ],
        note=f"Test error is the sum of bias², variance and the noise's variance, {noise**2:.4g}. With {DRAWN} "
        f"sets, the measured bias² contains about 1/{DRAWN} of the variance.",
    )


class _Solution(NamedTuple):
    solution: Tensor


LSTSQ = "torch.linalg.lstsq"
WRONG = [
    Wrong("weights a tenth too small", LSTSQ, lambda right, x, y, **kw: _Solution(0.9 * right(x, y, **kw).solution)),
    Wrong(
        "fits the first half of the rows",
        LSTSQ,
        lambda right, x, y, **kw: right(x[:, : x.shape[1] // 2 + 1], y[:, : x.shape[1] // 2 + 1], **kw),
    ),
    Wrong(
        "the residuals' unbiased variance as training error",
        "regdemo.demos.learning_curves._training_error",
        lambda right, x, y, w: right(x, y, w) * x.shape[1] / (x.shape[1] - int((w[0] != 0).sum())),
    ),
    Wrong(
        "one training set, again and again",
        LSTSQ,
        lambda right, x, y, **kw: _Solution(right(x[:1], y[:1], **kw).solution.expand(len(x), -1, -1)),
    ),
    Wrong("another set's targets", LSTSQ, lambda right, x, y, **kw: right(x, y.roll(1, 0), **kw)),
]
