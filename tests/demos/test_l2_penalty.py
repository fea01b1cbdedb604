"""The L2 demo: its claims hold over the range, and each wrong penalty breaks one."""

import pytest
import torch

from helpers import broken
from regdemo import regularizers
from regdemo.demos.l2_penalty import EXAMPLES, SPREADS, l2_penalty


@pytest.mark.parametrize("strength", [0.001, 0.1, 1.0])
def test_every_claim_holds_over_the_range(strength):
    for seed in range(2):
        assert broken(l2_penalty(strength=strength, seed=seed)) == []


def test_a_penalty_with_a_factor_of_a_half_breaks_the_claims(monkeypatch):
    right = regularizers.l2_penalty
    monkeypatch.setattr(regularizers, "l2_penalty", lambda weights, strength: right(weights, strength) / 2)
    assert {
        "The penalized minimum is ridge regression's",
        "Each direction is shrunk by its own factor",
        "The penalty in the loss gives the same weights as SGD, weight_decay = 2 strength",
        "SGD with weight_decay = strength gives other weights, and so does AdamW with 2 strength",
    } <= {*broken(l2_penalty())}


def test_a_norm_that_is_not_squared_breaks_the_closed_form(monkeypatch):
    monkeypatch.setattr(
        regularizers,
        "l2_penalty",
        lambda weights, strength: strength * sum((w.square().sum() + 1e-12).sqrt() for w in weights),
    )
    assert "The penalized minimum is ridge regression's" in broken(l2_penalty())


def test_decay_that_is_decoupled_breaks_the_claim_of_adam(monkeypatch):
    monkeypatch.setattr(torch.optim, "Adam", torch.optim.AdamW)
    assert "The penalty in the loss gives the same weights as Adam, weight_decay = 2 strength" in broken(l2_penalty())


def test_the_spread_is_the_standard_deviation_of_the_inputs(monkeypatch):
    # The inputs are seen where the closed form multiplies them: its first solve is the curvature's, its second X'X's.
    seen, right = [], torch.linalg.solve
    monkeypatch.setattr(torch.linalg, "solve", lambda a, b: (seen.append(a), right(a, b))[1])
    torch_qr, factors = torch.linalg.qr, []
    monkeypatch.setattr(torch.linalg, "qr", lambda a: (factors.append(torch_qr(a)), factors[-1])[1])
    l2_penalty(strength=0.1)
    assert factors[0][0].mean(0).abs().max() < 1e-12
    variances = torch.linalg.eigvalsh(seen[1] / EXAMPLES) - 2 * 0.1
    assert variances.sqrt().flip(0).tolist() == pytest.approx(SPREADS, rel=1e-6)


def test_the_table_shows_directions_of_little_spread_shrunk_most():
    left = [row[1] for row in l2_penalty().blocks[1].rows]
    assert left == sorted(left, reverse=True)
    assert left[0] > 0.9 > 0.1 > left[-1]
