"""The DropPath demo: its claims hold at every rate, and each wrong DropPath breaks one."""

import pytest
import torch

from helpers import blocks_of, broken
from regdemo import regularizers
from regdemo.demos.drop_path import drop_path
from regdemo.report import Curves, HeatMap, Table


# Each bound is missed by chance once in 10^9, so the about 250 claims below are once in 10^6.
@pytest.mark.parametrize("p", [0.0, 1e-9, 0.1, 0.5, 0.99, 1 - 1e-7, 1 - 2**-53])
@pytest.mark.parametrize(
    "sizes", [{"examples": 1, "depth": 1, "draws": 10}, {"draws": 1000}, {"examples": 64, "depth": 64, "draws": 100}]
)
def test_every_claim_holds_at_any_rate_and_size(p, sizes):
    assert broken(drop_path(p=p, seed=1, **sizes)) == []


def test_one_coin_for_every_two_examples_breaks_the_variance_of_the_batch(monkeypatch):
    right = regularizers.drop_path

    def in_pairs(x, p, *, mask=None, generator=None, **kw):
        if mask is None:
            mask = regularizers.keep_mask((len(x),), p, generator=generator)[torch.arange(len(x)) // 2 * 2]
            mask = mask.view(-1, *(1 for _ in x.shape[1:]))
        return right(x, p, mask=mask, **kw)

    monkeypatch.setattr(regularizers, "drop_path", in_pairs)
    assert "The variance of the batch's mean factor, per sample" in broken(drop_path(p=0.5))


def test_dropping_in_eval_breaks_its_claim(monkeypatch):
    right = regularizers.drop_path
    monkeypatch.setattr(regularizers, "drop_path", lambda x, p, training=True, **kw: right(x, p, **kw))
    assert broken(drop_path(p=0.5)) == ["In eval nothing changes"]


def test_per_sample_batches_are_mixed_and_per_batch_ones_are_not():
    per_sample, per_batch = (
        torch.tensor(block.values) for block in blocks_of(drop_path(p=0.5)) if isinstance(block, HeatMap)
    )
    assert (per_sample != per_sample[0]).any()
    assert torch.equal(per_batch, per_batch[:1].expand_as(per_batch))
    assert {*per_sample.flatten().tolist()} == {*per_batch.flatten().tolist()} == {0.0, 2.0}


def test_only_unmixed_conventions_agree_with_eval():
    table = next(
        block for block in blocks_of(drop_path(p=0.5)) if isinstance(block, Table) and "rescale" in block.title
    )
    assert [row[-1] for row in table.rows] == pytest.approx([1, 1, 0.5, 2], rel=0.1)


def test_the_expected_depth_is_the_sum_of_the_keep_rates():
    report = drop_path(p=0.4, depth=5)
    claim = next(claim for claim in report.claims if "depth" in claim.statement)
    assert claim.expected == pytest.approx(5 - (0 + 0.1 + 0.2 + 0.3 + 0.4))
    curves = next(block for block in blocks_of(report) if isinstance(block, Curves))
    assert curves.series[0].y == pytest.approx([1, 0.9, 0.8, 0.7, 0.6])


def test_the_operations_of_masking_are_those_of_two_matrix_products_for_each_row():
    table = drop_path(p=0.5).blocks[-1]
    assert isinstance(table, Table)
    assert table.rows[0][1] == 40 * 256 * 2 * (2 * 32 * 128)
