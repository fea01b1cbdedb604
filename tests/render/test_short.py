"""The short form of a report: what it keeps, what it folds, and that it fits a screen."""

from __future__ import annotations

import re
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from regdemo.render.html import to_html
from regdemo.render.terminal import SCREEN, show
from regdemo.report import Claim, Code, Curves, HeatMap, Report, Series, Table, Text

X = [float(i) for i in range(50)]
CURVES = Curves("A curve", "step", "loss", [Series("train", X, X)], "A note.")
GRID = [[i / 8] * 8 for i in range(8)]
FAILED = Claim("one is two", 2, "1 + 1", 1, 0, "exact")
HELD = Claim("one is one", 1, "1", 1, 0, "exact")
REPORT = Report(
    title="A title",
    parameters={"p": 0.1},
    claims=[HELD] * 9,
    blocks=[Table("A table", ["a"], [[1]]), Text("Words.")],
    say="What to say. " * 20,
    wrong_answer="A wrong answer. " * 15,
    cards=["Q18"],
    picture=[CURVES],
)


def drawn(report: Report, width: int = 80, *, color: bool = False, short: bool = True, claims: bool = False) -> str:
    file = StringIO()
    system = "truecolor" if color else None
    console = Console(file=file, width=width, force_terminal=color, color_system=system, no_color=False)
    show(report, console, short=short, claims=claims)
    return file.getvalue()


def test_it_begins_with_what_to_say_then_the_wrong_answer_then_the_picture() -> None:
    shown = drawn(REPORT)
    places = [shown.index(words) for words in ("Say in the interview", "The usual wrong answer", "A curve")]
    assert places == sorted(places)


@pytest.mark.parametrize(
    "picture",
    [
        [CURVES],
        [CURVES, CURVES],
        [HeatMap("before", GRID, 0, 1), HeatMap("after", GRID, 0, 1)],
        [HeatMap(f"map {i}", GRID, 0, 1) for i in range(3)],
    ],
)
def test_it_fits_a_screen_of_80_columns(picture: list[Curves | HeatMap]) -> None:
    assert len(drawn(replace(REPORT, picture=list(picture))).splitlines()) <= SCREEN == 40


def test_claims_are_folded_into_a_line_that_says_how_to_unfold_them() -> None:
    shown = drawn(REPORT)
    assert "one is one" not in shown
    assert "9 of 9 claims hold" in shown
    assert "--claims shows each claim" in shown


def test_claims_are_unfolded_when_asked_for() -> None:
    assert drawn(REPORT, claims=True).count("one is one") == 9


def test_a_claim_that_fails_is_shown_in_full() -> None:
    shown = drawn(replace(REPORT, claims=[HELD, FAILED]))
    assert "✗ one is two\n  measured 1, expected 1 + 1 = 2 ± 0 (exact)" in shown
    assert "one is one" not in shown


def test_tables_are_left_to_the_full_form_and_counted() -> None:
    assert "--full adds 1 table" in drawn(REPORT)
    assert "A table" not in drawn(REPORT)
    assert "A table" in drawn(REPORT, short=False)


def test_a_report_without_a_picture_is_drawn_whole() -> None:
    plain = replace(REPORT, picture=[])
    assert drawn(plain) == drawn(plain, short=False)


def test_plots_that_would_be_flat_are_drawn_side_by_side_where_they_fit() -> None:
    report = replace(REPORT, picture=[replace(CURVES, title=name) for name in ("before", "after")])
    abreast = re.compile(r"^before +after$", re.MULTILINE)
    assert abreast.search(drawn(report))
    assert not abreast.search(drawn(report, width=60))


def test_narrow_heat_maps_stand_side_by_side() -> None:
    maps = [HeatMap(name, GRID, 0, 1) for name in ("before", "after")]
    assert re.search(r"^before +after$", drawn(replace(REPORT, picture=list(maps))), re.MULTILINE)


def test_the_claims_of_a_pitfall_stay_in_one_line_each_behind_their_code() -> None:
    claims = [replace(HELD, code="broken"), replace(HELD, code="fixed"), replace(FAILED, code="fixed")]
    shown = drawn(replace(REPORT, claims=claims, picture=[Code("The fix", "-a\n+b", "diff")]))
    assert "✓ Broken: one is one: 1\n✓ Fixed: one is one: 1\n" in shown
    assert "✗ Fixed: one is two\n  measured" in shown


def test_a_formula_is_plain_characters_in_the_terminal_and_mathml_on_a_page() -> None:
    report = replace(REPORT, say=r"The variance is $\frac{p}{1-p} x^2$.")
    assert "The variance is p/(1-p) x²." in drawn(report)
    page = to_html(report)
    assert "<mfrac>" in page
    assert "$" not in page


LINKED = replace(REPORT, say="Read [the paper](https://arxiv.org/abs/1207.0580) first.")


def test_a_link_is_a_hyperlink_where_the_terminal_has_colour() -> None:
    shown = drawn(LINKED, color=True)
    assert re.search(r"\x1b\]8;[^;]*;https://arxiv.org/abs/1207.0580\x1b", shown)


def test_a_link_is_an_address_on_its_own_line_elsewhere() -> None:
    assert "Read the paper first.\nhttps://arxiv.org/abs/1207.0580\n" in drawn(LINKED)


def test_a_band_is_drawn_by_its_edges() -> None:
    band = Curves("", "x", "y", [Series("s", X, [5.0] * 50, [0.0] * 50, [10.0] * 50)])
    assert "·" in drawn(replace(REPORT, picture=[band]))
    assert "·" not in drawn(replace(REPORT, picture=[CURVES]))[200:].partition("claims hold")[0].partition("A curve")[2]


def test_bars_are_outlined_from_zero() -> None:
    bars = Curves("", "x", "y", [Series("s", [0.0, 1.0, 2.0], [1.0, 3.0, 2.0], style="bars")])
    plot = drawn(replace(REPORT, picture=[bars]))
    assert "0.0┤" in plot
    assert "⡇" in plot
    assert 'fill-opacity=".3"' in to_html(replace(REPORT, picture=[bars]))
