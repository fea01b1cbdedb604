import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers import draw
from regdemo.errors import ArgumentError
from regdemo.regularizers import fgsm


def test_on_a_logistic_model_the_loss_is_the_closed_form():
    w, x, t = draw(6), draw(9, 6) / 2, torch.tensor([1.0, -1.0, 1.0] * 3, dtype=torch.float64)
    attacked = fgsm(x, lambda x: F.softplus(-t * (x @ w)).mean(), 0.25)
    expected = F.softplus(0.25 * w.abs().sum() - t * (x @ w))
    torch.testing.assert_close(F.softplus(-t * (attacked @ w)), expected)


def test_on_a_linear_model_no_corner_of_the_box_is_worse():
    w, x = draw(5), draw(5) / 3
    corners = torch.tensor([*itertools.product([-0.5, 0.5], repeat=5)], dtype=torch.float64)
    assert fgsm(x, lambda x: x @ w, 0.5) @ w == pytest.approx(((x + corners) @ w).max().item())


def test_an_input_without_influence_stays():
    assert fgsm(torch.ones(2), lambda x: 3 * x[0], 0.5).tolist() == [1.5, 1.0]


def test_at_epsilon_0_nothing_moves():
    x = draw(4)
    assert torch.equal(fgsm(x, lambda x: x.square().sum(), 0.0), x)


def test_a_loss_for_each_example_is_summed():
    x = draw(4, 3)
    assert torch.equal(fgsm(x, lambda x: x.square().mean(-1), 0.1), fgsm(x, lambda x: x.square().sum(), 0.1))


def test_parameters_keep_the_gradients_they_had():
    layer, x = nn.Linear(3, 1, dtype=torch.float64), draw(4, 3)
    fgsm(x, lambda x: layer(x).square().mean(), 0.1)
    assert layer.weight.grad is None
    layer.weight.grad = torch.ones(1, 3, dtype=torch.float64)
    fgsm(x, lambda x: layer(x).square().mean(), 0.1)
    assert torch.equal(layer.weight.grad, torch.ones(1, 3, dtype=torch.float64))


def test_the_input_is_left_as_it_was():
    x = draw(4).requires_grad_()
    before = x.detach().clone()
    attacked = fgsm(x, lambda x: x.square().sum(), 0.1)
    assert torch.equal(x, before)
    assert x.grad is None
    assert not attacked.requires_grad


def test_it_attacks_inside_no_grad_too():
    with torch.no_grad():
        assert fgsm(torch.tensor([1.0]), lambda x: x.square().sum(), 0.5).item() == 1.5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_it_keeps_the_type(dtype):
    attacked = fgsm(torch.tensor([1.0, -1.0], dtype=dtype), lambda x: x.square().sum(), 0.5)
    assert attacked.dtype == dtype
    assert attacked.tolist() == [1.5, -1.5]


def test_an_empty_batch_stays_empty():
    assert fgsm(torch.ones(0, 3), lambda x: x.sum(), 0.1).shape == (0, 3)


@pytest.mark.parametrize("epsilon", [-0.1, torch.nan, torch.inf, None])
def test_a_bad_epsilon_is_named(epsilon):
    with pytest.raises(ArgumentError, match=r"^epsilon = .* is not allowed"):
        fgsm(torch.ones(2), torch.sum, epsilon)


def test_token_ids_are_refused():
    with pytest.raises(ArgumentError, match=r"^x has dtype torch.int64: it must be floating point"):
        fgsm(torch.tensor([1, 2]), torch.sum, 0.1)


def test_a_loss_that_x_does_not_reach_is_named():
    with pytest.raises(ArgumentError, match=r"^loss returned 2 without a gradient: it must be computed from x"):
        fgsm(torch.ones(2), lambda x: torch.tensor(2.0), 0.1)


def test_a_gradient_that_is_not_a_number_is_said():
    # Its sign is 0 in torch, so it would pass for an input without influence.
    with pytest.raises(ArgumentError, match=r"^the gradient of loss is not a number in 1 of 2 inputs$"):
        fgsm(torch.tensor([-1.0, 1.0]), lambda x: x.sqrt().sum(), 0.1)
