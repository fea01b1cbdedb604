from __future__ import annotations

from itertools import pairwise
from math import inf, nan

import pytest

from regdemo.render.colors import BAD, CODE, GOOD, QUIET, SERIES, fraction, scale_color


def luminance(color: str) -> float:
    """Relative luminance by WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (b / 255 for b in bytes.fromhex(color[1:]))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("color", [QUIET, GOOD, BAD, CODE, *SERIES])
def test_every_colour_of_words_and_lines_reads_on_white_and_on_black(color: str) -> None:
    on_white, on_black = 1.05 / (luminance(color) + 0.05), (luminance(color) + 0.05) / 0.05
    assert min(on_white, on_black) >= 4


def test_a_higher_value_is_always_lighter() -> None:
    shades = [luminance(scale_color(i / 64)) for i in range(65)]
    assert all(a < b for a, b in pairwise(shades))


def test_no_end_of_the_scale_is_black_or_white() -> None:
    assert luminance(scale_color(0)) > 0.02
    assert luminance(scale_color(1)) < 0.8


@pytest.mark.parametrize(
    ("value", "low", "high", "at"),
    [
        (0.5, 0, 2, 0.25),
        (-1, 0, 2, 0),
        (inf, 0, 2, 1),
        (-inf, 0, 2, 0),
        (3, 3, 3, 0),
        (4, 3, 3, 1),
        (nan, 0, 2, None),
        (1, nan, 2, None),
        (1, -inf, inf, None),
    ],
)
def test_a_value_finds_its_place_on_the_scale(value: float, low: float, high: float, at: float | None) -> None:
    assert fraction(value, low, high) == at
