"""Many networks as one, against torch's own modules one at a time."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from regdemo.lab.ensemble import Ensemble
from regdemo.regularizers import keep_mask

SIZES = (5, 7, 6, 3)


def generators(seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def module(ensemble, member):
    """One network of the ensemble as torch modules."""
    layers = [nn.Linear(n, m, dtype=torch.float64) for n, m in pairwise(SIZES)]
    for layer, weight, bias in zip(layers, ensemble.parameters[::2], ensemble.parameters[1::2], strict=True):
        layer.weight.data, layer.bias.data = weight[member].detach().T, bias[member, 0].detach()
    return nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])


@pytest.fixture
def ensemble():
    return Ensemble(SIZES, generators([1, 2, 3]), torch.float64)


@pytest.fixture
def x():
    return torch.randn(3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_each_network_computes_what_torch_modules_with_its_weights_do(ensemble, x):
    logits = ensemble(x)
    for member in range(3):
        torch.testing.assert_close(logits[member], module(ensemble, member)(x[member]))


def test_each_network_drops_what_its_own_generator_says(ensemble, x):
    logits = ensemble(x, p=0.5, generators=generators([7, 8, 9]))
    for member, (generator,) in enumerate(map(generators, [[7], [8], [9]])):
        h = x[member]
        for linear in module(ensemble, member)[:-1:2]:
            h = linear(h).relu()
            h = h * keep_mask(h.shape, 0.5, generator=generator) / 0.5
        torch.testing.assert_close(logits[member], module(ensemble, member)[-1](h))


def test_a_networks_initial_weights_depend_on_its_own_generator_only(ensemble):
    alone = Ensemble(SIZES, generators([2]), torch.float64)
    for stacked, single in zip(ensemble.parameters, alone.parameters, strict=True):
        assert torch.equal(stacked[1], single[0])


def test_initial_weights_follow_the_law_of_nn_linear():
    # Of 160,000 draws from Uniform(-b, b) the largest is below 0.999 b with probability 0.999^160000 < 1e-69; their
    # standard deviation, b/sqrt(3), has a relative error of 0.11%, so one of 1% has a probability below 1e-18.
    weight, bias, *_ = (parameter.detach() for parameter in Ensemble((400, 400, 1), generators([0])).parameters)
    bound = 400**-0.5
    assert 0.999 * bound < weight.abs().max().item() <= bound * (1 + 1e-6)
    assert bias.abs().max().item() <= bound * (1 + 1e-6)
    assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.01)
