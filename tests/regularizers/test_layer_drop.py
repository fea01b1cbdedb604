import copy
import io
import itertools

import pytest
import torch
from scipy import stats
from torch import nn

from helpers import seeded
from regdemo.errors import ArgumentError, ProbabilityError
from regdemo.regularizers import DropPath, LayerDrop, keep_mask, layer_drop, set_dropout

P = 0.3
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
LAYERS = [lambda x: x + 1, lambda x: 10 * x, torch.sin]


def linears(depth=4, p=P):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return LayerDrop([nn.Linear(3, 3) for _ in range(depth)], p)


@pytest.mark.parametrize("kept", [*itertools.product([True, False], repeat=3)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_layers_kept_run_in_their_order_and_nothing_is_rescaled(kept, dtype):
    x = expected = torch.tensor([0.5, -1.0], dtype=dtype)
    for layer, keep in zip(LAYERS, kept, strict=True):
        expected = layer(expected) if keep else expected
    assert torch.equal(layer_drop(x, LAYERS, P, mask=torch.tensor(kept)), expected)


def test_it_draws_one_coin_for_each_layer():
    kept = keep_mask((20,), P, generator=seeded(1))
    layers = [lambda x, n=n: x + 2**n for n in range(20)]
    y = layer_drop(torch.zeros(2, dtype=torch.float64), layers, P, generator=seeded(1))
    assert y.tolist() == [sum(2**n for n in range(20) if kept[n])] * 2


def test_the_mean_number_of_layers_run_is_that_of_coins():
    # The exact binomial interval at 1e-7 over 5,000 passes of 6 layers.
    ran = sum(
        layer_drop(torch.zeros(1), [LAYERS[0]] * 6, P, generator=g).item() for g in [seeded()] for _ in range(5_000)
    )
    low, high = stats.binom.ppf([5e-8, 1 - 5e-8], 30_000, 1 - P)
    assert low <= ran <= high


def test_outside_training_every_layer_runs_and_nothing_is_drawn():
    generator = seeded()
    y = layer_drop(torch.zeros(1), [LAYERS[0]] * 9, 0.9, training=False, generator=generator)
    assert y.item() == 9
    assert torch.equal(generator.get_state(), seeded().get_state())


def test_at_rate_0_every_layer_runs():
    assert layer_drop(torch.zeros(1), [LAYERS[0]] * 9, 0.0).item() == 9


def test_a_skipped_layer_is_not_called_and_gets_no_gradient():
    module = linears()
    layer_drop(torch.ones(2, 3), module.layers, P, mask=torch.tensor([True, False, True, False])).sum().backward()
    assert [layer.weight.grad is None for layer in module.layers] == [False, True, False, True]


def test_its_gradient_is_that_of_finite_differences():
    x = torch.randn(4, generator=seeded(), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: layer_drop(x, LAYERS, P, mask=torch.tensor([True, False, True])), x)


def test_an_empty_stack_and_an_empty_batch_pass():
    x = torch.ones(2, 3)
    assert layer_drop(x, [], P) is x
    assert layer_drop(x[:0], LAYERS, P).shape == (0, 3)


def test_with_a_mask_it_maps_over_a_batch_like_a_loop():
    x, mask = torch.randn(5, 3, generator=seeded()), torch.tensor([True, False, True])
    mapped = torch.func.vmap(lambda x: layer_drop(x, LAYERS, P, mask=mask))(x)
    torch.testing.assert_close(mapped, torch.stack([layer_drop(x, LAYERS, P, mask=mask) for x in x]))


def test_compiled_it_is_the_same():
    torch._dynamo.reset()
    module, x = linears(), torch.ones(2, 3)
    compiled = torch.compile(module, backend="eager")
    torch.testing.assert_close(compiled(x, generator=seeded(2)), module(x, generator=seeded(2)))
    torch._dynamo.reset()


def test_the_module_is_its_function():
    module, x = linears(depth=50), torch.ones(2, 3)  # of 50 layers one is skipped, or all run with odds of 10^-8
    y = module(x, generator=seeded(2))
    assert torch.equal(y, layer_drop(x, module.layers, P, generator=seeded(2)))
    every = nn.Sequential(*module.layers)(x)
    assert not torch.equal(y, every)
    assert torch.equal(module.eval()(x), every)


def test_the_module_survives_state_dict_deepcopy_and_torch_save():
    module, x, file = linears(), torch.ones(2, 3), io.BytesIO()
    other = linears()
    with torch.no_grad():
        other.layers[0].weight.add_(1)
    other.load_state_dict(module.state_dict())
    torch.save(module, file)
    file.seek(0)
    for one in (other, copy.deepcopy(module), torch.load(file, weights_only=False)):
        assert torch.equal(one(x, generator=seeded(2)), module(x, generator=seeded(2)))


def test_the_module_shows_its_rate_and_its_layers():
    assert "p=0.3" in repr(linears())
    assert "4 x Linear(" in repr(linears())


def test_drop_path_inside_its_layers_keeps_its_own_rate_until_it_is_set():
    module = LayerDrop([DropPath(0.1)], P)
    assert set_dropout(module, 0.2, kind="path") == {"layers.0.p": 0.2}
    assert module.p == P


@pytest.mark.parametrize("p", [-0.1, 1.0, float("nan"), "0.5", None])
def test_a_bad_rate_is_refused(p):
    for call in (lambda: layer_drop(torch.ones(2), LAYERS, p), lambda: LayerDrop([nn.ReLU()], p)):
        with pytest.raises(ProbabilityError, match=r"^p = .* is not a drop probability"):
            call()


def test_an_integer_tensor_is_refused():
    with pytest.raises(ArgumentError, match=r"^x has dtype torch.int64: it must be floating point"):
        layer_drop(torch.ones(2, dtype=torch.int64), LAYERS, P)


@pytest.mark.parametrize("mask", [torch.ones(2, dtype=torch.bool), torch.ones(1, 3, dtype=torch.bool)])
def test_a_mask_of_another_shape_is_refused(mask):
    with pytest.raises(ArgumentError, match=r"^mask has shape .*: it must be \(3,\), or broadcast to it$"):
        layer_drop(torch.ones(2), LAYERS, P, mask=mask)
