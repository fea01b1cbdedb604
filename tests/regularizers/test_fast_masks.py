"""Large masks on the CPU: the bytes, the gaps, and what they make together."""

from fractions import Fraction

import pytest
import torch
from scipy import stats
from torch.utils.checkpoint import checkpoint

from helpers import seeded
from regdemo.errors import ArgumentError
from regdemo.regularizers.fast_masks import ALONE, SMALL, combine, gaps_needed, multiply, remainder
from regdemo.regularizers.masks import keep_mask, keep_masks, scale_kept

FALSE_ALARM = 1e-7  # of each interval below; the draws are seeded, so a test that passes keeps passing


def within(count, n, p):
    """Whether a count lies in the exact binomial interval for n draws at probability p."""
    return stats.binom.ppf(FALSE_ALARM / 2, n, p) <= count <= stats.binom.isf(FALSE_ALARM / 2, n, p)


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
    every_byte = torch.arange(256, dtype=torch.uint8).view(1, 256).view(torch.int64)
    by_bytes = Fraction(int((~combine(every_byte, torch.ones(1, 0), p)).sum()), 256)
    assert by_bytes + (1 - by_bytes) * Fraction(remainder(p)) == pytest.approx(Fraction(p), rel=1e-15)


def dropped_by(uniforms, p, words=2):
    """Which elements fall where every byte is kept and the gaps come from these numbers, one mask in each row."""
    kept = torch.full((len(uniforms), words), -1, dtype=torch.int64)
    return ~combine(kept, uniforms.clone(), p)[:, : 8 * words - 1]


def test_gaps_are_geometric():
    # Numbers at even steps over (0, 1), each the only one of a mask: gap k gets a fraction (1 - r)^k r of them.
    p, step = 0.3, 1e-5
    r, uniforms = remainder(p), torch.arange(step / 2, 1, step, dtype=torch.float64)[:, None]
    dropped = dropped_by(uniforms, p)
    assert dropped.sum(1).max() == 1
    expected = [(1 - r) ** k * r / step for k in range(15)]
    assert dropped.sum(0).tolist() == pytest.approx(expected, abs=1)


def test_gaps_follow_one_another():
    # (1 - r)^k >= u > (1 - r)^(k + 1) gives gap k: here 2, 0 and 3, then one past the end.
    r = remainder(0.3)
    uniforms = torch.tensor([[(1 - r) ** (k + 0.5) for k in (2, 0, 3, 50)]], dtype=torch.float64)
    assert dropped_by(uniforms, 0.3)[0].nonzero().flatten().tolist() == [2, 3, 7]


def test_a_uniform_draw_of_0_gives_a_gap_past_the_end():
    assert not dropped_by(torch.zeros(1, 3, dtype=torch.float64), 0.3).any()


