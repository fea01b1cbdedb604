"""The gradient clipping demo: its claims hold at every bound and size, and each wrong clipping breaks one."""

import pytest
import torch
from torch.nn import utils

from helpers import broken
from regdemo import regularizers
from regdemo.demos.gradient_clipping import gradient_clipping


@pytest.mark.parametrize("max_norm", [0.001, 0.1, 1.0, 100.0])
@pytest.mark.parametrize("size", [2, 64, 100_000])
def test_every_claim_holds_at_any_bound_and_size(max_norm, size):
    for seed in (0, 1):
        assert broken(gradient_clipping(max_norm=max_norm, size=size, seed=seed)) == []


def test_a_clipping_that_returns_the_norm_after_it_breaks_its_claim(monkeypatch):
    right = utils.clip_grad_norm_

    def after(parameters, max_norm, **kw):
        parameters = [parameters] if isinstance(parameters, torch.Tensor) else list(parameters)
        right(parameters, max_norm, **kw)
        return utils.get_total_norm([p.grad for p in parameters])

    monkeypatch.setattr(utils, "clip_grad_norm_", after)
    assert broken(gradient_clipping()) == ["clip_grad_norm_ returns the norm before clipping"]


def test_scaling_even_a_short_gradient_up_to_the_bound_breaks_its_claim(monkeypatch):
    def normalize(parameters, max_norm, error_if_nonfinite=False):
        parameters = [parameters] if isinstance(parameters, torch.Tensor) else list(parameters)
        norm = utils.get_total_norm([p.grad for p in parameters], error_if_nonfinite=error_if_nonfinite)
        for parameter in parameters:
            parameter.grad.mul_(max_norm / (norm + 1e-6))
        return norm

    monkeypatch.setattr(utils, "clip_grad_norm_", normalize)
    assert broken(gradient_clipping()) == ["A gradient below the bound is left alone"]


def test_a_check_that_says_nothing_breaks_its_claim(monkeypatch):
    monkeypatch.setattr(regularizers, "check_gradients", lambda model: None)
    assert broken(gradient_clipping()) == ["check_gradients names the parameter"]


def test_clipping_by_value_turns_the_direction_by_far():
    table = gradient_clipping().blocks[1]
    cosine = {row[0]: row[-1] for row in table.rows}
    assert cosine["by norm"] == pytest.approx(1)
    assert cosine["by value"] < 0.2
    assert cosine["each tensor alone"] < 0.8
