from math import sqrt

import pytest
import torch
from scipy import stats

from helpers import blocks_of
from regdemo import regularizers
from regdemo.bounds import mean_of_squares
from regdemo.demos import gaussian_dropout as demo
from regdemo.demos.gaussian_dropout import gaussian_dropout
from regdemo.report import HeatMap, Table


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("size", [1_000, 30_000])
@pytest.mark.parametrize("p", [0.0, 5e-324, 1e-14, 1e-6, 0.1, 0.2, 0.5, 0.8, 0.999, 1 - 1e-9, 1 - 2**-53])
def test_every_claim_holds_at_every_rate_and_size(p, size, seed):
    # Each statistical claim is missed by chance once in 10^9.
    failed = [claim for claim in gaussian_dropout(p=p, size=size, seed=seed).claims if not claim.holds]
    assert failed == []


def of_variance_p(x, p, *, training=True, generator=None):
    return x * (1 + sqrt(p) * torch.randn(x.shape, generator=generator)) if training else x


def of_mean_zero(x, p, *, training=True, generator=None):
    return x * sqrt(p / (1 - p)) * torch.randn(x.shape, generator=generator) if training else x


def noisy_in_eval(x, p, *, training=True, generator=None):
    return x * (1 + sqrt(p / (1 - p)) * torch.randn(x.shape, generator=generator))


def uniform_of_the_same_moments(x, p, *, training=True, generator=None):
    half_width = sqrt(3 * p / (1 - p))
    return x * (1 + half_width * (2 * torch.rand(x.shape, generator=generator) - 1)) if training else x


@pytest.mark.parametrize("wrong", [of_variance_p, of_mean_zero, noisy_in_eval, uniform_of_the_same_moments])
@pytest.mark.parametrize("p", [0.2, 0.5])
def test_a_wrong_gaussian_dropout_fails_a_claim(monkeypatch, wrong, p):
    monkeypatch.setattr(regularizers, "gaussian_dropout", wrong)
    assert not gaussian_dropout(p=p).holds


def test_plain_dropout_in_its_place_fails_the_claim_of_no_zeros(monkeypatch):
    monkeypatch.setattr(regularizers, "gaussian_dropout", regularizers.dropout)
    failed = [claim.statement for claim in gaussian_dropout(p=0.2).claims if not claim.holds]
    assert "Gaussian dropout makes no zeros" in failed


@pytest.mark.parametrize("n", [1, 7, 1_000, 1_000_000])
def test_the_bound_on_the_variance_covers_the_chi_square_distribution(n):
    slip, _ = mean_of_squares([2.0], n)
    outside = stats.chi2.sf(n * (1 + slip / 2), n) + stats.chi2.cdf(n * (1 - slip / 2), n)
    assert outside <= 1e-9


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_fraction_of_flipped_signs_is_that_of_the_normal_distribution(p):
    assert demo._flips(p) == pytest.approx(stats.norm(1, sqrt(p / (1 - p))).cdf(0), rel=1e-9)


def test_both_pictures_share_one_scale():
    dropped, noisy = [block for block in blocks_of(gaussian_dropout(p=0.3)) if isinstance(block, HeatMap)]
    values = [value for picture in (dropped, noisy) for row in picture.values for value in row]
    assert (dropped.low, dropped.high) == (noisy.low, noisy.high) == (min(values), max(values))


def test_at_rate_one_half_a_sixth_of_the_signs_are_flipped():
    rows = {row[0]: row for row in gaussian_dropout(p=0.2).blocks[-1].rows}
    assert isinstance(gaussian_dropout(p=0.2).blocks[-1], Table)
    assert rows["0.5"][1] == 1.0
    assert rows["0.5"][3] == pytest.approx(1 / 6, abs=0.01)
