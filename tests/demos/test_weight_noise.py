import pytest

from helpers import blocks_of
from regdemo.demos.weight_noise import weight_noise
from regdemo.report import Table


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("draws", [10, 100, 5_000])
@pytest.mark.parametrize("std", [0.001, 0.05, 0.2, 1.0])
def test_every_claim_holds_at_every_size(std, draws, seed):
    # Each statistical claim is missed by chance once in 10^9.
    report = weight_noise(std=std, draws=draws, seed=seed)
    assert [claim for claim in report.claims if not claim.holds] == []


def tables():
    return [block for block in blocks_of(weight_noise(std=0.2)) if isinstance(block, Table)]


def test_ten_times_the_weights_pay_the_same():
    one, ten = tables()[0].rows
    assert one[3] == pytest.approx(ten[3], rel=1e-6)
