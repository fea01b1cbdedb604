"""Double descent: test error peaks where a fit just succeeds.

Fits least squares of least norm to 40 rows, on the first p of 400 Gaussian features. The threshold is where there are
as many features as rows. Compares the mean test error below and above the threshold, and the median at the threshold,
with exact formulas; then a ridge penalty is added.
"""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING, Annotated

import scipy
import torch

from regdemo.bounds import mean_of_bounded, proportion, rounding
from regdemo.measure import Wrong, fraction, gap, mean_square, normal, seeded
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

if TYPE_CHECKING:
    from torch import Tensor

    Examples = tuple[Tensor, Tensor]

ACTS_ON = "models"
SAY = (
    "As a model with little regularization grows, its test error can first fall and then rise to a peak where the "
    "model is just able to fit the training set: least squares then has one solution, which has to fit all of the "
    "noise. Beyond that size there are many solutions, gradient descent from 0 finds the one of least norm, and the "
    "test error can fall again, so a larger model need not be worse. A well-tuned ridge penalty can remove the peak."
)
WRONG_ANSWER = (
    "'A model that fits its training set to error 0 has overfitted, and a larger one more so.' In this demo "
    "the training error stays 0 beyond the threshold, while the test error falls from its peak. Close second: 'the "
    "bias-variance trade-off is refuted'. The decomposition holds here too: what peaks is the variance."
)
CARDS = ("Q18.251", "Q18.252", "Q18.665", "Q18.479")

ROWS, FEATURES, LENGTH = 40, 400, 4.0
SQUARES = tuple(LENGTH / place / sum(1 / j for j in range(1, FEATURES + 1)) for place in range(1, FEATURES + 1))
BELOW, SETS, DRAWN = ROWS // 2, 400, 40  # features below the threshold; sets behind a claim, and behind a point
SHOWN = (2, 8, 16, 24, 30, 34, 37, 40, 43, 46, 50, 60, 80, 120, 200)


