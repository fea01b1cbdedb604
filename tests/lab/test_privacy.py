"""Epsilon, against the closed form of the Gaussian mechanism and against integrals over its densities."""

from math import exp, log

import pytest
from scipy import integrate, stats

from regdemo.lab.privacy import epsilon, exact_epsilon


@pytest.fixture(autouse=True)
def accountant():
    """Loaded where it is needed: it takes seconds, and every process of the tests collects this file."""
    pytest.importorskip("opacus")


def delta_of_one_step(eps, sigma, q):
    """The hockey-stick divergence of one sampled step, by quadrature over its two densities."""
    without = stats.norm(0, sigma).pdf

    def excess(x):
        return max(0.0, (1 - q) * without(x) + q * without(x - 1) - exp(eps) * without(x))

    return integrate.quad(excess, -20 * sigma, 20 * sigma + 1, limit=500)[0]


@pytest.mark.parametrize(("sigma", "steps", "delta"), [(1.0, 1, 1e-5), (2.0, 100, 1e-6), (0.7, 30, 1e-3)])
def test_on_the_whole_data_it_is_the_renyi_bound_of_the_gaussian_mechanism(sigma, steps, delta):
    # The bound by all orders above 1, on a fine grid: the accountant's few orders lose less than a percent.
    orders = [1 + i / 200 for i in range(1, 40_000)]
    best = min(steps * a / (2 * sigma**2) + log((a - 1) / a) - (log(delta) + log(a)) / (a - 1) for a in orders)
    assert best <= epsilon(sigma, 1.0, steps, delta) + 1e-9
    assert epsilon(sigma, 1.0, steps, delta) == pytest.approx(best, rel=0.01)


@pytest.mark.parametrize(("sigma", "steps"), [(1.0, 1), (4.0, 16), (2.0, 25)])
def test_the_exact_epsilon_solves_the_integral_of_the_whole_training(sigma, steps):
    eps = exact_epsilon(sigma, steps, 1e-4)
    assert delta_of_one_step(eps, sigma / steps**0.5, 1.0) == pytest.approx(1e-4, rel=1e-3)


@pytest.mark.parametrize(("sigma", "q"), [(1.0, 0.1), (2.0, 0.5), (1.0, 0.02)])
def test_one_sampled_step_costs_no_less_than_its_integral_says(sigma, q):
    eps = epsilon(sigma, q, 1, 1e-5)
    assert delta_of_one_step(eps, sigma, q) <= 1e-5
    assert delta_of_one_step(eps / 5, sigma, q) > 1e-5  # nor five times as much


def test_it_is_an_upper_bound_of_the_exact_one_and_at_most_a_tenth_above():
    for sigma, steps in [(1.0, 10), (5.0, 200), (0.5, 1_000)]:
        exact = exact_epsilon(sigma, steps, 1e-5)
        assert exact <= epsilon(sigma, 1.0, steps, 1e-5) <= 1.1 * exact


def test_it_falls_with_noise_and_grows_with_steps_and_the_sampling_rate():
    assert epsilon(2.0, 0.01, 500, 1e-5) < epsilon(1.0, 0.01, 500, 1e-5) < epsilon(1.0, 0.02, 500, 1e-5)
    assert epsilon(1.0, 0.01, 500, 1e-5) < epsilon(1.0, 0.01, 5_000, 1e-5)


def test_where_delta_alone_covers_it_epsilon_is_0():
    assert epsilon(10.0, 0.001, 1, 0.1) == 0
    assert exact_epsilon(10.0, 1, 0.1) == 0
