"""The mixup demo: its claims hold at every alpha, and each wrong mixup breaks one."""

import pytest
import torch

from helpers import broken
from regdemo import regularizers
from regdemo.demos.mixup import mixup

RIGHT = regularizers.mixup


# Each bound is missed by chance once in 10^9.
@pytest.mark.parametrize("alpha", [0.01, 0.2, 1.0, 100.0])
@pytest.mark.parametrize("draws", [10, 2_000])
def test_every_claim_holds_at_any_alpha_and_size(alpha, draws):
    assert broken(mixup(alpha=alpha, draws=draws, seed=1)) == []


def test_keeping_the_labels_breaks_what_they_should_follow(monkeypatch):
    monkeypatch.setattr(regularizers, "mixup", lambda x, y, alpha, **kw: (RIGHT(x, y, alpha, **kw)[0], y))
    assert {
        "Cross entropy with mixed targets is the mixture of two losses",
        "Inputs and targets get one and the same weight",
        "Mixed labels follow the mixture",
    } == {*broken(mixup())}


def test_a_uniform_weight_breaks_the_variance(monkeypatch):
    def uniform(x, y, alpha, *, weight=None, generator=None, **kw):
        weight = torch.rand((), generator=generator) if weight is None else weight
        return RIGHT(x, y, alpha, weight=weight.double(), **kw)

    monkeypatch.setattr(regularizers, "mixup", uniform)
    assert "The variance of the weight" in broken(mixup())
