import copy
import io

import numpy as np
import pytest
import torch
from scipy import stats

from helpers import draw, seeded
from regdemo.errors import ArgumentError
from regdemo.regularizers import ActivationNoise, activation_noise

STD = 0.3
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
FALSE_ALARM = 1e-7  # of each test with an interval; the draws are seeded, so a test that passes keeps passing


@pytest.mark.parametrize("shape", [(), (6,), (2, 3, 4)])
def test_it_is_its_formula_in_numpy(shape):
    x, n = draw(*shape), draw(*shape, seed=1)
    np.testing.assert_allclose(activation_noise(x, STD, noise=n), x.numpy() + STD * n.numpy(), rtol=1e-15)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_its_noise_is_normal_with_mean_0_and_the_size_given_whatever_x_is(dtype):
    x = torch.full((100_000,), 2.0, dtype=dtype)
    noise = ((activation_noise(x, STD, generator=seeded()) - x) / STD).double().numpy()
    assert abs(noise.mean()) <= stats.norm.isf(FALSE_ALARM / 2) / noise.size**0.5
    low, high = stats.chi2.ppf([FALSE_ALARM / 2, 1 - FALSE_ALARM / 2], noise.size)
    assert low <= (noise**2).sum() <= high
    assert stats.kstest(noise, "norm").pvalue > FALSE_ALARM


def test_behind_a_linear_layer_it_is_a_penalty_on_the_weights():
    # Over noise of +1 and -1 in each of 4 places, 16 draws, of mean 0 and variance 1, the mean loss is exact.
    x, w, target = draw(7, 4), draw(4, seed=1), draw(7, seed=2)
    signs = torch.cartesian_prod(*[torch.tensor([1.0, -1.0], dtype=torch.float64)] * 4)
    losses = [(target - activation_noise(x, STD, noise=n) @ w).square().mean() for n in signs]
    expected = (target - x @ w).square().mean() + STD**2 * w.square().sum()
    torch.testing.assert_close(torch.stack(losses).mean(), expected)


def test_outside_training_x_is_returned_and_nothing_drawn():
    x, generator = draw(3), seeded()
    assert activation_noise(x, STD, training=False, generator=generator) is x
    assert torch.equal(generator.get_state(), seeded().get_state())


@pytest.mark.parametrize("dtype", DTYPES)
def test_it_keeps_the_type_and_adds_float32_noise_rounded(dtype):
    y = activation_noise(torch.zeros(50, dtype=dtype), STD, generator=seeded())
    drawn = torch.promote_types(dtype, torch.float32)
    expected = (STD * torch.randn(50, generator=seeded(), dtype=drawn)).to(dtype)
    assert y.dtype == dtype
    assert torch.equal(y, expected)


def test_its_gradient_is_that_of_the_identity():
    n = draw(4, seed=1)
    assert torch.autograd.gradcheck(lambda x: activation_noise(x, STD, noise=n), draw(4).requires_grad_())


def test_it_maps_over_a_batch_with_noise_of_its_own_for_each():
    x, n = draw(5, 3), draw(5, 3, seed=1)
    mapped = torch.func.vmap(lambda x, n: activation_noise(x, STD, noise=n))(x, n)
    assert torch.equal(mapped, activation_noise(x, STD, noise=n))


def test_compiled_into_one_graph_it_draws_what_it_draws_uncompiled():
    torch._dynamo.reset()
    x, call = draw(4), torch.compile(lambda x: activation_noise(x, STD), backend="eager", fullgraph=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        expected = activation_noise(x, STD)
        torch.manual_seed(1)
        torch.testing.assert_close(call(x), expected)
    torch._dynamo.reset()


def test_the_module_is_its_function_and_survives_state_dict_deepcopy_and_torch_save():
    module, x, file = ActivationNoise(STD), draw(3, 4), io.BytesIO()
    other = ActivationNoise(STD)
    other.load_state_dict(module.state_dict())
    torch.save(module, file)
    file.seek(0)
    expected = activation_noise(x, STD, generator=seeded())
    for one in (module, other, copy.deepcopy(module), torch.load(file, weights_only=False)):
        assert torch.equal(one(x, generator=seeded()), expected)
        assert torch.equal(one.eval()(x), x)
    assert repr(module) == "ActivationNoise(std=0.3)"


def test_nan_inf_and_nothing_pass_through():
    x = torch.tensor([float("nan"), float("inf")])
    torch.testing.assert_close(activation_noise(x, STD), x, equal_nan=True)
    assert activation_noise(torch.ones(0, 3), STD).shape == (0, 3)


@pytest.mark.parametrize("std", [-0.1, float("nan"), float("inf"), "0.1", None])
def test_a_bad_size_is_refused(std):
    for call in (lambda: activation_noise(torch.ones(2), std), lambda: ActivationNoise(std)):
        with pytest.raises(ArgumentError, match=r"^std = .* is not allowed: it must be a finite number, at least 0$"):
            call()


def test_an_integer_tensor_is_refused():
    with pytest.raises(ArgumentError, match=r"^x has dtype torch.int64: it must be floating point"):
        activation_noise(torch.ones(2, dtype=torch.int64))


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        (torch.ones(4), r"^noise has shape \(4,\): it must be \(2, 3\), or broadcast to it$"),
        (torch.ones(3, dtype=torch.int64), r"^noise has dtype torch.int64: it must be floating point"),
    ],
)
def test_noise_that_does_not_fit_is_refused(noise, message):
    with pytest.raises(ArgumentError, match=message):
        activation_noise(torch.ones(2, 3), noise=noise)
