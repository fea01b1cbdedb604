"""The CutMix demo: its claims hold over the range of its parameters, and its picture shows a box."""

import numpy as np
import pytest

from helpers import broken
from regdemo.demos import cutmix as demo
from regdemo.demos.cutmix import cutmix


@pytest.mark.parametrize("side", [1, 2, 7, 64])
@pytest.mark.parametrize("alpha", [0.05, 1.0, 100.0])
def test_every_claim_holds_at_any_alpha_and_side(alpha, side):
    assert broken(cutmix(alpha=alpha, side=side, draws=50, seed=1)) == []


def test_the_mean_area_counts_weights_that_round_to_a_whole_image():
    assert broken(cutmix(alpha=0.05, side=1, draws=2_000, seed=1)) == []


@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_the_mean_area_is_that_of_boxes_drawn_by_numpy(alpha):
    random, side, n = np.random.default_rng(0), 7, 40_000
    length = np.floor(side * np.sqrt(1 - random.beta(alpha, alpha, n)))
    start = np.floor(random.random((2, n)) * side) - np.floor(length / 2)
    inside = np.clip(start + length, 0, side) - np.clip(start, 0, side)
    # Hoeffding's bound over n draws from [0, 1]: false alarm below 1e-7.
    assert demo._area(alpha, side) == pytest.approx((inside[0] * inside[1]).mean() / side**2, abs=0.015)


def test_the_picture_shows_one_box_of_the_other_image():
    inside = np.array(cutmix(seed=1).picture[0].values) > 0.5
    rows, columns = inside.any(1).sum(), inside.any(0).sum()
    assert inside.sum() == rows * columns > 0
