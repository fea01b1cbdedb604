"""Many networks as one, against torch's own modules one at a time."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from regdemo.lab.ensemble import Ensemble

SIZES = (5, 17, 6, 3)  # one layer has columns enough to be multiplied as it stands


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


def test_each_networks_gradients_are_those_of_torch_modules_with_its_weights(ensemble, x):
    x.requires_grad_()
    found = torch.autograd.grad(ensemble(x).exp().sum(), [x, *ensemble.parameters])
    for member in range(3):
        network, own = module(ensemble, member), x[member].detach().requires_grad_()
        network(own).exp().sum().backward()
        torch.testing.assert_close(found[0][member], own.grad)
        for layer, linear in enumerate(network[::2]):
            torch.testing.assert_close(found[1 + 2 * layer][member], linear.weight.grad.T)
            torch.testing.assert_close(found[2 + 2 * layer][member, 0], linear.bias.grad)


class Recorder:
    """Doubles each weight and each activation, and keeps what it was told."""

    def __init__(self):
        self.sites, self.linears = [], []

    def weight(self, weight):
        return 2 * weight

    def activations(self, h, site, layer, depth):
        self.sites.append((site, layer, depth, h.shape))
        return 2 * h

    def linear(self, inputs, outputs):
        self.linears.append((inputs, outputs))


def test_what_acts_has_every_weight_every_hidden_layer_and_every_linear_layer(ensemble, x):
    recorder = Recorder()
    logits = ensemble(x, recorder)
    for member in range(3):
        h = x[member]
        *hidden, last = module(ensemble, member)[::2]
        for linear in hidden:
            h = 2 * (2 * linear(h) - linear.bias).relu()
        torch.testing.assert_close(logits[member], 2 * last(h) - last.bias)
    assert recorder.sites == [("hidden", 0, 2, (3, 4, 17)), ("hidden", 1, 2, (3, 4, 6))]
    assert [(tuple(a.shape), tuple(z.shape)) for a, z in recorder.linears] == [
        ((3, 4, 5), (3, 4, 17)),
        ((3, 4, 17), (3, 4, 6)),
        ((3, 4, 6), (3, 4, 3)),
    ]
    assert recorder.linears[-1][1] is logits


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
