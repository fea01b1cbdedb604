import copy
import io

import numpy as np
import pytest
import torch
from scipy import stats

from helpers import seeded
from regdemo.errors import ArgumentError
from regdemo.regularizers import EmbeddingNoise, embedding_noise

FALSE_ALARM = 1e-7  # of each test with an interval


def draw(*shape):
    return torch.randn(shape, generator=seeded(9), dtype=torch.float64)


def test_the_noise_is_uniform_within_alpha_over_the_root_of_all_numbers():
    noise = embedding_noise(torch.zeros(20, 50, 40, dtype=torch.float64), 3.0, generator=seeded())
    bound = 3 / np.sqrt(50 * 40)
    assert stats.kstest(noise.flatten(), stats.uniform(-bound, 2 * bound).cdf).pvalue > FALSE_ALARM


def test_it_is_added_to_what_is_there():
    x = draw(2, 3, 4)
    noise = embedding_noise(torch.zeros_like(x), generator=seeded())
    torch.testing.assert_close(embedding_noise(x, generator=seeded()), x + noise)


def test_each_sequence_counts_its_own_tokens():
    mask = torch.tensor([[True] * 2 + [False] * 6, [True] * 8])
    noise = embedding_noise(torch.zeros(2, 8, 5), 1.0, generator=seeded(), mask=mask)
    alike = embedding_noise(torch.zeros(2, 8, 5), 1.0, generator=seeded())
    torch.testing.assert_close(noise[0, :2], 2 * alike[0, :2])  # sqrt(8 / 2)
    torch.testing.assert_close(noise[1], alike[1])
    assert not noise[0, 2:].any()


def test_one_token_before_padding_counts_one():
    mask = torch.tensor([[True, False]])
    noise = embedding_noise(torch.zeros(1, 2, 5), 1.0, generator=seeded(), mask=mask)
    alike = embedding_noise(torch.zeros(1, 2, 5), 1.0, generator=seeded())
    torch.testing.assert_close(noise[0, 0], 2**0.5 * alike[0, 0])


def test_one_number_is_moved_by_alpha_at_most():
    noise = embedding_noise(torch.zeros(2_000, 1, 1, dtype=torch.float64), 1.0, generator=seeded())
    assert 0.9 < noise.abs().max() <= 1  # missed by chance with 0.9^2000


def test_a_sequence_without_a_token_stays_empty():
    assert embedding_noise(torch.zeros(2, 0, 4)).shape == (2, 0, 4)


def test_a_sequence_of_padding_alone_stays():
    x = draw(2, 3, 4)
    assert torch.equal(embedding_noise(x, generator=seeded(), mask=torch.tensor(False)), x)


def test_the_size_is_5_unless_told():
    x = draw(3, 4)
    assert torch.equal(embedding_noise(x, generator=seeded()), embedding_noise(x, 5.0, generator=seeded()))


def test_outside_training_it_is_the_input_and_draws_nothing():
    x, generator = draw(3, 4), seeded()
    assert embedding_noise(x, training=False, generator=generator) is x
    assert torch.equal(generator.get_state(), seeded().get_state())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_in_a_smaller_type_it_is_float32_noise_rounded(dtype):
    zeros = torch.zeros(5, 4)
    noise = embedding_noise(zeros.to(dtype), generator=seeded())
    assert torch.equal(noise, embedding_noise(zeros, generator=seeded()).to(dtype))


def test_its_gradient_is_that_of_finite_differences():
    x = draw(3, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: embedding_noise(x, generator=seeded()), x)


def test_vmap_with_the_same_randomness_is_a_loop():
    x = draw(4, 3, 2)
    together = torch.func.vmap(lambda x: embedding_noise(x, generator=seeded()), randomness="same")(x)
    torch.testing.assert_close(together, torch.stack([embedding_noise(row, generator=seeded()) for row in x]))


def test_an_empty_batch_stays_empty():
    assert embedding_noise(torch.ones(0, 3, 4), generator=seeded()).shape == (0, 3, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": -1.0}, r"^alpha = -1.0 is not allowed"),
        ({"alpha": torch.nan}, r"^alpha = nan is not allowed"),
        ({"x": torch.ones(2, 3).long()}, r"^x has dtype torch.int64: it must be floating point"),
        ({"x": torch.ones(3)}, r"^x has shape \(3,\): it must be \(\.\.\., T, d\)"),
        ({"mask": torch.ones(2)}, r"^mask has dtype torch.float32: it must be bool"),
        ({"mask": torch.ones(3).bool()}, r"^mask has shape \(3,\): it must be \(2,\), or broadcast to it$"),
    ],
)
def test_what_does_not_fit_is_named(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        embedding_noise(**{"x": torch.ones(2, 3), **arguments})


# The Module


def test_the_module_is_the_function_in_training_and_the_identity_in_eval():
    module, x, mask = EmbeddingNoise(2.0), draw(3, 4, 5), torch.tensor([True, True, False, False])
    expected = embedding_noise(x, 2.0, generator=seeded(), mask=mask)
    assert torch.equal(module(x, generator=seeded(), mask=mask), expected)
    assert torch.equal(module.eval()(x), x)


def test_the_module_survives_copies_and_shows_its_size():
    module, file = EmbeddingNoise(2.0), io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    for other in (copy.deepcopy(module), torch.load(file, weights_only=False)):
        assert repr(other) == "EmbeddingNoise(alpha=2.0)"
    other.load_state_dict(module.state_dict())


def test_a_compiled_module_draws_what_it_draws_uncompiled():
    module, x = EmbeddingNoise(), draw(3, 4)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        expected = module(x)
        torch.manual_seed(0)
        torch.testing.assert_close(torch.compile(module, backend="eager", fullgraph=True)(x), expected)


def test_the_module_refuses_a_bad_size_when_it_is_made():
    with pytest.raises(ArgumentError, match=r"^alpha = inf is not allowed"):
        EmbeddingNoise(torch.inf)


def test_a_sequence_of_one_token_counts_one():
    noise = embedding_noise(torch.zeros(1, 400), alpha=20.0, generator=torch.Generator().manual_seed(0))
    # Of 400 uniform draws on (-1, 1) the largest is below 0.9 once in 10^18.
    assert 0.9 < noise.abs().max().item() <= 1.0
