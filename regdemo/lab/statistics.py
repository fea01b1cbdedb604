"""What a few paired runs let you conclude: intervals and p-values by Student's t, corrected where they must be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan, sqrt
from statistics import fmean, stdev

import scipy

from regdemo.report import Interval

LEVEL = 0.05
POWER = 0.8  # of a comparison at the smallest effect that it could show
ROUNDING = 1e-12  # of the largest value: what is smaller than that is 0, and not what was lost in adding


@dataclass(frozen=True)
class Change:
    """A mean paired difference, and what it is worth.

    low, high: its interval.  p: its p-value. Both are corrected alike, so that p < 5% exactly where 0 is outside.
    error: its standard error.  n: pairs.  smallest: the smallest true difference that such a comparison would show in
    4 cases of 5. Fewer than two pairs have no interval, and equal differences no p: NaN.
    """

    value: float
    low: float
    high: float
    p: float
    error: float
    n: int
    smallest: float

    @property
    def direction(self) -> int:
        """1 or -1 where the interval leaves out 0, otherwise 0."""
        if isnan(self.p) or self.p >= LEVEL:
            return 0
        return 1 if self.value > 0 else -1

    @property
    def interval(self) -> Interval:
        """The mean in its interval."""
        return Interval(self.value, self.low, self.high)


def change(differences: Sequence[float], *, overlap: float = 0.0, comparisons: int = 1) -> Change:
    """The mean of paired differences d_1 .. d_n with its interval and p-value.

        mean ± t s sqrt(1/n + overlap),    p = min(1, m 2 P(T > |mean| / (s sqrt(1/n + overlap)))),
        T Student with n - 1 degrees of freedom, t its quantile at 1 - 5%/(2m)

    overlap: test rows over training rows where every difference comes from another split of the same rows; 0 where
    differences are independent. The training sets of two splits share rows, so that the plain variance s^2/n is too
    small to speak of new rows; n_test/n_train is what Nadeau and Bengio add for it.
    comparisons: m, how many there are; by Bonferroni's inequality all m intervals hold together in 95% of cases.
    Student 1908, https://doi.org/10.1093/biomet/6.1.1; Nadeau and Bengio 2003,
    https://doi.org/10.1023/A:1024068626366

    >>> found = change([0.1, 0.3, 0.2, 0.4])
    >>> round(found.value, 3), round(found.low, 3), round(found.p, 3)
    (0.25, 0.045, 0.03)
    """
    n = len(differences)
    if n < 2:
        return Change(fmean(differences) if differences else nan, nan, nan, nan, nan, n, nan)
    mean, spread = fmean(differences), _spread(differences)
    mean = mean if abs(mean) > ROUNDING * max(map(abs, differences)) else 0.0
    error = spread * sqrt(1 / n + overlap)
    t = float(scipy.special.stdtrit(n - 1, 1 - LEVEL / 2 / comparisons))
    p = min(1.0, comparisons * 2 * float(scipy.special.stdtr(n - 1, -abs(mean) / error))) if error else nan
    smallest = (t + float(scipy.special.stdtrit(n - 1, POWER))) * error
    return Change(mean, mean - t * error, mean + t * error, p, error, n, smallest)


def mean_interval(values: Sequence[float], *, overlap: float = 0.0) -> Interval:
    """The mean of the values and its 95% interval, as in `change`."""
    return change(values, overlap=overlap).interval


def _spread(values: Sequence[float]) -> float:
    """The sample standard deviation; exactly 0 where the values differ by no more than rounding."""
    spread = stdev(values)
    return spread if spread > ROUNDING * max(map(abs, values)) else 0.0
