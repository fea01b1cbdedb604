"""The zoneout demo: its claims hold at every rate, and its picture shows what it says."""

import pytest
import torch

from helpers import broken
from regdemo import regularizers
from regdemo.demos.zoneout import zoneout
from regdemo.report import Curves, HeatMap


def block(report, kind):
    return next(block for block in report.picture + report.blocks if isinstance(block, kind))


@pytest.mark.parametrize("steps", [1, 20, 100])
@pytest.mark.parametrize("p", [0.0, 5e-324, 0.1, 0.5, 0.99, 1 - 2**-53])
def test_every_claim_holds_at_any_rate_and_length(p, steps):
    assert broken(zoneout(p=p, steps=steps, size=500, seed=1)) == []


@pytest.mark.parametrize("size", [1, 2, 20_000])
def test_every_claim_holds_for_any_number_of_units(size):
    assert broken(zoneout(p=0.3, size=size, seed=2)) == []


def test_a_right_zoneout_written_otherwise_passes(monkeypatch):
    def other(new, previous, p, training=True, *, generator=None, mask=None):
        if not training:
            return new + p * (previous - new)
        if mask is None:
            mask = torch.rand(new.shape, generator=generator) >= p
        return previous + mask * (new - previous)

    monkeypatch.setattr(regularizers, "zoneout", other)
    assert broken(zoneout(p=0.3)) == []


def test_a_unit_in_the_picture_is_updated_or_one_step_older():
    rows = block(zoneout(p=0.5, seed=3), HeatMap).values
    for row in rows:
        for before, after in zip([0.0, *row], row, strict=False):
            assert after in (0.0, before + 1)


def test_zoneout_keeps_what_dropout_on_the_state_loses():
    kept, dropped = (series.y for series in block(zoneout(p=0.5, steps=20), Curves).series)
    assert kept == [1.0] * 21
    # 5,000 units, each kept for 20 steps with probability 1e-6: more than 3 with a probability below 1e-10.
    assert dropped[-1] <= 3 / 5_000
