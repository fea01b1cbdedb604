import itertools
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats

from helpers import draw, seeded
from regdemo.errors import ArgumentError
from regdemo.regularizers import (
    AlphaDropout,
    DropBlock,
    SpatialDropout,
    alpha_dropout,
    drop_block,
    drop_block_seed_rate,
    dropout,
    gaussian_dropout,
    keep_mask,
    spatial_dropout,
)

P = 0.3
FALSE_ALARM = 1e-7  # of each test with an interval; the draws are seeded, so a test that passes keeps passing


def by_torch(function, x, seed=0):
    """What one of torch's own dropouts returns; they draw from the global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return function(x, P)


# dropout


@pytest.mark.parametrize("shape", [(), (6,), (2, 3), (2, 3, 4)])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_is_its_formula_in_numpy(shape, p):
    x, mask = draw(*shape), keep_mask(shape, p, generator=seeded())
    np.testing.assert_allclose(dropout(x, p, mask=mask), x.numpy() * mask.numpy() / (1 - p), rtol=1e-15)


def test_with_the_mask_that_torch_drew_dropout_returns_what_torch_returned():
    x = draw(50, 40)
    theirs = by_torch(F.dropout, x)
    torch.testing.assert_close(dropout(x, P, mask=theirs != 0), theirs, rtol=1e-15, atol=0)


def test_dropout_draws_one_coin_for_each_element():
    x = draw(6, 5)
    expected = dropout(x, P, mask=keep_mask((6, 5), P, generator=seeded(1)))
    assert torch.equal(dropout(x, P, generator=seeded(1)), expected)


@pytest.mark.parametrize("p", [0.05, 0.5, 0.8])
def test_dropout_drops_a_share_p(p):
    n = 200_000
    dropped = (dropout(torch.ones(n), p, generator=seeded()) == 0).sum().item()
    assert stats.binom.ppf(FALSE_ALARM / 2, n, p) <= dropped <= stats.binom.isf(FALSE_ALARM / 2, n, p)


def test_the_gradient_of_dropout_is_the_scaled_mask():
    x, mask = draw(6).requires_grad_(), torch.tensor([True, False, True, True, False, True])
    dropout(x, P, mask=mask).sum().backward()
    torch.testing.assert_close(x.grad, mask / (1 - P), check_dtype=False)


def test_one_mask_may_serve_every_row():
    # Locked (variational) dropout: the same units at every time step.
    x, mask = draw(4, 3), torch.tensor([True, False, True])
    assert torch.equal(dropout(x, P, mask=mask), dropout(x, P, mask=mask.expand(4, 3)))


def test_dropout_on_a_linear_model_is_a_penalty_on_its_weights():
    # E over masks of the squared error is MSE + p/(1-p) sum w_i^2 E[x_i^2]: here all 2^5 masks are gone through.
    x, w, target = draw(7, 5), torch.linspace(-1, 2, 5, dtype=torch.float64), torch.arange(7.0, dtype=torch.float64)
    expected = (target - x @ w).square().mean() + P / (1 - P) * (w.square() * x.square().mean(0)).sum()
    loss = 0.0
    for kept in itertools.product([True, False], repeat=5):
        weight = (1 - P) ** sum(kept) * P ** (5 - sum(kept))
        loss += weight * (target - dropout(x, P, mask=torch.tensor(kept)) @ w).square().mean()
    torch.testing.assert_close(loss, expected)


# gaussian_dropout


def test_gaussian_dropout_multiplies_by_the_noise_handed_in():
    x, noise = draw(2, 3), torch.tensor([[0.5], [1.5]], dtype=torch.float64)
    assert torch.equal(gaussian_dropout(x, P, noise=noise), x * noise)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_gaussian_dropouts_noise_is_normal_with_dropouts_mean_and_variance(p, dtype):
    noise = gaussian_dropout(torch.ones(100_000, dtype=dtype), p, generator=seeded()).double().numpy()
    n, deviation = noise.size, (p / (1 - p)) ** 0.5
    assert abs(noise.mean() - 1) <= stats.norm.isf(FALSE_ALARM / 2) * deviation / n**0.5
    low, high = stats.chi2.ppf([FALSE_ALARM / 2, 1 - FALSE_ALARM / 2], n)
    assert low <= ((noise - 1) ** 2).sum() / deviation**2 <= high
    assert stats.kstest((noise - 1) / deviation, "norm").pvalue > FALSE_ALARM


def test_gaussian_dropout_draws_one_number_for_each_element():
    assert gaussian_dropout(torch.ones(20, 30), P, generator=seeded()).unique().numel() == 600


def test_gaussian_dropouts_noise_in_float64_has_all_of_its_digits():
    noise = gaussian_dropout(torch.ones(100, dtype=torch.float64), P, generator=seeded())
    assert not torch.equal(noise, noise.float().double())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_gaussian_dropouts_noise_in_a_half_type_is_float32_rounded(dtype):
    ones = torch.ones(100)
    expected = gaussian_dropout(ones, P, generator=seeded()).to(dtype)
    assert torch.equal(gaussian_dropout(ones.to(dtype), P, generator=seeded()), expected)


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        (torch.ones(4), r"^noise has shape \(4,\): it must be \(2, 3\), or broadcast to it$"),
        (torch.ones(2, 2, 3), r"^noise has shape \(2, 2, 3\): it must be \(2, 3\)"),
        (torch.ones(3, dtype=torch.int64), r"^noise has dtype torch.int64: it must be floating point"),
    ],
)
def test_noise_that_does_not_fit_is_refused(noise, message):
    with pytest.raises(ArgumentError, match=message):
        gaussian_dropout(torch.ones(2, 3), P, noise=noise)


# spatial_dropout


@pytest.mark.parametrize("shape", [(8, 16, 5), (8, 16, 3, 4), (8, 16, 2, 3, 2)])
def test_a_dropped_channel_is_zero_everywhere_and_a_kept_one_nowhere(shape):
    y = spatial_dropout(torch.ones(shape), P, generator=seeded())
    share = (y == 0).flatten(2).double().mean(-1)
    assert set(share.flatten().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("function", "shape"),
    [(F.dropout1d, (9, 8, 5)), (F.dropout2d, (9, 8, 5, 3)), (F.dropout3d, (9, 8, 2, 3, 2))],
)
def test_with_the_channels_that_torch_dropped_spatial_dropout_returns_what_torch_returned(function, shape):
    x = draw(*shape)
    theirs = by_torch(function, x)
    kept = (theirs != 0).flatten(2).any(-1).view(*shape[:2], *(1,) * (len(shape) - 2))
    torch.testing.assert_close(spatial_dropout(x, P, mask=kept), theirs, rtol=1e-15, atol=0)


def test_spatial_dropout_draws_one_coin_for_each_example_and_channel():
    x = draw(6, 5, 2, 3)
    expected = spatial_dropout(x, P, mask=keep_mask((6, 5, 1, 1), P, generator=seeded(1)))
    assert torch.equal(spatial_dropout(x, P, generator=seeded(1)), expected)


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_spatial_dropout_drops_a_share_p_of_channels(p):
    n = 300 * 200
    dropped = (spatial_dropout(torch.ones(300, 200, 2), p, generator=seeded())[..., 0] == 0).sum().item()
    assert stats.binom.ppf(FALSE_ALARM / 2, n, p) <= dropped <= stats.binom.isf(FALSE_ALARM / 2, n, p)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_spatial_dropout_needs_positions(shape):
    with pytest.raises(ArgumentError, match=r"it must be \(N, C, \*positions\), 3 dimensions or more$"):
        spatial_dropout(torch.ones(shape), P)


# drop_block


def blocks_by_hand(starts, block, height, width):
    """The kept positions of one map: a block is put at each start, its upper left corner."""
    kept = [[True] * width for _ in range(height)]
    for top, left in starts:
        for row in range(top, top + block):
            for column in range(left, left + block):
                kept[row][column] = False
    return kept


def cover(block, height, width):
    """At each position, how many of the blocks inside the map would drop it."""
    count = np.zeros((height, width), dtype=int)
    for top in range(height - block + 1):
        for left in range(width - block + 1):
            count[top : top + block, left : left + block] += 1
    return count


@pytest.mark.parametrize(("block", "height", "width"), [(1, 4, 5), (3, 7, 9), (3, 3, 5), (5, 5, 5), (5, 12, 6)])
def test_drop_block_drops_a_whole_block_for_each_one_drawn(block, height, width):
    p, n, channels = 0.4, 5, 4
    kept = drop_block(torch.ones(n, channels, height, width), p, block, generator=seeded()) != 0
    places = (n, channels, height - block + 1, width - block + 1)
    drawn = ~keep_mask(places, drop_block_seed_rate(p, block, height, width), generator=seeded())
    by_hand = [
        [blocks_by_hand(drawn[i, j].nonzero().tolist(), block, height, width) for j in range(channels)]
        for i in range(n)
    ]
    assert kept.tolist() == by_hand
    assert drawn.any()


def test_drop_block_drops_each_position_as_often_as_the_blocks_over_it_say():
    # A position under c possible blocks is kept with probability (1 - gamma)^c.
    p, block, height, width, maps = 0.3, 3, 7, 9, 20_000
    dropped = drop_block(torch.ones(100, 200, height, width), p, block, generator=seeded()) == 0
    counts = dropped.sum(dim=(0, 1)).numpy()
    chance = 1 - (1 - drop_block_seed_rate(p, block, height, width)) ** cover(block, height, width)
    each = FALSE_ALARM / counts.size
    low, high = stats.binom.ppf(each / 2, maps, chance), stats.binom.isf(each / 2, maps, chance)
    assert ((low <= counts) & (counts <= high)).all()


def test_drop_block_rescales_by_the_share_really_kept():
    x, mask = draw(2, 3, 4, 5), keep_mask((2, 3, 4, 5), 0.4, generator=seeded(1))
    expected = x.numpy() * mask.numpy() / mask.numpy().mean()
    np.testing.assert_allclose(drop_block(x, 0.1, 3, mask=mask), expected, rtol=1e-15)


def test_drop_block_keeps_the_mean_of_a_constant_map_exactly():
    y = drop_block(torch.full((4, 3, 14, 14), 2.0, dtype=torch.float64), 0.2, 5, generator=seeded())
    assert y.mean().item() == pytest.approx(2, rel=1e-14)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_drop_block_returns_zeros_where_nothing_is_kept(dtype):
    # 90,000 positions: their number is inf in float16, and inf * 0 would be NaN.
    nothing = torch.zeros(1, 1, 300, 300, dtype=torch.bool)
    assert (drop_block(torch.ones(1, 1, 300, 300, dtype=dtype), 0.1, 3, mask=nothing) == 0).all()


def test_drop_block_scales_a_single_element_that_is_kept_by_the_number_of_all():
    mask = torch.arange(9).view(1, 1, 3, 3) == 4
    assert torch.equal(drop_block(torch.ones(1, 1, 3, 3), 0.3, 1, mask=mask), 9.0 * mask)


def test_drop_block_at_rate_0_keeps_everything():
    x = draw(2, 2, 7, 7)  # 196 positions: 196 * (1 / 196) is not 1
    assert torch.equal(drop_block(x, 0, 3, generator=seeded()), x)


@pytest.mark.parametrize(("block", "height", "width"), [(3, 7, 9), (7, 14, 14), (5, 5, 8)])
def test_the_seed_rate_is_the_papers_formula(block, height, width):
    places = (height - block + 1) * (width - block + 1)
    expected = Fraction(1, 10) * height * width / block**2 / places
    assert drop_block_seed_rate(0.1, block, height, width) == pytest.approx(float(expected), rel=1e-15)


def test_the_seed_rate_is_never_above_p():
    rates = [
        drop_block_seed_rate(0.999, block, height, width)
        for height in range(1, 15)
        for width in range(1, 15)
        for block in range(1, min(height, width) + 1, 2)
    ]
    assert max(rates) == pytest.approx(0.999, rel=1e-12)


@pytest.mark.parametrize("block", [-1, 0, 2, 4, 7, 9])
@pytest.mark.parametrize(("height", "width"), [(5, 8), (8, 5)])
def test_a_block_that_is_even_or_does_not_fit_is_refused(block, height, width):
    with pytest.raises(
        ArgumentError, match=rf"^block_size = {block} does not fit a {height} x {width} map: .* odd, from 1 to 5$"
    ):
        drop_block(torch.ones(1, 1, height, width), 0.1, block)


@pytest.mark.parametrize("shape", [(3, 7, 7), (1, 1, 3, 7, 7)])
def test_drop_block_needs_four_dimensions(shape):
    with pytest.raises(ArgumentError, match=r"^x has shape .*: it must be \(N, C, H, W\), 4 dimensions$"):
        drop_block(torch.ones(shape), 0.1, 3)


def test_drop_block_drops_a_tenth_in_blocks_of_7_unless_told():
    x = draw(2, 3, 9, 9)
    assert torch.equal(drop_block(x, generator=seeded()), drop_block(x, 0.1, 7, generator=seeded()))


def test_drop_block_as_a_module_shows_its_block():
    assert repr(DropBlock(0.2, 5)) == "DropBlock(p=0.2, block_size=5)"


# The rates left out


@pytest.mark.parametrize("function", [dropout, gaussian_dropout, spatial_dropout])
def test_the_rate_is_a_half_unless_told(function):
    x = draw(3, 4, 5)
    assert torch.equal(function(x, generator=seeded()), function(x, 0.5, generator=seeded()))


# alpha_dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_with_the_elements_that_torch_dropped_alpha_dropout_returns_what_torch_returned(p):
    x = draw(50, 40)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        theirs = F.alpha_dropout(x, p, training=True)
    dropped = theirs == theirs.flatten().mode().values  # the only value that repeats
    torch.testing.assert_close(alpha_dropout(x, p, mask=~dropped), theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("p", [0.2, 0.5, 0.8])
def test_alpha_dropout_keeps_the_mean_and_variance_of_standard_normal_input_exactly(p):
    # Over the mask, E y = a ((1 - p) E x + p c) + b and E y^2 alike, for E x = 0 and E x^2 = 1: two values stand for x.
    x = torch.tensor([1.0, -1.0], dtype=torch.float64)
    kept, dropped = (alpha_dropout(x, p, mask=torch.tensor(m)) for m in (True, False))
    mean = (1 - p) * kept.mean() + p * dropped.mean()
    square = (1 - p) * kept.square().mean() + p * dropped.square().mean()
    assert (mean.item(), square.item()) == pytest.approx((0, 1), abs=1e-12)


def test_alpha_dropout_draws_as_dropout_does_and_in_eval_is_the_identity():
    x = draw(6, 5)
    mask = keep_mask((6, 5), P, generator=seeded(1))
    assert torch.equal(alpha_dropout(x, P, generator=seeded(1)), alpha_dropout(x, P, mask=mask))
    assert alpha_dropout(x, P, training=False) is x
    assert AlphaDropout(P).eval()(x) is x
    assert torch.equal(AlphaDropout(P)(x, generator=seeded(1)), alpha_dropout(x, P, mask=mask))


# What is checked in training is checked in eval


@pytest.mark.parametrize("function", [dropout, alpha_dropout, spatial_dropout])
def test_a_mask_that_does_not_fit_is_refused_in_eval_too(function):
    with pytest.raises(ArgumentError, match=r"^mask has shape \(9,\)"):
        function(torch.ones(2, 3, 4), P, training=False, mask=torch.ones(9, dtype=torch.bool))


def test_noise_that_does_not_fit_is_refused_in_eval_too():
    with pytest.raises(ArgumentError, match=r"^noise has shape \(9,\)"):
        gaussian_dropout(torch.ones(2, 3), P, training=False, noise=torch.ones(9))


# The number of positions


@pytest.mark.parametrize(("positions", "shape"), [(2, (3, 8, 8)), (1, (2, 3, 8, 8)), (3, (2, 3, 8, 8))])
def test_an_input_without_the_positions_that_were_announced_is_refused(positions, shape):
    message = rf"^x has shape \(.*\): with positions = {positions} it must have {positions + 2} dimensions; unsqueeze"
    for call in (partial(spatial_dropout, p=P, positions=positions), SpatialDropout(P, positions=positions)):
        with pytest.raises(ArgumentError, match=message):
            call(torch.ones(shape))


def test_with_the_positions_announced_spatial_dropout_is_the_same_and_shows_them():
    x, module = draw(2, 3, 4, 5), SpatialDropout(P, positions=2)
    assert torch.equal(module(x, generator=seeded()), spatial_dropout(x, P, generator=seeded()))
    assert (repr(module), repr(SpatialDropout(P))) == (f"SpatialDropout(p={P}, positions=2)", f"SpatialDropout(p={P})")


# DropBlock in volumes, and one mask for all channels


def test_in_a_volume_drop_block_drops_a_whole_cube_for_each_one_drawn():
    p, block, sides = 0.3, 3, (5, 6, 7)
    kept = drop_block(torch.ones(2, 3, *sides), p, block, positions=3, generator=seeded()) != 0
    places = (2, 3, *(side - block + 1 for side in sides))
    drawn = ~keep_mask(places, drop_block_seed_rate(p, block, *sides), generator=seeded())
    expected = torch.ones(2, 3, *sides, dtype=torch.bool)
    for n, c, d, h, w in drawn.nonzero().tolist():
        expected[n, c, d : d + block, h : h + block, w : w + block] = False
    assert drawn.any()
    assert torch.equal(kept, expected)


def test_the_seed_rate_of_a_volume_counts_its_places():
    expected = 0.1 * (5 * 6 * 7) / 27 / (3 * 4 * 5)
    assert drop_block_seed_rate(0.1, 3, 5, 6, 7) == pytest.approx(expected, rel=1e-15)


def test_coupled_channels_have_one_mask_and_others_their_own():
    x = torch.ones(4, 5, 9, 9)
    coupled, own = (
        drop_block(x, 0.4, 3, couple_channels=flag, generator=seeded()).bool().flatten(2) for flag in (True, False)
    )
    assert torch.equal(coupled, coupled[:, :1].expand_as(coupled))
    assert len({tuple(row) for row in coupled[:, 0].tolist()}) == 4
    assert not torch.equal(own, own[:, :1].expand_as(own))


def test_coupled_channels_keep_the_mean():
    y = drop_block(torch.full((4, 3, 9, 9), 2.0).double(), 0.3, 3, couple_channels=True, generator=seeded())
    assert y.mean().item() == pytest.approx(2, rel=1e-14)


def test_drop_block_as_a_module_passes_its_options_on_and_shows_them():
    module = DropBlock(0.3, 3, positions=3, couple_channels=True)
    x = draw(2, 3, 5, 5, 5)
    expected = drop_block(x, 0.3, 3, positions=3, couple_channels=True, generator=seeded())
    assert torch.equal(module(x, generator=seeded()), expected)
    assert repr(module) == "DropBlock(p=0.3, block_size=3, positions=3, couple_channels=True)"


@pytest.mark.parametrize("positions", [0, 1, 4, None])
def test_drop_block_is_for_maps_and_volumes(positions):
    with pytest.raises(ArgumentError, match=rf"^positions = {positions} is not allowed: choose 2 for maps, 3 for vol"):
        drop_block(torch.ones(1, 1, 7, 7), positions=positions)


def test_a_map_is_no_volume():
    with pytest.raises(ArgumentError, match=r"it must be \(N, C, D, H, W\), 5 dimensions$"):
        drop_block(torch.ones(1, 7, 7, 7), positions=3)
