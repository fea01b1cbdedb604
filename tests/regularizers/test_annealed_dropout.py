import numpy as np
import pytest
from torch import nn

from regdemo.errors import ArgumentError, ProbabilityError
from regdemo.regularizers import annealed_dropout, early_dropout, late_dropout, set_dropout

P = 0.3
SCHEDULES = [annealed_dropout, early_dropout, late_dropout]
STEPS = range(12)


@pytest.mark.parametrize("schedule", [annealed_dropout, early_dropout])
@pytest.mark.parametrize("end", [1, 2, 7])
def test_the_linear_schedules_are_numpys_interpolation(schedule, end):
    expected = np.interp(STEPS, [0, end], [P, 0])
    np.testing.assert_allclose([schedule(step, end, P) for step in STEPS], expected, atol=1e-15)


@pytest.mark.parametrize("end", [1, 3, 7, 1_000_003])
@pytest.mark.parametrize("p", [0.1, 0.3, 0.7])
def test_they_end_at_exactly_0_and_begin_at_exactly_p(end, p):
    for schedule in (annealed_dropout, early_dropout):
        assert schedule(0, end, p) == p
        assert schedule(end - 1, end, p) > 0
        assert schedule(end, end, p) == schedule(end + 1, end, p) == schedule(10 * end, end, p) == 0.0
    assert early_dropout(end - 1, end, p, constant=True) == p
    assert early_dropout(end, end, p, constant=True) == 0.0


@pytest.mark.parametrize("start", [1, 2, 7])
def test_late_dropout_is_what_constant_early_dropout_leaves_out(start):
    for step in STEPS:
        assert late_dropout(step, start, P) + early_dropout(step, start, P, constant=True) == P
        assert late_dropout(step, start, P) == (P if step >= start else 0.0)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_schedule_returns_a_float_that_a_model_takes(schedule):
    drop = nn.Dropout(0.9)
    for step in STEPS:
        rate = schedule(step, 5, P)
        assert isinstance(rate, float)
        set_dropout(drop, rate)
        assert drop.p == rate


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_at_rate_0_there_is_never_any_dropout(schedule):
    assert [schedule(step, 5, 0.0) for step in STEPS] == [0.0] * len(STEPS)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("p", [-0.1, 1.0, float("nan"), None])
def test_a_bad_rate_is_refused(schedule, p):
    with pytest.raises(ProbabilityError, match=r"^p = .* is not a drop probability"):
        schedule(0, 5, p)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("step", [-1, float("nan")])
def test_a_step_before_the_first_is_refused(schedule, step):
    with pytest.raises(ArgumentError, match=rf"^step = {step} is not allowed: steps are counted from 0$"):
        schedule(step, 5, P)


@pytest.mark.parametrize(("schedule", "name"), [*zip(SCHEDULES, ["steps", "cutoff", "start"], strict=True)])
@pytest.mark.parametrize("end", [0, -3, float("nan")])
def test_an_end_below_1_is_refused_by_name(schedule, name, end):
    with pytest.raises(ArgumentError, match=rf"^{name} = {end} is not allowed: it must be at least 1$"):
        schedule(0, end, P)