def double_descent(
    *,
    features: Annotated[int, count("Features of the large model, fitted to 40 rows.", 80, 200)] = 120,
    noise: Annotated[float, Parameter("Standard deviation of the noise in the target.", 0.1, 2)] = 0.5,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Fit many training sets with half as many features as rows, with as many, and with `features`."""
    generator = seeded(seed)
    small, threshold = _draw(6 * SETS, BELOW, noise, generator), _draw(SETS, ROWS, noise, generator)
    large = _draw(SETS, features, noise, generator)
    least = _fit(*large)
    over_features = _over_features(noise, generator)
    return Measurement(
        title=f"Double descent: {ROWS} rows, up to {max(SHOWN)} features",
        claims=[
            *_plain_claims(noise, small, threshold, large, least),
            *_ridge_claims(noise, threshold, large, least),
        ],
        picture=over_features.picture,
        blocks=[
            Text(
                f"The target is linear in {FEATURES} independent standard normal features, plus noise of variance "
                rf"$\sigma^2$ = {noise**2:.4g}. The squared weight of feature $j$ is proportional to $1/j$; the "
                f"squares add up to {LENGTH:g}. The model uses the first $p$ features, of weights $w$, and is fitted "
                rf"to $n$ = {ROWS} rows; $s^2$ is $\sigma^2$ plus the squared weights left out. The ridge penalty is "
                "$s^2 p / |w|^2$, the best one on average for weights of this length in a random direction."
            ),
            *over_features.blocks,
        ],
    )


def _draw(sets: int, features: int, noise: float, generator: torch.Generator) -> Examples:
    """The first features (sets, rows, features) and targets (sets, rows, 1), to which the other features are noise."""
    x = normal(generator, sets, ROWS, features)
    rest = _left_over(features, noise) ** 0.5 * normal(generator, sets, ROWS)
    return x, (x @ _true(features) + rest)[..., None]


def _true(features: int) -> Tensor:
    """The true weights of the first features."""
    return torch.tensor(SQUARES[:features], dtype=torch.float64).sqrt()


def _left_over(features: int, noise: float) -> float:
    """What a model of these features cannot explain: the noise, and the other features."""
    return noise**2 + sum(SQUARES[features:])


def _fit(x: Tensor, y: Tensor, penalty: float = 0.0) -> Tensor:
    """The weights (sets, features, 1) of least norm among those that fit best, or of ridge regression."""
    turned = x.shape[-2] <= x.shape[-1]
    gram = x @ x.mT if turned else x.mT @ x
    gram.diagonal(dim1=-2, dim2=-1).add_(penalty)
    return x.mT @ torch.linalg.solve(gram, y) if turned else torch.linalg.solve(gram, x.mT @ y)


def _errors(weights: Tensor, noise: float) -> Tensor:
    """The expected error of each fit on a new row: a feature that is left out has the weight 0."""
    missing = _left_over(weights.shape[-2], noise)
    return missing + (weights[..., 0] - _true(weights.shape[-2])).square().sum(-1)


def _plain_claims(noise: float, small: Examples, threshold: Examples, large: Examples, least: Tensor) -> list[Claim]:
    """Without a penalty: fewer features than rows, as many, and more, where `least` has the weights of the fits."""
    below, at, above = _errors(_fit(*small), noise), _errors(_fit(*threshold), noise), _errors(least, noise)
    ratio = scipy.stats.f(ROWS, 1)  # chi^2 with ROWS degrees of freedom over chi^2 with 1, divided by ROWS
    median = (ROWS * float(ratio.median()) + 1) * _left_over(ROWS, noise)
    x, y = large
    features = x.shape[-1]
    return [
        Claim(
            f"With {BELOW} features the mean test error is $s^2 (1 + p/(n-p-1))$",
            _formula(BELOW, noise),
            "$s^2 (1 + p/(n-p-1))$",
            below.mean().item(),
            *_bound(BELOW, noise, len(below)),
        ),
        Claim(
            f"With {ROWS} features, as many as rows, half of the training sets have a test error above {median:.3g}",
            0.5,
            r"fraction above the median of $s^2 (1 + \chi^2_n / \chi^2_1)$",
            fraction(at > median),
            *proportion(0.5, SETS),
        ),
        Claim(
            f"With {features} features the mean test error has fallen again",
            _formula(features, noise),
            "$(1 - n/p) |w|^2 + s^2 (1 + n/(p-n-1))$",
            above.mean().item(),
            *_bound(features, noise, SETS),
        ),
        Claim(
            f"With {features} features the training error is 0",
            0,
            r"$\max |y - x \hat{w}|$",
            gap(y, x @ least),
            *rounding(y.abs().max().item()),
        ),
    ]


def _formula(features: int, noise: float) -> float:
    """The expected test error. Belkin, Hsu and Xu 2019, https://arxiv.org/abs/1903.07571"""
    s2 = _left_over(features, noise)
    if features <= ROWS - 2:
        return s2 * (1 + features / (ROWS - features - 1))
    known = sum(SQUARES[:features])
    return known * (1 - ROWS / features) + s2 * (1 + ROWS / (features - ROWS - 1))


def _bound(features: int, noise: float, sets: int) -> tuple[float, str]:
    """The bound on the mean test error, where the fit isn't too near the threshold.

    The variance is $s^2 k/(d+1)$ times an F with k and d + 1 degrees of freedom, where of rows and features k is the
    smaller number and d the difference; its span ends where one of the sets lies beyond with a probability of 1e-10.
    Above the threshold the squared bias is $|w|^2$ times a Beta with (p-n)/2 and n/2.
    """
    k, d = min(features, ROWS), abs(features - ROWS)
    noisy = scipy.stats.f(k, d + 1, scale=_left_over(features, noise) * k / (d + 1))
    tolerance, reason = mean_of_bounded(float(noisy.var()), float(noisy.isf(1e-10 / sets)), sets)
    if features > ROWS:
        known = sum(SQUARES[:features])
        lost = scipy.stats.beta(d / 2, ROWS / 2, scale=known)
        tolerance += mean_of_bounded(float(lost.var()), known, sets)[0]
        reason += ", for the bias and for the variance"
    return tolerance, reason


def _ridge_claims(noise: float, threshold: Examples, large: Examples, least: Tensor) -> list[Claim]:
    """With the best penalty at the threshold, and with a tiny one where there are many features."""
    ridge = _errors(_fit(*threshold, _best_penalty(ROWS, noise)), noise)
    nothing = LENGTH + noise**2
    return [
        Claim(
            f"With a ridge penalty the mean test error at {ROWS} features is below that of predicting 0",
            (noise**2 + nothing) / 2,
            r"from $\sigma^2$ to $s^2 + |w|^2$",
            ridge.mean().item(),
            (nothing - noise**2) / 2,
            "a range, not an estimate",
        ),
        Claim(
            "A tiny ridge penalty gives the solution of least norm, up to rounding",
            0,
            r"$\max |\hat{w}(\lambda) - \hat{w}|$ at $\lambda = 10^{-9}$",
            gap(_fit(*large, 1e-9), least),
            *rounding(1 + least.abs().max().item()),
        ),
    ]


def _best_penalty(features: int, noise: float) -> float:
    """The ridge penalty that is best on average over the directions of weights of this length."""
    return _left_over(features, noise) * features / sum(SQUARES[:features])


def _over_features(noise: float, generator: torch.Generator) -> Measurement:
    """The errors with the features SHOWN, without a penalty and with the best one."""
    x, y = _draw(DRAWN, max(SHOWN), noise, generator)
    fits = [(_fit(x[..., :used], y), _fit(x[..., :used], y, _best_penalty(used, noise))) for used in SHOWN]
    plain, penalized = ([_errors(fit, noise).median().item() for fit in each] for each in zip(*fits, strict=True))
    training = [mean_square(y - x[..., :used] @ fit) for used, (fit, _) in zip(SHOWN, fits, strict=True)]
    means = [_formula(used, noise) if used != ROWS else "infinite" for used in SHOWN]
    places = [float(used) for used in SHOWN]
    curves = Curves(
        title=f"Test error of fits to {ROWS} rows, median of {DRAWN} training sets",
        x_label="features",
        y_label="log10 of the mean squared error",
        series=[
            Series("least norm", places, [log10(error) for error in plain]),
            Series("ridge", places, [log10(error) for error in penalized]),
        ],
        note=f"The peak is at {ROWS} features, where a fit just succeeds. The ridge penalty removes it.",
    )
    table = Table(
        title=f"Errors over the number of features, {DRAWN} training sets",
        columns=["features", "training: mean", "test: mean by formula", "test: median", "test: median, ridge"],
        rows=[list(row) for row in zip(SHOWN, training, means, plain, penalized, strict=True)],
        note="Near the peak the mean test error is above the median, since a few training sets do very badly.",
    )
    return Measurement("", [], [table], [curves])


FIT = "regdemo.demos.double_descent._fit"
WRONG = [
    Wrong(
        "some solution, not that of least norm",
        FIT,
        lambda right, x, y, penalty=0.0: torch.nn.functional.pad(
            right(x[..., :ROWS], y, penalty), (0, 0, 0, max(0, x.shape[-1] - ROWS))
        ),
    ),
    Wrong("no penalty", FIT, lambda right, x, y, penalty=0.0: right(x, y)),
    Wrong("a penalty where there should be none", FIT, lambda right, x, y, penalty=0.0: right(x, y, penalty or 1.0)),
    Wrong("half of the rows", FIT, lambda right, x, y, *penalty: right(x[:, : ROWS // 2], y[:, : ROWS // 2], *penalty)),
    Wrong(
        "forgets the features left out",
        "regdemo.demos.double_descent._errors",
        lambda right, weights, noise: right(weights, noise) - _left_over(weights.shape[-2], 0),
    ),
]
