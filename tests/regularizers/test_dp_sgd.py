"""DP-SGD's gradient against a loop over examples."""

from math import inf, nan, sqrt

import pytest
import torch
from torch import nn

from helpers import seeded
from regdemo.errors import ArgumentError
from regdemo.regularizers import Dropout, dp_sgd

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def loss(parameters, x, y):
    return (parameters["a"] @ x - y).square().sum() + parameters["b"] * x.sum()


def problem(size=6, dtype=torch.float64):
    g = seeded()
    a, x, y = (torch.randn(s, generator=g).to(dtype) for s in ((2, 3), (size, 3), (size, 2)))
    return {"a": a, "b": torch.tensor(0.5, dtype=dtype)}, x, y


def by_loop(parameters, x, y, max_norm):
    total = {name: torch.zeros_like(p) for name, p in parameters.items()}
    for i in range(len(x)):
        leaves = {name: p.clone().requires_grad_() for name, p in parameters.items()}
        gradients = torch.autograd.grad(loss(leaves, x[i], y[i]), list(leaves.values()))
        norm = sqrt(sum(g.square().sum().item() for g in gradients))
        for name, g in zip(leaves, gradients, strict=True):
            total[name] += g * min(1.0, max_norm / norm)
    return {name: value / len(x) for name, value in total.items()}


@pytest.mark.parametrize("max_norm", [0.1, 5.0, 1e6])
def test_it_is_a_loop_that_clips_each_example_over_all_parameters(max_norm):
    parameters, x, y = problem()
    g = dp_sgd(loss, parameters, x, y, max_norm=max_norm, noise_multiplier=0, generator=seeded())
    torch.testing.assert_close(g, by_loop(parameters, x, y, max_norm))


def test_no_clip_and_no_noise_is_the_mean_gradient():
    parameters, x, y = problem()
    leaves = {name: p.clone().requires_grad_() for name, p in parameters.items()}
    mean = sum(loss(leaves, a, b) for a, b in zip(x, y, strict=True)) / len(x)
    expected = torch.autograd.grad(mean, list(leaves.values()))
    g = dp_sgd(loss, parameters, x, y, max_norm=1e9, noise_multiplier=0)
    torch.testing.assert_close(list(g.values()), list(expected))


def test_noise_is_sigma_times_the_norm_over_the_expected_batch():
    parameters, x, y = problem()
    arguments = {"max_norm": 2.0, "expected_batch": 4}
    plain = dp_sgd(loss, parameters, x, y, noise_multiplier=0, **arguments)
    noisy = dp_sgd(loss, parameters, x, y, noise_multiplier=3.0, **arguments, generator=seeded(5))
    g = seeded(5)
    for name, p in parameters.items():
        noise = torch.randn(p.shape, generator=g, dtype=p.dtype) * 3.0 * 2.0 / 4
        torch.testing.assert_close(noisy[name] - plain[name], noise)


def test_it_divides_by_the_expected_batch_and_not_by_the_one_drawn():
    parameters, x, y = problem()
    whole = dp_sgd(loss, parameters, x, y, max_norm=1.0, noise_multiplier=0, expected_batch=6)
    half = dp_sgd(loss, parameters, x, y, max_norm=1.0, noise_multiplier=0, expected_batch=3)
    torch.testing.assert_close(half["a"], 2 * whole["a"])


def test_an_example_with_a_gradient_of_0_adds_nothing():
    g = dp_sgd(lambda p, x: (p["w"] * x).sum(), {"w": torch.ones(2)}, torch.zeros(3, 2), max_norm=1, noise_multiplier=0)
    assert g["w"].tolist() == [0, 0]


def test_parameters_and_their_gradients_are_left_as_found():
    _, x, y = problem()
    held = {name: nn.Parameter(p) for name, p in problem()[0].items()}
    g = dp_sgd(loss, held, x, y, max_norm=1.0, noise_multiplier=1.0, generator=seeded())
    assert all(p.grad is None for p in held.values())
    assert not any(value.requires_grad for value in g.values())


def test_a_module_is_trained_through_functional_call():
    with torch.random.fork_rng(devices=[]):
        model = nn.Linear(3, 2).double()
    _, x, y = problem()

    def of_model(parameters, a, b):
        return (torch.func.functional_call(model, parameters, (a,)) - b).square().sum()

    g = dp_sgd(of_model, dict(model.named_parameters()), x, y, max_norm=0.5, noise_multiplier=0)
    assert sqrt(sum(value.square().sum().item() for value in g.values())) <= 0.5
    assert g["weight"].shape == (2, 3)


