"""LoRA's update with dropout against the products written out."""

import itertools

import pytest
import torch
from torch import nn

from helpers import draw, seeded
from regdemo.errors import ArgumentError, ProbabilityError
from regdemo.regularizers import LoraDropout, dropout, keep_mask, lora_dropout, set_dropout

P = 0.3
X, A, B = draw(4, 5), draw(2, 5, seed=1), draw(3, 2, seed=2)


@pytest.fixture(autouse=True)
def global_generator_as_found():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def adapter(**options):
    module = LoraDropout(nn.Linear(5, 3), 2, P, **options).double()
    with torch.no_grad():
        module.a.copy_(A)
        module.b.copy_(B)
    return module


def test_the_update_is_the_low_rank_product_of_the_dropped_input():
    mask = keep_mask((4, 5), P, generator=seeded())
    expected = 0.5 * dropout(X, P, mask=mask) @ (B @ A).T
    torch.testing.assert_close(lora_dropout(X, A, B, P, scaling=0.5, mask=mask), expected)
    torch.testing.assert_close(lora_dropout(X, A, B, P, scaling=0.5, generator=seeded()), expected)


def test_its_mean_over_all_masks_is_the_update_without_dropout():
    x, mean = X[:1], 0.0
    for kept in itertools.product([True, False], repeat=5):
        weight = (1 - P) ** sum(kept) * P ** (5 - sum(kept))
        mean = mean + weight * lora_dropout(x, A, B, P, mask=torch.tensor(kept))
    torch.testing.assert_close(mean, lora_dropout(x, A, B, P, training=False))


def test_in_eval_the_update_can_be_merged_into_the_weight():
    module = adapter(alpha=6.0).eval()
    merged = module.layer.weight + 6.0 / 2 * module.b @ module.a
    torch.testing.assert_close(module(X), nn.functional.linear(X, merged, module.layer.bias))


def test_the_frozen_layer_sees_the_input_without_dropout():
    module = adapter()
    update = lora_dropout(X, A, B, P, scaling=8.0, generator=seeded())
    torch.testing.assert_close(module(X, generator=seeded()), module.layer(X) + update)


def test_it_begins_as_the_frozen_layer_and_trains_the_update_alone():
    layer = nn.Linear(5, 3).double()
    module = LoraDropout(layer, 2, P)
    assert torch.equal(module(X), layer(X))
    assert module.a.any()
    module(X).square().sum().backward()
    assert {name for name, p in module.named_parameters() if p.grad is not None} == {"a", "b"}
    assert module.b.grad.any()


def test_its_first_matrix_begins_as_a_linear_layers_weight_does():
    layer = nn.Linear(5, 3)
    state = torch.get_rng_state()
    begun = LoraDropout(layer, 4).a
    torch.set_rng_state(state)
    assert torch.equal(begun, nn.Linear(5, 4, bias=False).weight)


def test_a_rank_of_one_is_allowed():
    assert LoraDropout(nn.Linear(5, 3), 1).a.shape == (1, 5)


def test_its_parameters_are_of_the_layers_type_and_its_rate_is_found():
    module = LoraDropout(nn.Linear(5, 3, dtype=torch.bfloat16), 4)
    assert (module.a.dtype, module.b.dtype) == (torch.bfloat16, torch.bfloat16)
    assert set_dropout(module, 0.2) == {"p": 0.2}
    assert repr(module).startswith("LoraDropout(\n  p=0.2, rank=4, scaling=4\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"a": torch.ones(2, 4)}, r"^x has shape \(4, 5\) and weight \(2, 4\)"),
        (
            {"b": torch.ones(3, 3)},
            r"^b has shape \(3, 3\) and a \(2, 5\): they must be \(out, rank\) and \(rank, in\)$",
        ),
        ({"b": torch.ones(2)}, r"^b has shape \(2,\)"),
        ({"b": torch.ones(3, 2).long()}, r"^b has dtype torch.int64"),
        ({"mask": torch.ones(9, dtype=torch.bool)}, r"^mask has shape \(9,\)"),
    ],
)
def test_what_does_not_fit_is_named(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        lora_dropout(**{"x": X, "a": A, "b": B, "p": P, **arguments})


def test_a_bad_rate_or_rank_is_refused():
    with pytest.raises(ProbabilityError, match=r"^p = 1.0 is not"):
        lora_dropout(X, A, B, 1.0)
    with pytest.raises(ProbabilityError, match=r"^p = 1.0 is not"):
        LoraDropout(nn.Linear(5, 3), 2, 1.0)
    with pytest.raises(ArgumentError, match=r"^rank = 0 is not allowed: it must be at least 1$"):
        LoraDropout(nn.Linear(5, 3), 0)
