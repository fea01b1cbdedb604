"""How far a measurement may lie from its expectation: a tolerance and the reason for it, to end a Claim with.

    Claim("fraction dropped", p, "p", measured, *proportion(p, draws))

A statistical bound is missed by chance less than once in 10^9 claims, so a claim that fails is an error, not bad luck.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, sqrt

FALSE_ALARM = 1e-9
Z = 6.109410204869  # P(|N(0, 1)| > Z) = FALSE_ALARM


def mean_of_bounded(variance: float, span: float, n: int) -> tuple[float, str]:
    """Bernstein's bound on the mean of n independent draws with this variance, none further than span from its mean.

        P(|mean - E| >= t) <= 2 exp(-n t^2 / (2 (variance + span t / 3))) = 1e-9, solved for t

    Boucheron, Lugosi and Massart 2013, Concentration Inequalities.
    """
    scale = log(2 / FALSE_ALARM)
    linear = 2 * scale * span / 3
    tolerance = (linear + sqrt(linear**2 + 8 * n * scale * variance)) / (2 * n)
    return tolerance, f"Bernstein bound{_draws(n)}, missed by chance once in 10^9"


def proportion(p: float, n: int) -> tuple[float, str]:
    """Bernstein's bound on the fraction of n independent draws that come up with probability p."""
    return mean_of_bounded(p * (1 - p), max(p, 1 - p), n)


def mean_of_normal(deviation: float, n: int) -> tuple[float, str]:
    """The two-sided normal bound on the mean of n draws from a Gaussian (or of sums that are very nearly so).

    t = z deviation / sqrt(n),    P(|N(0, 1)| > z) = 1e-9
    """
    return Z * deviation / sqrt(n), f"normal bound{_draws(n)}, missed by chance once in 10^9"


def mean_of_squares(variances: Sequence[float], n: int) -> tuple[float, str]:
    """The chi-square bound on the mean over n draws of sum_i v_i g_i^2, for independent g_i ~ N(0, 1).

        P(|mean - sum v| >= 2 sqrt(s sum v^2) + 2 s max v) <= 2 exp(-n s) = 1e-9

    Laurent and Massart 2000, lemma 1, https://doi.org/10.1214/aos/1015957395
    """
    scale = log(2 / FALSE_ALARM) / n
    tolerance = 2 * sqrt(scale * sum(v * v for v in variances)) + 2 * scale * max(variances)
    return tolerance, f"chi-square bound{_draws(n)}, missed by chance once in 10^9"


def rounding(scale: float, *, digits: float = 1e-6) -> tuple[float, str]:
    """What floating point may lose on a value of this scale: float32 keeps about 7 digits."""
    return scale * digits, f"rounding: {digits:g} of the value's scale"


EXACT = (0.0, "exact")


def _draws(n: int) -> str:
    return "" if n == 1 else f" over {n:,} draws"
