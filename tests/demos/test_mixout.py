"""The Mixout demo: its claims hold at every rate, and each wrong Mixout breaks one."""

import pytest

from helpers import broken
from regdemo import regularizers
from regdemo.demos.mixout import mixout


@pytest.mark.parametrize("p", [0.0, 1e-9, 0.1, 0.5, 0.7, 0.99, 1 - 1e-6])
def test_every_claim_holds_at_any_rate(p):
    for seed in range(3):
        assert broken(mixout(p=p, seed=seed)) == []


def test_forgetting_the_rescale_breaks_the_mean(monkeypatch):
    right = regularizers.mixout

    def unscaled(weight, pretrained, p, **kw):
        mixed = right(weight, pretrained, p, **kw)
        return mixed if kw.get("training") is False else pretrained + (mixed - pretrained) * (1 - p)

    monkeypatch.setattr(regularizers, "mixout", unscaled)
    assert {"The result is that of the paper's formula", "The mean is the weight itself"} <= {*broken(mixout())}


def test_dropout_of_the_weights_in_its_place_breaks_the_fixed_point(monkeypatch):
    right = regularizers.mixout
    monkeypatch.setattr(regularizers, "mixout", lambda w, start, p, **kw: right(w, start * 0, p, **kw))
    assert {"At $W = W_0$ there is no noise", "The noise grows with the distance from $W_0$"} <= {*broken(mixout())}


def test_mixout_in_eval_breaks_its_claim(monkeypatch):
    right = regularizers.mixout
    monkeypatch.setattr(regularizers, "mixout", lambda *args, training=True, **kw: right(*args, **kw))
    assert broken(mixout()) == ["In eval nothing changes"]
