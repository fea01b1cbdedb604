"""The locked dropout demo: its claims hold at every rate, and its picture shows what it says."""

import pytest
import torch

from helpers import broken
from regdemo import regularizers
from regdemo.demos.locked_dropout import locked_dropout
from regdemo.report import Curves, HeatMap


def block(report, kind):
    return next(block for block in report.picture + report.blocks if isinstance(block, kind))


@pytest.mark.parametrize("steps", [2, 20])
@pytest.mark.parametrize("size", [1, 500])
@pytest.mark.parametrize("p", [0.0, 5e-324, 0.1, 0.5, 0.99, 1 - 1e-9])
def test_every_claim_holds_at_any_rate_and_size(p, size, steps):
    assert broken(locked_dropout(p=p, size=size, steps=steps, seed=1)) == []


def test_a_right_locked_dropout_written_otherwise_passes(monkeypatch):
    def other(x, p, training=True, *, time_dim=1, generator=None, mask=None):
        if not training:
            return x
        if mask is None:
            mask = torch.rand(x.select(time_dim, 0).shape, generator=generator).unsqueeze(time_dim) >= p
        return x * mask / (1 - p)

    monkeypatch.setattr(regularizers, "locked_dropout", other)
    assert broken(locked_dropout(p=0.3)) == []


def test_each_unit_in_the_picture_is_dropped_throughout_or_not_at_all():
    rows = block(locked_dropout(p=0.5, seed=2), HeatMap).values
    assert [len(set(row)) for row in rows] == [1] * 12
    assert {row[0] for row in rows} == {0.0, 2.0}


def test_a_locked_mask_drops_no_more_units_as_time_goes_on():
    locked, fresh = (series.y for series in block(locked_dropout(p=0.5), Curves).series)
    assert len(set(locked)) == 1
    # 6,000 units, each spared for 20 steps with probability 1e-6: more than 3 with a probability below 1e-9.
    assert fresh[-1] <= 3 / 6_000
