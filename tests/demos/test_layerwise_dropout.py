import numpy as np
import pytest
from torch import nn

from helpers import blocks_of, tables
from regdemo import regularizers
from regdemo.demos import layerwise_dropout as demo
from regdemo.demos.layerwise_dropout import layerwise_dropout
from regdemo.errors import ArgumentError
from regdemo.report import Curves


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("depth", "networks"), [(1, 1), (1, 10_000), (2, 1), (12, 10_000), (200, 50)])
@pytest.mark.parametrize("p_max", [0.0, 5e-324, 1e-6, 0.1, 0.2, 0.5, 0.999, 1 - 1e-9, 1 - 2**-53])
def test_every_claim_holds_at_every_rate_and_size(p_max, depth, networks, seed):
    # Each statistical claim is missed by chance once in 10^9.
    report = layerwise_dropout(p_max=p_max, depth=depth, networks=networks, seed=seed)
    assert [claim for claim in report.claims if not claim.holds] == []


def one_rate_for_all(depth, p_max, *, convention="linspace"):
    return [p_max] * depth


def falling(depth, p_max, *, convention="linspace"):
    return regularizers.schedules.layerwise_rates(depth, p_max, convention=convention)[::-1]


def conventions_exchanged(depth, p_max, *, convention="linspace"):
    other = {"linspace": "huang", "huang": "linspace"}[convention]
    return regularizers.schedules.layerwise_rates(depth, p_max, convention=other)


@pytest.mark.parametrize("wrong", [one_rate_for_all, falling, conventions_exchanged])
def test_a_wrong_schedule_fails_a_claim(monkeypatch, wrong):
    monkeypatch.setattr(regularizers, "layerwise_rates", wrong)
    assert not layerwise_dropout().holds


def setting_nothing(layers, p_max, *, convention="linspace"):
    if not all(any(hasattr(module, "p") for module in layer.modules()) for layer in layers):
        raise ArgumentError("no rate")


def never_raising(layers, p_max, *, convention="linspace"):
    layers = list(layers)
    for layer, p in zip(layers, regularizers.layerwise_rates(len(layers), p_max, convention=convention), strict=True):
        for module in layer.modules():
            if isinstance(module, nn.Dropout):
                module.p = p


def raising_halfway(layers, p_max, *, convention="linspace"):
    never_raising(layers, p_max, convention=convention)
    setting_nothing(layers, p_max)


@pytest.mark.parametrize("wrong", [setting_nothing, never_raising, raising_halfway])
def test_a_wrong_setter_fails_a_claim(monkeypatch, wrong):
    monkeypatch.setattr(regularizers, "layerwise_dropout", wrong)
    assert not layerwise_dropout().holds


def test_the_curves_are_numpys_linspace_and_multiples_of_p_over_l():
    curves = next(block for block in blocks_of(layerwise_dropout(p_max=0.3, depth=7)) if isinstance(block, Curves))
    linspace, huang = curves.series
    assert linspace.y == pytest.approx(np.linspace(0, 0.3, 7))
    assert huang.y == pytest.approx(np.arange(1, 8) * 0.3 / 7)
    assert linspace.x == huang.x == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("depth", [1, 2, 5, 12])
def test_a_network_of_up_to_twelve_layers_is_tabled_whole(depth):
    assert [row[0] for row in tables(layerwise_dropout(depth=depth, networks=10))[0].rows] == list(range(1, depth + 1))


def test_a_deep_network_is_tabled_by_twelve_layers_with_both_ends():
    shown = [row[0] for row in tables(layerwise_dropout(depth=150, networks=10))[0].rows]
    assert (len(shown), shown[0], shown[-1]) == (12, 1, 150)


def test_the_expected_depths_are_the_sums_of_the_keep_rates():
    rows = tables(layerwise_dropout(p_max=0.2, depth=5, networks=10))[1].rows
    assert [row[2] for row in rows] == pytest.approx([5 - 0.5, 5 - 0.6])


def test_fifty_four_blocks_up_to_one_half_leave_the_papers_forty():
    # Huang et al. 2016, section 4: of 54 residual blocks with p_L = 0.5, about 40 are active in training.
    rows = tables(layerwise_dropout(p_max=0.5, depth=54, networks=10))[1].rows
    assert rows[1][2] == 54 - 55 * 0.25 == pytest.approx(40, abs=0.5)


def test_a_layer_alone_has_rate_zero_or_p_max():
    ((_, linspace, _, huang, _),) = tables(layerwise_dropout(p_max=0.2, depth=1, networks=10))[0].rows
    assert (linspace, huang) == (0.0, 0.2)


def test_the_attention_of_torchs_encoder_layer_keeps_its_rate_when_set_by_hand():
    rows = {row[0]: row[-2:] for row in tables(layerwise_dropout(p_max=0.3))[2].rows}
    assert rows.pop("self_attn.dropout") == [0.1, 0.3]
    assert rows == {name: [0.3, 0.3] for name in ("dropout1.p", "dropout.p", "dropout2.p")}


@pytest.mark.parametrize("p_max", [0.0, 0.05, 0.1, 0.1001, 0.15, 0.5, 0.9])
def test_the_rate_that_the_loop_misses_is_seen_to_differ(p_max):
    table = tables(layerwise_dropout(p_max=p_max))[2]
    rows = {row[0]: row[-2:] for row in table.rows}
    by_hand, whole = rows["self_attn.dropout"]
    assert abs(by_hand - p_max) > 0.04
    assert f"built with {by_hand}" in table.title
    assert whole == p_max


def test_the_bound_on_the_depth_is_that_of_a_sum_of_draws():
    tolerance, _ = demo._sum_of_draws([0.5] * 4, 1_000)
    # 4,000 fair coins: the exact binomial 1 - 1e-9 quantile is about 6.1 standard errors, sqrt(4 * 0.25 / 1000) each.
    assert 6.1 * (4 * 0.25 / 1_000) ** 0.5 < tolerance < 8 * (4 * 0.25 / 1_000) ** 0.5
