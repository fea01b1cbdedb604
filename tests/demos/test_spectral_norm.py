"""Spectral norm: the claims hold over the range of the parameters."""

import pytest

from helpers import broken
from regdemo.demos.spectral_norm import spectral_norm


@pytest.mark.parametrize(("size", "layers", "steps"), [(4, 8, 200), (128, 1, 200)])
def test_every_claim_holds_at_the_ends(size, layers, steps):
    assert broken(spectral_norm(size=size, layers=layers, steps=steps, seed=1)) == []


def test_the_frobenius_norm_leaves_the_largest_singular_value_far_below_1():
    _, spectral, frobenius = (series.y for series in spectral_norm(seed=2).picture[0].series)
    assert spectral[0] == pytest.approx(1, abs=0.02)
    assert frobenius[0] < 0.5
