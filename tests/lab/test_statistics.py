"""Intervals and p-values, against scipy.stats."""

from itertools import combinations
from math import isnan, nan
from statistics import fmean

import numpy as np
import pytest
from scipy import stats

from regdemo.lab.statistics import holm, mean_interval, p_value

WITH = [69.1, 70.4, 68.8, 69.9, 70.0, 69.5, 71.2, 68.9]
WITHOUT = [65.2, 66.0, 64.8, 65.9, 65.1, 66.4, 66.2, 64.9]
DIFFERENCES = [a - b for a, b in zip(WITH, WITHOUT, strict=True)]


def test_the_interval_is_students():
    expected = stats.ttest_1samp(WITH, 0).confidence_interval(0.95)
    interval = mean_interval(WITH)
    assert interval.value == pytest.approx(np.mean(WITH), rel=1e-12)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), rel=1e-12)


def test_the_p_value_is_that_of_the_paired_t_test():
    assert p_value(DIFFERENCES) == pytest.approx(stats.ttest_rel(WITH, WITHOUT).pvalue, rel=1e-9)


def test_the_p_value_is_two_sided():
    assert p_value([-d for d in DIFFERENCES]) == p_value(DIFFERENCES)


def test_an_interval_leaves_out_0_exactly_when_p_is_below_5_percent():
    for shift in np.linspace(-1.5, 1.5, 61):
        differences = [d - np.mean(DIFFERENCES) + shift for d in DIFFERENCES]
        interval = mean_interval(differences)
        assert (p_value(differences) < 0.05) == (not interval.low <= 0 <= interval.high)


@pytest.mark.parametrize("values", [[], [1.0]])
def test_fewer_than_two_values_have_no_interval_and_no_p_value(values):
    interval = mean_interval(values)
    assert isnan(interval.low)
    assert isnan(interval.high)
    assert isnan(p_value(values))


@pytest.mark.parametrize("values", [[0.0] * 8, [0.5] * 8, [0.3 - 0.2, 8.3 - 8.2, 65.3 - 65.2]])
def test_values_that_are_all_the_same_have_an_interval_without_width_and_no_p_value(values):
    interval = mean_interval(values)
    assert interval.low == interval.value == interval.high
    assert isnan(p_value(values))


def test_a_mean_that_only_rounding_keeps_from_0_is_0():
    values = [100 * share - 100 * 0.52 for share in (0.52, 0.55, 0.49)]
    assert fmean(values) != 0
    assert mean_interval(values).value == 0
    assert mean_interval([0.1, 1e-9]).value != 0


def closed_test(p_values, i):
    """Holm's method as what it is: the largest Bonferroni p-value of any set of comparisons that holds this one."""
    others = [p for j, p in enumerate(p_values) if j != i]
    sets = [(p_values[i], *some) for n in range(len(others) + 1) for some in combinations(others, n)]
    return max(min(1, len(some) * min(some)) for some in sets)


@pytest.mark.parametrize(
    "p_values", [[0.02], [0.01, 0.04, 0.03, 0.2], [0.5, 0.5, 0.001], [0.0, 1.0], [0.03, 0.03, 0.03], []]
)
def test_holms_correction_is_the_closed_test_over_bonferronis(p_values):
    assert holm(p_values) == pytest.approx([closed_test(p_values, i) for i in range(len(p_values))], abs=1e-15)


def test_a_comparison_without_a_p_value_is_not_counted():
    adjusted = holm([0.01, nan, 0.04])
    assert (adjusted[0], adjusted[2]) == (0.02, 0.04)
    assert isnan(adjusted[1])
