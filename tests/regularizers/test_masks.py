import pytest
import torch
from scipy import stats

from helpers import seeded
from regdemo.regularizers.masks import RateModule, keep_mask, scale_kept

FALSE_ALARM = 1e-7  # of each interval below; the draws are seeded, so a test that passes keeps passing


def within(count, n, p):
    """Whether a count lies in the exact binomial interval for n draws at probability p."""
    return stats.binom.ppf(FALSE_ALARM / 2, n, p) <= count <= stats.binom.isf(FALSE_ALARM / 2, n, p)


@pytest.mark.parametrize("p", [0.001, 0.1, 0.5, 0.9])
def test_the_share_dropped_is_p(p):
    mask = keep_mask((200_000,), p, generator=seeded())
    assert within((~mask).sum().item(), mask.numel(), p)


def test_a_small_rate_is_not_lost_to_rounding():
    # A uniform draw in float16 is 0 once in 2,048: at p = 1e-5 it would drop 50 times too many.
    mask = keep_mask((4_000_000,), 1e-5, generator=seeded())
    assert within((~mask).sum().item(), mask.numel(), 1e-5)


def test_neighbours_are_dropped_independently():
    dropped = ~keep_mask((400_000,), 0.3, generator=seeded())
    both = dropped[0::2] & dropped[1::2]
    assert within(both.sum().item(), both.numel(), 0.3**2)


def test_two_calls_are_independent():
    generator = seeded()
    first, second = (~keep_mask((200_000,), 0.3, generator=generator) for _ in range(2))
    assert within((first & second).sum().item(), first.numel(), 0.3**2)


def test_rows_and_columns_have_masks_of_their_own():
    mask = keep_mask((50, 50), 0.5, generator=seeded())
    assert len({tuple(row) for row in mask.tolist()}) == 50
    assert len({tuple(column) for column in mask.T.tolist()}) == 50


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4), torch.Size([5]), [2, 2]])
def test_a_mask_is_bool_and_has_the_shape_asked_for(shape):
    mask = keep_mask(shape, 0.5, generator=seeded())
    assert (mask.dtype, mask.shape) == (torch.bool, torch.Size(shape))


def test_at_rate_0_all_is_kept():
    assert keep_mask((100_000,), 0, generator=seeded()).all()


def test_at_rate_0_even_a_uniform_draw_of_0_is_kept(monkeypatch):
    # It comes once in 2^24 draws, too seldom for the test above.
    monkeypatch.setattr(torch, "rand", lambda shape, **_: torch.zeros(shape))
    assert keep_mask((2,), 0).all()


def test_a_mask_is_drawn_on_the_device_asked_for():
    assert keep_mask((2,), 0.5, device=torch.device("meta")).device.type == "meta"


def test_a_mask_is_the_same_whatever_the_default_dtype():
    expected = keep_mask((100,), 0.5, generator=seeded())
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.equal(keep_mask((100,), 0.5, generator=seeded()), expected)
    finally:
        torch.set_default_dtype(torch.float32)


# What the mask does


@pytest.mark.parametrize("shape", [(3,), (1,)])
def test_what_is_kept_is_scaled_by_one_factor_whether_the_mask_is_large_or_small(shape):
    x, mask = torch.full((3,), 0.7), torch.ones(shape, dtype=torch.bool)
    torch.testing.assert_close(scale_kept(x, mask, 0.3), torch.ones(3), rtol=2e-7, atol=0)


def test_what_is_kept_is_scaled_and_what_is_dropped_is_zero():
    y = scale_kept(torch.tensor([1.0, -2.0, 3.0]), torch.tensor([True, False, True]), 0.2)
    torch.testing.assert_close(y, torch.tensor([1.25, 0.0, 3.75]))


def test_a_nan_is_not_hidden_by_the_mask():
    x = torch.tensor([float("nan"), float("inf"), 1.0])
    assert scale_kept(x, torch.zeros(3, dtype=torch.bool), 0.5).isnan().tolist() == [True, True, False]


def test_the_scale_is_not_rounded_to_bfloat16():
    # 1 / 0.9 is 1.109375 in bfloat16: 0.15% too small, and every product with it.
    x = torch.arange(1, 257, dtype=torch.bfloat16)
    assert torch.equal(scale_kept(x, torch.ones(256, dtype=torch.bool), 0.1), (x.double() / 0.9).bfloat16())


@pytest.mark.parametrize("p", [0.3, 0.5])
def test_a_second_derivative_passes_through_the_mask(p):
    x = torch.linspace(-1, 1, 6, dtype=torch.float64).requires_grad_()
    mask = keep_mask((6,), p, generator=seeded())
    assert torch.autograd.gradgradcheck(lambda x: scale_kept(x, mask, p) ** 3, x)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")  # torch's own, at the first such derivative
def test_a_forward_derivative_passes_through_the_mask():
    x, mask = torch.ones(6), keep_mask((6,), 0.5, generator=seeded())
    _, tangent = torch.func.jvp(lambda x: scale_kept(x, mask, 0.5), (x,), (3 * x,))
    assert torch.equal(tangent, 6 * mask)


@pytest.mark.parametrize(("x_dim", "mask_dim"), [(0, 0), (1, 0), (0, None), (None, 1)])
def test_a_derivative_passes_through_vmap_and_the_mask(x_dim, mask_dim):
    x, mask = torch.linspace(-1, 1, 9, dtype=torch.float64).view(3, 3), keep_mask((3, 3), 0.5, generator=seeded())
    x, mask = x[0] if x_dim is None else x, mask[0] if mask_dim is None else mask
    together = torch.func.vmap(lambda x, mask: scale_kept(x, mask, 0.5), in_dims=(x_dim, mask_dim))
    x_rows, mask_rows = (
        t.expand(3, 3) if dim is None else t.movedim(dim, 0) for t, dim in ((x, x_dim), (mask, mask_dim))
    )
    assert torch.equal(together(x, mask), 2 * x_rows * mask_rows)
    by_hand = torch.func.grad(
        lambda x: (2 * (x.expand(3, 3) if x_dim is None else x.movedim(x_dim, 0)) * mask_rows).pow(3).sum()
    )
    torch.testing.assert_close(torch.func.grad(lambda x: together(x, mask).pow(3).sum())(x), by_hand(x))


def test_channels_that_are_last_in_memory_stay_last():
    images = torch.ones(2, 3, 4, 5).to(memory_format=torch.channels_last)
    kept = scale_kept(images, torch.ones(2, 3, 4, 5, dtype=torch.bool), 0.5)
    assert kept.is_contiguous(memory_format=torch.channels_last)


def test_a_rate_module_drops_half_unless_told():
    assert (RateModule().p, repr(RateModule())) == (0.5, "RateModule(p=0.5)")
