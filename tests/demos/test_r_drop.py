"""The R-Drop demo: its claims hold at every rate and weight, and each wrong R-Drop breaks one."""

import pytest

from helpers import broken
from regdemo import regularizers
from regdemo.demos.r_drop import r_drop

RIGHT = regularizers.r_drop


@pytest.mark.parametrize("p", [0.0, 1e-9, 0.3, 0.99, 1 - 1e-7, 1 - 2**-53])
@pytest.mark.parametrize(("alpha", "examples"), [(0.0, 1), (1.0, 256), (100.0, 1_000)])
def test_every_claim_holds_at_any_rate_weight_and_size(p, alpha, examples):
    assert broken(r_drop(p=p, alpha=alpha, examples=examples, seed=3)) == []


def looks_one_way(first, second, target, alpha):
    log_p, log_q = first.log_softmax(-1), second.log_softmax(-1)
    return RIGHT(first, second, target, 0.0) + alpha * (log_p.exp() * (log_p - log_q)).sum(-1).mean()


def leaves_a_pass_out(first, second, target, alpha):
    return RIGHT(first, first, target, 0.0) + RIGHT(first, second, target, alpha) - RIGHT(first, second, target, 0.0)


@pytest.mark.parametrize("wrong", [looks_one_way, leaves_a_pass_out])
def test_a_loss_that_prefers_a_pass_breaks_the_symmetry(monkeypatch, wrong):
    monkeypatch.setattr(regularizers, "r_drop", wrong)
    assert "Either pass may come first" in broken(r_drop())


def test_two_passes_predict_differently():
    first, second = (row[2:] for row in r_drop().blocks[1].rows[:2])
    assert sum(first) == pytest.approx(1)
    assert first != pytest.approx(second, abs=1e-3)
