"""The elastic net against its two parts, its minimum, and scikit-learn's."""

import numpy as np
import pytest
import torch

from helpers import draw
from regdemo.errors import ArgumentError
from regdemo.regularizers import elastic_net, elastic_net_prox, l1_penalty, l2_penalty, soft_threshold


def test_it_is_both_penalties_together():
    weights = [draw(3, 2), draw(4, seed=1)]
    expected = l1_penalty(weights, 0.3) + l2_penalty(weights, 0.7)
    torch.testing.assert_close(elastic_net(weights, 0.3, 0.7), expected)
    torch.testing.assert_close(elastic_net(iter(weights), 0.3, 0.7), expected)  # as model.parameters()


def test_its_gradient_is_that_of_finite_differences():
    assert torch.autograd.gradcheck(lambda w: elastic_net([w], 0.3, 0.7), draw(5).requires_grad_())


@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.4, 0.3)])
def test_the_proximal_step_is_where_its_sum_is_smallest(l1, l2):
    grid = torch.linspace(-3, 3, 60_001, dtype=torch.float64)
    for w in (-2.0, -0.3, 0.0, 0.45, 1.7):
        objective = (grid - w) ** 2 / 2 + l1 * grid.abs() + l2 * grid**2
        step = elastic_net_prox(torch.tensor(w, dtype=torch.float64), l1, l2).item()
        assert step == pytest.approx(grid[objective.argmin()].item(), abs=1e-4)


def test_proximal_steps_solve_scikit_learns_elastic_net():
    sklearn = pytest.importorskip("sklearn.linear_model")
    x, truth = draw(60, 8), torch.tensor([3.0, 0, 0, -2, 0, 0, 1, 0], dtype=torch.float64)
    y = x @ truth + draw(60, seed=1) / 10
    alpha, ratio = 0.5, 0.6
    theirs = sklearn.ElasticNet(alpha=alpha, l1_ratio=ratio, fit_intercept=False, tol=1e-12, max_iter=100_000)
    theirs.fit(x.numpy(), y.numpy())
    l1, l2 = alpha * ratio, alpha * (1 - ratio) / 2
    w, lr = torch.zeros(8, dtype=torch.float64), 0.3
    for _ in range(2_000):
        w = elastic_net_prox(w - lr * x.T @ (x @ w - y) / 60, lr * l1, lr * l2)
    np.testing.assert_allclose(w.numpy(), theirs.coef_, atol=1e-8)
    assert (w == 0).sum() == (theirs.coef_ == 0).sum() > 0


def test_without_l2_it_is_the_soft_threshold():
    assert torch.equal(elastic_net_prox(draw(9), 0.3, 0.0), soft_threshold(draw(9), 0.3))


@pytest.mark.parametrize("function", [lambda l1, l2: elastic_net([torch.ones(2)], l1, l2), elastic_net_prox])
def test_a_bad_strength_is_named(function):
    call = function if function is not elastic_net_prox else lambda l1, l2: elastic_net_prox(torch.ones(2), l1, l2)
    with pytest.raises(ArgumentError, match=r"^(l1|threshold) = -1 is not allowed"):
        call(-1, 0)
    with pytest.raises(ArgumentError, match=r"^l2 = nan is not allowed"):
        call(0, float("nan"))


def test_no_weights_are_refused():
    with pytest.raises(ArgumentError, match=r"^weights is empty"):
        elastic_net([], 1.0, 1.0)
