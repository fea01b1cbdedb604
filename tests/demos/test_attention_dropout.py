"""The attention dropout demo: its claims hold at every rate, and each wrong attention dropout breaks one."""

import pytest
import torch

from helpers import blocks_of, broken
from regdemo import regularizers
from regdemo.demos.attention_dropout import attention_dropout
from regdemo.report import HeatMap, Table


# Each bound is missed by chance once in 10^9, so the about 500 claims below are once in 10^6.
@pytest.mark.parametrize("p", [0.0, 1e-9, 0.1, 0.5, 0.99, 1 - 1e-7, 1 - 2**-53])
@pytest.mark.parametrize(
    "sizes", [{"tokens": 2, "draws": 10}, {"tokens": 8, "draws": 500}, {"tokens": 32, "draws": 50}]
)
def test_every_claim_holds_at_any_rate_and_size(p, sizes):
    for seed in range(3):
        assert broken(attention_dropout(p=p, seed=seed, **sizes)) == []


def test_renormalising_the_rows_breaks_the_variance_of_a_row(monkeypatch):
    def renormalised(query, key, value, p, *, is_causal=False, training=True, generator=None, mask=None):
        weights = regularizers.attention_weights(query, key, is_causal=is_causal)
        weights = regularizers.dropout(weights, p, generator=generator, mask=mask)
        return weights / weights.sum(-1, keepdim=True).clamp(min=1e-9) @ value

    monkeypatch.setattr(regularizers, "attention_dropout", renormalised)
    assert "The variance of a row's sum (ours)" in broken(attention_dropout(p=0.5))


def test_dropping_without_a_rescale_breaks_the_mean_of_a_row(monkeypatch):
    right = regularizers.attention_dropout
    monkeypatch.setattr(regularizers, "attention_dropout", lambda q, k, v, p, **kw: right(q, k, v, p, **kw) * (1 - p))
    assert "A row sums to 1 on average (ours)" in broken(attention_dropout(p=0.5))


def test_dropping_whole_rows_breaks_the_variance_of_a_row(monkeypatch):
    right = regularizers.attention_dropout

    def by_row(q, k, v, p, *, generator=None, mask=None, **kw):
        if mask is None:
            mask = regularizers.keep_mask((*q.shape[:-1], 1), p, generator=generator)
        return right(q, k, v, p, mask=mask, **kw)

    monkeypatch.setattr(regularizers, "attention_dropout", by_row)
    assert "The variance of a row's sum (ours)" in broken(attention_dropout(p=0.5))


def test_before_and_after_are_drawn_on_one_scale_and_differ_by_0_or_the_rescale():
    before, after = (block for block in blocks_of(attention_dropout(p=0.5)) if isinstance(block, HeatMap))
    assert (before.low, before.high) == (after.low, after.high)
    first, second = torch.tensor(before.values), torch.tensor(after.values)
    assert torch.equal(first.triu(1), torch.zeros_like(first))
    torch.testing.assert_close(second, torch.where(second == 0, 0.0, first * 2))
    assert 0 < (second[first > 0] == 0).sum() < (first > 0).sum()


def test_in_eval_only_sdpa_goes_on_dropping():
    table = attention_dropout(p=0.5).blocks[-1]
    assert isinstance(table, Table)
    (_, *theirs), (_, *ours) = table.rows
    assert theirs == pytest.approx([0.5, 0.5], abs=0.05)
    assert ours == [0.0, 0.0]
