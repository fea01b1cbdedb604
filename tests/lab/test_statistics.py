"""Intervals and p-values against scipy, and what the corrections are for."""

from math import isnan, sqrt

import numpy as np
import pytest
from scipy import stats

from regdemo.lab.statistics import POWER, change, mean_interval

DIFFERENCES = [1.2, -0.3, 0.8, 2.1, 0.4, 1.1, -0.6, 0.9]


def test_interval_and_p_value_are_scipys_paired_t_test():
    found, oracle = change(DIFFERENCES), stats.ttest_1samp(DIFFERENCES, 0)
    assert found.p == pytest.approx(oracle.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(oracle.confidence_interval(0.95)))
    assert found.error == pytest.approx(stats.sem(DIFFERENCES))


@pytest.mark.parametrize("comparisons", [2, 5])
def test_of_several_comparisons_each_is_held_against_its_part_of_5_percent(comparisons):
    found, oracle = change(DIFFERENCES, comparisons=comparisons), stats.ttest_1samp(DIFFERENCES, 0)
    assert found.p == pytest.approx(min(1, comparisons * oracle.pvalue))
    assert (found.low, found.high) == pytest.approx(tuple(oracle.confidence_interval(1 - 0.05 / comparisons)))


def test_overlapping_training_sets_add_test_over_training_rows_to_the_variance_of_the_mean():
    plain, corrected = change(DIFFERENCES), change(DIFFERENCES, overlap=1 / 3)
    assert corrected.error / plain.error == pytest.approx(sqrt((1 / 8 + 1 / 3) / (1 / 8)))
    t = corrected.value / (np.std(DIFFERENCES, ddof=1) * sqrt(1 / 8 + 1 / 3))
    assert corrected.p == pytest.approx(2 * stats.t.sf(abs(t), 7))


@pytest.mark.parametrize("comparisons", [1, 3, 40])
def test_a_direction_is_given_where_the_interval_leaves_out_0_and_nowhere_else(comparisons):
    random = np.random.default_rng(0)
    directions = set()
    for shift in np.linspace(-2, 2, 81):
        found = change((random.normal(size=8) + shift).tolist(), comparisons=comparisons)
        assert found.direction == (found.low > 0) - (found.high < 0)
        directions.add(found.direction)
    assert directions == {-1, 0, 1}


@pytest.mark.parametrize(("n", "comparisons"), [(8, 1), (16, 1), (16, 5)])
def test_the_smallest_difference_would_be_shown_in_4_of_5_cases(n, comparisons):
    values = stats.norm.ppf((np.arange(n) + 0.5) / n)
    found = change(values.tolist(), comparisons=comparisons)
    t = stats.t.ppf(1 - 0.025 / comparisons, n - 1)
    power = stats.nct.sf(t, n - 1, found.smallest / found.error)
    assert power == pytest.approx(
        POWER, abs=0.03
    )  # the exact power, of which the sum of two quantiles is the usual fit


def test_simultaneous_intervals_all_hold_in_95_percent_of_cases():
    # 4,000 cases: 6 standard deviations are 0.021 on the high side, and on the other Bonferroni's bound is nearly met.
    random, arms, n = np.random.default_rng(1), 4, 10
    held = 0
    for _ in range(4000):
        shared = random.normal(size=n)  # the reference that all arms are compared with
        found = [change((random.normal(size=n) - shared).tolist(), comparisons=arms) for _ in range(arms)]
        held += all(f.low <= 0 <= f.high for f in found)
    assert held / 4000 >= 0.95 - 0.021


def test_fewer_than_two_differences_have_no_interval():
    assert isnan(change([]).value)
    assert change([1.0]).value == 1.0
    assert isnan(change([1.0]).low)
    assert change([1.0]).direction == 0


def test_equal_differences_have_no_p_value():
    found = change([0.1 + 0.2, 0.3, 0.3])
    assert (found.low, found.high) == (found.value, found.value)
    assert isnan(found.p)


def test_what_rounding_leaves_of_a_mean_is_0():
    assert mean_interval([0.1, 0.2, -0.3]).value == 0.0
