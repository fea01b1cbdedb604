"""decay_groups: which parameters decay, against torch's own AdamW."""

from math import inf, nan

import pytest
import torch
from torch import nn

from regdemo.errors import ArgumentError
from regdemo.regularizers import decay_groups

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


@pytest.fixture(autouse=True)
def global_generator_as_found():
    with torch.random.fork_rng(devices=[]):
        yield


def names(model, group):
    return {name for name, p in model.named_parameters() if any(p is other for other in group["params"])}


def test_a_transformer_layer_decays_its_matrices_alone():
    model = nn.TransformerEncoderLayer(8, 2, 16)
    decayed, exempt = decay_groups(model, 0.1)
    assert names(model, decayed) == {
        "self_attn.in_proj_weight",
        "self_attn.out_proj.weight",
        "linear1.weight",
        "linear2.weight",
    }
    assert names(model, decayed) | names(model, exempt) == {name for name, _ in model.named_parameters()}
    assert names(model, decayed) & names(model, exempt) == set()


@pytest.mark.parametrize(
    "norm",
    [
        nn.LayerNorm((3, 4)),
        nn.RMSNorm((3, 4)),
        nn.GroupNorm(1, 4),
        nn.BatchNorm2d(4),
        nn.InstanceNorm1d(4, affine=True),
    ],
)
def test_a_norm_is_exempt_whatever_its_dimensions(norm):
    decayed, exempt = decay_groups(norm, 0.1)
    assert decayed["params"] == []
    assert len(exempt["params"]) == len(list(norm.parameters()))


def test_a_bias_of_two_dimensions_and_a_single_number_are_exempt():
    model = nn.Module()
    model.pair_bias, model.temperature = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.tensor(1.0))
    decayed, exempt = decay_groups(model, 0.1)
    assert (len(decayed["params"]), len(exempt["params"])) == (0, 2)


def test_embeddings_and_convolutions_decay():
    model = nn.Sequential(nn.Embedding(5, 3), nn.Conv1d(3, 2, 1))
    assert names(model, decay_groups(model, 0.1)[0]) == {"0.weight", "1.weight"}


def test_a_tied_parameter_stands_once():
    embedding, head = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
    head.weight = embedding.weight
    decayed, _ = decay_groups(nn.Sequential(embedding, head), 0.1)
    assert decayed["params"] == [embedding.weight]


def test_a_frozen_parameter_stands_in_no_group():
    model = nn.Linear(3, 2)
    model.weight.requires_grad_(False)
    decayed, exempt = decay_groups(model, 0.1)
    assert decayed["params"] == []
    assert exempt["params"] == [model.bias]


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_step_of_adamw_without_a_gradient_is_the_formula_for_the_matrices_alone(dtype):
    model = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2)).to(dtype)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    torch.optim.AdamW(decay_groups(model, 0.5), lr=0.5, eps=1e-3).step()
    assert torch.equal(model[0].weight, before["0.weight"] * 0.75)
    assert torch.equal(model[0].bias, before["0.bias"])
    assert torch.equal(model[1].weight, before["1.weight"])


def test_the_groups_say_their_decay():
    assert [group["weight_decay"] for group in decay_groups(nn.Linear(2, 2), 0.3)] == [0.3, 0.0]


def test_a_decay_of_0_is_allowed():
    assert decay_groups(nn.Linear(2, 2), 0)[0]["weight_decay"] == 0


@pytest.mark.parametrize("value", [-0.1, nan, inf, "0.1", None])
def test_a_decay_that_is_none_is_refused_by_name(value):
    with pytest.raises(ArgumentError, match=r"^weight_decay = .* at least 0$"):
        decay_groups(nn.Linear(2, 2), value)


@pytest.mark.parametrize("model", [nn.ReLU(), nn.Linear(2, 2).requires_grad_(False)])
def test_a_model_with_nothing_to_train_is_refused(model):
    with pytest.raises(ArgumentError, match=f"model {type(model).__name__} has no trainable parameter"):
        decay_groups(model, 0.1)


def test_a_norm_inside_the_model_is_exempt_though_its_gain_is_a_matrix_and_so_is_a_single_number():
    model = nn.Sequential(nn.Linear(4, 3), nn.LayerNorm((2, 3)), nn.PReLU())
    decayed, exempt = decay_groups(model, 0.1)
    assert [p.shape for p in decayed["params"]] == [(3, 4)]
    assert len(exempt["params"]) == 4
