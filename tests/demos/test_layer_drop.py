import pytest
import torch

from helpers import blocks_of
from regdemo import regularizers
from regdemo.demos.layer_drop import layer_drop
from regdemo.report import HeatMap


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("depth", "draws"), [(1, 10), (2, 50), (12, 300), (64, 20)])
@pytest.mark.parametrize("p", [0.0, 5e-324, 1e-6, 0.2, 0.5, 0.999, 1 - 2**-53])
def test_every_claim_holds_at_every_rate_and_depth(p, depth, draws, seed):
    # Each statistical claim is missed by chance once in 10^9.
    report = layer_drop(p=p, depth=depth, draws=draws, seed=seed)
    assert [claim for claim in report.claims if not claim.holds] == []


def coins(layers, p, training, generator, mask):
    if not training:
        return [True] * len(layers)
    return (regularizers.keep_mask((len(layers),), p, generator=generator) if mask is None else mask).tolist()


def rescaled(x, layers, p, *, training=True, generator=None, mask=None):
    for layer, run in zip(layers, coins(layers, p, training, generator, mask), strict=True):
        x = x + (layer(x) - x) * run / (1 - p if training else 1)
    return x


def skipping_in_eval(x, layers, p, *, training=True, generator=None, mask=None):
    generator = generator or torch.Generator().manual_seed(0)
    return regularizers.paths.layer_drop(x, layers, p, generator=generator, mask=mask)


def dropping_the_kept(x, layers, p, *, training=True, generator=None, mask=None):
    return regularizers.paths.layer_drop(x, layers, 1 - p, training=training, generator=generator, mask=mask)


@pytest.mark.parametrize("wrong", [rescaled, skipping_in_eval, dropping_the_kept])
def test_a_wrong_layer_drop_fails_a_claim(monkeypatch, wrong):
    monkeypatch.setattr(regularizers, "layer_drop", wrong)
    assert not layer_drop(p=0.3).holds


def test_the_picture_has_a_row_for_each_layer():
    (picture,) = [block for block in blocks_of(layer_drop(depth=5, draws=10)) if isinstance(block, HeatMap)]
    assert [len(row) for row in picture.values] == [10] * 5
    assert {value for row in picture.values for value in row} == {0.0, 1.0}
