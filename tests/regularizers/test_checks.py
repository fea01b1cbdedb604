import pytest
import torch

from regdemo.errors import ArgumentError, ProbabilityError
from regdemo.regularizers.checks import check_broadcast, check_dim, check_floating, check_mask, check_rate


@pytest.mark.parametrize("p", [0, 0.0, 0.5, 0.999, torch.tensor(0.5)])
def test_a_rate_from_0_to_below_1_is_returned_as_it_is(p):
    assert check_rate(p) is p


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
