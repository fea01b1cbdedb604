"""Locked dropout and zoneout against loops over time."""

import pytest
import torch
from scipy import stats
from torch import nn

from helpers import draw, seeded
from regdemo.errors import ArgumentError, ProbabilityError
from regdemo.regularizers import LockedDropout, Zoneout, dropout, keep_mask, locked_dropout, zoneout

P = 0.3
FALSE_ALARM = 1e-7


def within(count, n, p):
    return stats.binom.ppf(FALSE_ALARM / 2, n, p) <= count <= stats.binom.isf(FALSE_ALARM / 2, n, p)


# locked_dropout


@pytest.mark.parametrize(("time_dim", "shape"), [(1, (6, 4, 5)), (0, (4, 6, 5)), (-2, (6, 4, 5)), (-3, (4, 6, 5))])
def test_every_time_step_has_the_same_mask(time_dim, shape):
    x = draw(*shape)
    steps = locked_dropout(x, P, generator=seeded(), time_dim=time_dim).unbind(time_dim)
    mask = keep_mask((6, 5), P, generator=seeded())
    for step, plain in zip(steps, x.unbind(time_dim), strict=True):
        assert torch.equal(step, dropout(plain, P, mask=mask))


def test_each_example_and_unit_is_dropped_at_rate_p():
    dropped = locked_dropout(torch.ones(200, 2, 300), P, generator=seeded())[:, 0] == 0
    assert within(dropped.sum().item(), dropped.numel(), P)
    assert len({tuple(row) for row in dropped.tolist()}) == 200


def test_locked_dropout_in_eval_is_the_identity():
    x = draw(2, 3, 4)
    assert locked_dropout(x, P, training=False) is x
    assert LockedDropout(P).eval()(x) is x


def test_a_mask_kept_by_the_caller_serves_several_segments():
    mask = keep_mask((2, 1, 4), P, generator=seeded())
    x = draw(2, 6, 4)
    parts = [locked_dropout(part, P, mask=mask) for part in x.split(3, dim=1)]
    assert torch.equal(torch.cat(parts, dim=1), locked_dropout(x, P, mask=mask))


def test_the_module_drops_along_its_time_dimension_and_shows_it():
    module, x = LockedDropout(P, time_dim=0), draw(4, 6, 5)
    assert torch.equal(module(x, generator=seeded()), locked_dropout(x, P, time_dim=0, generator=seeded()))
    assert repr(module) == f"LockedDropout(p={P}, time_dim=0)"


def test_locked_dropouts_gradient_is_the_scaled_mask():
    x = torch.ones(1, 3, 2, requires_grad=True)
    locked_dropout(x, 0.5, mask=torch.tensor([True, False])).sum().backward()
    assert x.grad.tolist() == [[[2, 0]] * 3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": torch.ones(3)}, r"^x has shape \(3,\): it must be \(B, T, d\), 2 dimensions or more$"),
        ({"x": torch.ones(2, 3).long()}, r"^x has dtype torch.int64"),
        ({"time_dim": 3}, r"^time_dim = 3 is not allowed: x has the dimensions 0 to 2$"),
        ({"time_dim": -4}, r"^time_dim = -4 is not allowed"),
        ({"mask": torch.ones(2, 3, 4, dtype=torch.bool)}, r"^mask has shape \(2, 3, 4\): it must be \(2, 1, 4\)"),
        ({"mask": torch.ones(3, 4, dtype=torch.bool), "training": False}, r"^mask has shape \(3, 4\)"),
    ],
)
def test_what_locked_dropout_cannot_take_is_named(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        locked_dropout(**{"x": torch.ones(2, 3, 4), "p": P, **arguments})


# zoneout


def test_a_unit_is_new_or_what_it_was():
    new, previous, mask = draw(6, 5), draw(6, 5, seed=1), keep_mask((6, 5), P, generator=seeded())
    assert torch.equal(zoneout(new, previous, P, mask=mask), torch.where(mask, new, previous))
    assert torch.equal(zoneout(new, previous, P, generator=seeded()), torch.where(mask, new, previous))


def test_a_state_is_kept_at_rate_p():
    kept = zoneout(torch.ones(300, 300), torch.zeros(300, 300), P, generator=seeded()) == 0
    assert within(kept.sum().item(), kept.numel(), P)


def test_eval_is_the_mean_over_all_masks():
    new, previous, mean = draw(2), draw(2, seed=1), 0.0
    for a in (True, False):
        for b in (True, False):
            weight = (1 - P if a else P) * (1 - P if b else P)
            mean = mean + weight * zoneout(new, previous, P, mask=torch.tensor([a, b]))
    torch.testing.assert_close(zoneout(new, previous, P, training=False), mean)
    torch.testing.assert_close(Zoneout(P).eval()(new, previous), mean)


def test_the_gradient_of_a_kept_unit_passes_the_cell_by():
    new, previous = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    zoneout(new, previous, P, mask=torch.tensor([True, False])).sum().backward()
    assert (new.grad.tolist(), previous.grad.tolist()) == ([1, 0], [0, 1])


def test_the_module_works_in_a_loop_over_time():
    cell, zone, state = nn.GRUCell(3, 4).double(), Zoneout(P), torch.zeros(2, 4, dtype=torch.float64)
    expected, generator = state, seeded(5)
    for x in draw(5, 2, 3):
        mask = keep_mask((2, 4), P, generator=generator)
        expected = torch.where(mask, cell(x, expected), expected)
    generator = seeded(5)
    for x in draw(5, 2, 3):
        state = zone(cell(x, state), state, generator=generator)
    assert torch.equal(state, expected)


def test_a_state_in_another_type_takes_that_of_the_new_one():
    # As under autocast, where the cell returns a half type and the state began in float32.
    assert zoneout(torch.ones(2).bfloat16(), torch.zeros(2), P, generator=seeded()).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"previous": torch.ones(3)}, r"^previous has shape \(3,\): it must be \(2,\), that of new$"),
        ({"previous": torch.ones(2).long()}, r"^previous has dtype torch.int64"),
        ({"new": torch.ones(2).long()}, r"^new has dtype torch.int64"),
        ({"mask": torch.ones(3, dtype=torch.bool)}, r"^mask has shape \(3,\): it must be \(2,\)"),
    ],
)
def test_what_zoneout_cannot_take_is_named(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        zoneout(**{"new": torch.ones(2), "previous": torch.ones(2), "p": P, **arguments})


@pytest.mark.parametrize("call", [lambda p: locked_dropout(torch.ones(2, 2), p), LockedDropout, Zoneout])
def test_a_bad_rate_is_refused(call):
    with pytest.raises(ProbabilityError, match=r"^p = 1.0 is not a drop probability"):
        call(1.0)
    with pytest.raises(ProbabilityError, match=r"^p = 1.0 is not a drop probability"):
        zoneout(torch.ones(2), torch.ones(2), 1.0)
