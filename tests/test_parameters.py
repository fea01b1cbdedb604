from math import inf, nan

import pytest

from regdemo.errors import ArgumentError
from regdemo.parameters import SEED, count, rate

RATE = rate("Probability of a drop.")
COUNT = count("Draws.", 1, 10_000)


@pytest.mark.parametrize("value", [0, 0.0, 0.5, 0.999999])
def test_a_rate_is_from_0_to_below_1(value):
    RATE.check("p", value)


@pytest.mark.parametrize("value", [-0.1, 1.0, 1, 1.5, nan, inf, -inf])
def test_another_rate_is_refused(value):
    with pytest.raises(ArgumentError, match=r"^p = .* is not allowed: it must be at least 0 and below 1$"):
        RATE.check("p", value)


@pytest.mark.parametrize("value", [1, 2, 10_000])
def test_a_count_is_from_its_lowest_to_its_highest(value):
    COUNT.check("draws", value)


@pytest.mark.parametrize("value", [0, -5, 10_001, 10**12, 10**400, nan, inf])
def test_another_count_is_refused(value):
    with pytest.raises(ArgumentError, match=r"^draws = .* is not allowed: it must be from 1 to 10,000$"):
        COUNT.check("draws", value)


@pytest.mark.parametrize(
    ("value", "written"), [(-1.0, "-1.0"), (-0.1, "-0.1"), (nan, "nan"), (10**12, "1,000,000,000,000"), (0, "0")]
)
def test_a_refused_value_is_written_to_be_read(value, written):
    with pytest.raises(ArgumentError, match=rf"^draws = {written} is"):
        count("Draws.", 1, 10).check("draws", value)


def test_a_value_refused_is_a_usage_error_and_a_value_error():
    with pytest.raises(ValueError, match="is not allowed") as error:
        RATE.check("p", 1.0)
    assert error.value.exit_code == 2


@pytest.mark.parametrize("value", [0, 2**32 - 1])
def test_a_seed_is_any_32_bit_number(value):
    SEED.check("seed", value)


@pytest.mark.parametrize("value", [-1, 2**32])
def test_another_seed_is_refused(value):
    with pytest.raises(ArgumentError, match=r"^seed = .* it must be from 0 to 4,294,967,295$"):
        SEED.check("seed", value)


def test_a_parameter_carries_its_help():
    assert (RATE.help, COUNT.help) == ("Probability of a drop.", "Draws.")
