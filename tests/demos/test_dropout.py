import pytest
import torch
import torch.nn.functional as F

from helpers import blocks_of
from regdemo import regularizers
from regdemo.demos.dropout import RATES, dropout
from regdemo.report import Curves, HeatMap, Table


def block(report, kind, index=0):
    return [block for block in report.picture + blocks_of(report) if isinstance(block, kind)][index]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("size", [1_000, 30_000])
@pytest.mark.parametrize("p", [0.0, 5e-324, 1e-6, 0.1, 0.3, 0.5, 0.8, 0.999, 1 - 1e-9, 1 - 2**-53])
def test_every_claim_holds_at_every_rate_and_size(p, size, seed):
    # Each statistical claim is missed by chance once in 10^9.
    failed = [claim for claim in dropout(p=p, size=size, seed=seed).claims if not claim.holds]
    assert failed == []


def test_a_right_dropout_written_otherwise_passes(monkeypatch):
    def other(x, p, *, training=True, generator=None, mask=None):
        kept = torch.rand(x.shape, generator=generator) >= p if mask is None else mask
        return x * kept / (1 - p) if training else x

    monkeypatch.setattr(regularizers, "dropout", other)
    assert dropout(p=0.3).holds


def test_the_picture_shows_zeros_and_scaled_survivors():
    grid = block(dropout(p=0.5), HeatMap)
    assert {value for row in grid.values for value in row} == {0.0, 2.0}
    assert (grid.low, grid.high) == (0.0, 2.0)


def test_the_pictures_title_counts_what_it_shows_as_dropped():
    grid = block(dropout(p=0.3, seed=4), HeatMap)
    zeros = sum(value == 0 for row in grid.values for value in row)
    assert f"{zeros} of 192 dropped" in grid.title


def test_the_table_has_the_usual_rates_and_the_one_asked_for():
    rows = block(dropout(p=0.35), Table).rows
    assert [row[0] for row in rows] == [str(p) for p in sorted([*RATES, 0.35])]


def test_the_tables_moments_are_those_of_torchs_dropout():
    x = torch.full((200_000,), 2.0, dtype=torch.float64)
    rows = {float(row[0]): row for row in block(dropout(p=0.2, size=200_000), Table).rows}
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(1)
        theirs = F.dropout(x, 0.2)
    _, scale, dropped, mean, variance, formula = rows[0.2]
    assert scale == 1.25
    assert formula == pytest.approx(1.0)
    # 8 standard errors of the difference of two means over 200,000 draws: false alarm below 1e-14.
    assert dropped == pytest.approx((theirs == 0).double().mean().item(), abs=0.011)
    assert mean == pytest.approx(theirs.mean().item(), abs=0.03)
    assert variance == pytest.approx((theirs - x).square().mean().item(), abs=0.045)


def test_without_the_rescale_the_mean_falls_layer_by_layer():
    rescaled, never, twice = (series.y for series in block(dropout(p=0.2), Curves).series)
    # Over 30,000 draws a layer's fraction slips by at most 0.017 of 0.8 (Bernstein, 1e-9): 2%, or 29% over 12 layers.
    assert rescaled == pytest.approx([2.0] * 13, rel=0.29)
    assert never == pytest.approx([2 * 0.8**depth for depth in range(13)], rel=0.29)
    assert twice == pytest.approx([2 * 0.8**depth for depth in range(13)])
