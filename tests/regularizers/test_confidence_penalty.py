"""Confidence penalty, against loops over plain numbers."""

from math import exp, inf, isnan, log, nan

import pytest
import torch
from torch.nn.functional import cross_entropy, kl_div

from helpers import draw
from regdemo.errors import ArgumentError
from regdemo.regularizers import confidence_penalty


def entropy_by_hand(row):
    """The entropy of softmax(row), in nats: from the definition, one number at a time."""
    weights = [exp(z) for z in row]
    shares = [weight / sum(weights) for weight in weights]
    return -sum(share * log(share) for share in shares if share > 0)


@pytest.mark.parametrize("beta", [0.0, 0.1, 3.0])
def test_it_agrees_with_a_loop_written_from_the_formula(beta):
    logits = 3 * draw(7, 5)
    expected = -beta * sum(map(entropy_by_hand, logits.tolist())) / 7
    assert confidence_penalty(logits, beta).item() == pytest.approx(expected, rel=1e-12)


def test_the_gradient_is_p_times_log_p_plus_entropy():
    logits = draw(3, 4, seed=1).requires_grad_()
    (gradient,) = torch.autograd.grad(confidence_penalty(logits, 0.7), logits)
    for row, found in zip(logits.tolist(), gradient.tolist(), strict=True):
        entropy, total = entropy_by_hand(row), sum(map(exp, row))
        shares = [exp(z) / total for z in row]
        assert found == pytest.approx([0.7 * p * (log(p) + entropy) / 3 for p in shares], rel=1e-10, abs=1e-14)


def test_the_second_derivatives_are_right():
    assert torch.autograd.gradgradcheck(lambda z: confidence_penalty(z, 0.5), draw(2, 3).requires_grad_())


def test_it_is_least_where_all_classes_are_equally_likely_and_0_where_one_is_certain():
    assert confidence_penalty(torch.full((2, 8), 5.0), 1.0).item() == pytest.approx(-log(8))
    assert confidence_penalty(torch.tensor([[1e4, 0.0, -1e4]]), 1.0).item() == 0
    assert confidence_penalty(torch.zeros(3, 1), 1.0).item() == 0


def test_it_is_the_divergence_from_uniform_less_a_constant_and_label_smoothing_has_the_other_direction():
    logits, labels = draw(6, 4, seed=2), torch.tensor([0, 1, 2, 3, 0, 1])
    log_p = logits.log_softmax(-1)
    log_u = torch.full_like(log_p, -log(4))
    forward = kl_div(log_u, log_p, reduction="batchmean", log_target=True)
    assert torch.allclose(confidence_penalty(logits, 0.3), 0.3 * (forward - log(4)))
    backward = kl_div(log_p, log_u, reduction="batchmean", log_target=True)
    smoothed = cross_entropy(logits, labels, label_smoothing=0.1)
    assert torch.allclose(smoothed, 0.9 * cross_entropy(logits, labels) + 0.1 * (backward + log(4)))


def test_the_mean_is_over_all_axes_but_the_last():
    logits = draw(2, 3, 4, 5)
    assert torch.allclose(confidence_penalty(logits, 0.2), confidence_penalty(logits.reshape(24, 5), 0.2))
    rows = [confidence_penalty(row, 0.2) for row in logits.reshape(24, 5)]
    assert torch.allclose(confidence_penalty(logits, 0.2), torch.stack(rows).mean())


def test_a_class_at_minus_infinity_counts_as_absent_and_gets_no_gradient():
    some = draw(3, 4, seed=3)
    with_absent = torch.cat([some, torch.full((3, 1), -inf, dtype=some.dtype)], dim=-1).requires_grad_()
    penalty = confidence_penalty(with_absent, 0.4)
    assert torch.allclose(penalty, confidence_penalty(some, 0.4))
    (gradient,) = torch.autograd.grad(penalty, with_absent)
    assert gradient.isfinite().all()
    assert (gradient[:, -1] == 0).all()


def test_an_example_without_any_class_is_nan_as_in_cross_entropy():
    logits = torch.full((1, 3), -inf)
    assert isnan(confidence_penalty(logits).item())
    assert isnan(cross_entropy(logits, torch.tensor([0])).item())


@pytest.mark.parametrize("scale", [1e2, 1e4, 1e30])
def test_large_logits_give_finite_numbers(scale):
    logits = (scale * draw(4, 6)).float().requires_grad_()
    penalty = confidence_penalty(logits, 1.0)
    (gradient,) = torch.autograd.grad(penalty, logits)
    assert penalty.isfinite()
    assert gradient.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_type_is_kept(dtype):
    assert confidence_penalty(torch.zeros(2, 4, dtype=dtype), 1.0).dtype == dtype


def test_one_label_pulls_its_logit_away_only_as_far_as_beta_lets_it():
    logits = torch.zeros(1, 10, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([logits], lr=1.0)
    for _ in range(500):
        optimizer.zero_grad()
        (cross_entropy(logits, torch.tensor([3])) + confidence_penalty(logits, 0.5)).backward()
        optimizer.step()
    others = torch.cat([logits[0, :3], logits[0, 4:]])
    lead = logits[0, 3] - others
    assert torch.allclose(lead, lead[0])
    assert (lead[0] * logits.softmax(-1)[0, 3]).item() == pytest.approx(1 / 0.5)


@pytest.mark.parametrize("beta", [-0.1, nan, inf, "much", None])
def test_a_beta_that_is_not_a_finite_amount_is_refused(beta):
    with pytest.raises(ArgumentError, match=r"^beta = .* is not allowed: it must be a finite number, at least 0"):
        confidence_penalty(torch.zeros(1, 2), beta)


@pytest.mark.parametrize("shape", [(), (0, 3), (3, 0), (2, 0, 3)])
def test_logits_without_an_example_or_a_class_are_refused(shape):
    with pytest.raises(ArgumentError, match=r"^logits has shape .*: it must be \(\.\.\., K\), with at least one"):
        confidence_penalty(torch.zeros(shape))


def test_what_are_no_logits_is_refused():
    with pytest.raises(ArgumentError, match=r"^logits is a list: it must be a tensor"):
        confidence_penalty([[0.0, 1.0]])
    with pytest.raises(ArgumentError, match=r"^logits has dtype torch.int64: it must be floating point"):
        confidence_penalty(torch.tensor([[0, 1]]))
