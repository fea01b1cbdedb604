"""The DP-SGD demo: its claims hold over the ranges, and each wrong DP-SGD breaks one."""

import pytest

from helpers import broken
from regdemo import regularizers
from regdemo.demos.dp_sgd import dp_sgd
from regdemo.lab import privacy


@pytest.mark.parametrize("max_norm", [0.01, 1.0, 10.0])
@pytest.mark.parametrize("noise", [0.0, 1.0, 10.0])
@pytest.mark.parametrize("batch", [2, 64])
def test_every_claim_holds_over_the_ranges(max_norm, noise, batch):
    for seed in range(3):
        assert broken(dp_sgd(max_norm=max_norm, noise_multiplier=noise, batch=batch, seed=seed)) == []


def test_dividing_by_the_batch_drawn_breaks_the_influence(monkeypatch):
    right = regularizers.dp_sgd
    monkeypatch.setattr(regularizers, "dp_sgd", lambda *args, expected_batch, **kw: right(*args, **kw))
    assert "The outlier moves the update by" in broken(dp_sgd())


@pytest.mark.parametrize("noise", [0.01, 1.0, 10.0])
@pytest.mark.parametrize(("steps", "delta"), [(1, 0.1), (1_000_000, 1e-12)])
def test_the_budgets_claims_hold_over_the_ranges(noise, steps, delta):
    pytest.importorskip("opacus")
    report = dp_sgd(noise_multiplier=noise, steps=steps, delta=delta)
    assert len(report.claims) == 8
    assert broken(report) == []


def test_an_accountant_that_forgets_the_steps_breaks_the_budget(monkeypatch):
    pytest.importorskip("opacus")
    right = privacy.epsilon
    monkeypatch.setattr(privacy, "epsilon", lambda sigma, q, steps, delta: right(sigma, q, 1, delta))
    assert {
        "On the whole data the accountant's epsilon is the Gaussian mechanism's",
        "The accountant's epsilon is an upper bound of the exact one",
    } == {*broken(dp_sgd())}


def test_without_the_accountant_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(privacy, "has_accountant", lambda: False)
    report = dp_sgd()
    assert len(report.claims) == 5
    assert "pip install 'regdemo[privacy]'" in report.blocks[-1].text


def test_without_noise_epsilon_is_said_to_be_infinite():
    assert "epsilon is infinite" in dp_sgd(noise_multiplier=0).blocks[-1].text
