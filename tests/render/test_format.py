from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from math import inf, nan

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from regdemo.render.format import (
    cells,
    claims_summary,
    expectation,
    limits,
    number,
    parameters,
    ticks,
    unbroken,
    xml,
)
from regdemo.report import Claim, Interval, Report


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1_542_000_000, "1,542,000,000"),
        (0.1, "0.1"),
        (0.123456, "0.1235"),
        (12345.6, "12,346"),
        (1e-5, "1e-05"),
        (2.5e12, "2.5e+12"),
        (-0.0, "0"),
        (nan, "nan"),
        (-inf, "-inf"),
    ],
)
def test_a_number_has_four_digits_and_thousands_separators(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        (Interval(69.6184, 69.2, 70.04), "69.6 [69.2, 70.0]"),
        (Interval(0.65, 0.53, 0.77), "0.65 [0.53, 0.77]"),
        (Interval(1234.5, 1200, 1260), "1,234 [1,200, 1,260]"),
        (Interval(1, 1, 1), "1 [1, 1]"),
        (Interval(nan, nan, nan), "nan [nan, nan]"),
    ],
)
def test_an_interval_is_rounded_by_its_width(interval: Interval, text: str) -> None:
    assert cells([interval]) == [text]


def test_the_numbers_of_a_column_share_their_decimals() -> None:
    assert cells([0.5, 0.25, 12.0]) == ["0.50", "0.25", "12.00"]


def test_an_exact_zero_is_told_from_a_rounded_one() -> None:
    assert cells([0.0, 0.4653]) == ["0", "0.4653"]


def test_no_number_of_a_column_is_rounded_away() -> None:
    assert cells([3.2e-9, 0.05, 1500.0, nan]) == ["3.2e-09", "0.05", "1,500", "nan"]


def test_intervals_of_one_measure_share_their_decimals() -> None:
    column = [Interval(4.6, 4.35, 4.85), Interval(9.8, 9.2, 10.4)]
    assert cells(column) == ["4.60 [4.35, 4.85]", "9.80 [9.20, 10.40]"]


def test_intervals_of_two_measures_keep_their_own_decimals() -> None:
    column = [Interval(65.02, 62.0, 68.0), Interval(0.9123, 0.9, 0.924)]
    assert cells(column) == ["65 [62, 68]", "0.912 [0.900, 0.924]"]


finite = st.floats(-1e6, 1e6)


@settings(deadline=None)
@given(finite, finite, st.floats(1e-3, 1e3))
def test_the_digits_shown_lead_to_the_verdict(expected: float, measured: float, tolerance: float) -> None:
    assume(abs(abs(measured - expected) - tolerance) > 1e-9)  # nearer, the verdict hangs on the rounding of floats
    claim = Claim("", expected, "f", measured, tolerance, "")
    left, right = expectation(claim)
    texts = [*left.removeprefix("f = ").split(" ± "), right]
    e, t, m = (Decimal(text.replace(",", "")) for text in texts)
    assert (abs(m - e) <= t) == claim.holds


def test_a_hair_beside_an_exact_value_is_shown() -> None:
    assert expectation(Claim("", 1.0, "E[y]", 1.0000001, 0.0, "exact")) == ("E[y] = 1.0000000 ± 0", "1.0000001")


def test_rounding_noise_within_a_wide_tolerance_is_not_shown() -> None:
    assert expectation(Claim("", 8.3e-17, "w x", 0.0061, 0.046, "")) == ("w x = 0.000 ± 0.046", "0.006")


def test_a_measurement_that_is_no_number_is_shown_as_such() -> None:
    assert expectation(Claim("", 0.5, "p", nan, 0.1, "")) == ("p = 0.50 ± 0.10", "nan")


def test_a_formula_that_ends_in_its_value_does_not_say_it_twice() -> None:
    assert expectation(Claim("", 1, "training / eval = 1", 1.01, 0.17, ""))[0] == "training / eval = 1 ± 0.17"


def test_the_line_of_parameters_leaves_out_a_text_that_was_not_given() -> None:
    report = Report("t", {"p_max": 0.25, "draws": 20_000, "model": "", "seed": 0}, [], [], "", "", [])
    assert parameters(report) == "p max 0.25 · draws 20,000 · seed 0"


@pytest.mark.parametrize("p", [0.999999, 1 - 2**-53, 0.12345678])
def test_the_line_of_parameters_gives_a_rate_whole(p: float) -> None:
    assert parameters(Report("t", {"p": p}, [], [], "", "", [])) == f"p {p}"


def test_the_verdict_counts_the_claims_that_hold() -> None:
    good, bad = Claim("", 1, "", 1, 0, ""), Claim("", 1, "", 2, 0, "")
    assert [claims_summary([good]), claims_summary([good, bad])] == ["1 of 1 claim holds", "1 of 2 claims hold"]


@settings(deadline=None)
@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e6), st.integers(3, 9))
def test_ticks_are_few_even_and_inside(low: float, span: float, most: int) -> None:
    high = low + span
    positions = [at for at, _ in ticks(low, high, most)]
    steps = [b - a for a, b in pairwise(positions)]
    assert 1 <= len(positions) <= most + 1
    assert all(low - 1e-6 * span <= at <= high + 1e-6 * span for at in positions)
    assert max(steps, default=1) - min(steps, default=1) <= 1e-6 * span


def test_tick_labels_share_their_decimals() -> None:
    assert [label for _, label in ticks(-0.5, 1, 4)] == ["-0.5", "0.0", "0.5", "1.0"]


@pytest.mark.parametrize("values", [[5.0, 5.0], [-2.0], [1e-9], [1e6, 1e6 + 1e-9]])
def test_an_axis_has_length_even_where_its_values_are_one(values: list[float]) -> None:
    low, high = limits(values)
    assert low < min(values) <= max(values) < high


@pytest.mark.parametrize("values", [[0.0], [0.0, 5e-324], [0.0, 4e-16], [-0.0, 0.0]])
def test_the_axis_of_a_constant_0_is_plain(values: list[float]) -> None:
    assert limits(values) == (0, 1)


def test_the_axis_of_0_shows_what_rounding_puts_below_it() -> None:
    assert limits([-4e-16, 0.0]) == (-4e-16, 1)


def test_a_large_whole_number_is_written_without_decimals() -> None:
    claim = Claim("", 49_488_531_200, "$V d$", 49_488_531_200, 0, "exact")
    assert expectation(claim) == ("$V d$ = 49,488,531,200 ± 0", "49,488,531,200")


def test_a_curve_is_cut_where_it_has_no_value() -> None:
    points = [(0.0, 1.0), (1.0, nan), (2.0, 3.0), (3.0, 4.0), (inf, 5.0)]
    assert unbroken(points) == [[(0.0, 1.0)], [(2.0, 3.0), (3.0, 4.0)]]


def test_text_for_a_page_is_escaped_and_free_of_control_characters() -> None:
    assert xml('<a> & "b" \x00\x1b[31m\ud800') == "&lt;a&gt; &amp; &quot;b&quot; \ufffd\ufffd[31m\ufffd"
