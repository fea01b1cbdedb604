import copy
import io

import pytest
import torch
import torch.nn.functional as F
from scipy import stats

from helpers import seeded
from regdemo.errors import ArgumentError, ProbabilityError
from regdemo.regularizers import WordDropout, keep_mask, word_dropout
from regdemo.regularizers.masks import scale_kept

P = 0.4
FALSE_ALARM = 1e-7  # of each test with an interval
IDS = torch.tensor([[0, 1, 2, 1], [3, 0, 0, 4]])
MASK = torch.tensor([True, False, True, True, False])


def table(words=5, width=3):
    return torch.randn(words, width, generator=seeded(9), dtype=torch.float64)


def test_it_is_a_lookup_in_a_table_whose_rows_were_dropped():
    # As AWD-LSTM has it: the table is masked, then the words are looked up.
    expected = F.embedding(IDS, scale_kept(table(), MASK.unsqueeze(-1), P))
    torch.testing.assert_close(word_dropout(IDS, table(), P, mask=MASK), expected)


def test_a_repeated_token_gets_one_mask():
    ids = torch.randint(20, (30, 40), generator=seeded(1))
    y = word_dropout(ids, torch.ones(20, 3), P, generator=seeded())
    for word in range(20):
        assert y[ids == word].unique().numel() == 1


def test_every_word_has_a_coin_of_its_own():
    y = word_dropout(torch.arange(50), torch.ones(50, 3), P, generator=seeded())
    assert torch.equal(y != 0, keep_mask((50,), P, generator=seeded()).unsqueeze(-1).expand(50, 3))


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_it_drops_a_share_p_of_the_words(p):
    n = 100_000
    dropped = (word_dropout(torch.arange(n), torch.ones(n, 1), p, generator=seeded()) == 0).sum().item()
    assert stats.binom.ppf(FALSE_ALARM / 2, n, p) <= dropped <= stats.binom.isf(FALSE_ALARM / 2, n, p)


def test_the_rate_is_a_tenth_unless_told():
    ids, weight = torch.arange(50), torch.ones(50, 3)
    expected = word_dropout(ids, weight, 0.1, generator=seeded())
    assert torch.equal(word_dropout(ids, weight, generator=seeded()), expected)


def test_outside_training_it_is_the_embedding_and_draws_nothing():
    generator = seeded()
    y = word_dropout(IDS, table(), P, training=False, generator=generator)
    assert torch.equal(y, F.embedding(IDS, table()))
    assert torch.equal(generator.get_state(), seeded().get_state())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_it_keeps_the_type_of_the_table(dtype):
    y = word_dropout(IDS.int(), table().to(dtype), P, mask=MASK)
    expected = word_dropout(IDS, table().to(dtype).double(), P, mask=MASK)
    assert y.dtype == dtype
    torch.testing.assert_close(y.double(), expected, rtol=4 * torch.finfo(dtype).eps, atol=0)


def test_its_gradient_is_that_of_finite_differences_and_0_for_a_dropped_word():
    weight = table().requires_grad_()
    assert torch.autograd.gradcheck(lambda weight: word_dropout(IDS, weight, P, mask=MASK), weight)
    word_dropout(IDS, weight, P, mask=MASK).square().sum().backward()
    assert (weight.grad != 0).any(-1).tolist() == MASK.tolist()


def test_vmap_over_texts_with_a_shared_mask_is_a_loop():
    weight = table()
    together = torch.func.vmap(lambda ids: word_dropout(ids, weight, P, mask=MASK))(IDS)
    torch.testing.assert_close(together, torch.stack([word_dropout(ids, weight, P, mask=MASK) for ids in IDS]))


def test_an_empty_text_stays_empty():
    assert word_dropout(IDS[:0], table(), generator=seeded()).shape == (0, 4, 3)


