import pytest
import torch
from torch import nn

from helpers import blocks_of, broken
from regdemo import regularizers
from regdemo.demos.mc_dropout import mc_dropout
from regdemo.report import Table


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("samples", [2, 50, 500])
@pytest.mark.parametrize("p", [0.0, 5e-324, 1e-6, 0.1, 0.5, 0.9])
def test_every_claim_holds_at_every_rate_and_number_of_passes(p, samples, seed):
    # Each statistical claim is missed by chance once in 10^9.
    report = mc_dropout(p=p, samples=samples, seed=seed)
    assert [claim for claim in report.claims if not claim.holds] == []


def with_everything_in_training(model, x, samples, *, generator):
    modes = {module: module.training for module in model.modules()}
    model.train()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        passes = torch.stack([model(x).softmax(-1) for _ in range(samples)])
    for module, mode in modes.items():
        module.training = mode
    return passes


def test_model_train_fails_the_claim_on_batch_norms_statistics(monkeypatch):
    monkeypatch.setattr(regularizers, "mc_dropout", with_everything_in_training)
    assert "Batch norm's statistics are left as they were" in broken(mc_dropout())


def leaving_eval_behind(model, x, samples, *, generator):
    passes = regularizers.activations.mc_dropout(model, x, samples, generator=generator)
    model.eval()
    return passes


def test_modes_that_are_not_put_back_fail_a_claim(monkeypatch):
    monkeypatch.setattr(regularizers, "mc_dropout", leaving_eval_behind)
    assert broken(mc_dropout()) == ["Each module's mode is left as found"]


def of_logits(model, x, samples, *, generator):
    model.eval()
    for module in model.modules():
        module.training = isinstance(module, nn.Dropout)
    with torch.no_grad():
        passes = torch.stack([model(x) for _ in range(samples)])
    return passes.log_softmax(-1)


def test_averaging_logits_is_no_distribution(monkeypatch):
    monkeypatch.setattr(regularizers, "mc_dropout", of_logits)
    with torch.random.fork_rng(devices=[]):
        assert "The mean of the passes is a distribution" in broken(mc_dropout())


def test_at_rate_0_all_passes_agree_with_eval():
    for _, _, in_eval, mean, spread, gain in mc_dropout(p=0.0).blocks[1].rows:
        assert mean == pytest.approx(in_eval)
        assert (spread, gain) == pytest.approx((0, 0), abs=1e-12)


def test_the_table_of_distances_stops_below_the_number_of_passes():
    tables = [block for block in blocks_of(mc_dropout(samples=20)) if isinstance(block, Table)]
    assert [row[0] for row in tables[1].rows] == [1, 5]
