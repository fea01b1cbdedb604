from math import pi

import pytest
import torch

from helpers import tables
from regdemo import regularizers
from regdemo.demos import dropout_batch_norm as demo
from regdemo.demos.dropout_batch_norm import dropout_batch_norm


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("size", [100, 1_000, 30_000])
@pytest.mark.parametrize("p", [0.0, 5e-324, 1e-6, 0.1, 0.2, 0.5, 0.999, 1 - 1e-9, 1 - 2**-53])
def test_every_claim_holds_at_every_rate_and_size(p, size, seed):
    # Each statistical claim is missed by chance once in 10^9.
    report = dropout_batch_norm(p=p, size=size, seed=seed)
    assert [claim for claim in report.claims if not claim.holds] == []


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5])
def test_behind_a_relu_of_a_standard_normal_the_ratio_is_known_in_closed_form(p):
    # E[x^2] = 1/2 and E[x] = 1/sqrt(2 pi), so E[x^2]/Var[x] = 1 / (1 - 1/pi).
    row = {row[0]: row for row in tables(dropout_batch_norm(size=1_000_000))[0].rows}[str(p)]
    assert row[3] == pytest.approx(1 + p / (1 - p) / (1 - 1 / pi), rel=0.01)
    assert row[4] == pytest.approx(1 + p / (1 - p) / (1 - 1 / pi), rel=0.01)


def test_the_ratio_is_that_of_the_variance_shift_papers_with_the_keep_probability():
    # Li et al. 2018, equation 9: eval over training is v / ((c^2 + v) / q - c^2), q the probability to keep.
    for mean, *_, formula in tables(dropout_batch_norm(p=0.3, size=1_000_000))[1].rows:
        assert 1 / formula == pytest.approx(1 / ((mean**2 + 1) / 0.7 - mean**2), rel=0.01)


def not_rescaled(x, p, *, generator=None):
    return regularizers.dropout(x, p, generator=generator) * (1 - p)


def for_the_whole_batch(x, p, *, generator=None):
    return x / (1 - p)


@pytest.mark.parametrize("wrong", [not_rescaled, for_the_whole_batch])
def test_a_wrong_dropout_is_outside_the_bound_on_the_variance(wrong):
    x = torch.randn(100_000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64).relu()
    expected, tolerance, _ = demo._in_training(x, 0.5)
    right = regularizers.dropout(x, 0.5, generator=torch.Generator().manual_seed(1))
    assert abs(demo._variance(right) - expected) <= tolerance
    assert abs(demo._variance(wrong(x, 0.5)) - expected) > tolerance


def test_an_update_bn_that_kept_dropout_off_would_fail_its_claim(monkeypatch):
    def in_eval(loader, model):
        model[0].eval()
        model[1].train()
        for x in loader:
            model(x)

    monkeypatch.setattr(torch.optim.swa_utils, "update_bn", in_eval)
    failed = [claim.statement for claim in dropout_batch_norm(p=0.5).claims if not claim.holds]
    assert failed == ["swa_utils.update_bn stores the shifted variance again: it calls train()"]


def test_only_two_of_the_four_orders_leave_variance_1_in_eval():
    in_eval = [row[2] for row in tables(dropout_batch_norm(p=0.5))[2].rows]
    assert in_eval == pytest.approx([1 / 2.467, 1 / 2.467, 1, 1], rel=0.03)
