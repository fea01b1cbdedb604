import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers import seeded
from regdemo.errors import ArgumentError
from regdemo.regularizers import DropConnect, drop_connect, drop_connect_moments, dropout, keep_mask

P = 0.3


def draw(*shapes):
    generator = seeded()
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


@pytest.mark.parametrize("with_bias", [False, True])
def test_a_mask_for_each_example_is_a_loop_over_examples_in_numpy(with_bias):
    x, weight, bias = draw((6, 3), (4, 3), (4,))
    mask = keep_mask((6, 4, 3), P, generator=seeded(1))
    added = bias.numpy() * with_bias
    expected = [(weight.numpy() * m / (1 - P)) @ row + added for row, m in zip(x.numpy(), mask.numpy(), strict=True)]
    y = drop_connect(x, weight, bias if with_bias else None, P, mask=mask)
    np.testing.assert_allclose(y, expected, rtol=1e-13)


def test_a_mask_for_the_batch_is_a_linear_layer_of_masked_weights():
    x, weight, bias = draw((6, 3), (4, 3), (4,))
    mask = keep_mask((4, 3), P, generator=seeded(1))
    expected = F.linear(x, weight * mask / (1 - P), bias)
    torch.testing.assert_close(drop_connect(x, weight, bias, P, per_sample=False, mask=mask), expected)


@pytest.mark.parametrize("batch", [(), (6,), (2, 3)])
@pytest.mark.parametrize("per_sample", [True, False])
def test_it_draws_one_coin_for_each_weight_of_each_example_or_of_the_batch(batch, per_sample):
    x, weight, bias = draw((*batch, 3), (4, 3), (4,))
    mask = keep_mask((*batch, 4, 3) if per_sample else (4, 3), P, generator=seeded(1))
    expected = drop_connect(x, weight, bias, P, mask=mask)
    y = drop_connect(x, weight, bias, P, per_sample=per_sample, generator=seeded(1))
    assert torch.equal(y, expected)
    assert y.shape == (*batch, 4)


def test_it_drops_half_with_a_mask_for_each_example_unless_told():
    x, weight = draw((6, 3), (4, 3))
    expected = drop_connect(x, weight, None, 0.5, per_sample=True, generator=seeded())
    assert torch.equal(drop_connect(x, weight, generator=seeded()), expected)


def test_a_sequence_of_examples_is_masked_position_by_position():
    x, weight = draw((2, 5, 3), (4, 3))
    mask = keep_mask((2, 5, 4, 3), P, generator=seeded(1))
    flat = drop_connect(x.flatten(0, 1), weight, None, P, mask=mask.flatten(0, 1))
    torch.testing.assert_close(drop_connect(x, weight, None, P, mask=mask), flat.view(2, 5, 4))


@pytest.mark.parametrize("per_sample", [True, False])
def test_the_bias_is_never_dropped(per_sample):
    _, weight, bias = draw((1,), (4, 3), (4,))
    x = torch.zeros(8, 3, dtype=torch.float64)
    y = drop_connect(x, weight, bias, P, per_sample=per_sample, generator=seeded())
    assert torch.equal(y, bias.expand(8, 4))


def test_the_gradient_reaches_the_weights_that_some_example_kept():
    x, weight = torch.ones(2, 2), torch.ones(1, 2, requires_grad=True)
    mask = torch.tensor([[[True, False]], [[True, False]]])
    drop_connect(x, weight, None, 0.5, mask=mask).sum().backward()
    assert weight.grad.tolist() == [[4.0, 0.0]]


@pytest.mark.parametrize("per_sample", [True, False])
def test_its_gradients_are_those_of_finite_differences_in_weight_and_bias_too(per_sample):
    inputs = [tensor.requires_grad_() for tensor in draw((5, 3), (2, 3), (2,))]
    mask = keep_mask((5, 2, 3) if per_sample else (2, 3), P, generator=seeded(1))
    assert torch.autograd.gradcheck(lambda x, w, b: drop_connect(x, w, b, P, mask=mask), inputs)


def test_for_one_linear_unit_it_is_dropout_on_the_inputs():
    x, weight = draw((6, 3), (1, 3))
    mask = keep_mask((6, 3), P, generator=seeded(1))
    expected = F.linear(dropout(x, P, mask=mask), weight)
    torch.testing.assert_close(drop_connect(x, weight, None, P, mask=mask.unsqueeze(1)), expected)


def test_its_moments_are_those_over_all_masks():
    x, weight, bias = draw((3,), (2, 3), (2,))
    masks = torch.tensor(list(itertools.product([True, False], repeat=6))).view(64, 2, 3)
    chance = (1 - P) ** masks.sum(dim=(1, 2)).double() * P ** (~masks).sum(dim=(1, 2)).double()
    y = drop_connect(x.expand(64, 3), weight, bias, P, mask=masks)
    mean = chance @ y
    variance = chance @ (y - mean).square()
    torch.testing.assert_close(drop_connect_moments(x, weight, bias, P), (mean, variance))


def test_the_moments_are_those_of_a_half_unless_told():
    x, weight = draw((6, 3), (4, 3))
    assert torch.equal(drop_connect_moments(x, weight)[1], drop_connect_moments(x, weight, p=0.5)[1])


WRONG = [
    ((6, 3), (4, 5), None, r"^x has shape \(6, 3\) and weight \(4, 5\): they must be \(B, in\) and \(out, in\)$"),
    ((6, 3), (3,), None, r"^x has shape \(6, 3\) and weight \(3,\): "),
    ((6, 3), (2, 4, 3), None, r"^x has shape \(6, 3\) and weight \(2, 4, 3\): "),
    ((), (4, 3), None, r"^x has shape \(\) and weight \(4, 3\): "),
    ((6, 3), (4, 3), (3,), r"^bias has shape \(3,\): it must be \(4,\)$"),
    ((6, 3), (4, 3), (1,), r"^bias has shape \(1,\): it must be \(4,\)$"),
    ((6, 3), (4, 3), (6, 4), r"^bias has shape \(6, 4\): it must be \(4,\)$"),
]


@pytest.mark.parametrize("function", [drop_connect, drop_connect_moments])
@pytest.mark.parametrize(("x", "weight", "bias", "message"), WRONG)
def test_shapes_that_do_not_fit_are_named(function, x, weight, bias, message):
    with pytest.raises(ArgumentError, match=message):
        function(torch.ones(x), torch.ones(weight), None if bias is None else torch.ones(bias))


@pytest.mark.parametrize("function", [drop_connect, drop_connect_moments])
@pytest.mark.parametrize("name", ["x", "weight"])
def test_an_integer_tensor_is_named(function, name):
    tensors = {"x": torch.ones(2, 3), "weight": torch.ones(4, 3)}
    tensors[name] = tensors[name].long()
    with pytest.raises(ArgumentError, match=rf"^{name} has dtype torch.int64"):
        function(**tensors)


def test_as_a_module_it_shows_its_sizes_its_rate_and_whose_mask_it_draws():
    module = DropConnect(3, 2, 0.2, bias=False, per_sample=False)
    assert repr(module) == "DropConnect(in_features=3, out_features=2, bias=False, p=0.2, per_sample=False)"


def test_as_a_module_it_has_a_bias_unless_told():
    assert [name for name, _ in DropConnect(3, 2).named_parameters()] == ["weight", "bias"]


def test_as_a_module_it_takes_a_linear_layers_weights():
    linear, module = nn.Linear(3, 2), DropConnect(3, 2).eval()
    module.load_state_dict(linear.state_dict())
    x = torch.ones(4, 3)
    assert torch.equal(module(x), linear(x))