# A batch for each kind of layer whose examples' gradients opacus tests, and its recurrent ones next to them.
LAYERS = {
    "Linear of a sequence": (lambda: nn.Linear(4, 3), (5, 6, 4)),
    "Conv1d": (lambda: nn.Conv1d(4, 6, 3, padding=1, groups=2), (5, 4, 9)),
    "Conv2d": (lambda: nn.Conv2d(3, 4, 3, stride=2, dilation=2), (5, 3, 9, 9)),
    "Conv3d": (lambda: nn.Conv3d(2, 3, 2), (5, 2, 4, 4, 4)),
    "LayerNorm": (lambda: nn.LayerNorm([6, 4]), (5, 6, 4)),
    "RMSNorm": (lambda: nn.RMSNorm(4), (5, 6, 4)),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), (5, 4, 6)),
    "InstanceNorm1d": (lambda: nn.InstanceNorm1d(4, affine=True), (5, 4, 6)),
    "InstanceNorm2d": (lambda: nn.InstanceNorm2d(4, affine=True), (5, 4, 3, 3)),
    "TransformerEncoderLayer": (lambda: nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True), (5, 6, 8)),
    "RNN": (lambda: nn.RNN(4, 3, batch_first=True), (5, 6, 4)),
    "LSTM": (lambda: nn.LSTM(4, 3, batch_first=True), (5, 6, 4)),
}


def seeded_module(make):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make().double()


def summed(model):
    """The loss of one example under a model of batches: the absolute values of what comes out."""

    def loss(parameters, x):
        found = torch.func.functional_call(model, parameters, (x.unsqueeze(0),))
        return (found[0] if isinstance(found, tuple) else found).abs().sum()

    return loss


def clipped_by_loop(loss, parameters, x, max_norm):
    """The mean of the examples' gradients, each found alone and clipped."""
    total = {name: torch.zeros_like(p) for name, p in parameters.items()}
    for example in x:
        leaves = {name: p.detach().clone().requires_grad_() for name, p in parameters.items()}
        gradients = torch.autograd.grad(loss(leaves, example), list(leaves.values()))
        norm = torch.stack([g.norm() for g in gradients]).norm()
        for name, g in zip(leaves, gradients, strict=True):
            total[name] += g * min(1.0, max_norm / norm.item()) / len(x)
    return total


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize(("make", "shape"), LAYERS.values(), ids=LAYERS)
def test_of_each_layer_every_examples_gradient_is_what_it_is_alone(make, shape):
    model, x = seeded_module(make), torch.randn(shape, generator=seeded(), dtype=torch.float64)
    loss, parameters = summed(model), dict(model.named_parameters())
    ours = dp_sgd(loss, parameters, x, max_norm=1.0, noise_multiplier=0)
    torch.testing.assert_close(ours, clipped_by_loop(loss, parameters, x, 1.0))


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("make", [lambda: nn.Embedding(7, 3), lambda: nn.EmbeddingBag(7, 3)], ids=["all", "bag"])
def test_an_embedding_learns_from_the_rows_of_each_example(make):
    model, ids = seeded_module(make), torch.randint(7, (5, 6), generator=seeded())
    loss, parameters = summed(model), dict(model.named_parameters())
    ours = dp_sgd(loss, parameters, ids, max_norm=1.0, noise_multiplier=0)
    torch.testing.assert_close(ours, clipped_by_loop(loss, parameters, ids, 1.0))


def test_a_loss_that_branches_on_a_value_is_run_for_one_example_after_the_other():
    parameters, x, y = problem()

    def branching(parameters, x, y):
        return loss(parameters, x, y) * (2 if x.sum() > 0 else 1)

    signs = [2 if row.sum() > 0 else 1 for row in x]
    assert len(set(signs)) == 2
    ours = dp_sgd(branching, parameters, x, y, max_norm=1e9, noise_multiplier=0)
    alone = [dp_sgd(loss, parameters, x[i : i + 1], y[i : i + 1], max_norm=1e9, noise_multiplier=0) for i in range(6)]
    expected = sum(sign * g["a"] for sign, g in zip(signs, alone, strict=True)) / 6
    torch.testing.assert_close(ours["a"], expected)


def test_what_is_wrong_with_the_loss_is_raised_as_it_is():
    parameters, x, y = problem()
    with pytest.raises(RuntimeError, match="must match the size of tensor b"):
        dp_sgd(lambda p, x, y: (p["a"] @ x - torch.ones(5)).sum(), parameters, x, y, max_norm=1.0, noise_multiplier=0)


def test_a_frozen_layer_is_left_out_by_not_being_handed_in_and_counts_in_no_norm():
    model = seeded_module(lambda: nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3)))
    x = torch.randn(5, 4, generator=seeded(), dtype=torch.float64)
    trained = {name: p for name, p in model.named_parameters() if name.startswith("1.")}
    ours = dp_sgd(summed(model), trained, x, max_norm=0.5, noise_multiplier=0)
    assert ours.keys() == trained.keys()
    torch.testing.assert_close(ours, clipped_by_loop(summed(model), trained, x, 0.5))


