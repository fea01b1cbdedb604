"""Random deletion and swap: exact by a mask, in distribution by enumeration, and at every edge."""

from math import inf, nan

import pytest
import torch
from scipy import stats

from helpers import seeded
from regdemo.errors import ArgumentError, ProbabilityError
from regdemo.regularizers import random_deletion, random_swap

FALSE_ALARM = 1e-7  # of each test with an interval
N = 20_000


def within(count, n, p):
    return stats.binom.ppf(FALSE_ALARM / 2, n, p) <= int(count) <= stats.binom.isf(FALSE_ALARM / 2, n, p)


def both(ids, *, padding=0, special=None):
    """Either edit, at a rate at which it always shows."""
    yield random_deletion(ids, 0.9, padding=padding, special=special, generator=seeded())
    yield random_swap(ids, 5, padding=padding, special=special, generator=seeded())


def test_the_words_kept_close_the_gaps_in_their_order_and_padding_fills_the_end():
    mask = torch.tensor([[False, True, False, True, True], [True, True, False, True, True]])
    ids = torch.tensor([[9, 8, 7, 6, 5], [4, 3, 2, 0, 0]])
    assert random_deletion(ids, padding=0, mask=mask).tolist() == [[8, 6, 5, 0, 0], [4, 3, 0, 0, 0]]


def test_the_words_kept_of_a_long_sequence_stay_in_their_order_too():
    # Torch's sort of a few bytes keeps equal ones in their order even unasked, that of a hundred does not.
    ids, mask = torch.arange(1, 201), torch.arange(1, 201) % 3 == 0
    assert random_deletion(ids, padding=0, mask=mask).tolist() == [*range(3, 201, 3), *[0] * 134]


def test_special_tokens_stay_whatever_the_mask_says():
    special = torch.tensor([True, False, False, True])
    mask = torch.tensor([False, True, False, False])
    assert random_deletion(torch.tensor([1, 5, 6, 2]), padding=0, special=special, mask=mask).tolist() == [1, 5, 2, 0]


@pytest.mark.parametrize("p", [0.1, 0.7])
def test_each_word_goes_with_probability_p_but_for_the_last_one_left(p):
    y = random_deletion(torch.arange(3).expand(N, 3), p, padding=-1, generator=seeded())
    for word in range(3):
        assert within((y != word).all(1).sum(), N, p - p**3 / 3)
    assert within((y != -1).all(1).sum(), N, (1 - p) ** 3)


def test_no_sequence_is_emptied_and_who_is_left_of_all_is_drawn_evenly():
    y = random_deletion(torch.arange(4).expand(N, 4), 1 - 1e-9, padding=-1, generator=seeded())
    assert ((y != -1).sum(1) == 1).all()
    assert stats.chisquare(torch.bincount(y[:, 0])).pvalue > FALSE_ALARM


def test_the_word_that_is_always_left_is_neither_padding_nor_special():
    ids, special = torch.tensor([[9, 5, 6, 0, 0]]).expand(200, 5), torch.arange(5) == 0
    y = random_deletion(ids, 0.99, padding=0, special=special, generator=seeded())
    assert (y[:, 0] == 9).all()
    assert ((y == 5) | (y == 6)).any(1).all()


def test_at_rate_0_nothing_goes():
    ids = torch.tensor([[3, 4, 0], [5, 6, 7]])
    assert torch.equal(random_deletion(ids, 0, padding=0, generator=seeded()), ids)


def test_at_rate_0_even_a_uniform_draw_of_0_is_kept(monkeypatch):
    # It comes once in 2^24 draws, too seldom for the test above.
    monkeypatch.setattr(torch, "rand", lambda shape, **_: torch.tensor([0.0, 0.5, 0.9]))
    assert random_deletion(torch.tensor([5, 6, 7]), 0, padding=0).tolist() == [5, 6, 7]


def test_each_pair_is_swapped_equally_often():
    y = random_swap(torch.arange(4).expand(N, 4), padding=-1, generator=seeded())
    moved = y != torch.arange(4)
    assert (moved.sum(1) == 2).all()
    pairs = torch.bincount((moved * torch.tensor([1, 2, 4, 8])).sum(1), minlength=16)
    assert stats.chisquare(pairs[pairs > 0]).pvalue > FALSE_ALARM
    assert (pairs > 0).sum() == 6


def test_a_word_whose_uniform_draw_is_0_goes_before_padding(monkeypatch):
    monkeypatch.setattr(torch, "rand", lambda shape, **_: torch.zeros(shape))
    assert random_swap(torch.tensor([0, 0, 0, 5, 6]), padding=0).tolist() == [0, 0, 0, 6, 5]


