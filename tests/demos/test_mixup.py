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
    assert "The smaller alpha, the further from it" in broken(mixup())


def test_favouring_the_first_example_breaks_the_mean_and_tells_its_label(monkeypatch):
    def larger_first(x, y, alpha, *, weight=None, generator=None, **kw):
        if weight is None:
            one = torch.ones(1, dtype=torch.float64)
            drawn = RIGHT(torch.cat([one, 0 * one]), torch.cat([one, one]), alpha, generator=generator,
                          order=torch.tensor([1, 0]))[0][0]  # fmt: skip
            weight = torch.maximum(drawn, 1 - drawn)
        return RIGHT(x, y, alpha, weight=weight, **kw)

    monkeypatch.setattr(regularizers, "mixup", larger_first)
    assert {"The weight is 1/2 on average", "Unmixed labels say nothing about it"} <= {*broken(mixup())}


def test_the_table_shows_targets_that_climb_and_labels_that_do_not():
    rows = mixup(alpha=1.0).blocks[2].rows
    assert [row[1] for row in rows] == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9], abs=0.03)
    assert [row[2] for row in rows] == pytest.approx([0.5] * 5, abs=0.1)
