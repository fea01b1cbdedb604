"""Batch norm as noise: the claims hold over the range of the parameters, and the exact variance is near the formula."""

import numpy as np
import pytest

from helpers import broken
from regdemo.demos import batch_norm_noise as demo
from regdemo.demos.batch_norm_noise import batch_norm_noise


@pytest.mark.parametrize("value", [-2.0, 0.0, 2.0])
@pytest.mark.parametrize("batch", [16, 128])
def test_every_claim_holds_at_the_ends(value, batch):
    assert broken(batch_norm_noise(value=value, batch=batch, seed=1)) == []


def exact(value, size):
    """The variance of (value - mean) / std over the batch, by quadrature over the others' mean and scale."""
    z, weight = np.polynomial.hermite_e.hermegauss(60)
    mean, weight = z / (size - 1) ** 0.5, weight / weight.sum()
    gamma = np.linspace(0, size + 14 * size**0.5 + 60, 40_001)[1:]
    density = (size / 2 - 2) * np.log(gamma) - gamma / 2
    density = np.exp(density - density.max())
    density /= density.sum()
    away = (value - mean)[:, None] * (size - 1) / size
    y = away / np.sqrt((gamma + size / (size - 1) * away**2) / size)
    first, second = (float(weight @ (y**power) @ density) for power in (1, 2))
    return second - first**2


@pytest.mark.parametrize("value", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("size", [16, 64, 512])
def test_higher_orders_are_within_what_the_claims_allow(value, size):
    assert exact(value, size) == pytest.approx((1 + value**2 / 2) / size, abs=demo._higher_orders(value, size))
