"""The EMA demo: its claims hold at every decay, and each wrong average breaks one."""

import pytest
from torch.optim import swa_utils

from helpers import broken
from regdemo.demos.ema import _fractions, ema


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9, 0.99, 0.9999])
@pytest.mark.parametrize("steps", [2, 100, 500])
def test_every_claim_holds_at_any_decay_and_length(decay, steps):
    assert broken(ema(decay=decay, steps=steps)) == []


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.999])
def test_the_fractions_of_the_steps_sum_to_1(decay):
    assert sum(_fractions(decay, 50)) == pytest.approx(1)


def test_decay_and_its_complement_confused_breaks_the_claims(monkeypatch):
    right = swa_utils.get_ema_multi_avg_fn
    monkeypatch.setattr(swa_utils, "get_ema_multi_avg_fn", lambda decay: right(1 - decay))
    assert "The average is its closed form" in broken(ema())


def test_averaged_buffers_break_their_claim(monkeypatch):
    right = swa_utils.AveragedModel
    monkeypatch.setattr(
        swa_utils,
        "AveragedModel",
        lambda model, **kw: right(model, use_buffers="running_mean" in dict(model.named_buffers()), **kw),
    )
    assert broken(ema()) == ["Buffers are copied, not averaged"]
