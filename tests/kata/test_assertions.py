"""The assertions of a judge: what is right passes, each way to be wrong is named, and chance alone never fails it."""

import math
import re

import pytest
import torch
from scipy.stats import binom

from regdemo.kata import assertions


@pytest.fixture(autouse=True)
def seeded():
    assertions.BUDGET.clear()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def draws(*shape, p=0.3):
    return torch.rand(*shape) < p


def said(call, *args, **options):
    with pytest.raises(AssertionError) as caught:
        call(*args, **options)
    return str(caught.value)


@pytest.mark.parametrize(("n", "p"), [(10, 0.5), (1_000, 0.3), (24_000, 0.58), (100_000, 0.001), (5, 0.0), (5, 1.0)])
@pytest.mark.parametrize("alarm", [1e-9, 1e-3])
def test_the_binomial_range_is_the_widest_that_leaves_out_no_more_than_the_alarm(n, p, alarm):
    low, high = assertions.binomial_range(n, p, alarm)
    assert binom.cdf(low - 1, n, p) <= alarm / 2 * (1 + 1e-6)
    assert binom.sf(high, n, p) <= alarm / 2 * (1 + 1e-6)
    assert low == 0 or binom.cdf(low, n, p) > alarm / 2 * (1 - 1e-6)
    assert high == n or binom.sf(high - 1, n, p) > alarm / 2 * (1 - 1e-6)


def test_a_judge_spends_less_than_one_false_alarm_in_a_million():
    assert assertions.MOST_ASSERTIONS * assertions.EACH < 1e-6
    for _ in range(assertions.MOST_ASSERTIONS):
        assertions.fraction(torch.ones(1, dtype=torch.bool), 1.0)
    with pytest.raises(RuntimeError, match="more than 900 assertions about randomness"):
        assertions.fraction(torch.ones(1, dtype=torch.bool), 1.0)


def test_independent_coins_pass_every_assertion():
    assertions.bernoulli(draws(400, 6, 10), 0.3, between=("calls", "rows", "elements"))
    assertions.independent(draws(10_000), draws(10_000), 0.3)
    assertions.mean(torch.rand(10_000), 0.5, 0, 1)
    assertions.normal(torch.randn(10_000) * 3, 3)
    assertions.follows(torch.rand(10_000), lambda x: x)


def shared(dim, taken, given):
    """Hits of 400 calls, 6 rows and 10 elements, some of which are copies of others along a dimension."""
    hits = draws(400, 6, 10).movedim(dim, 0)
    hits[taken] = hits[given].clone()
    return hits.movedim(0, dim)


def test_independent_places_are_found_alike_no_more_often_than_the_alarm_says(monkeypatch):
    """At an alarm of 1/100 in each of 300 runs, 13 or more alarms have a probability below 1e-5; Chernoff has fewer."""
    monkeypatch.setattr(assertions, "EACH", 0.01)
    alarms = 0
    for _ in range(300):
        assertions.BUDGET.clear()
        try:
            assertions.independent_along(draws(50, 6, 5), 0, 0.3, "calls")
        except AssertionError:
            alarms += 1
    assert alarms < 13


