from __future__ import annotations

from math import nan
from xml.etree import ElementTree

from regdemo.render.charts import Chart, curves, heat_map
from regdemo.render.colors import scale_color
from regdemo.report import Curves, HeatMap, Series


def shapes(chart: Chart, tag: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(chart.body).iter(tag))


def cells(chart: Chart) -> list[ElementTree.Element]:
    return [rect for rect in shapes(chart, "rect") if rect.find("title") is not None]


def test_every_cell_has_its_colour_its_place_and_its_value() -> None:
    found = cells(heat_map(HeatMap("", [[0.0, 0.5], [0.25, 1.0]], 0, 1)))
    assert [cell.get("fill") for cell in found] == [scale_color(at) for at in (0, 0.5, 0.25, 1)]
    assert [(cell.get("x"), cell.get("y")) for cell in found] == [("0", "0"), ("18", "0"), ("0", "18"), ("18", "18")]
    assert [cell.findtext("title") for cell in found] == ["0", "0.5", "0.25", "1"]


def test_a_cell_that_is_no_number_is_open_and_explained() -> None:
    chart = heat_map(HeatMap("", [[nan, 1.0]], 0, 1))
    assert [cell.get("fill") for cell in cells(chart)] == ["none", scale_color(1)]
    assert "not a number" in chart.body


def test_the_ends_of_the_scale_and_both_axes_are_named() -> None:
    body = heat_map(HeatMap("", [[1.0]], 0.25, 7.5, "query", "key")).body
    assert all(word in body for word in ("0.25", "7.5", "query ↓", "key →"))


def test_a_wide_matrix_stays_inside_its_chart() -> None:
    chart = heat_map(HeatMap("", [[0.5] * 150], 0, 1))
    assert chart.width <= 560
    assert all(float(cell.get("x", "")) + float(cell.get("width", "")) <= chart.width for cell in cells(chart))


def lines(chart: Chart) -> list[str]:
    """The curves among the paths: what is drawn with round joins."""
    return [path.get("d", "") for path in shapes(chart, "path") if path.get("stroke-linejoin")]


def test_a_curve_is_broken_where_it_has_no_value() -> None:
    chart = curves(Curves("", "x", "y", [Series("s", [0, 1, 2, 3, 4], [1, 2, nan, 4, 5])]))
    assert [line.count("L") for line in lines(chart)] == [1, 1]


def test_a_point_alone_is_a_dot() -> None:
    chart = curves(Curves("", "x", "y", [Series("s", [0, 1, 2], [1, nan, 4])]))
    assert (len(lines(chart)), len(shapes(chart, "circle"))) == (0, 2)


def test_the_extremes_lie_on_the_frame() -> None:
    (line,) = lines(curves(Curves("", "x", "y", [Series("s", [0, 10], [0, 8])])))
    assert line == "M16.0,268.0L544.0,28.0"  # lower left to upper right


def test_a_long_last_label_ends_within_the_chart() -> None:
    chart = curves(Curves("", "examples", "", [Series("a", [0.0, 40_000.0], [1.0, 2.0])]))
    (last,) = (text for text in shapes(chart, "text") if text.text == "40,000")
    assert float(last.get("x", "")) + 8 * len("40,000") / 2 <= chart.width


def test_a_band_is_drawn_and_fits_the_axes() -> None:
    chart = curves(Curves("", "x", "y", [Series("s", [0, 1], [5, 5], [0, 0], [10, 10])]))
    (band,) = (path for path in shapes(chart, "path") if path.get("fill-opacity"))
    assert band.get("d") == "M24.0,28.0L544.0,28.0L544.0,268.0L24.0,268.0Z"


def test_series_differ_in_colour_and_in_dashes() -> None:
    chart = curves(Curves("", "x", "y", [Series(f"s{i}", [0, 1], [i, i]) for i in range(5)]))
    drawn = [path for path in shapes(chart, "path") if path.get("stroke-linejoin")]
    assert len({path.get("stroke") for path in drawn}) == 5
    assert len({path.get("stroke-dasharray") for path in drawn}) == 5


def test_curves_without_a_point_say_so() -> None:
    assert "no points to draw" in curves(Curves("", "x", "y", [Series("s", [], [])])).body