def test_after_several_swaps_so_many_words_stand_elsewhere():
    y = random_swap(torch.arange(5).expand(N, 5), 3, padding=-1, generator=seeded())
    assert within((y[:, 2] != 2).sum(), N, (1 - 1 / 5) * (1 - (1 - 2 / 4) ** 3))


def test_a_swap_changes_no_words_and_a_second_one_of_two_words_brings_them_back():
    ids = torch.randint(1, 50, (30, 12), generator=seeded(1))
    y = random_swap(ids, 7, padding=0, generator=seeded())
    assert torch.equal(y.sort(1).values, ids.sort(1).values)
    assert not torch.equal(y, ids)
    assert random_swap(torch.tensor([3, 4]), padding=0).tolist() == [4, 3]
    assert random_swap(torch.tensor([3, 4]), 2, padding=0).tolist() == [3, 4]


def test_no_swaps_are_none():
    assert random_swap(torch.tensor([3, 4]), 0, padding=0).tolist() == [3, 4]


def test_padding_and_special_tokens_keep_their_places_in_a_swap():
    ids, special = torch.tensor([[1, 5, 6, 2, 0], [1, 5, 2, 0, 0]]), torch.tensor([[1, 0, 0, 1, 0], [1, 0, 1, 0, 0]])
    y = random_swap(ids, 1, padding=0, special=special.bool(), generator=seeded())
    assert y.tolist() == [[1, 6, 5, 2, 0], [1, 5, 2, 0, 0]]


@pytest.mark.parametrize(
    "ids", [torch.tensor([7]), torch.tensor([[7], [8]]), torch.tensor([0, 0]), torch.zeros(2, 0).long()]
)
def test_what_has_one_word_or_none_comes_back(ids):
    for y in both(ids):
        assert torch.equal(y, ids)


def test_both_leave_their_input_as_it_was_and_hand_back_a_copy():
    ids = torch.arange(1, 7)
    for y in [*both(ids), random_swap(ids, 0, padding=0), random_deletion(ids, 0, padding=0)]:
        y[:] = 99
    assert ids.tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64, torch.uint8])
def test_both_keep_shape_and_type(dtype):
    ids = torch.arange(1, 25, dtype=dtype).reshape(2, 3, 4)
    assert [(y.shape, y.dtype) for y in both(ids)] == [(ids.shape, dtype)] * 2


def test_the_same_seed_gives_the_same_edit_and_the_global_generator_is_left_alone():
    ids, before = torch.arange(1, 30), torch.get_rng_state()
    assert all(torch.equal(a, b) for a, b in zip(both(ids), both(ids), strict=True))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("p", [-0.1, 1, nan, "0.1"])
def test_a_bad_rate_is_named(p):
    with pytest.raises(ProbabilityError, match=r"^p = "):
        random_deletion(torch.arange(3), p, padding=-1)


@pytest.mark.parametrize("n", [-1, 1.5, inf, nan, "1", None])
def test_a_bad_number_of_swaps_is_named(n):
    with pytest.raises(ArgumentError, match=r"^n = .* is not allowed: it must be a whole number of swaps, at least 0$"):
        random_swap(torch.arange(3), n, padding=-1)


@pytest.mark.parametrize("ids", [torch.ones(3), torch.ones(3, dtype=torch.bool)])
def test_what_holds_no_ids_is_refused(ids):
    for edit in (random_deletion, random_swap):
        with pytest.raises(ArgumentError, match=r"^ids has dtype .*: it must hold integers, as from ids.long\(\)$"):
            edit(ids, padding=0)


def test_a_single_id_is_refused():
    for edit in (random_deletion, random_swap):
        with pytest.raises(ArgumentError, match=r"^ids has shape \(\)"):
            edit(torch.tensor(3), padding=0)


def test_special_must_be_a_mask_that_fits():
    for edit in (random_deletion, random_swap):
        with pytest.raises(ArgumentError, match=r"^special has dtype torch.int64: it must be bool"):
            edit(torch.arange(3), padding=-1, special=torch.arange(3))
        with pytest.raises(ArgumentError, match=r"^special has shape \(2,\)"):
            edit(torch.arange(3), padding=-1, special=torch.ones(2, dtype=torch.bool))


def test_a_mask_that_deletes_all_or_does_not_fit_is_refused():
    with pytest.raises(ArgumentError, match=r"^mask deletes every word of 1 sequences: it must keep one in each$"):
        random_deletion(torch.tensor([[3, 4], [5, 0]]), padding=0, mask=torch.tensor([[True, False], [False, True]]))
    with pytest.raises(ArgumentError, match=r"^mask has shape \(3,\)"):
        random_deletion(torch.tensor([3, 4]), padding=0, mask=torch.ones(3, dtype=torch.bool))
