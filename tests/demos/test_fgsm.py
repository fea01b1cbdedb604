"""The FGSM demo: its claims hold at every size, and each wrong attack breaks one."""

import pytest
import torch

from helpers import broken
from regdemo import regularizers
from regdemo.demos.fgsm import fgsm

RIGHT = regularizers.fgsm


# One bound is missed by chance once in 10^9.
@pytest.mark.parametrize("epsilon", [0.0, 1e-6, 0.1, 10.0])
@pytest.mark.parametrize("inputs", [1, 50, 1_000])
def test_every_claim_holds_at_any_epsilon_and_size(epsilon, inputs):
    assert broken(fgsm(epsilon=epsilon, inputs=inputs, seed=3)) == []


def downhill(x, loss, epsilon):
    return 2 * x - RIGHT(x, loss, epsilon)


def by_random_signs(x, loss, epsilon):
    return x + epsilon * torch.randn(x.shape, generator=torch.Generator().manual_seed(0)).sign()


@pytest.mark.parametrize("wrong", [downhill, by_random_signs])
def test_another_direction_is_not_the_worst_case(monkeypatch, wrong):
    monkeypatch.setattr(regularizers, "fgsm", wrong)
    assert {
        "The loss after the attack is the formula's worst case",
        "None of 1,000 random corners of the box around one example is worse",
    } == {*broken(fgsm())}


def test_a_step_along_the_gradient_itself_breaks_the_size(monkeypatch):
    def by_gradient(x, loss, epsilon):
        x = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(x), x)
        return (x + epsilon * gradient / gradient.norm()).detach()

    monkeypatch.setattr(regularizers, "fgsm", by_gradient)
    assert "Every input moves by epsilon, none further" in broken(fgsm())


def test_an_attack_by_backward_leaves_its_trace(monkeypatch):
    def by_backward(x, loss, epsilon):
        x = x.clone().requires_grad_()
        loss(x).backward()
        return (x + epsilon * x.grad.sign()).detach()

    monkeypatch.setattr(regularizers, "fgsm", by_backward)
    assert "The parameters' .grad are as they were" in broken(fgsm())


def test_the_attack_lowers_accuracy_and_raises_the_loss():
    clean, noisy, attacked = fgsm().blocks[1].rows
    assert attacked[1] > max(clean[1], noisy[1])
    assert attacked[2] < clean[2]
