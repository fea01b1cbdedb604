"""The DropConnect demo: its claims hold at every rate, its bounds are true, and each wrong DropConnect breaks one."""

from itertools import product
from math import inf, isclose

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from helpers import blocks_of, broken
from regdemo import regularizers
from regdemo.bounds import mean_of_bounded
from regdemo.demos.drop_connect import _mean_square, _relu_of_gaussian, drop_connect
from regdemo.report import HeatMap

TERMS = [0.7, -0.4, 1.1, 0.2, -0.9]


def noise(p: float, terms: list[float]) -> tuple[torch.Tensor, torch.Tensor]:
    """Each value that sum_i terms_i (m_i/(1-p) - 1) can take, and its probability, by going through all masks."""
    masks = torch.tensor(list(product([0.0, 1.0], repeat=len(terms))), dtype=torch.float64)
    probability = (masks * (1 - p) + (1 - masks) * p).prod(1)
    return (masks / (1 - p) - 1) @ torch.tensor(terms, dtype=torch.float64), probability


# Each bound is missed by chance once in 10^9, so the about 200 claims below are less than once in 10^6.
@pytest.mark.parametrize("p", [0.0, 1e-9, 0.1, 0.5, 0.99, 1 - 1e-7, 1 - 2**-53])
@pytest.mark.parametrize("sizes", [{"inputs": 1, "draws": 10}, {"draws": 2000}, {"inputs": 256, "draws": 100}])
def test_every_claim_holds_at_any_rate_and_size(p, sizes):
    assert broken(drop_connect(p=p, seed=5, **sizes)) == []


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_bound_on_a_mean_square_has_the_variance_that_going_through_all_masks_gives(p):
    values, probability = noise(p, TERMS)
    squares = (0.3 + values) ** 2
    variance = (probability * squares**2).sum() - (probability * squares).sum() ** 2
    furthest = (0.3 + max(1, p / (1 - p)) * sum(map(abs, TERMS))) ** 2
    bound, _ = _mean_square(p, torch.tensor([TERMS], dtype=torch.float64), torch.tensor([0.3], dtype=torch.float64), 99)
    assert isclose(bound, mean_of_bounded(variance.item(), furthest, 99)[0], rel_tol=1e-9)
    assert squares.max() <= furthest


@pytest.mark.parametrize("mean", [-1.0, 0.0, 2.0])
def test_relu_of_a_gaussian_is_its_integral(mean):
    integral, _ = quad(lambda u: u * norm.pdf(u, mean, 0.7), 0, inf)
    assert _relu_of_gaussian(mean, 0.7) == pytest.approx(integral, abs=1e-7)


def test_relu_of_a_constant_is_relu():
    assert [_relu_of_gaussian(mean, 0) for mean in (-1.0, 2.0)] == [0.0, 2.0]


def test_dropping_inputs_instead_of_weights_breaks_only_what_needs_a_second_unit(monkeypatch):
    right = regularizers.drop_connect

    def like_dropout(x, weight, bias=None, p=0.5, *, mask=None, per_sample=True, generator=None):
        if mask is None and per_sample:
            mask = regularizers.keep_mask((len(x), 1, x.shape[1]), p, generator=generator).expand(-1, len(weight), -1)
        return right(x, weight, bias, p, mask=mask, per_sample=per_sample, generator=generator)

    monkeypatch.setattr(regularizers, "drop_connect", like_dropout)
    assert broken(drop_connect()) == [
        "Under DropConnect the two units' noise is uncorrelated: $E[(u_1 - u_2)^2]$ is twice the penalty"
    ]


def test_a_mask_for_each_example_breaks_the_claim_of_the_shared_one(monkeypatch):
    right = regularizers.drop_connect
    monkeypatch.setattr(regularizers, "drop_connect", lambda *args, per_sample=True, **kw: right(*args, **kw))
    assert broken(drop_connect()) == ["With one mask for the batch, equal examples stay equal"]


@pytest.mark.parametrize("seed", range(3))
def test_without_drops_the_table_shows_no_penalty(seed):
    (rows,) = (
        block.rows for block in blocks_of(drop_connect(p=0.0, seed=seed)) if "twin" in getattr(block, "title", "")
    )
    assert [row[1] for row in rows] == [0, 0]


def test_moments_with_a_variance_that_forgets_the_inputs_break_their_claim(monkeypatch):
    right = regularizers.drop_connect_moments
    monkeypatch.setattr(
        regularizers, "drop_connect_moments", lambda x, w, b, p: (right(x, w, b, p)[0], right(x * 0 + 0.5, w, b, p)[1])
    )
    assert "The variance of u over masks" in broken(drop_connect())


def test_at_the_defaults_the_claim_on_the_gaussian_would_refuse_the_mean_weights():
    claim = drop_connect().claims[-1]
    assert claim.expected > 2 * claim.tolerance  # relu(E[u]) is 0 there


def test_only_dropouts_mask_falls_by_whole_columns():
    dropout, drop = (torch.tensor(block.values) for block in blocks_of(drop_connect()) if isinstance(block, HeatMap))
    assert torch.equal(dropout, dropout[:1].expand_as(dropout))
    assert (drop != drop[:1]).any()
