"""The adversarial loss, on a logistic model whose worst case is known in closed form."""

from math import inf, nan

import pytest
import torch
import torch.nn.functional as F

from helpers import draw
from regdemo.errors import ArgumentError
from regdemo.regularizers import adversarial_training

X, T = draw(9, 6) / 2, torch.tensor([1.0, -1.0, 1.0] * 3, dtype=torch.float64)


def logistic(w):
    return lambda x: F.softplus(-T * (x @ w)).mean()


def worst(w, epsilon):
    return F.softplus(epsilon * w.abs().sum() - T * (X @ w)).mean()


@pytest.mark.parametrize("clean", [0, 0.25, 0.5, 1])
def test_it_is_the_clean_loss_and_the_worst_case_in_their_shares(clean):
    w = draw(6).requires_grad_()
    loss = adversarial_training(X, logistic(w), 0.3, clean=clean)
    expected = clean * logistic(w)(X) + (1 - clean) * worst(w, 0.3)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(torch.autograd.grad(loss, w), torch.autograd.grad(expected, w))


def test_half_of_it_is_clean_if_nothing_is_said():
    w = draw(6)
    assert torch.equal(adversarial_training(X, logistic(w), 0.3), adversarial_training(X, logistic(w), 0.3, clean=0.5))


def test_at_epsilon_0_it_is_the_loss_itself():
    w = draw(6)
    torch.testing.assert_close(adversarial_training(X, logistic(w), 0.0, clean=0.3), logistic(w)(X))


def test_parameters_keep_the_gradients_they_had_until_its_own_backward():
    w = draw(6).requires_grad_()
    loss = adversarial_training(X, logistic(w), 0.3)
    assert w.grad is None
    loss.backward()
    assert w.grad is not None


@pytest.mark.parametrize("clean", [-0.1, 1.1, nan, inf, "1"])
def test_a_bad_share_is_named(clean):
    with pytest.raises(ArgumentError, match=r"^clean = "):
        adversarial_training(X, logistic(draw(6)), 0.1, clean=clean)


def test_what_fgsm_refuses_is_refused():
    with pytest.raises(ArgumentError, match=r"^epsilon = "):
        adversarial_training(X, logistic(draw(6)), -1.0)
    with pytest.raises(ArgumentError, match=r"^x has dtype torch.int64"):
        adversarial_training(torch.ones(2, dtype=torch.int64), torch.sum, 0.1)