FAULTS = {
    "another rate": (
        lambda: assertions.fraction(draws(10_000), 0.35, "dropped"),
        r"2,\d\d\d of 10,000 dropped \(\d\d.\d%\), where",
    ),
    "one place apart": (
        lambda: assertions.each(torch.cat([draws(400, 9), ~draws(400, 1)], 1), 0.3),
        r"at \[9\], \d+ of 400",
    ),
    "the same twice": (lambda: assertions.independent(*[draws(1_000)] * 2, 0.3), "1,000 of 1,000 agree"),
    "rows alike": (
        lambda: assertions.independent_along(draws(400, 1, 10).expand(400, 6, 10), 1, 0.3, "rows"),
        r"of rows at a distance of 1, 12,000 of 12,000 agree \(100.0%\), where 58.0% is right",
    ),
    "rows alike in pairs, from the second on": (
        lambda: assertions.independent_along(shared(1, slice(2, None, 2), slice(1, -1, 2)), 1, 0.3, "rows"),
        "of rows at a distance of 1, 8,000 of 8,000 agree",
    ),
    "the second half like the first": (
        lambda: assertions.independent_along(shared(1, slice(3, None), slice(0, 3)), 1, 0.3, "rows"),
        "of rows at a distance of 3, 12,000 of 12,000 agree",
    ),
    "a mask kept for two calls, from the second on": (
        lambda: assertions.independent_along(shared(0, slice(2, None, 2), slice(1, -1, 2)), 0, 0.3, "calls"),
        "of calls at a distance of 1, 11,940 of 11,940 agree",
    ),
    "two rows alike, and no others": (
        lambda: assertions.independent_along(shared(1, slice(4, 5), slice(1, 2)), 1, 0.3, "rows"),
        "of rows (1 and 4|at a distance of 3)",
    ),
    "never two": (
        lambda: assertions.independent_along(torch.tensor([[True, False]] * 400), -1, 0.5, "elements"),
        "0 of 400 agree",
    ),
    "another mean": (lambda: assertions.mean(torch.rand(10_000), 0.6, 0, 1), "where 0.6 is right"),
    "out of bounds": (lambda: assertions.mean(torch.rand(10) * 2, 0.5, 0, 0.1), "values from"),
    "a mean that is no number": (lambda: assertions.mean(torch.full((9,), math.nan), 0.5, 0, 1), "nan"),
    "shifted": (lambda: assertions.normal(torch.randn(10_000) + 0.2, 1), "has the mean"),
    "too wide": (lambda: assertions.normal(torch.randn(10_000) * 1.2, 1), "has the standard deviation"),
    "uniform noise": (
        lambda: assertions.normal((torch.rand(10_000) - 0.5) * math.sqrt(12), 1),
        "do not follow the distribution",
    ),
    "noise that is no number": (lambda: assertions.normal(torch.full((9,), math.nan), 1), "nan"),
    "another distribution": (
        lambda: assertions.follows(torch.rand(10_000) ** 2, lambda x: x),
        "do not follow the distribution",
    ),
    "another type": (
        lambda: assertions.same(None, torch.ones(2)),
        "the result is a value of type NoneType, not a tensor",
    ),
    "another shape": (
        lambda: assertions.close(torch.ones(2), torch.ones(3)),
        r"the shape \(2,\), where \(3,\) is right",
    ),
    "another dtype": (
        lambda: assertions.same(torch.ones(2).double(), torch.ones(2)),
        "is float64, where float32 is right",
    ),
    "another element": (
        lambda: assertions.close(torch.tensor([[1.0, 2.0], [3.0, 9.0]]), torch.tensor([[1.0, 2.0], [3.0, 4.0]])),
        r"the result at \[1, 1\] is 9, where 4 is right \(1 of 4 differ\)",
    ),
    "an element that is no number": (
        lambda: assertions.close(torch.tensor([math.nan]), torch.tensor([1.0])),
        "is nan, where 1",
    ),
    "another number": (lambda: assertions.close(2.1, 2.0, "the norm"), "the norm is 2.1, where 2 is right"),
    "no number": (lambda: assertions.close("2", 2.0), "the result is '2', where 2 is right"),
    "True for 1": (lambda: assertions.same(True, 1), "the result is True, where 1 is right"),
    "one of a list": (lambda: assertions.close([1.0, 2.5], [1.0, 2.0]), "the result, value 1 is 2.5, where 2 is right"),
    "too short a list": (lambda: assertions.close([1.0], [1.0, 2.0]), "where 2 values are right"),
    "nothing changed": (
        lambda: assertions.differs(torch.ones(3), torch.ones(3), "the second draw"),
        "the same in all 3",
    ),
    "no gradient": (lambda: assertions.gradient(torch.ones(3), torch.ones(3), torch.ones(3)), "no gradient flows"),
    "a generator ignored": (lambda: assertions.obeys(lambda generator: torch.rand(9)), "the same seed gave different"),
    "a generator that stands": (lambda: assertions.obeys(lambda generator: torch.ones(9)), "it must move on"),
    "no error": (lambda: assertions.raises(ValueError, lambda: 3), "it returned 3, where a ValueError is wanted"),
}


@pytest.mark.parametrize(("wrong", "message"), FAULTS.values(), ids=FAULTS)
def test_what_is_wrong_is_named_with_what_was_measured(wrong, message):
    assert re.search(message, said(wrong)), said(wrong)


def test_a_gradient_is_that_of_the_weighted_sum():
    x, seed = torch.randn(5, requires_grad=True), torch.randn(5)
    assertions.gradient(x**3, x, 3 * x.detach() ** 2 * seed, seed)
    assert "the gradient at" in said(assertions.gradient, x**3, x, 3 * x.detach() ** 2, seed)
    assert (
        said(assertions.gradient, torch.ones(5, requires_grad=True) * 2, x, x.detach())
        == "no gradient reaches the input"
    )