def test_gaps_reach_the_end_of_the_mask():
    # 0.003 of the drops below come from gaps alone, since the rate is under one byte in 256.
    n, p = 1_000_000, 0.003
    tail = keep_mask((n,), p, generator=seeded())[-n // 10 :]
    assert within((~tail).sum().item(), tail.numel(), p)


@pytest.mark.parametrize("rate", [1e-9, 0.0001, 0.0039])  # a byte leaves less than 1/256
@pytest.mark.parametrize("size", [8192, 100_000, 10**7])
def test_enough_gaps_are_drawn_but_for_a_chance_of_e_to_the_minus_50_and_few_too_many(size, rate):
    gaps = gaps_needed(size, rate)
    assert stats.binom.logsf(gaps, size, rate) < -50
    assert gaps < 100 + 2 * size * rate


def test_the_size_from_which_bytes_are_drawn_does_not_change_the_rate():
    pooled = [
        (~keep_mask((size,), 0.3, generator=seeded(seed))).sum() for size in (ALONE - 1, ALONE) for seed in range(9)
    ]
    assert within(sum(pooled).item(), 9 * (2 * ALONE - 1), 0.3)


@pytest.mark.parametrize("size", [ALONE - 1, ALONE, ALONE + 3])
def test_from_the_size_on_at_which_bytes_are_drawn_a_word_serves_eight_elements(size):
    # At a half there are no gaps: the generator is then as far as one that has drawn so many words, or floats.
    drawn, expected = seeded(), seeded()
    keep_mask((size,), 0.5, generator=drawn)
    if size < ALONE:
        torch.rand(size, generator=expected)
    else:
        torch.randint(-(2**63), 2**63 - 1, (size // 8 + 1,), generator=expected)
    assert torch.equal(drawn.get_state(), expected.get_state())


@pytest.mark.parametrize("p", [0.0, 0.001, 0.3])
def test_a_large_mask_holds_no_byte_but_0_and_1(p):
    # In a bool another would be true, too, but count for more in what is computed from its bytes.
    assert set(keep_mask((2 * ALONE,), p, generator=seeded()).view(torch.uint8).tolist()) <= {0, 1}


def test_at_rate_0_a_large_mask_keeps_everything():
    assert keep_mask((ALONE,), 0, generator=seeded()).all()


@pytest.mark.parametrize("shape", [(), (3,), (150, 120)])
@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 1e-5])
def test_masks_of_several_generators_are_those_of_each(shape, p):
    together = keep_masks(shape, p, [seeded(seed) for seed in range(4)])
    assert torch.equal(together, torch.stack([keep_mask(shape, p, generator=seeded(seed)) for seed in range(4)]))


@pytest.mark.parametrize("size", [SMALL - 1, SMALL, ALONE])
def test_a_networks_masks_do_not_depend_on_how_many_are_trained_with_it(size):
    alone = [keep_masks((size,), 0.3, [seeded(seed)]) for seed in range(3)]
    for many in (2, 3):
        assert torch.equal(keep_masks((size,), 0.3, [seeded(seed) for seed in range(many)]), torch.cat(alone[:many]))


def test_masks_of_no_generator_are_refused():
    with pytest.raises(ArgumentError, match=r"^generators is empty: there must be one for each mask, at least 1$"):
        keep_masks((2,), 0.5, [])


def test_under_vmap_a_large_mask_is_drawn_for_each_element_or_for_all():
    elements = torch.ones(3, ALONE)
    for randomness, distinct in (("different", 3), ("same", 1)):
        drawn = torch.func.vmap(lambda x: scale_kept(x, keep_mask(x.shape, 0.3), 0.3), randomness=randomness)(elements)
        assert len({tuple(row) for row in drawn.tolist()}) == distinct


@pytest.mark.parametrize("draw", [keep_mask, lambda shape, p, generator: keep_masks(shape, p, [generator])])
def test_a_large_mask_from_a_generator_inside_a_checkpoint_is_warned_of(draw):
    x, generator = torch.ones(ALONE, requires_grad=True), seeded()
    with pytest.warns(UserWarning, match=r"^a generator is drawn from inside torch.utils.checkpoint"):
        checkpoint(lambda x: x * draw(x.shape, 0.3, generator=generator), x, use_reentrant=False)


def test_on_another_device_masks_are_drawn_the_plain_way():
    assert keep_mask((ALONE,), 0.3, device=torch.device("meta")).device.type == "meta"


def test_masks_are_the_same_where_torch_cannot_view_numbers_as_bytes(monkeypatch):
    drawn = keep_mask((3, ALONE), 0.3, generator=seeded())
    kept = scale_kept(torch.ones(3, ALONE), drawn, 0.3)
    view = torch.Tensor.view

    def by_shape_alone(x, *shape):
        if isinstance(shape[0], torch.dtype):
            raise RuntimeError("Batching rule not implemented for aten::view.dtype")
        return view(x, *shape)

    monkeypatch.setattr(torch.Tensor, "view", by_shape_alone)
    assert torch.equal(keep_mask((3, ALONE), 0.3, generator=seeded()), drawn)
    assert torch.equal(scale_kept(torch.ones(3, ALONE), drawn, 0.3), kept)


def test_one_compiled_graph_draws_masks_of_every_length():
    torch._dynamo.reset()
    draw = torch.compile(lambda x: keep_mask(x.shape, 0.3), backend="eager", fullgraph=True, dynamic=True)
    assert [draw(torch.ones(n)).shape for n in (9, ALONE, 2 * ALONE)] == [(9,), (ALONE,), (2 * ALONE,)]
    torch._dynamo.reset()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(1, 4), (SMALL // 4, 4)])
def test_it_multiplies_as_the_plain_formula_whether_the_mask_is_large_or_small(shape, dtype):
    x = torch.linspace(-2, 2, SMALL, dtype=torch.float64).view(-1, 4).to(dtype)
    mask = (torch.arange(shape[0] * 4) % 3 > 0).view(shape)
    expected = torch.where(mask, x.double() * 1.3, 0)
    y = multiply(x, mask, 1.3)
    assert y.dtype == dtype
    torch.testing.assert_close(y.double(), expected, rtol=torch.finfo(dtype).eps, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("size", [4, SMALL])
def test_in_a_half_type_the_product_is_rounded_once_and_the_scale_is_not(dtype, size):
    x = torch.linspace(-2, 2, size, dtype=torch.float64).to(dtype)
    y = multiply(x, torch.ones(size, dtype=torch.bool), 1.1)
    assert torch.equal(y, (x.double() * 1.1).to(dtype))


def test_a_mask_in_another_type_than_the_default_keeps_all_digits_of_its_scale():
    y = multiply(torch.ones(4, dtype=torch.float64), torch.ones(4, dtype=torch.bool), 1.1)
    assert y.tolist() == [1.1] * 4
