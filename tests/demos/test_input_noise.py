"""The input noise demo: its claims hold at every size, and each wrong noise breaks one."""

import pytest
import torch

from helpers import broken
from regdemo import regularizers
from regdemo.demos.input_noise import input_noise

RIGHT = regularizers.input_noise


# Each bound is missed by chance once in 10^9.
@pytest.mark.parametrize("std", [0.001, 0.5, 10.0])
@pytest.mark.parametrize("size", [10, 1_000, 200_000])
def test_every_claim_holds_at_any_size(std, size):
    assert broken(input_noise(std=std, size=size, seed=3)) == []


def multiplied(x, std, *, training=True, generator=None, noise=None):
    noise = torch.randn(x.shape, generator=generator) if noise is None else noise
    return x * (1 + std * noise) if training else x


@pytest.mark.parametrize(
    ("wrong", "claim"),
    [
        (multiplied, "The loss averaged over the noise is the loss plus $\\sigma^2 |w|^2$"),
        (lambda x, std, **kw: RIGHT(x, std**2, **kw), "The best weights under the noise are those of ridge regression"),
        (lambda x, std, **kw: RIGHT(x, std, **kw) + 0.1 * kw.get("training", True), "The mean of the noise is 0"),
        (lambda x, std, **kw: RIGHT(x, 2 * std, **kw), "The fraction of the noise within one standard deviation"),
        (lambda x, std, training=True, **kw: RIGHT(x, std, **kw), "In eval nothing changes"),
    ],
)
def test_a_wrong_noise_breaks_its_claim(monkeypatch, wrong, claim):
    monkeypatch.setattr(regularizers, "input_noise", wrong)
    assert claim in broken(input_noise())


def test_nearly_half_of_all_gpt2_ids_change():
    claim = next(claim for claim in input_noise().claims if "long()" in claim.statement)
    assert claim.expected == pytest.approx(0.457, abs=0.01)
    assert claim.measured == pytest.approx(0.457, abs=0.02)


def test_id_0_never_changes():
    rows = [input_noise(seed=seed, size=10).blocks[1].rows[0] for seed in range(5)]
    assert {(row[0], row[2]) for row in rows} == {("0", "0")}
