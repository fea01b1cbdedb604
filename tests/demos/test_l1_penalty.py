"""The L1 demo: its claims hold over the range, and the wrong L1 breaks them."""

import pytest

from helpers import broken
from regdemo import regularizers
from regdemo.demos.l1_penalty import l1_penalty


@pytest.mark.parametrize("strength", [0.05, 0.2, 0.5, 1.0])
def test_every_claim_holds_over_the_range(strength):
    for seed in range(2):
        assert broken(l1_penalty(strength=strength, seed=seed)) == []


def test_a_penalty_of_squares_breaks_the_claim_of_the_subgradient(monkeypatch):
    monkeypatch.setattr(regularizers, "l1_penalty", lambda weights, s: s / 2 * sum(w.square().sum() for w in weights))
    assert {
        "The subgradient fit ends at most two steps of the penalty away from the optimum",
        "Two subgradient steps near 0 lead back",
    } <= {*broken(l1_penalty())}


def test_most_of_the_weights_that_are_not_needed_end_at_0():
    table = l1_penalty().blocks[1]
    zeros = {row[0]: row[1] for row in table.rows}
    assert zeros["proximal"] > 40
    assert zeros["subgradient"] == zeros["L2"] == 0
