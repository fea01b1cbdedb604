"""The weight decay demo: its claims hold over the whole range, and each wrong decay breaks one."""

import pytest

from helpers import broken
from regdemo import regularizers
from regdemo.demos.weight_decay import weight_decay


@pytest.mark.parametrize("value", [0.001, 0.01, 0.1, 0.5, 1.0])
def test_every_claim_holds_over_the_range(value):
    for seed in (0, 1):
        assert broken(weight_decay(weight_decay=value, seed=seed)) == []


def test_decaying_every_parameter_breaks_the_claim_of_the_groups(monkeypatch):
    monkeypatch.setattr(
        regularizers, "decay_groups", lambda model, wd: [{"params": list(model.parameters()), "weight_decay": wd}]
    )
    assert broken(weight_decay()) == ["With decay_groups the matrices decay, and nothing else"]


def test_the_table_shows_that_l2_hardly_decays_beside_large_gradients():
    table = next(b for b in weight_decay().blocks if getattr(b, "title", "").startswith("What 200 steps"))
    scale, by_decay, by_l2 = table.rows[-1]
    assert scale == "100"
    assert by_decay < 0.85
    assert by_l2 > 0.99
