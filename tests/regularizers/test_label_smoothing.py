"""torch's label smoothing, which this project uses as it is, against the formula in NumPy."""

import pkgutil

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from torch import nn

from regdemo.demos.label_smoothing import PROVIDED_BY


def draw(examples=7, classes=5):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(examples, classes, generator=generator, dtype=torch.float64)
    return logits, torch.randint(classes, (examples,), generator=generator)


def test_it_is_torchs_own_loss():
    assert pkgutil.resolve_name(PROVIDED_BY) is nn.CrossEntropyLoss


@pytest.mark.parametrize("e", [0.0, 0.1, 0.5, 1.0])
def test_it_is_cross_entropy_and_the_mean_over_classes_mixed(e):
    logits, labels = draw()
    log_p = log_softmax(logits.numpy(), axis=-1)
    expected = (1 - e) * -log_p[np.arange(7), labels] + e * -log_p.mean(-1)
    loss = nn.CrossEntropyLoss(label_smoothing=e, reduction="none")(logits, labels)
    np.testing.assert_allclose(loss, expected, rtol=1e-12)


def test_its_targets_over_five_classes_are_02_and_92_hundredths():
    logits = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    nn.CrossEntropyLoss(label_smoothing=0.1)(logits, torch.tensor(2)).backward()
    np.testing.assert_allclose(0.2 - logits.grad, [0.02, 0.02, 0.92, 0.02, 0.02])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_it_keeps_the_type_and_agrees_with_float64(dtype):
    logits, labels = draw()
    logits, loss = logits.to(dtype), nn.CrossEntropyLoss(label_smoothing=0.1)
    assert loss(logits, labels).dtype == dtype
    error = (loss(logits, labels).double() - loss(logits.double(), labels)).abs().item()
    assert error <= 16 * torch.finfo(dtype).eps


def test_its_gradient_is_that_of_finite_differences():
    logits, labels = draw()
    assert torch.autograd.gradcheck(
        lambda x: nn.CrossEntropyLoss(label_smoothing=0.1)(x, labels), logits.requires_grad_()
    )


def test_it_refuses_a_smoothing_above_1():
    logits, labels = draw()
    with pytest.raises(RuntimeError, match=r"^label_smoothing must be between 0\.0 and 1\.0"):
        nn.CrossEntropyLoss(label_smoothing=1.1)(logits, labels)
