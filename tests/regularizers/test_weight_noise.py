import copy
import io

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats

from helpers import draw, seeded
from regdemo.errors import ArgumentError
from regdemo.regularizers import WeightNoise, weight_noise

STD = 0.3
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
FALSE_ALARM = 1e-7  # of each test with an interval; the draws are seeded, so a test that passes keeps passing


X, W, B, N = draw(5, 3), draw(2, 3, seed=1), draw(2, seed=2), draw(2, 3, seed=3)


def layer():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return WeightNoise(3, 2, STD)


def test_it_is_its_formula_in_numpy():
    expected = X.numpy() @ (W + STD * N).numpy().T + B.numpy()
    np.testing.assert_allclose(weight_noise(X, W, B, STD, noise=N), expected, rtol=1e-12)


def test_the_noise_on_the_weights_is_normal_and_one_draw_for_the_batch():
    y = weight_noise(torch.eye(300, dtype=torch.float64), torch.zeros(300, 300, dtype=torch.float64), std=STD)
    noise = (y / STD).flatten().numpy()
    low, high = stats.chi2.ppf([FALSE_ALARM / 2, 1 - FALSE_ALARM / 2], noise.size)
    assert low <= (noise**2).sum() <= high
    assert stats.kstest(noise, "norm").pvalue > FALSE_ALARM
    same = weight_noise(X[:1].expand(4, 3), W, B, STD, generator=seeded())
    assert torch.equal(same, same[:1].expand(4, 2))


@pytest.mark.parametrize("scale", [0.0, 1.0, 10.0])
def test_on_a_linear_model_it_adds_the_same_to_the_loss_whatever_the_weights_are(scale):
    # Over noise of +1 and -1 on each of 3 weights, 8 draws, of mean 0 and variance 1, the mean loss is exact.
    w, target = scale * W[:1], draw(5, 1, seed=4)
    signs = torch.cartesian_prod(*[torch.tensor([1.0, -1.0], dtype=torch.float64)] * 3)
    losses = [(target - weight_noise(X, w, std=STD, noise=n[None])).square().mean() for n in signs]
    clean = (target - F.linear(X, w)).square().mean()
    torch.testing.assert_close(torch.stack(losses).mean() - clean, STD**2 * X.square().sum(1).mean())


def test_outside_training_it_is_a_linear_layer_and_draws_nothing():
    generator = seeded()
    assert torch.equal(weight_noise(X, W, B, STD, training=False, generator=generator), F.linear(X, W, B))
    assert torch.equal(generator.get_state(), seeded().get_state())


@pytest.mark.parametrize("dtype", DTYPES)
def test_it_keeps_the_type_and_agrees_with_float64(dtype):
    x, w, b, n = (tensor.to(dtype) for tensor in (X, W, B, N))
    y = weight_noise(x, w, b, STD, noise=n)
    assert y.dtype == weight_noise(x, w, b, STD, generator=seeded()).dtype == dtype
    expected = weight_noise(x.double(), w.double(), b.double(), STD, noise=n.double())
    torch.testing.assert_close(y.double(), expected, rtol=0, atol=40 * torch.finfo(dtype).eps)


def test_its_gradient_is_that_of_finite_differences():
    inputs = tuple(tensor.clone().requires_grad_() for tensor in (X, W, B))
    assert torch.autograd.gradcheck(lambda x, w, b: weight_noise(x, w, b, STD, noise=N), inputs)


def test_it_maps_over_a_batch_with_noise_of_its_own_for_each_example():
    noise = draw(5, 2, 3, seed=6)
    mapped = torch.func.vmap(lambda x, n: weight_noise(x, W, B, STD, noise=n))(X, noise)
    expected = torch.stack([weight_noise(x, W, B, STD, noise=n) for x, n in zip(X, noise, strict=True)])
    torch.testing.assert_close(mapped, expected)


def test_compiled_into_one_graph_it_draws_what_it_draws_uncompiled():
    torch._dynamo.reset()
    module, x = layer(), X.float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        expected = module(x)
        torch.manual_seed(1)
        torch.testing.assert_close(torch.compile(module, backend="eager", fullgraph=True)(x), expected)
    torch._dynamo.reset()


def test_the_module_is_its_function_and_survives_state_dict_deepcopy_and_torch_save():
    module, x, file = layer(), X.float(), io.BytesIO()
    with torch.random.fork_rng(devices=[]):
        other = WeightNoise(3, 2, STD)
    other.load_state_dict(module.state_dict())
    torch.save(module, file)
    file.seek(0)
    expected = weight_noise(x, module.weight, module.bias, STD, generator=seeded())
    for one in (module, other, copy.deepcopy(module), torch.load(file, weights_only=False)):
        assert torch.equal(one(x, generator=seeded()), expected)
        assert torch.equal(one.eval()(x), F.linear(x, module.weight, module.bias))
    assert repr(module) == "WeightNoise(in_features=3, out_features=2, bias=True, std=0.3)"


def test_an_empty_batch_passes():
    assert weight_noise(X[:0], W, B).shape == (0, 2)


@pytest.mark.parametrize("std", [-0.1, float("nan"), float("inf"), "0.1", None])
def test_a_bad_size_is_refused(std):
    for call in (lambda: weight_noise(X, W, B, std), lambda: WeightNoise(3, 2, std)):
        with pytest.raises(ArgumentError, match=r"^std = .* is not allowed: it must be a finite number, at least 0$"):
            call()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((X.long(), W, B), r"^x has dtype torch.int64"),
        ((X, W.long(), B), r"^weight has dtype torch.int64"),
        ((X[:, :2], W, B), r"^x has shape \(5, 2\) and weight \(2, 3\)"),
        ((X, W, B[:1]), r"^bias has shape \(1,\): it must be \(2,\)$"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        weight_noise(*arguments)


@pytest.mark.parametrize("noise", [torch.ones(3, 2), torch.ones(5, 2, 3), torch.ones(2, 3, dtype=torch.int64)])
def test_noise_that_does_not_fit_is_refused(noise):
    with pytest.raises(ArgumentError, match=r"^noise has "):
        weight_noise(X, W, B, noise=noise)
