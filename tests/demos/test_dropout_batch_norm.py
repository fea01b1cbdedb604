import pytest
import torch

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
