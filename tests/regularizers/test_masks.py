from fractions import Fraction

import pytest
import torch
from scipy import stats
from torch.utils._python_dispatch import TorchDispatchMode

from helpers import seeded
from regdemo.errors import ArgumentError
from regdemo.regularizers import masks
from regdemo.regularizers.masks import LARGE, SMALL, RateModule, keep_mask, keep_masks, scale_kept

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


# Large masks, drawn as bytes


@pytest.mark.parametrize("p", [0.1, 0.3, 0.999])
def test_each_of_the_eight_elements_of_a_word_is_dropped_at_rate_p(p):
    dropped = ~keep_mask((100_000, 8), p, generator=seeded())
    assert all(within(count, 100_000, p) for count in dropped.sum(0).tolist())


def test_elements_of_one_word_and_of_its_neighbour_are_dropped_independently():
    words, p = 200_000, 0.3
    dropped = (~keep_mask((words // 2, 16), p, generator=seeded())).double()
    together = (dropped.T @ dropped)[~torch.eye(16, dtype=torch.bool)]
    assert all(within(count, words // 2, p**2) for count in together.tolist())


@pytest.mark.parametrize("p", [0.0, 1e-7, 0.001, 1 / 256, 0.1, 0.3, 0.5, 1 - 2**-53])
def test_what_bytes_drop_and_what_gaps_drop_make_p_exactly(p):
    every_byte = torch.cat([torch.arange(256, dtype=torch.uint8).view(torch.int64), torch.zeros(1, dtype=torch.int64)])
    by_bytes = Fraction(int((~masks._combine(every_byte, p, 256)).sum()), 256)
    assert by_bytes + (1 - by_bytes) * Fraction(masks._remainder(p)) == pytest.approx(Fraction(p), rel=1e-15)


def words_of(uniforms, words):
    """What `_draw` would have drawn: words whose bytes are all kept, then one for each number that gives a gap."""
    kept = torch.full((*uniforms.shape[:-1], words), -1, dtype=torch.int64)
    return torch.cat([kept, (uniforms * 2**53).long()], dim=-1)


def test_gaps_have_the_geometric_law():
    # Numbers at even steps over [0, 1), each the only one of a mask: gap k gets a share (1 - r)^k r of them.
    p, step = 0.3, 1e-5
    r, uniforms = masks._remainder(p), torch.arange(step / 2, 1, step, dtype=torch.float64)[:, None]
    dropped = ~masks._combine(words_of(uniforms, 2), p, 15)
    assert dropped.sum(1).max() == 1
    expected = [(1 - r) ** k * r / step for k in range(15)]
    assert dropped.sum(0).tolist() == pytest.approx(expected, abs=1)


def test_gaps_follow_one_another():
    # (1 - r)^k > 1 - u >= (1 - r)^(k + 1) gives gap k: here 2, 0 and 3, then one past the end.
    r = masks._remainder(0.3)
    uniforms = torch.tensor([1 - (1 - r) ** (k + 0.5) for k in (2, 0, 3, 50)], dtype=torch.float64)
    mask = masks._combine(words_of(uniforms, 2), 0.3, 9)
    assert mask.logical_not().nonzero().flatten().tolist() == [2, 3, 7]


def test_gaps_reach_the_end_of_the_mask():
    # 0.003 of the drops below come from gaps alone, since the rate is under one byte in 256.
    n, p = 1_000_000, 0.003
    tail = keep_mask((n,), p, generator=seeded())[-n // 10 :]
    assert within((~tail).sum().item(), tail.numel(), p)


@pytest.mark.parametrize("rate", [1e-9, 0.0001, 0.0039])  # a byte leaves less than 1/256
@pytest.mark.parametrize("size", [8192, 100_000, 10**7])
def test_enough_gaps_are_drawn_but_for_a_chance_of_e_to_the_minus_50_and_few_too_many(size, rate):
    gaps = masks._gaps(size, rate)
    assert stats.binom.logsf(gaps, size, rate) < -50
    assert gaps < 100 + 2 * size * rate


def test_the_size_from_which_bytes_are_drawn_does_not_change_the_rate():
    pooled = [
        (~keep_mask((size,), 0.3, generator=seeded(seed))).sum() for size in (SMALL - 1, SMALL) for seed in range(9)
    ]
    assert within(sum(pooled).item(), 9 * (2 * SMALL - 1), 0.3)


@pytest.mark.parametrize("size", [SMALL - 1, SMALL, SMALL + 3])
def test_from_the_size_on_at_which_bytes_are_drawn_a_word_serves_eight_elements(size):
    # At a half there are no gaps: the generator is then where one stands that has drawn so many words, or floats.
    drawn, expected = seeded(), seeded()
    keep_mask((size,), 0.5, generator=drawn)
    if size < SMALL:
        torch.rand(size, generator=expected)
    else:
        torch.randint(-(2**63), 2**63 - 1, (size // 8 + 1,), generator=expected)
    assert torch.equal(drawn.get_state(), expected.get_state())


@pytest.mark.parametrize("p", [0.0, 0.001, 0.3])
def test_a_large_mask_holds_no_byte_but_0_and_1(p):
    # In a bool another would be true, too, but count for more in what is computed from its bytes.
    assert set(keep_mask((2 * SMALL,), p, generator=seeded()).view(torch.uint8).tolist()) <= {0, 1}


def test_at_rate_0_a_large_mask_keeps_everything():
    assert keep_mask((SMALL,), 0, generator=seeded()).all()


@pytest.mark.parametrize("shape", [(), (3,), (100, 120)])
@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 1e-5])
def test_masks_of_several_generators_are_those_of_each(shape, p):
    together = keep_masks(shape, p, [seeded(seed) for seed in range(4)])
    assert torch.equal(together, torch.stack([keep_mask(shape, p, generator=seeded(seed)) for seed in range(4)]))


def test_masks_of_no_generator_are_refused():
    with pytest.raises(ArgumentError, match=r"^generators is empty: there must be one for each mask, at least 1$"):
        keep_masks((2,), 0.5, [])


def test_under_vmap_a_large_mask_is_drawn_for_each_element_or_for_all():
    elements = torch.ones(3, SMALL)
    for randomness, distinct in (("different", 3), ("same", 1)):
        drawn = torch.func.vmap(lambda x: scale_kept(x, keep_mask(x.shape, 0.3), 0.3), randomness=randomness)(elements)
        assert len({tuple(row) for row in drawn.tolist()}) == distinct


def test_one_compiled_graph_draws_masks_of_every_length():
    torch._dynamo.reset()
    draw = torch.compile(lambda x: keep_mask(x.shape, 0.3), backend="eager", fullgraph=True, dynamic=True)
    assert [draw(torch.ones(n)).shape for n in (9, SMALL, 2 * SMALL)] == [(9,), (SMALL,), (2 * SMALL,)]
    torch._dynamo.reset()


# What the mask does


@pytest.mark.parametrize("size", [1, LARGE])
def test_small_or_large_what_is_kept_is_scaled_alike(size):
    x, mask = torch.full((size,), 0.7), torch.ones(size, dtype=torch.bool)
    assert scale_kept(x, mask, 0.3).unique().tolist() == (torch.tensor([0.7]) * (1 / 0.7)).tolist()


def test_what_is_kept_is_scaled_and_what_is_dropped_is_zero():
    y = scale_kept(torch.tensor([1.0, -2.0, 3.0]), torch.tensor([True, False, True]), 0.2)
    torch.testing.assert_close(y, torch.tensor([1.25, 0.0, 3.75]))


def test_a_nan_is_not_hidden_by_the_mask():
    x = torch.tensor([float("nan"), float("inf"), 1.0])
    assert scale_kept(x, torch.zeros(3, dtype=torch.bool), 0.5).isnan().tolist() == [True, True, False]


@pytest.mark.parametrize(("size", "dtype"), [(LARGE, torch.float32), (LARGE, torch.float64), (3, torch.bfloat16)])
def test_the_backward_pass_keeps_a_bool_mask_and_no_copy_in_floats_where_memory_or_precision_counts(size, dtype):
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: saved.append(tensor.dtype), lambda _: None):
        scale_kept(torch.ones(size, dtype=dtype, requires_grad=True), torch.ones(size, dtype=torch.bool), 0.5)
    assert saved == [torch.bool]


def test_a_large_mask_is_applied_with_one_new_tensor_of_floats():
    made = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            made.append(function(*args, **(kwargs or {})))
            return made[-1]

    x, mask = torch.ones(LARGE), torch.ones(LARGE, dtype=torch.bool)
    with Watch():
        scale_kept(x, mask, 0.5)
    assert len({tensor.data_ptr() for tensor in made if tensor.is_floating_point()}) == 1


def test_the_scale_is_not_rounded_to_bfloat16():
    # 1 / 0.9 is 1.109375 in bfloat16: 0.15% too small, and every product with it.
    x = torch.arange(1, 257, dtype=torch.bfloat16)
    assert torch.equal(scale_kept(x, torch.ones(256, dtype=torch.bool), 0.1), (x.double() / 0.9).bfloat16())


@pytest.fixture(params=["small", "large"])
def either_way(request, monkeypatch):
    """A mask that is applied as a small one, and then as a large one."""
    monkeypatch.setattr(masks, "LARGE", LARGE if request.param == "small" else 0)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("p", [0.3, 0.5])
def test_a_second_derivative_passes_through_the_mask(p):
    x = torch.linspace(-1, 1, 6, dtype=torch.float64).requires_grad_()
    mask = keep_mask((6,), p, generator=seeded())
    assert torch.autograd.gradgradcheck(lambda x: scale_kept(x, mask, p) ** 3, x)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")  # torch's own, at the first such derivative
@pytest.mark.usefixtures("either_way")
def test_a_forward_derivative_passes_through_the_mask():
    x, mask = torch.ones(6), keep_mask((6,), 0.5, generator=seeded())
    _, tangent = torch.func.jvp(lambda x: scale_kept(x, mask, 0.5), (x,), (3 * x,))
    assert torch.equal(tangent, 6 * mask)


@pytest.mark.usefixtures("either_way")
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
