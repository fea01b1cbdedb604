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


def test_noise_without_the_norm_breaks_its_claim(monkeypatch):
    right = regularizers.dp_sgd

    def without(*args, max_norm, noise_multiplier, **kw):
        return right(*args, max_norm=max_norm, noise_multiplier=noise_multiplier / max_norm, **kw)

    monkeypatch.setattr(regularizers, "dp_sgd", without)
    assert broken(dp_sgd(max_norm=2.0)) == ["The noise has the variance"]


def test_a_batch_that_is_not_clipped_breaks_the_claims(monkeypatch):
    right = regularizers.dp_sgd
    monkeypatch.setattr(
        regularizers,
        "dp_sgd",
        lambda *args, max_norm, noise_multiplier, **kw: right(
            *args, max_norm=1e12, noise_multiplier=noise_multiplier * max_norm / 1e12, **kw
        ),
    )
    assert {"vmap(grad) gives what a loop over examples gives", "The outlier moves the update by"} <= {
        *broken(dp_sgd())
    }


def test_dividing_by_the_batch_drawn_breaks_the_influence(monkeypatch):
    right = regularizers.dp_sgd
    monkeypatch.setattr(regularizers, "dp_sgd", lambda *args, expected_batch, **kw: right(*args, **kw))
    assert "The outlier moves the update by" in broken(dp_sgd())


def test_clipping_the_batch_lets_the_outlier_move_far_more_than_the_noise_is_made_for():
    table = dp_sgd().blocks[1]
    in_units = {row[0]: row[-1] for row in table.rows}
    assert in_units["each example"] == pytest.approx(1)
    assert in_units["the batch"] > 10


@pytest.mark.parametrize("noise", [0.01, 1.0, 10.0])
@pytest.mark.parametrize(("steps", "delta"), [(1, 0.1), (1_000_000, 1e-12)])
def test_the_budgets_claims_hold_over_the_ranges(noise, steps, delta):
    pytest.importorskip("opacus")
    report = dp_sgd(noise_multiplier=noise, steps=steps, delta=delta)
    assert len(report.claims) == 7
    assert broken(report) == []


def test_an_accountant_that_forgets_the_steps_breaks_the_budget(monkeypatch):
    pytest.importorskip("opacus")
    right = privacy.epsilon
    monkeypatch.setattr(privacy, "epsilon", lambda sigma, q, steps, delta: right(sigma, q, 1, delta))
    assert {
        "On the whole data the accountant's epsilon is the Gaussian mechanism's",
        "It is an upper bound of the exact one",
    } == {*broken(dp_sgd())}


def test_without_the_accountant_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(privacy, "has_accountant", lambda: False)
    report = dp_sgd()
    assert len(report.claims) == 4
    assert "pip install 'regdemo[privacy]'" in report.blocks[-1].text


def test_without_noise_epsilon_is_said_to_be_infinite():
    assert "epsilon is infinite" in dp_sgd(noise_multiplier=0).blocks[-1].text
