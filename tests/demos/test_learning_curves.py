"""The learning curves: the claims hold over the range of the parameters, and numpy fits the same weights."""

import numpy as np
import pytest
import torch

from helpers import broken
from regdemo.demos import learning_curves as demo
from regdemo.demos.learning_curves import learning_curves


@pytest.mark.parametrize(("rows", "features", "noise"), [(40, 1, 3.0), (40, 20, 0.1), (100, 20, 3.0)])
def test_every_claim_holds_at_the_ends(rows, features, noise):
    assert broken(learning_curves(rows=rows, features=features, noise=noise, seed=1)) == []


def test_the_fit_is_numpys_and_a_feature_left_out_has_no_weight():
    x, y = demo._rows(2, 30, 1.0, torch.Generator().manual_seed(0))
    fits = demo._fit(x, y, 5, 1.0)
    for one in range(2):
        expected, *_ = np.linalg.lstsq(x[one, :, :5].numpy(), y[one].numpy(), rcond=None)
        np.testing.assert_allclose(fits.weights[one, :5].numpy(), expected, atol=1e-10)
    assert not fits.weights[:, 5:].any()


def test_test_error_is_noise_bias_and_variance():
    x, y = demo._rows(40, 30, 0.5, torch.Generator().manual_seed(0))
    fits = demo._fit(x, y, 8, 0.5)
    assert fits.test == pytest.approx(0.25 + fits.bias + fits.variance)


def test_over_capacity_the_training_error_falls_and_the_test_error_turns():
    training, test = (series.y for series in learning_curves(seed=2).blocks[1].series)
    assert training == sorted(training, reverse=True)
    assert min(test) < test[0]
    assert min(test) < test[-1]
