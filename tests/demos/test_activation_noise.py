import pytest
import torch
from scipy import stats

from regdemo import regularizers
from regdemo.bounds import mean_of_squares
from regdemo.demos.activation_noise import activation_noise


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("draws", [1, 2, 100])
@pytest.mark.parametrize("std", [0.0, 1e-9, 0.1, 0.5, 10.0])
def test_every_claim_holds_at_every_size(std, draws, seed):
    # Each statistical claim is missed by chance once in 10^9.
    report = activation_noise(std=std, draws=draws, seed=seed)
    assert [claim for claim in report.claims if not claim.holds] == []


def of_variance_std(x, std, *, training=True, generator=None):
    return regularizers.activations.activation_noise(x, std**0.5, training=training, generator=generator)


def multiplied(x, std, *, training=True, generator=None):
    return x * (1 + std * torch.randn(x.shape, generator=generator)) if training else x


def noisy_in_eval(x, std, *, training=True, generator=None):
    return x + std * torch.randn(x.shape, generator=generator or torch.Generator().manual_seed(0))


def never_negative(x, std, *, training=True, generator=None):
    return x + std * torch.randn(x.shape, generator=generator).abs() if training else x


@pytest.mark.parametrize("wrong", [of_variance_std, multiplied, noisy_in_eval, never_negative])
def test_a_wrong_noise_fails_a_claim(monkeypatch, wrong):
    monkeypatch.setattr(regularizers, "activation_noise", wrong)
    assert not activation_noise().holds


@pytest.mark.parametrize("n", [1, 7, 1_000, 1_000_000])
def test_the_bound_on_a_mean_of_squares_covers_the_chi_square_law(n):
    slip, _ = mean_of_squares([2.0], n)
    outside = stats.chi2.sf(n * (1 + slip / 2), n) + stats.chi2.cdf(n * (1 - slip / 2), n)
    assert outside <= 1e-9


def test_the_bound_on_equal_squares_is_that_on_as_many_draws():
    assert mean_of_squares([0.25] * 4, 100)[0] == pytest.approx(mean_of_squares([1.0], 400)[0])
