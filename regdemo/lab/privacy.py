"""What DP-SGD has spent: epsilon at a delta, counted by opacus's accountant, and exact where no batch is sampled."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from math import exp, sqrt

import scipy

INSTALL = "pip install 'regdemo[privacy]'"
ORDERS = [*(1 + i / 10 for i in range(1, 100)), *range(12, 64), 64, 128, 256, 512, 1024]  # of the Renyi divergences


def has_accountant() -> bool:
    """Whether the extra that counts epsilon is installed."""
    return find_spec("opacus") is not None


def epsilon(noise_multiplier: float, sample_rate: float, steps: int, delta: float) -> float:
    """An upper bound on epsilon after steps of DP-SGD with Poisson sampling, by Renyi differential privacy.

    Mironov, Talwar and Zhang 2019, https://arxiv.org/abs/1908.10530
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the best order is the first or the last: the bound holds all the same
        from opacus.accountants.analysis import rdp  # its own import warns

        spent = rdp.compute_rdp(q=sample_rate, noise_multiplier=noise_multiplier, steps=steps, orders=ORDERS)
        found, _ = rdp.get_privacy_spent(orders=ORDERS, rdp=spent, delta=delta)
    return max(0.0, float(found))


def exact_epsilon(noise_multiplier: float, steps: int, delta: float) -> float:
    """Epsilon after steps of DP-SGD on the whole data: together they are one Gaussian mechanism.

        delta = Phi(m/2 - epsilon/m) - e^epsilon Phi(-m/2 - epsilon/m),    m = sqrt(steps) / noise_multiplier

    Solved for epsilon by bisection. Balle and Wang 2018, theorem 8, https://arxiv.org/abs/1805.06530
    """
    m = sqrt(steps) / noise_multiplier

    def spent(epsilon: float) -> float:
        less = exp(min(0.0, epsilon + scipy.special.log_ndtr(-m / 2 - epsilon / m)))
        return float(scipy.special.ndtr(m / 2 - epsilon / m) - less)

    if spent(0.0) <= delta:
        return 0.0
    low, high = 0.0, m * m / 2 + 40 * m
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if spent(middle) > delta else (low, middle)
    return high
