import numpy as np
import pytest
from torch import nn

from regdemo.errors import ArgumentError, ProbabilityError
from regdemo.regularizers import DropConnect, DropPath, GaussianDropout, layerwise_dropout, layerwise_rates

DEPTHS = [1, 2, 3, 5, 12, 24]
RATES = [0, 0.1, 0.2, 0.3, 0.7, 0.9999999999999999]


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("p_max", RATES)
def test_linspace_is_numpys(depth, p_max):
    np.testing.assert_allclose(layerwise_rates(depth, p_max), np.linspace(0, p_max, depth), rtol=1e-15)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("p_max", RATES)
def test_huang_is_l_over_L(depth, p_max):
    expected = p_max * np.arange(1, depth + 1) / depth
    np.testing.assert_allclose(layerwise_rates(depth, p_max, convention="huang"), expected, rtol=1e-15)


def test_linspace_is_the_default():
    assert layerwise_rates(5, 0.2) == layerwise_rates(5, 0.2, convention="linspace")


def test_the_first_block_is_never_dropped_under_linspace_and_a_little_under_huang():
    assert layerwise_rates(5, 0.2)[0] == 0
    assert layerwise_rates(5, 0.2, convention="huang")[0] == pytest.approx(0.04)


def test_one_layer_alone_is_not_dropped_under_linspace():
    assert layerwise_rates(1, 0.2) == [0.0]


@pytest.mark.parametrize("depth", range(2, 50))
@pytest.mark.parametrize("convention", ["linspace", "huang"])
def test_the_last_rate_is_the_greatest_to_the_last_bit(depth, convention):
    # 0.1 * 3 / 3 is 0.10000000000000002: the order of the operations decides.
    for p_max in RATES:
        assert layerwise_rates(depth, p_max, convention=convention)[-1] == p_max


@pytest.mark.parametrize("depth", [0, -1])
def test_a_depth_below_1_is_refused(depth):
    with pytest.raises(ArgumentError, match=rf"^depth = {depth} is not allowed: there must be at least 1 layer$"):
        layerwise_rates(depth, 0.2)


def test_an_unknown_convention_is_refused_with_those_there_are():
    with pytest.raises(ArgumentError, match=r"^convention = 'timm' is unknown: choose 'linspace' or 'huang'$"):
        layerwise_rates(3, 0.2, convention="timm")


def test_a_bad_rate_is_named_p_max():
    with pytest.raises(ProbabilityError, match=r"^p_max = 1.0 "):
        layerwise_rates(3, 1.0)


def blocks(*modules):
    return [nn.Sequential(nn.Linear(2, 2), nn.Sequential(module)) for module in modules]


def test_each_layers_rates_are_set_however_deep_they_lie():
    layers = blocks(nn.Dropout(0.5), GaussianDropout(0.5), nn.Dropout2d(0.5))
    assert layerwise_dropout(layers, 0.2) == [0.0, 0.1, 0.2]
    assert [layer[1][0].p for layer in layers] == [0.0, 0.1, 0.2]


def test_stochastic_depth_grows_with_the_layers_and_leaves_their_dropout():
    layers = [nn.Sequential(nn.Dropout(0.5), DropPath(0.5)) for _ in range(3)]
    layerwise_dropout(layers, 0.2, kind="path")
    assert [(layer[0].p, layer[1].p) for layer in layers] == [(0.5, 0.0), (0.5, 0.1), (0.5, 0.2)]


def test_each_layers_rates_are_set_however_deep_they_lie_in_other_kinds():
    layers = blocks(DropConnect(2, 2, 0.5), DropConnect(2, 2, 0.5), DropConnect(2, 2, 0.5))
    assert layerwise_dropout(layers, 0.2, kind="weights") == [0.0, 0.1, 0.2]
    assert [layer[1][0].p for layer in layers] == [0.0, 0.1, 0.2]


def test_the_attentions_rate_is_set_though_it_is_a_float():
    layers = [nn.TransformerEncoderLayer(8, nhead=2, dim_feedforward=8, dropout=0.5) for _ in range(2)]
    layerwise_dropout(layers, 0.2)
    assert [layer.self_attn.dropout for layer in layers] == [0.0, 0.2]


def test_every_rate_of_a_layer_is_set():
    layers = [nn.Sequential(nn.Dropout(0.5), nn.Dropout(0.1)), nn.Sequential(nn.Dropout(0.5), nn.Dropout(0.1))]
    layerwise_dropout(layers, 0.2)
    assert [[module.p for module in layer] for layer in layers] == [[0.0, 0.0], [0.2, 0.2]]


def test_the_convention_is_passed_on():
    layers = blocks(nn.Dropout(), nn.Dropout())
    assert layerwise_dropout(layers, 0.2, convention="huang") == [0.1, 0.2]


def test_a_rate_given_as_a_whole_number_is_found():
    layers = blocks(nn.Dropout(0), nn.Dropout(0))
    layerwise_dropout(layers, 0.2)
    assert layers[1][1][0].p == 0.2


def test_layers_may_come_one_by_one():
    layers = blocks(nn.Dropout(), nn.Dropout())
    assert layerwise_dropout(iter(layers), 0.2) == [0.0, 0.2]


def test_a_layer_without_a_rate_is_named_and_no_other_is_touched():
    layers = blocks(nn.Dropout(0.5), nn.ReLU(), nn.Dropout(0.5))
    with pytest.raises(ArgumentError, match=r"^layer 1 holds no drop rate: nothing there could be set$"):
        layerwise_dropout(layers, 0.2)
    assert layers[2][1][0].p == 0.5


def test_a_parameter_called_p_is_not_a_rate():
    layer = nn.Module()
    layer.p = nn.Parameter()
    with pytest.raises(ArgumentError, match=r"^layer 0 holds no drop rate"):
        layerwise_dropout([layer], 0.2)


def test_a_model_without_layers_is_refused():
    with pytest.raises(ArgumentError, match=r"^depth = 0 is not allowed"):
        layerwise_dropout([], 0.2)
