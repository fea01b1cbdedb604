"""The ensembles: the claims hold over the range of the parameters, and the bag is a mean of nearest labels."""

import numpy as np
import pytest

from helpers import broken
from regdemo.demos import ensembles as demo
from regdemo.demos.ensembles import ensembles


@pytest.mark.parametrize(("members", "rounds", "noise"), [(5, 30, 0.1), (50, 100, 1.0)])
def test_every_claim_holds_at_the_ends(members, rounds, noise):
    assert broken(ensembles(members=members, rounds=rounds, noise=noise, seed=1)) == []


def test_a_full_tree_predicts_the_label_of_the_nearest_row_for_each_draw_of_the_labels():
    random = np.random.default_rng(0)
    x, labels, points = random.random((20, 1)), random.standard_normal((20, 3)), random.random((50, 1))
    nearest = np.abs(points - x.T).argmin(1)
    np.testing.assert_array_equal(demo._tree(None).fit(x, labels).predict(points), labels[nearest])


def test_the_bias_of_a_constant_is_its_distance_and_noise_is_taken_off():
    truth = np.zeros(5)
    assert demo._bias(np.full((4, 5), 2.0), truth) == pytest.approx(4)
    spread = np.random.default_rng(0).standard_normal((4, 50_000))
    assert demo._bias(spread, np.zeros(50_000)) == pytest.approx(0, abs=0.05)  # its deviation is 0.0016


def test_fewer_trees_vary_more():
    measured, formula = (series.y for series in ensembles(seed=2).picture[0].series)
    assert formula == sorted(formula, reverse=True)
    assert measured[0] > measured[-1]