@pytest.mark.parametrize("p", [-0.1, 1, torch.nan, None])
def test_a_bad_rate_is_named(p):
    with pytest.raises(ProbabilityError, match=r"^p = .* is not a drop probability"):
        word_dropout(IDS, table(), p)
    with pytest.raises(ProbabilityError, match=r"^p = .* is not a drop probability"):
        WordDropout(5, 3, p)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ids": torch.ones(3)}, r"^ids has dtype torch.float32: it must hold integers"),
        ({"ids": torch.ones(3).bool()}, r"^ids has dtype torch.bool: it must hold integers"),
        ({"weight": torch.ones(5, 3).long()}, r"^weight has dtype torch.int64: it must be floating point"),
        ({"weight": torch.ones(5)}, r"^weight has shape \(5,\): it must be \(V, d\)$"),
        ({"mask": torch.ones(5)}, r"^mask has dtype torch.float32: it must be bool"),
        ({"mask": torch.ones(2, 4).bool()}, r"^mask has shape \(2, 4\): it must be \(5,\), or broadcast to it$"),
    ],
)
def test_what_does_not_fit_is_named(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        word_dropout(**{"ids": IDS, "weight": table(), **arguments})


# The Module


@pytest.fixture
def module():
    with torch.random.fork_rng(devices=[]):  # its weights are drawn from the global generator
        return WordDropout(5, 3, P)


def test_the_module_is_the_function_in_training_and_an_embedding_in_eval(module):
    assert torch.equal(module(IDS, generator=seeded()), word_dropout(IDS, module.weight, P, generator=seeded()))
    assert torch.equal(module.eval()(IDS), F.embedding(IDS, module.weight))


def test_the_module_survives_copies_and_shows_its_rate(module):
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    loaded = copy.deepcopy(module)
    loaded.load_state_dict({"weight": torch.zeros(5, 3)})
    loaded.load_state_dict(module.state_dict())
    for other in (loaded, copy.deepcopy(module), torch.load(file, weights_only=False)):
        assert torch.equal(other(IDS, generator=seeded()), module(IDS, generator=seeded()))
        assert repr(other) == "WordDropout(5, 3, p=0.4)"


def test_a_compiled_module_draws_what_it_draws_uncompiled(module):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        expected = module(IDS)
        torch.manual_seed(0)
        torch.testing.assert_close(torch.compile(module, backend="eager", fullgraph=True)(IDS), expected)


# What nn.Embedding has


def test_the_padding_row_starts_at_0_and_gets_no_gradient():
    module = WordDropout(5, 3, P, padding_idx=0)
    assert torch.equal(module.weight[0], torch.zeros(3))
    module(IDS, generator=seeded()).sum().backward()
    assert torch.equal(module.weight.grad[0], torch.zeros(3))
    assert module.weight.grad[1:].any()
    assert "padding_idx=0" in repr(module)


def test_the_padding_row_of_the_function_gets_no_gradient_either():
    weight = table().requires_grad_()
    word_dropout(IDS, weight, P, mask=MASK, padding_idx=0).sum().backward()
    assert not weight.grad[0].any()


@pytest.mark.parametrize("freeze", [True, False])
def test_pretrained_weights_are_taken_and_frozen_unless_told(freeze):
    weight = table()
    module = WordDropout.from_pretrained(weight, P, **({} if freeze else {"freeze": False}), padding_idx=2)
    assert torch.equal(module.weight, weight)
    assert (module.weight.requires_grad, module.p, module.padding_idx) == (not freeze, P, 2)
    expected = word_dropout(IDS, weight, P, generator=seeded(), padding_idx=2)
    assert torch.equal(module(IDS, generator=seeded()), expected)
    assert torch.equal(module.eval()(IDS), F.embedding(IDS, weight))


def test_pretrained_weights_have_the_rate_of_the_function_unless_told():
    assert WordDropout.from_pretrained(table()).p == WordDropout(3, 2).p


@pytest.mark.parametrize(
    ("weight", "message"),
    [(torch.ones(3), r"^embeddings has shape \(3,\)"), (torch.ones(2, 2).long(), r"^embeddings has dtype torch.int64")],
)
def test_pretrained_weights_that_are_no_table_are_refused(weight, message):
    with pytest.raises(ArgumentError, match=message):
        WordDropout.from_pretrained(weight)
