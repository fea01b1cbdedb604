"""Double descent: the claims hold over the range of the parameters, and numpy finds the same solutions."""

import numpy as np
import pytest
import torch

from helpers import broken
from regdemo.demos import double_descent as demo
from regdemo.demos.double_descent import double_descent


@pytest.mark.parametrize(("features", "noise"), [(80, 0.1), (200, 2.0)])
def test_every_claim_holds_at_the_ends(features, noise):
    assert broken(double_descent(features=features, noise=noise, seed=1)) == []


@pytest.mark.parametrize("features", [10, 40, 90])
def test_the_fit_is_the_pseudoinverse(features):
    x, y = demo._draw(2, features, 0.5, torch.Generator().manual_seed(0))
    expected = np.linalg.pinv(x.numpy()) @ y.numpy()
    np.testing.assert_allclose(demo._fit(x, y).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("features", [10, 90])
def test_the_penalized_fit_is_ridge_regression(features):
    x, y = demo._draw(1, features, 0.5, torch.Generator().manual_seed(0))
    x, y = x[0].numpy(), y[0].numpy()
    expected = np.linalg.solve(x.T @ x + 3 * np.eye(features), x.T @ y)
    np.testing.assert_allclose(demo._fit(torch.tensor(x)[None], torch.tensor(y)[None], 3.0)[0].numpy(), expected)


def test_the_peak_is_where_features_are_as_many_as_rows_and_ridge_has_none():
    plain, ridge = (series.y for series in double_descent(seed=2).picture[0].series)
    assert demo.SHOWN[plain.index(max(plain))] == demo.ROWS
    assert max(ridge) < max(plain) - 1  # on a scale of log10
