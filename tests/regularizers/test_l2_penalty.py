"""The L2 penalty, against its definition, scikit-learn's ridge and torch's weight_decay."""

from math import inf, nan

import pytest
import torch
from sklearn.linear_model import Ridge

from regdemo.errors import ArgumentError
from regdemo.regularizers import l2_penalty

W = torch.tensor([2.0, -0.25, 0.0, -1.5], dtype=torch.float64)


def test_it_is_the_sum_of_squares_over_all_tensors():
    assert l2_penalty(iter([W, torch.ones(2, 3, dtype=torch.float64)]), 0.5).item() == 0.5 * (4 + 0.0625 + 2.25 + 6)


def test_its_gradient_is_twice_the_strength_times_the_weight():
    w = W.clone().requires_grad_()
    l2_penalty([w], 0.5).backward()
    assert torch.equal(w.grad, W)


def test_gradient_steps_on_it_reach_ridge_regression():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(60, 5, generator=generator, dtype=torch.float64)
    y = x[:, 0] - 2 * x[:, 1] + 0.1 * torch.randn(60, generator=generator, dtype=torch.float64)
    w = torch.zeros(5, dtype=torch.float64)
    for _ in range(200):
        leaf = w.clone().requires_grad_()
        loss = (x @ leaf - y).square().mean() + l2_penalty([leaf], 0.2)
        w = w - 0.2 * torch.autograd.grad(loss, leaf)[0]
    expected = torch.from_numpy(Ridge(alpha=0.2 * 60, fit_intercept=False, tol=1e-12).fit(x.numpy(), y.numpy()).coef_)
    torch.testing.assert_close(w, expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9, "nesterov": True}])
def test_it_is_sgds_weight_decay_of_twice_its_strength(options):
    one, other = torch.nn.Parameter(W.clone()), torch.nn.Parameter(W.clone())
    penalized = torch.optim.SGD([one], lr=0.1, **options)
    decayed = torch.optim.SGD([other], lr=0.1, weight_decay=0.2, **options)
    for _ in range(3):
        (one.grad,) = torch.autograd.grad(one.sum() + l2_penalty([one], 0.1), one)
        (other.grad,) = torch.autograd.grad(other.sum(), other)
        penalized.step()
        decayed.step()
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_it_keeps_the_type(dtype):
    assert l2_penalty([W.to(dtype)], 0.5).dtype == dtype


@pytest.mark.parametrize("value", [-0.1, nan, inf, "1"])
def test_a_bad_strength_is_named(value):
    with pytest.raises(ArgumentError, match=r"^strength = "):
        l2_penalty([W], value)


def test_integers_and_no_weights_at_all_are_refused():
    with pytest.raises(ArgumentError, match=r"^weight has dtype torch\.int64"):
        l2_penalty([torch.ones(2, dtype=torch.int64)], 1.0)
    with pytest.raises(ArgumentError, match=r"^weights is empty"):
        l2_penalty([], 1.0)
