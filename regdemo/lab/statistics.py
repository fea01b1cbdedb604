"""What a few paired runs allow to say: intervals and p-values by Student's t."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan, nan, sqrt
from statistics import fmean, stdev

from regdemo.report import Interval

CONFIDENCE = 0.95
ROUNDING = 1e-12  # of the largest value: what is smaller than that is 0, and not what was lost in adding


def mean_interval(values: Sequence[float]) -> Interval:
    """The mean of the values and its 95% interval.

        mean ± t s / sqrt(n),    t the 97.5% quantile of Student's distribution with n - 1 degrees of freedom

    values: finite, thought of as independent draws from a Gaussian.  Fewer than two have no interval: its ends are NaN.
    Student 1908, https://doi.org/10.1093/biomet/6.1.1
    """
    from scipy.special import stdtrit

    n = len(values)
    if n < 2:
        return Interval(fmean(values) if values else nan, nan, nan)
    mean, half = fmean(values), float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * _spread(values) / sqrt(n)
    mean = mean if abs(mean) > ROUNDING * max(map(abs, values)) else 0.0
    return Interval(mean, mean - half, mean + half)


def p_value(differences: Sequence[float]) -> float:
    """How often chance alone would move the mean of paired differences at least this far from 0: the paired t-test.

        p = 2 P(T > |mean| sqrt(n) / s),    T Student with n - 1 degrees of freedom

    NaN for fewer than two differences, and for differences that are all the same: they tell nothing of chance.
    Student 1908, https://doi.org/10.1093/biomet/6.1.1
    """
    from scipy.special import stdtr

    n = len(differences)
    if n < 2 or _spread(differences) == 0:
        return nan
    return 2 * float(stdtr(n - 1, -abs(fmean(differences)) * sqrt(n) / _spread(differences)))


def _spread(values: Sequence[float]) -> float:
    """The sample standard deviation; exactly 0 where only rounding tells the values apart."""
    spread = stdev(values)
    return spread if spread > ROUNDING * max(map(abs, values)) else 0.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction of the p-values of several comparisons: what to hold against a level for all of them.

        sorted p_(1) <= ... <= p_(m):    adjusted p_(i) = max over j <= i of  min(1, (m - j + 1) p_(j))

    The chance that any true null falls below the level is at most the level, whatever the comparisons share.
    NaN, a comparison that says nothing, stays NaN and is not counted.
    Holm 1979, https://www.jstor.org/stable/4615733
    """
    order = sorted((i for i, p in enumerate(p_values) if not isnan(p)), key=lambda i: p_values[i])
    adjusted, floor = [nan] * len(p_values), 0.0
    for rank, i in enumerate(order):
        floor = max(floor, min(1.0, (len(order) - rank) * p_values[i]))
        adjusted[i] = floor
    return adjusted