@pytest.mark.parametrize("dtype", DTYPES)
def test_it_keeps_the_type(dtype):
    parameters, x, y = problem(dtype=dtype)
    g = dp_sgd(loss, parameters, x, y, max_norm=1.0, noise_multiplier=1.0, generator=seeded())
    assert {value.dtype for value in g.values()} == {dtype}


@pytest.mark.parametrize("bad", [inf, nan])
def test_an_example_whose_gradient_is_not_finite_is_named(bad):
    parameters, x, y = problem()
    x[2, 0] = bad
    with pytest.raises(ArgumentError, match=r"^the gradient of example 2 is not finite, 1 of 6"):
        dp_sgd(loss, parameters, x, y, max_norm=1.0, noise_multiplier=0)


@pytest.mark.parametrize("value", [0, -1.0, nan, inf])
def test_a_norm_or_batch_that_is_none_is_refused_by_name(value):
    parameters, x, y = problem()
    with pytest.raises(ArgumentError, match=r"^max_norm = .* above 0$"):
        dp_sgd(loss, parameters, x, y, max_norm=value, noise_multiplier=0)
    with pytest.raises(ArgumentError, match=r"^expected_batch = .* above 0$"):
        dp_sgd(loss, parameters, x, y, max_norm=1, noise_multiplier=0, expected_batch=value)


@pytest.mark.parametrize("value", [-0.1, nan, inf, "1"])
def test_noise_that_is_none_is_refused_by_name(value):
    parameters, x, y = problem()
    with pytest.raises(ArgumentError, match=r"^noise_multiplier = "):
        dp_sgd(loss, parameters, x, y, max_norm=1.0, noise_multiplier=value)


@pytest.mark.parametrize("batch", [(), (torch.zeros(2, 3), torch.zeros(3)), (torch.tensor(1.0),)])
def test_an_uneven_batch_or_none_is_refused(batch):
    with pytest.raises(ArgumentError, match=r"^batch has .* the same first dimension$"):
        dp_sgd(loss, problem()[0], *batch, max_norm=1.0, noise_multiplier=0)


def test_an_empty_batch_gives_noise_divided_by_the_expected_batch():
    # Poisson sampling draws it sometimes; leaving the step out would tell that nobody was drawn.
    parameters = {"w": torch.zeros(200, 200, dtype=torch.float64)}
    arguments = {"max_norm": 2.0, "noise_multiplier": 3.0, "expected_batch": 5.0}
    noise = dp_sgd(loss, parameters, torch.zeros(0, 3), torch.zeros(0), generator=seeded(), **arguments)["w"]
    expected = torch.randn(200, 200, generator=seeded(), dtype=torch.float64)
    torch.testing.assert_close(noise, expected * (3.0 * 2.0 / 5.0))


def test_an_empty_batch_without_an_expected_size_is_refused():
    with pytest.raises(ArgumentError, match=r"^batch is empty: .* so give expected_batch$"):
        dp_sgd(loss, problem()[0], torch.zeros(0, 3), torch.zeros(0), max_norm=1.0, noise_multiplier=0)


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), Dropout(0.5)], ids=["torch's", "ours"])
def test_a_model_with_dropout_trains_with_a_mask_for_each_example(layer):
    def dropped(parameters, x):
        return layer(x * parameters["w"]).sum()

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        x = torch.ones(30, 8)
        each = [
            dp_sgd(dropped, {"w": torch.ones(8)}, x[:n], max_norm=100.0, noise_multiplier=0, expected_batch=1)["w"]
            for n in (1, 30)
        ]
    assert set(each[0].tolist()) == {0.0, 2.0}
    assert len(set(each[1].tolist())) > 2  # with one mask for all, each entry would be 0 or 60


def test_integer_parameters_are_refused_by_name():
    _, x, y = problem()
    with pytest.raises(ArgumentError, match=r"^parameter a has dtype torch\.int64"):
        dp_sgd(loss, {"a": torch.ones(2, 3, dtype=torch.int64)}, x, y, max_norm=1.0, noise_multiplier=0)


def test_of_several_examples_that_are_not_finite_the_first_is_named():
    parameters, x, y = problem()
    x[1], x[2] = inf, nan
    with pytest.raises(ArgumentError, match=r"^the gradient of example 1 is not finite, 2 of"):
        dp_sgd(loss, parameters, x, y, max_norm=1.0, noise_multiplier=0)


def test_no_batch_at_all_is_said():
    with pytest.raises(ArgumentError, match=r"^batch has no tensor: "):
        dp_sgd(loss, problem()[0], max_norm=1.0, noise_multiplier=0)
