import itertools

import numpy as np
import pytest
import torch
from torch import nn

from helpers import draw, seeded
from regdemo.errors import ArgumentError
from regdemo.regularizers import DropPath, drop_path, drop_path_residual, keep_mask

P = 0.3


# drop_path


@pytest.mark.parametrize("shape", [(4,), (4, 3), (4, 3, 2, 2)])
def test_a_mask_per_sample_drops_whole_examples(shape):
    x, kept = draw(*shape), torch.tensor([True, False, True, False])
    expected = np.where(kept.numpy().reshape(4, *(1,) * (len(shape) - 1)), x.numpy() / (1 - P), 0)
    y = drop_path(x, P, mask=kept.view(4, *(1,) * (len(shape) - 1)))
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-15)


def test_each_example_draws_a_coin_of_its_own():
    x = draw(64, 3, 2)
    expected = drop_path(x, P, mask=keep_mask((64, 1, 1), P, generator=seeded(1)))
    assert torch.equal(drop_path(x, P, generator=seeded(1)), expected)
    assert 0 < (expected == 0).all(dim=(1, 2)).sum() < 64


def test_per_batch_all_examples_share_one_coin():
    x = draw(64, 3)
    shared = [drop_path(x, P, per_sample=False, generator=seeded(seed)) for seed in range(40)]
    assert {(y == 0).double().mean().item() for y in shared} == {0.0, 1.0}


def test_per_batch_a_mask_handed_in_still_counts():
    x, kept = draw(2, 3), torch.tensor([[True], [False]])
    assert torch.equal(drop_path(x, P, per_sample=False, mask=kept), drop_path(x, P, mask=kept))


def test_the_mean_over_all_masks_is_the_branch():
    x, mean = draw(3, 2), torch.zeros(3, 2, dtype=torch.float64)
    for kept in itertools.product([True, False], repeat=3):
        weight = (1 - P) ** sum(kept) * P ** (3 - sum(kept))
        mean += weight * drop_path(x, P, mask=torch.tensor(kept).view(3, 1))
    torch.testing.assert_close(mean, x)


def test_the_gradient_flows_through_kept_examples_alone():
    x = draw(3, 2).requires_grad_()
    drop_path(x, P, mask=torch.tensor([[True], [False], [True]])).sum().backward()
    expected = torch.tensor([[1 / (1 - P)] * 2, [0.0] * 2, [1 / (1 - P)] * 2], dtype=torch.float64)
    torch.testing.assert_close(x.grad, expected)


def test_a_mask_of_examples_may_not_pass_for_one_of_features():
    # (3,) would broadcast over a (3, 3) batch's features, and drop columns.
    with pytest.raises(ArgumentError, match=r"^mask has shape \(3,\): it must be \(3, 1\)"):
        drop_path(draw(3, 3), P, mask=torch.ones(3, dtype=torch.bool))


@pytest.mark.parametrize("function", [drop_path, lambda x: drop_path_residual(x, torch.sin)])
def test_a_number_has_no_batch_to_drop_from(function):
    with pytest.raises(ArgumentError, match=r"^x has shape \(\): it must be \(B, \.\.\.\), 1 dimension or more$"):
        function(torch.tensor(1.0))


def test_the_rate_is_a_tenth_unless_told():
    x = draw(8, 2)
    assert torch.equal(drop_path(x, generator=seeded()), drop_path(x, 0.1, generator=seeded()))
    residual = drop_path_residual(x, torch.sin, generator=seeded())
    assert torch.equal(residual, drop_path_residual(x, torch.sin, 0.1, generator=seeded()))


def test_a_module_shows_whether_examples_draw_their_own():
    assert repr(DropPath(0.2, per_sample=False)) == "DropPath(p=0.2, per_sample=False)"


# drop_path_residual


@pytest.mark.parametrize("shape", [(9,), (9, 4), (9, 4, 2)])
def test_the_residual_form_is_drop_path_added_to_its_input(shape):
    # The same seed draws the same mask, (9,) here and (9, 1, ...) there.
    x = draw(*shape)
    expected = x + drop_path(torch.sin(x), P, generator=seeded(1))
    torch.testing.assert_close(drop_path_residual(x, torch.sin, P, generator=seeded(1)), expected)


def test_the_branch_sees_the_kept_examples_alone():
    x, seen = draw(4, 2), []
    drop_path_residual(x, lambda kept: seen.append(kept) or kept, P, mask=torch.tensor([True, False, False, True]))
    assert torch.equal(torch.stack(seen), x[[0, 3]][None])


def test_outside_training_the_branch_sees_all_and_is_not_scaled():
    x = draw(4, 2)
    assert torch.equal(drop_path_residual(x, torch.sin, P, training=False), x + x.sin())


def test_with_all_examples_dropped_the_input_passes_through():
    x = draw(4, 2)
    assert torch.equal(drop_path_residual(x, torch.sin, P, mask=torch.zeros(4, dtype=torch.bool)), x)


def test_with_all_examples_dropped_the_branchs_parameters_have_zero_gradients():
    # None instead would make DistributedDataParallel wait for them.
    branch = nn.Linear(2, 2, dtype=torch.float64)
    drop_path_residual(draw(4, 2), branch, P, mask=torch.zeros(4, dtype=torch.bool)).sum().backward()
    assert [parameter.grad.abs().sum().item() for parameter in branch.parameters()] == [0, 0]


def test_with_all_examples_kept_the_branch_is_scaled():
    x = draw(4, 2)
    y = drop_path_residual(x, torch.sin, P, mask=torch.ones(4, dtype=torch.bool))
    torch.testing.assert_close(y, x + x.sin() / (1 - P))


def test_a_dropped_examples_gradient_goes_through_the_residual_alone():
    x = draw(2, 3).requires_grad_()
    drop_path_residual(x, lambda kept: 2 * kept, P, mask=torch.tensor([True, False])).sum().backward()
    expected = torch.tensor([[1 + 2 / (1 - P)] * 3, [1.0] * 3], dtype=torch.float64)
    torch.testing.assert_close(x.grad, expected)


def test_a_branch_in_a_half_type_is_added_in_the_inputs_own():
    # As under autocast, where a linear branch returns bfloat16.
    y = drop_path_residual(draw(4, 2), lambda kept: kept.bfloat16(), 0.5, mask=torch.ones(4, dtype=torch.bool))
    assert y.dtype == torch.float64


def test_a_mask_of_another_length_is_refused():
    with pytest.raises(ArgumentError, match=r"^mask has shape \(3,\): it must be \(4,\)"):
        drop_path_residual(draw(4, 2), torch.sin, P, mask=torch.ones(3, dtype=torch.bool))


def test_without_scaling_what_is_kept_is_what_it_was():
    x, mask = draw(4, 3), torch.tensor([True, False, True, True]).unsqueeze(1)
    assert torch.equal(drop_path(x, 0.3, True, False, mask=mask), x * mask)
    module = DropPath(0.3, scale_by_keep=False)
    assert torch.equal(module(x, generator=seeded()), drop_path(x, 0.3, scale_by_keep=False, generator=seeded()))
    assert repr(module) == "DropPath(p=0.3, per_sample=True, scale_by_keep=False)"


@pytest.mark.parametrize("call", [drop_path, lambda x, *a, **b: drop_path_residual(x, torch.sin, *a, **b)])
def test_a_mask_that_does_not_fit_is_refused_in_eval_too(call):
    with pytest.raises(ArgumentError, match=r"^mask has shape \(9,\)"):
        call(torch.ones(2, 3), 0.3, training=False, mask=torch.ones(9, dtype=torch.bool))
