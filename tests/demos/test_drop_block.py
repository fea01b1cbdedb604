from itertools import product

import numpy as np
import pytest
import torch

from helpers import blocks_of
from regdemo import regularizers
from regdemo.demos import drop_block as demo
from regdemo.demos.drop_block import SIDES, drop_block
from regdemo.errors import ArgumentError
from regdemo.report import HeatMap, Table


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("maps", [1, 100])
@pytest.mark.parametrize("block_size", [1, 3, 7])
@pytest.mark.parametrize("p", [0.0, 5e-324, 1e-6, 0.1, 0.5, 0.999, 1 - 1e-9, 1 - 2**-53])
def test_every_claim_holds_at_every_rate_and_size(p, block_size, maps, seed):
    # Each statistical claim is missed by chance once in 10^9.
    report = drop_block(p=p, block_size=block_size, maps=maps, seed=seed)
    assert [claim for claim in report.claims if not claim.holds] == []


@pytest.mark.parametrize("block_size", [2, 4, 6])
def test_an_even_block_is_refused_by_name(block_size):
    with pytest.raises(ArgumentError, match=rf"^block_size = {block_size} .*odd, from 1 to 7$"):
        drop_block(block_size=block_size)


def kept_mean_one(x, mask):
    return x * mask / mask.float().mean().clamp(min=1e-9)


def by_element(x, p, block_size, *, training=True, generator=None, mask=None):
    regularizers.drop_block_seed_rate(p, block_size, *x.shape[2:])
    return kept_mean_one(x, regularizers.keep_mask(x.shape, p, generator=generator) if mask is None else mask)


def centres_at_rate_p(x, p, block_size, *, training=True, generator=None, mask=None):
    right = regularizers.activations.drop_block
    nominal = p * (p / regularizers.drop_block_seed_rate(p, block_size, *x.shape[2:]))
    return right(x, min(nominal, 0.9), block_size, training=training, generator=generator, mask=mask)


def rescaled_by_p(x, p, block_size, *, training=True, generator=None, mask=None):
    y = regularizers.activations.drop_block(x, p, block_size, training=training, generator=generator, mask=mask)
    return (y != 0) * x / (1 - p) if training else x


def whole_maps(x, p, block_size, *, training=True, generator=None, mask=None):
    regularizers.drop_block_seed_rate(p, block_size, *x.shape[2:])
    kept = regularizers.keep_mask((*x.shape[:2], 1, 1), p, generator=generator).expand(x.shape)
    return kept_mean_one(x, kept if mask is None else mask) if training else x


def without_check(x, p, block_size, *, training=True, generator=None, mask=None):
    odd = block_size - 1 + block_size % 2
    return regularizers.activations.drop_block(x, p, odd, training=training, generator=generator, mask=mask)


@pytest.mark.parametrize("wrong", [by_element, centres_at_rate_p, rescaled_by_p, whole_maps, without_check])
def test_a_wrong_drop_block_fails_a_claim(monkeypatch, wrong):
    monkeypatch.setattr(regularizers, "drop_block", wrong)
    assert not drop_block(p=0.3).holds


@pytest.mark.parametrize("gamma", [0.0, 0.1, 0.7])
def test_mean_and_variance_of_the_share_equal_those_over_all_masks(gamma):
    block, side = 3, 5  # nine centres: 512 masks, each with its probability
    chances, shares = [], []
    for centres in product([False, True], repeat=9):
        dropped = np.zeros((side, side), dtype=bool)
        for at, drawn in enumerate(centres):
            row, column = divmod(at, 3)
            dropped[row : row + block, column : column + block] |= drawn
        chances.append(np.prod([gamma if drawn else 1 - gamma for drawn in centres]))
        shares.append(dropped.mean())
    mean = np.dot(chances, shares)
    variance = np.dot(chances, np.square(shares)) - mean**2
    assert demo._fraction_dropped(gamma, block, side) == pytest.approx((mean, variance), abs=1e-12)


@pytest.mark.parametrize("block", [1, 3, 5, 7])
def test_the_centers_over_a_position_are_counted_as_by_hand(block):
    side, margin = 9, block // 2
    counted = [sum(abs(at - c) <= margin for c in range(margin, side - margin)) for at in range(side)]
    assert demo._centers_over(block, side) == counted


def test_where_one_block_fits_the_fraction_dropped_is_p():
    table = next(block for block in blocks_of(drop_block(p=0.3)) if isinstance(block, Table))
    first = table.rows[0]
    assert first[0] == "7 x 7"
    assert first[1:3] == pytest.approx([0.3, 0.3])


def test_overlap_takes_the_share_below_p_on_larger_maps():
    table = next(block for block in blocks_of(drop_block(p=0.3)) if isinstance(block, Table))
    assert [row[0] for row in table.rows] == [f"{side} x {side}" for side in SIDES]
    assert all(0.2 < row[2] < 0.3 for row in table.rows[1:])


def test_single_dropped_elements_lie_outside_blocks():
    dropped = torch.zeros(1, 1, 6, 6, dtype=torch.bool)
    dropped[..., 1:4, 1:4] = True
    assert demo._outside_blocks(dropped, 3) == 0.0
    dropped[..., 5, 5] = True
    assert demo._outside_blocks(dropped, 3) == pytest.approx(1 / 36)


def test_the_map_of_rates_is_lowest_in_the_corners_and_highest_in_the_middle():
    rates = np.array([block for block in blocks_of(drop_block()) if isinstance(block, HeatMap)][-1].values)
    corners = rates[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert rates.shape == (14, 14)
    # Corners are dropped at 0.00625, the middle at 0.26: over 1,000 maps, 5 standard errors are 0.013 and 0.07.
    assert corners.max() < 0.05
    assert rates[6:8, 6:8].min() > 0.15
