import pytest
import torch
import torch.nn.functional as F

from regdemo import regularizers
from regdemo.demos.weight_noise import weight_noise
from regdemo.report import Table


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("draws", [10, 100, 5_000])
@pytest.mark.parametrize("std", [0.001, 0.05, 0.2, 1.0])
def test_every_claim_holds_at_every_size(std, draws, seed):
    # Each statistical claim is missed by chance once in 10^9.
    report = weight_noise(std=std, draws=draws, seed=seed)
    assert [claim for claim in report.claims if not claim.holds] == []


def relative(x, weight, *, std, training=True, noise=None):
    return F.linear(x, weight * (1 + std * noise)) if training else F.linear(x, weight)


def of_variance_std(x, weight, *, std, training=True, noise=None):
    return regularizers.weights.weight_noise(x, weight, std=std**0.5, training=training, noise=noise)


def on_the_input(x, weight, *, std, training=True, noise=None):
    return F.linear(x + std * noise[:1], weight) if training else F.linear(x, weight)


def noisy_in_eval(x, weight, *, std, training=True, noise=None):
    return regularizers.weights.weight_noise(x, weight, std=std, noise=torch.ones(1) if noise is None else noise)


@pytest.mark.parametrize("wrong", [relative, of_variance_std, on_the_input, noisy_in_eval])
def test_a_wrong_noise_fails_a_claim(monkeypatch, wrong):
    monkeypatch.setattr(regularizers, "weight_noise", wrong)
    assert not weight_noise().holds


def tables():
    return [block for block in weight_noise(std=0.2).blocks if isinstance(block, Table)]


def test_ten_times_the_weights_pay_the_same():
    one, ten = tables()[0].rows
    assert one[3] == pytest.approx(ten[3], rel=1e-6)


def test_the_less_balanced_two_layers_are_the_more_they_are_disturbed():
    disturbed = {row[0]: row[2] for row in tables()[1].rows}
    assert disturbed[1.0] == pytest.approx(2 * 0.2**2 + 0.2**4)
    assert disturbed[0.25] == pytest.approx(disturbed[4.0])
    assert disturbed[4.0] > disturbed[2.0] > disturbed[1.0]
