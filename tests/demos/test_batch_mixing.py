import itertools

import pytest
import torch

from regdemo import regularizers
from regdemo.demos.batch_mixing import batch_mixing


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(("examples", "draws"), [(2, 10), (3, 100), (64, 1_000)])
@pytest.mark.parametrize("p", [0.0, 1e-9, 0.3, 0.5, 0.7, 1.0])
def test_every_claim_holds_at_every_share_and_size(p, examples, draws, seed):
    # Each statistical claim is missed by chance once in 10^9.
    report = batch_mixing(p=p, examples=examples, draws=draws, seed=seed)
    assert [claim for claim in report.claims if not claim.holds] == []


@pytest.mark.parametrize("p", [0.0, 0.3, 0.7])
def test_over_all_permutations_the_variance_kept_is_exactly_the_formula(p):
    x = torch.tensor([0.5, -1.0, 2.0, 4.0], dtype=torch.float64)
    mixed = torch.stack([p * x + (1 - p) * x[list(order)] for order in itertools.permutations(range(4))])
    kept = (mixed.var(1, correction=0) / x.var(correction=0)).mean().item()
    assert kept == pytest.approx(p**2 + (1 - p) ** 2)


def batch_mixing_in_its_place(weight, pretrained, p, *, mask):
    return p * weight + (1 - p) * pretrained.roll(1, 0)


def not_rescaled(weight, pretrained, p, *, mask):
    return (1 - p) * regularizers.weights.mixout(weight, pretrained, p, mask=mask)


@pytest.mark.parametrize("wrong", [batch_mixing_in_its_place, not_rescaled])
def test_a_wrong_mixout_fails_a_claim(monkeypatch, wrong):
    monkeypatch.setattr(regularizers, "mixout", wrong)
    assert not batch_mixing().holds
