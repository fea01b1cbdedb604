from math import inf, nan

import pytest
import torch

from regdemo.errors import ArgumentError, ProbabilityError
from regdemo.regularizers.checks import (
    check_amount,
    check_broadcast,
    check_dim,
    check_floating,
    check_ids,
    check_mask,
    check_noise,
    check_rate,
)


@pytest.mark.parametrize("p", [0, 0.0, 0.5, 0.999, torch.tensor(0.5)])
def test_a_rate_from_0_to_below_1_is_returned_as_it_is(p):
    assert check_rate(p) is p


@pytest.mark.parametrize("p", [-0.5, -1e-9, 1, 1.5, inf, nan, "0.1", None])
def test_a_rate_of_1_or_outside_or_no_number_is_refused(p):
    with pytest.raises(ProbabilityError, match=r"^p = .* is not a drop probability: choose one from 0 to below 1"):
        check_rate(p)


def test_a_rate_is_named_as_asked():
    with pytest.raises(ProbabilityError, match=r"^p_max = 2 is not a drop probability"):
        check_rate(2, "p_max")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_floating_tensor_is_returned_as_it_is(dtype):
    x = torch.ones(2, dtype=dtype)
    assert check_floating(x) is x


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.complex64])
def test_another_tensor_is_named_with_its_dtype_and_the_remedy(dtype):
    with pytest.raises(ArgumentError, match=rf"^key has dtype {dtype}: it must be .* as from key\.float\(\)$"):
        check_floating(torch.ones(2, dtype=dtype), "key")


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4)])
def test_enough_dimensions_are_returned_as_they_are(shape):
    x = torch.ones(shape)
    assert check_dim(x, 2, "(B, in)") is x


def test_too_few_dimensions_are_named_with_the_layout():
    with pytest.raises(ArgumentError, match=r"^x has shape \(3,\): it must be \(B, in\), 2 dimensions or more$"):
        check_dim(torch.ones(3), 2, "(B, in)")


@pytest.mark.parametrize("shape", [(), (1,), (3,), (1, 3), (2, 1), (2, 3)])
def test_a_shape_that_broadcasts_is_let_through(shape):
    mask = torch.ones(shape, dtype=torch.bool)
    assert check_mask(mask, (2, 3)) is mask


@pytest.mark.parametrize("shape", [(2,), (3, 2), (0, 3), (2, 0), (1, 2, 3), (4, 3)])
def test_a_shape_that_does_not_broadcast_or_would_enlarge_is_named(shape):
    with pytest.raises(ArgumentError, match=r"^noise has shape .*: it must be \(2, 3\), or broadcast to it$") as error:
        check_broadcast(torch.ones(shape), (2, 3), "noise")
    assert str(shape) in str(error.value)


def test_a_shape_of_ones_may_not_be_enlarged():
    with pytest.raises(ArgumentError, match=r"^mask has shape \(4,\): it must be \(1,\)"):
        check_mask(torch.ones(4, dtype=torch.bool), (1,))


def test_a_mask_must_be_bool():
    with pytest.raises(ArgumentError, match=r"^mask has dtype torch.int64: it must be bool.* as from mask\.bool\(\)$"):
        check_mask(torch.ones(2, dtype=torch.int64), (2,))


@pytest.mark.parametrize(("value", "above"), [(0, None), (0.5, None), (7, None), (1e-9, 0), (2.5, 2)])
def test_an_amount_within_its_bound_is_returned_as_it_is(value, above):
    assert check_amount(value, "std", above=above) is value


@pytest.mark.parametrize("value", [-1, -1e-9, inf, -inf, nan, "1", None])
def test_an_amount_below_0_or_not_finite_or_no_number_is_refused(value):
    with pytest.raises(ArgumentError, match=r"^std = .* is not allowed: it must be a finite number, at least 0$"):
        check_amount(value, "std")


@pytest.mark.parametrize("value", [2, 1.5, inf, nan, "3", None])
def test_an_amount_that_is_not_above_its_bound_is_refused(value):
    with pytest.raises(ArgumentError, match=r"^lr = .* is not allowed: it must be a finite number, above 2$"):
        check_amount(value, "lr", above=2)


def test_the_bound_of_an_amount_is_a_keyword():
    with pytest.raises(TypeError):
        check_amount(1.0, "std", 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.complex64, torch.bool])
def test_ids_that_are_not_integers_are_refused(dtype):
    with pytest.raises(ArgumentError, match=f"ids has dtype {dtype}: it must hold integers"):
        check_ids(torch.zeros(2, dtype=dtype))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8])
def test_integers_are_ids(dtype):
    ids = torch.zeros(2, dtype=dtype)
    assert check_ids(ids) is ids


def test_noise_is_none_or_floating_point_and_broadcasts():
    noise = torch.zeros(3, 1)
    assert check_noise(None, (2, 3, 4)) is None
    assert check_noise(noise, (2, 3, 4)) is noise
    with pytest.raises(ArgumentError, match=r"noise has dtype torch\.int64"):
        check_noise(noise.long(), (2, 3, 4))
    with pytest.raises(ArgumentError, match="noise has shape"):
        check_noise(noise, (2, 4, 4))
