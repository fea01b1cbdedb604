from math import sqrt

import numpy as np
import pytest
from scipy import stats

from regdemo.bounds import EXACT, FALSE_ALARM, mean_of_bounded, mean_of_normal, proportion, rounding

SIZES = [1, 10, 100, 10_000, 1_000_000]
RATES = [0.0, 0.001, 0.1, 0.5, 0.8, 0.999]


def chance_of_missing(p, n, tolerance):
    """P(|X/n - p| > tolerance) for X binomial, exactly."""
    # No count lies on the tolerance itself, so floor and ceil of its two ends are the last counts inside.
    low, high = n * (p - tolerance), n * (p + tolerance)
    return stats.binom.cdf(np.ceil(low) - 1, n, p) + stats.binom.sf(np.floor(high), n, p)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("p", RATES)
def test_a_share_misses_its_tolerance_at_most_once_in_a_billion(p, n):
    tolerance, _ = proportion(p, n)
    assert chance_of_missing(p, n, tolerance) <= 1e-9


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_a_shares_tolerance_is_tight_on_many_draws(p):
    # Bernstein's sqrt(2 ln(2 / 1e-9)) = 6.54 against the normal's 6.11, and a little for its linear term.
    tolerance, _ = proportion(p, 1_000_000)
    assert tolerance <= 1.1 * stats.norm.isf(5e-10) * sqrt(p * (1 - p) / 1_000_000)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize(("variance", "span"), [(0.0, 1.0), (0.25, 0.5), (1.0, 3.0)])
def test_a_bounded_means_tolerance_solves_bernsteins_inequality(variance, span, n):
    t, _ = mean_of_bounded(variance, span, n)
    assert 2 * np.exp(-n * t**2 / (2 * (variance + span * t / 3))) == pytest.approx(1e-9, rel=1e-6)


def test_dropouts_mean_misses_its_tolerance_at_most_once_in_a_billion():
    # A kept element is 1 / (1 - p), a dropped one 0: the mean is off by t when the share kept is off by (1 - p) t.
    p, n = 0.9, 1_000
    tolerance, _ = mean_of_bounded(p / (1 - p), p / (1 - p), n)
    assert chance_of_missing(1 - p, n, (1 - p) * tolerance) <= 1e-9


@pytest.mark.parametrize("n", [1, 50, 10_000])
@pytest.mark.parametrize("deviation", [0.5, 3.0])
def test_a_normal_mean_misses_its_tolerance_exactly_once_in_a_billion(deviation, n):
    tolerance, _ = mean_of_normal(deviation, n)
    assert 2 * stats.norm.sf(tolerance, scale=deviation / sqrt(n)) == pytest.approx(1e-9, rel=1e-6)


@pytest.mark.parametrize("bound", [proportion(0.1, 12_345), mean_of_bounded(1, 1, 12_345), mean_of_normal(1, 12_345)])
def test_a_bound_says_over_how_many_draws_and_how_often_it_is_missed(bound):
    assert bound[1].endswith(" bound over 12,345 draws, missed by chance once in 10^9")
    assert FALSE_ALARM == 1e-9


def test_rounding_allows_for_the_digits_of_float32():
    assert rounding(200.0) == (pytest.approx(2e-4), "rounding: 1e-06 of the value's scale")
    assert rounding(2.0, digits=0.25) == (0.5, "rounding: 0.25 of the value's scale")


def test_exact_allows_for_nothing():
    assert EXACT == (0.0, "exact")
