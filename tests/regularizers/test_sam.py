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


def scaled_passes(scaler, w, sam, second=1.0):
    """Both passes with scaled gradients, the second times a factor; what is left is the scaler's step."""
    scaler.scale((H * w**2).sum() / 2).backward()
    sam.ascend()
    scaler.scale((H * w**2).sum() / 2 * second).backward()


def test_a_step_that_a_scaler_skips_leaves_the_weights_where_they_were():
    w, sam = made()
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    scaled_passes(scaler, w, sam, second=inf)
    scaler.step(sam)
    scaler.update()
    assert torch.equal(w, START)
    assert scaler.get_scale() == 512


def test_training_goes_on_after_a_skipped_step_as_if_it_had_not_been():
    (w, sam), (other, plain) = made(), made()
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for second in (1.0, inf, 1.0):
        sam.zero_grad()
        scaled_passes(scaler, w, sam, second)
        scaler.step(sam)
        scaler.update()
    for _ in range(2):
        plain.step(lambda: backward(other))
    torch.testing.assert_close(w, other)


def test_two_ascents_without_a_step_are_refused():
    w, sam = made()
    backward(w)
    sam.ascend()
    backward(w)
    with pytest.raises(ArgumentError, match=r"^the weights are uphill since the last ascend\(\): call step\(\)"):
        sam.ascend()
    sam.restore()
    assert torch.equal(w, START)


@pytest.mark.parametrize("when", ["before ascend", "before step"])
def test_unscaling_sam_itself_is_refused_for_it_does_not_say_which_pass_it_was_for(when):
    w, sam = made()
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    scaler.scale((H * w**2).sum() / 2).backward()
    if when == "before ascend":
        scaler.unscale_(sam)
    sam.ascend()
    scaler.scale((H * w**2).sum() / 2).backward()
    if when == "before step":
        scaler.unscale_(sam)
    with pytest.raises(ArgumentError, match=r"^scaler\.unscale_ was called on SAM"):
        scaler.step(sam)
    assert torch.equal(w, START)
    sam.step(lambda: backward(w))  # nothing of the scaler's is left


def test_gradients_are_clipped_between_unscaling_the_base_and_its_step():
    w, sam = made(lr=1.0)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    scaled_passes(scaler, w, sam)
    sam.restore()
    scaler.unscale_(sam.base)
    torch.nn.utils.clip_grad_norm_([w], 0.5)
    scaler.step(sam.base)
    scaler.update()
    assert (w - START).norm().item() == pytest.approx(0.5, rel=1e-5)


def test_a_closure_that_does_not_zero_its_gradients_still_steps_along_the_second_alone():
    (w, sam), (other, plain) = made(), made()

    def accumulating():
        loss = (H * w**2).sum() / 2
        loss.backward()
        return loss

    sam.step(accumulating)
    plain.step(lambda: backward(other))
    assert torch.equal(w, other)


def test_a_grad_scaler_steps_as_without_it():
    (w, sam), (other, plain) = made(), made()
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    scaled_passes(scaler, w, sam)
    scaler.step(sam)
    plain.step(lambda: backward(other))
    torch.testing.assert_close(w, other)


def test_adaptive_sam_is_kwons_formula():
    w = nn.Parameter(START.clone())
    sam = SAM(torch.optim.SGD([w], lr=0.1), 0.5, adaptive=True)
    g = H * START
    up = START + 0.5 * START**2 * g / (START.abs() * g).norm()
    sam.step(lambda: backward(w))
    torch.testing.assert_close(w.detach(), START - 0.1 * H * up, rtol=1e-10, atol=1e-10)


def test_adaptive_sam_is_the_same_for_rescaled_weights():
    # f(a b x) does not change where a is doubled and b halved; nor does what an adaptive ascent makes of it.
    def ascended(scale, adaptive):
        a, b = (nn.Parameter(torch.tensor(v, dtype=torch.float64)) for v in (2.0 * scale, 3.0 / scale))
        sam = SAM(torch.optim.SGD([a, b], lr=0.1), 0.5, adaptive=adaptive)
        (a * b).square().backward()
        sam.ascend()
        return (a * b).item()

    assert ascended(1.0, True) == pytest.approx(ascended(4.0, True), rel=1e-10)
    assert ascended(1.0, False) != pytest.approx(ascended(4.0, False), rel=1e-3)


def test_lbfgs_is_refused_as_a_base():
    with pytest.raises(ArgumentError, match=r"^base is LBFGS, whose step evaluates the loss itself"):
        SAM(torch.optim.LBFGS([nn.Parameter(START.clone())]))


def test_a_sparse_gradient_is_refused_with_its_shape():
    embedding = nn.Embedding(5, 2, sparse=True)
    sam = SAM(torch.optim.SGD(embedding.parameters(), lr=0.1))
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(ArgumentError, match=r"^the gradient of a parameter of shape \(5, 2\) is sparse: SAM needs"):
        sam.ascend()


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
