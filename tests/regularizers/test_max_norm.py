"""Max-norm, against torch.renorm and the definition of a projection."""

from math import inf, nan

import pytest
import torch

from regdemo.errors import ArgumentError
from regdemo.regularizers import max_norm

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def draw(*shape):
    return 2 * torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(6, 5), (4, 3, 2, 2)])
@pytest.mark.parametrize("dim", [0, -1])
def test_it_is_torchs_renorm(shape, dim):
    weight = draw(*shape)
    torch.testing.assert_close(max_norm(weight, 1.5, dim=dim), torch.renorm(weight, 2, dim, 1.5), rtol=1e-6, atol=0)


def test_of_a_vector_each_number_is_a_unit():
    torch.testing.assert_close(max_norm(draw(7), 1.5), draw(7).clamp(-1.5, 1.5))


def test_within_the_limit_nothing_moves_and_zeros_stay():
    weight = torch.tensor([[0.3, 0.4], [0.0, 0.0], [3.0, 4.0]])
    assert max_norm(weight, 5.0).tolist() == weight.tolist()


def test_the_limit_is_reached_to_rounding_and_a_second_time_changes_nothing():
    bounded = max_norm(draw(50, 9), 0.7)
    assert bounded.norm(dim=1).max().item() == pytest.approx(0.7, rel=1e-14)
    torch.testing.assert_close(max_norm(bounded, 0.7), bounded, rtol=1e-15, atol=0)


def test_no_point_of_the_ball_is_nearer():
    weight, ball = draw(1, 4), draw(5_000, 4)
    ball = ball / ball.norm(dim=1, keepdim=True)
    assert weight.norm() > 1
    assert (weight - max_norm(weight, 1.0)).norm() <= (weight - ball).norm(dim=1).min()


def test_its_default_limit_is_3_and_it_leaves_its_input_alone():
    weight = torch.tensor([[6.0, 8.0]])
    torch.testing.assert_close(max_norm(weight), torch.tensor([[1.8, 2.4]]))
    assert weight.tolist() == [[6.0, 8.0]]


@pytest.mark.parametrize("dtype", DTYPES)
def test_it_keeps_the_type_and_a_half_types_squares_do_not_overflow(dtype):
    y = max_norm(torch.tensor([[300.0, 400.0]], dtype=dtype), 5.0)
    assert y.dtype == dtype
    assert y[0].tolist() == pytest.approx([3.0, 4.0])


def test_an_empty_weight_stays_empty():
    assert max_norm(torch.zeros(0, 3)).shape == (0, 3)
    assert max_norm(torch.zeros(3, 0)).shape == (3, 0)


@pytest.mark.parametrize("limit", [0, -1.0, nan, inf, "3", None])
def test_a_bad_limit_is_named(limit):
    with pytest.raises(ArgumentError, match=r"^limit = .* is not allowed: it must be a finite number, above 0$"):
        max_norm(torch.ones(2, 2), limit)


def test_the_first_dimension_may_be_counted_from_the_end():
    weight = torch.tensor([[3.0, 4.0], [0.3, 0.4]])
    torch.testing.assert_close(max_norm(weight, 1.0, dim=-2), torch.tensor([[0.6, 0.8], [0.3, 0.4]]))


@pytest.mark.parametrize("dim", [2, -3])
def test_a_dimension_that_is_not_there_is_named(dim):
    with pytest.raises(ArgumentError, match=rf"^dim = {dim} is not allowed: weight has the dimensions 0 to 1$"):
        max_norm(torch.ones(2, 2), dim=dim)


def test_integers_numbers_and_what_is_not_finite_are_refused():
    with pytest.raises(ArgumentError, match=r"^weight has dtype torch.int64"):
        max_norm(torch.ones(2, 2, dtype=torch.int64))
    with pytest.raises(ArgumentError, match=r"^weight has shape \(\): it must be \(out, ...\)"):
        max_norm(torch.tensor(2.0))
    with pytest.raises(ArgumentError, match=r"^weight is not finite in 2 of 3 units$"):
        max_norm(torch.tensor([[1.0, inf], [nan, 1.0], [1.0, 1.0]]))
