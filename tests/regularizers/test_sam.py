"""SAM against closed forms, and skipped steps."""

from math import inf, nan

import pytest
import torch
from torch import nn

from regdemo.errors import ArgumentError
from regdemo.regularizers import SAM

H = torch.tensor([1.0, 4.0, 9.0], dtype=torch.float64)
START = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)


def made(rho=0.3, lr=0.1):
    w = nn.Parameter(START.clone())
    return w, SAM(torch.optim.SGD([w], lr=lr), rho)


def backward(w):
    w.grad = None
    loss = (H * w**2).sum() / 2
    loss.backward()
    return loss


@pytest.mark.parametrize("rho", [0.05, 0.3, 2.0])
def test_on_a_quadratic_a_step_is_gradient_descent_on_the_loss_plus_rho_times_the_gradients_norm(rho):
    w, sam = made(rho)
    sam.step(lambda: backward(w))
    other = START.clone().requires_grad_()
    loss = (H * other**2).sum() / 2 + rho * (H * other).norm()
    (gradient,) = torch.autograd.grad(loss, other)
    torch.testing.assert_close(w.detach(), START - 0.1 * gradient, rtol=1e-10, atol=1e-10)


def test_the_ascent_is_along_the_norm_of_all_parameters_together():
    a, b = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))
    sam = SAM(torch.optim.SGD([{"params": [a]}, {"params": [b], "rho": 2.0}], lr=0.1), 1.0)
    a.grad, b.grad = torch.tensor([3.0, 0.0]), torch.tensor([4.0])
    assert sam.ascend().item() == 5
    torch.testing.assert_close(a.detach(), torch.tensor([0.6, 0.0]))
    torch.testing.assert_close(b.detach(), torch.tensor([1.6]))


def test_by_hand_is_the_same_as_by_closure():
    w, sam = made()
    other, by_closure = made()
    for _ in range(3):
        backward(w)
        sam.ascend()
        backward(w)
        sam.step()
        by_closure.step(lambda: backward(other))
    assert torch.equal(w, other)


def test_a_rho_of_0_is_the_base():
    w, sam = made(rho=0)
    sam.step(lambda: backward(w))
    torch.testing.assert_close(w.detach(), START - 0.1 * H * START)


def test_a_gradient_of_0_does_not_move():
    w = nn.Parameter(torch.zeros(3, dtype=torch.float64))
    SAM(torch.optim.SGD([w], lr=0.1)).step(lambda: backward(w))
    assert w.tolist() == [0, 0, 0]


def test_restore_brings_the_weights_back_to_the_bit_and_says_whether_they_were_up():
    w, sam = made()
    backward(w)
    sam.ascend()
    assert not torch.equal(w, START)
    assert sam.restore() is True
    assert torch.equal(w, START)
    assert sam.restore() is False


def test_a_step_that_a_scaler_skips_leaves_the_next_ascent_at_home():
    # GradScaler.step does not call step() when it finds an inf: the next ascend must not start uphill.
    w, sam = made()
    backward(w)
    sam.ascend()
    backward(w)
    sam.ascend()
    sam.restore()
    assert torch.equal(w, START)


def test_a_grad_scaler_steps_as_without_it():
    w, sam = made()
    other, plain = made()
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for ready in (sam.ascend, lambda: scaler.step(sam)):
        w.grad = None
        scaler.scale((H * w**2).sum() / 2).backward()
        ready()
    plain.step(lambda: backward(other))
    torch.testing.assert_close(w, other)


def test_a_state_dict_taken_uphill_still_leads_home():
    w, sam = made()
    backward(w)
    sam.ascend()
    up = nn.Parameter(w.detach().clone())
    other = SAM(torch.optim.SGD([up], lr=0.1))
    other.load_state_dict(sam.state_dict())
    other.restore()
    assert torch.equal(up, START)


@pytest.mark.parametrize("bad", [inf, -inf, nan])
def test_a_gradient_that_is_not_finite_is_said_and_moves_nothing(bad):
    w, sam = made()

    def closure():
        w.grad = torch.tensor([bad, 1.0, 1.0], dtype=torch.float64)
        return torch.tensor(0.0)

    with pytest.raises(ArgumentError, match=r"^the gradient has norm (inf|nan): it must be finite"):
        sam.step(closure)
    assert torch.equal(w, START)
    assert sam.restore() is False


def test_a_step_without_closure_and_ascent_is_refused():
    w, sam = made()
    backward(w)
    with pytest.raises(ArgumentError, match=r"^step\(\) has no gradient from uphill"):
        sam.step()
    assert torch.equal(w, START)


@pytest.mark.parametrize("rho", [-0.1, nan, inf, "1"])
def test_a_rho_that_is_none_is_refused_by_name(rho):
    with pytest.raises(ArgumentError, match=r"^rho = "):
        made(rho)
