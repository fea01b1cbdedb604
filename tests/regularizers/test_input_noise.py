import copy
import io
import itertools

import pytest
import torch
from scipy import stats

from helpers import seeded
from regdemo.errors import ArgumentError
from regdemo.regularizers import InputNoise, input_noise

FALSE_ALARM = 1e-7  # of each test with an interval


def draw(*shape):
    return torch.randn(shape, generator=seeded(9), dtype=torch.float64)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_noise_is_normal_with_deviation_std(dtype):
    noise = input_noise(torch.zeros(100_000, dtype=dtype), 0.3, generator=seeded())
    assert stats.kstest(noise, stats.norm(0, 0.3).cdf).pvalue > FALSE_ALARM


def test_it_adds_the_noise_handed_in_times_std():
    x, noise = draw(2, 3), torch.tensor([[1.0], [-2.0]], dtype=torch.float64)
    torch.testing.assert_close(input_noise(x, 0.5, noise=noise), x + 0.5 * noise)


def test_on_a_linear_model_it_is_a_ridge_penalty():
    # Signs have the noise's mean and covariance, so going through all of them is the expectation.
    x, w, target = draw(7, 5), torch.linspace(-1, 2, 5, dtype=torch.float64), torch.arange(7.0, dtype=torch.float64)
    signs = torch.tensor([*itertools.product([-1.0, 1.0], repeat=5)], dtype=torch.float64)
    losses = torch.stack([(target - input_noise(x, 0.3, noise=sign) @ w).square().mean() for sign in signs])
    torch.testing.assert_close(losses.mean(), (target - x @ w).square().mean() + 0.3**2 * w.square().sum())


def test_the_size_is_a_tenth_unless_told():
    x = draw(5)
    assert torch.equal(input_noise(x, generator=seeded()), input_noise(x, 0.1, generator=seeded()))


def test_each_element_has_its_own_draw():
    assert input_noise(torch.zeros(20, 30), generator=seeded()).unique().numel() == 600


def test_outside_training_it_is_the_input_and_draws_nothing():
    x, generator = draw(3), seeded()
    assert input_noise(x, training=False, generator=generator) is x
    assert torch.equal(generator.get_state(), seeded().get_state())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_in_a_smaller_type_it_is_float32_noise_rounded(dtype):
    zeros = torch.zeros(100)
    noise = input_noise(zeros.to(dtype), generator=seeded())
    assert torch.equal(noise, input_noise(zeros, generator=seeded()).to(dtype))


def test_its_gradient_is_that_of_finite_differences():
    x = draw(3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: input_noise(x, generator=seeded()).square(), x)


def test_vmap_over_inputs_and_noise_is_a_loop():
    x, noise = draw(4, 3), draw(4, 3) / 2
    together = torch.func.vmap(lambda x, noise: input_noise(x, noise=noise))(x, noise)
    torch.testing.assert_close(together, input_noise(x, noise=noise))


def test_a_number_that_is_not_finite_stays_in_sight():
    x = torch.tensor([torch.nan, torch.inf])
    assert input_noise(x, generator=seeded()).isfinite().sum() == 0


def test_an_empty_batch_stays_empty():
    assert input_noise(torch.ones(0, 3), generator=seeded()).shape == (0, 3)


@pytest.mark.parametrize("std", [-0.1, torch.nan, torch.inf, "0.1"])
def test_a_bad_size_is_named(std):
    for call in (lambda std: input_noise(torch.ones(2), std), InputNoise):
        with pytest.raises(ArgumentError, match=r"^std = .* is not allowed"):
            call(std)


@pytest.mark.parametrize("training", [True, False])
def test_token_ids_are_refused(training):
    with pytest.raises(
        ArgumentError,
        match=r"^x has dtype torch.int64: it must be floating point; noise makes other tokens of ids: add it to",
    ):
        input_noise(torch.tensor([1, 2]), training=training)


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        (torch.ones(4), r"^noise has shape \(4,\): it must be \(2, 3\), or broadcast to it$"),
        (torch.ones(3).long(), r"^noise has dtype torch.int64: it must be floating point"),
    ],
)
def test_noise_that_does_not_fit_is_refused(noise, message):
    with pytest.raises(ArgumentError, match=message):
        input_noise(torch.ones(2, 3), noise=noise)


# The Module


def test_the_module_is_the_function_in_training_and_the_identity_in_eval():
    module, x = InputNoise(0.3), draw(4)
    assert torch.equal(module(x, generator=seeded()), input_noise(x, 0.3, generator=seeded()))
    assert torch.equal(module.eval()(x), x)


def test_the_module_survives_copies_and_shows_its_size():
    module, file = InputNoise(0.3), io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    for other in (copy.deepcopy(module), torch.load(file, weights_only=False)):
        assert repr(other) == "InputNoise(std=0.3)"
        other.load_state_dict(module.state_dict())


def test_a_compiled_module_draws_what_it_draws_uncompiled():
    module, x = InputNoise(), draw(3, 4)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        expected = module(x)
        torch.manual_seed(0)
        torch.testing.assert_close(torch.compile(module, backend="eager", fullgraph=True)(x), expected)
