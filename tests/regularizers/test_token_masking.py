import pytest
import torch
from scipy import stats

from helpers import seeded
from regdemo.errors import ArgumentError, ProbabilityError
from regdemo.regularizers import keep_mask, token_masking

FALSE_ALARM = 1e-7  # of each test with an interval
VOCABULARY, MASK = 1_000, 3


def draw(*shape):
    return torch.randint(10, VOCABULARY, shape, generator=seeded(1))


def within(count, n, p):
    return stats.binom.ppf(FALSE_ALARM / 2, n, p) <= count.item() <= stats.binom.isf(FALSE_ALARM / 2, n, p)


@pytest.mark.parametrize("p", [0.15, 0.5])
def test_the_shares_are_p_and_80_10_10(p):
    ids = draw(200, 500)
    inputs, labels = token_masking(ids, VOCABULARY, MASK, p, generator=seeded())
    chosen = labels != -100
    n = int(chosen.sum())
    assert within(chosen.sum(), ids.numel(), p)
    assert within((inputs[chosen] == MASK).sum(), n, 0.8 + 0.1 / VOCABULARY)
    assert within((inputs[chosen] == ids[chosen]).sum(), n, 0.1 + 0.1 / VOCABULARY)
    assert within(((inputs != MASK) & (inputs != ids)).sum(), n, 0.1 * (1 - 2 / VOCABULARY))


def test_random_tokens_are_uniform_over_the_vocabulary():
    ids = torch.full((100_000,), 7)
    inputs, _ = token_masking(ids, 10, MASK, 0.9, generator=seeded())
    counts = torch.bincount(inputs[(inputs != 7) & (inputs != MASK)], minlength=10)[[0, 1, 2, 4, 5, 6, 8, 9]]
    assert stats.chisquare(counts).pvalue > FALSE_ALARM


def test_labels_are_the_tokens_themselves_and_what_is_not_chosen_stays():
    ids = draw(50, 50)
    inputs, labels = token_masking(ids, VOCABULARY, MASK, generator=seeded())
    chosen = labels != -100
    assert torch.equal(labels[chosen], ids[chosen])
    assert torch.equal(inputs[~chosen], ids[~chosen])


def test_each_token_has_a_coin_of_its_own():
    ids = draw(20, 30)
    _, labels = token_masking(ids, VOCABULARY, MASK, 0.3, generator=seeded())
    assert torch.equal(labels == -100, keep_mask((20, 30), 0.3, generator=seeded()))


def test_special_tokens_are_never_chosen():
    ids, special = draw(40, 30), torch.arange(30) < 20
    inputs, labels = token_masking(ids, VOCABULARY, MASK, 0.9, special=special, generator=seeded())
    assert (labels[:, :20] == -100).all()
    assert torch.equal(inputs[:, :20], ids[:, :20])
    assert (labels[:, 20:] != -100).any()


def test_the_rate_is_15_percent_unless_told():
    ids = draw(20, 30)
    expected = token_masking(ids, VOCABULARY, MASK, 0.15, generator=seeded())[0]
    assert torch.equal(token_masking(ids, VOCABULARY, MASK, generator=seeded())[0], expected)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_it_keeps_the_type_and_the_ids(dtype):
    ids = draw(20).to(dtype)
    inputs, labels = token_masking(ids, VOCABULARY, MASK, 0.9, generator=seeded())
    assert (inputs.dtype, labels.dtype) == (dtype, dtype)
    assert torch.equal(ids, draw(20).to(dtype))


def test_a_generator_handed_in_leaves_the_global_one_untouched():
    before = torch.get_rng_state()
    token_masking(draw(20), VOCABULARY, MASK, generator=seeded())
    assert torch.equal(torch.get_rng_state(), before)


def test_an_empty_batch_stays_empty():
    assert token_masking(draw(0, 5), VOCABULARY, MASK, generator=seeded())[1].shape == (0, 5)


def test_vmap_with_the_same_randomness_masks_the_same_places():
    ids = draw(6, 40)

    def labels_of(ids):
        return token_masking(ids, VOCABULARY, MASK, 0.5, generator=seeded())[1]

    labels = torch.func.vmap(labels_of, randomness="same")(ids)
    assert torch.equal(labels, torch.stack([labels_of(row) for row in ids]))


def test_compiled_into_one_graph_it_draws_what_it_draws_uncompiled():
    compiled = torch.compile(lambda ids: token_masking(ids, VOCABULARY, MASK), backend="eager", fullgraph=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        expected = token_masking(draw(40), VOCABULARY, MASK)
        torch.manual_seed(0)
        assert all(map(torch.equal, compiled(draw(40)), expected))


@pytest.mark.parametrize("p", [-0.1, 1, torch.nan, None])
def test_a_bad_rate_is_named(p):
    with pytest.raises(ProbabilityError, match=r"^p = .* is not a drop probability"):
        token_masking(draw(3), VOCABULARY, MASK, p)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ids": torch.ones(3)}, r"^ids has dtype torch.float32: it must hold integers"),
        ({"ids": torch.ones(3).bool()}, r"^ids has dtype torch.bool: it must hold integers"),
        ({"mask_id": 1_000}, r"^mask_id = 1000 is not in a vocabulary of 1,000: choose one below it$"),
        ({"mask_id": -1}, r"^mask_id = -1 is not in a vocabulary of 1,000"),
        ({"special": torch.ones(3)}, r"^special has dtype torch.float32: it must be bool"),
        ({"special": torch.ones(4).bool()}, r"^special has shape \(4,\): it must be \(3,\), or broadcast to it$"),
    ],
)
def test_what_does_not_fit_is_named(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        token_masking(**{"ids": draw(3), "vocabulary": VOCABULARY, "mask_id": MASK, **arguments})


def test_the_mask_may_be_the_vocabularys_first_id():
    ids, labels = token_masking(draw(20, 20), VOCABULARY, 0, 0.5, generator=seeded())
    assert (ids[labels != -100] == 0).any()
