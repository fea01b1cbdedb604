"""The L1 penalty and its proximal step, against definitions and scikit-learn's lasso."""

from math import inf, nan

import pytest
import torch
from sklearn.linear_model import Lasso

from regdemo.errors import ArgumentError
from regdemo.regularizers import l1_penalty, soft_threshold

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
W = torch.tensor([2.0, -0.25, 0.0, -1.5, 0.5], dtype=torch.float64)


def test_the_penalty_is_the_sum_of_the_sizes_over_all_tensors():
    assert l1_penalty(iter([W, torch.ones(2, 3, dtype=torch.float64)]), 0.5).item() == 0.5 * (4.25 + 6)


def test_its_gradient_is_the_sign_and_0_at_0():
    w = W.clone().requires_grad_()
    l1_penalty([w], 0.5).backward()
    assert w.grad.tolist() == [0.5, -0.5, 0, -0.5, 0.5]


def test_the_step_is_the_minimum_that_defines_it():
    grid = torch.linspace(-3, 3, 60_001, dtype=torch.float64)
    objective = (grid - W.unsqueeze(1)).square() / 2 + 0.5 * grid.abs()
    torch.testing.assert_close(soft_threshold(W, 0.5), grid[objective.argmin(1)], atol=1e-4, rtol=0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_step_keeps_type_and_makes_exact_zeros(dtype):
    y = soft_threshold(W.to(dtype), 0.5)
    assert y.dtype == dtype
    assert y.tolist() == [1.5, 0, 0, -1, 0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_penalty_keeps_type(dtype):
    assert l1_penalty([W.to(dtype)], 0.5).dtype == dtype


def test_a_threshold_of_0_is_the_identity():
    assert torch.equal(soft_threshold(W, 0), W)


def test_gradient_steps_each_followed_by_the_proximal_step_reach_the_lasso():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(60, 8, generator=generator, dtype=torch.float64)
    y = x[:, 0] - 2 * x[:, 1] + 0.1 * torch.randn(60, generator=generator, dtype=torch.float64)
    w = torch.zeros(8, dtype=torch.float64)
    for _ in range(500):
        w = soft_threshold(w - 0.3 * x.T @ (x @ w - y) / 60, 0.3 * 0.2)
    expected = torch.from_numpy(Lasso(alpha=0.2, fit_intercept=False, tol=1e-12).fit(x.numpy(), y.numpy()).coef_)
    torch.testing.assert_close(w, expected, atol=1e-7, rtol=0)
    assert torch.equal(w == 0, expected == 0)


def test_both_are_differentiable_away_from_their_corners():
    w = torch.tensor([2.0, -0.25, -1.5], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda w: l1_penalty([w], 0.3), w)
    assert torch.autograd.gradcheck(lambda w: soft_threshold(w, 0.5), w)


def test_both_run_under_vmap_and_compile():
    rows = torch.stack([W, -2 * W])
    assert torch.equal(torch.func.vmap(lambda w: soft_threshold(w, 0.5))(rows), soft_threshold(rows, 0.5))
    assert torch.func.vmap(lambda w: l1_penalty([w], 1.0))(rows).tolist() == [4.25, 8.5]
    assert torch.equal(torch.compile(soft_threshold, backend="eager", fullgraph=True)(W, 0.5), soft_threshold(W, 0.5))


def test_a_nan_stays_one():
    assert soft_threshold(torch.tensor([nan]), 1.0).isnan().all()
    assert l1_penalty([torch.tensor([nan])], 1.0).isnan()


def test_an_empty_tensor_costs_nothing():
    assert l1_penalty([torch.zeros(0)], 1.0) == 0
    assert soft_threshold(torch.zeros(0), 1.0).shape == (0,)


@pytest.mark.parametrize("value", [-0.1, nan, inf, "1"])
def test_an_amount_that_is_none_is_refused_by_name(value):
    with pytest.raises(ArgumentError, match=r"^strength = "):
        l1_penalty([W], value)
    with pytest.raises(ArgumentError, match=r"^threshold = "):
        soft_threshold(W, value)


def test_integers_and_no_weights_at_all_are_refused():
    with pytest.raises(ArgumentError, match=r"^weight has dtype torch\.int64"):
        l1_penalty([torch.ones(2, dtype=torch.int64)], 1.0)
    with pytest.raises(ArgumentError, match=r"^w has dtype torch\.int64"):
        soft_threshold(torch.ones(2, dtype=torch.int64), 1.0)
    with pytest.raises(ArgumentError, match=r"^weights is empty"):
        l1_penalty([], 1.0)
