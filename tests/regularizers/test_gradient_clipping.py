"""check_gradients, and what torch's clipping promises."""

from math import inf, nan

import pytest
import torch
from torch import nn

from regdemo.errors import ArgumentError
from regdemo.regularizers import check_gradients

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def model(dtype=torch.float32, **gradients):
    """A module with a parameter of each name, that gradient set."""
    module = nn.Module()
    for name, gradient in gradients.items():
        parameter = nn.Parameter(torch.zeros(len(gradient), dtype=dtype))
        parameter.grad = torch.tensor(gradient, dtype=dtype)
        module.register_parameter(name, parameter)
    return module


@pytest.mark.parametrize("dtype", DTYPES)
def test_finite_gradients_pass_however_large(dtype):
    check_gradients(model(dtype, weight=[torch.finfo(dtype).max, -1.0]))


def test_a_parameter_without_a_gradient_and_a_model_without_parameters_pass():
    check_gradients(nn.Linear(2, 2, device="meta"))
    check_gradients(nn.ReLU())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("bad", "said"), [(inf, "1 inf, 0 nan of 3"), (-inf, "1 inf, 0 nan of 3"), (nan, "0 inf, 1 nan of 3")]
)
def test_what_is_not_finite_is_counted_and_named(dtype, bad, said):
    with pytest.raises(ArgumentError, match=f"^the gradient of weight is not finite: {said}; skip"):
        check_gradients(model(dtype, bias=[1.0], weight=[1.0, bad, 2.0]))


def test_every_parameter_at_fault_is_named_and_no_other():
    with pytest.raises(ArgumentError) as error:
        check_gradients(model(first=[inf], second=[1.0], third=[nan, inf]))
    assert "first is not finite: 1 inf, 0 nan of 1; of third is not finite: 1 inf, 1 nan of 2" in str(error.value)
    assert "second" not in str(error.value)


def test_the_name_of_a_nested_parameter_has_its_path():
    outer = nn.ModuleDict({"block": model(weight=[nan])})
    with pytest.raises(ArgumentError, match=r"block\.weight"):
        check_gradients(outer)


def test_the_gradients_are_left_as_found():
    module = model(weight=[inf, 1.0])
    with pytest.raises(ArgumentError):
        check_gradients(module)
    assert module.weight.grad.tolist() == [inf, 1.0]


def test_torch_turns_an_inf_into_nan_and_zeros_without_a_word():
    # What check_gradients is for: should torch change its default, this test says so.
    module = model(weight=[inf, 1.0])
    torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    assert str(module.weight.grad.tolist()) == "[nan, 0.0]"
