from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from regdemo.render.charts import heat_map
from regdemo.render.svg import to_svg
from regdemo.report import HeatMap, Report, Table, Text

SVG = "{http://www.w3.org/2000/svg}"


def words(source: str) -> str:
    texts = (text.text or "" for text in ElementTree.fromstring(source).iter(f"{SVG}text"))
    return " ".join(texts).replace("\N{NO-BREAK SPACE}", " ")


def test_every_block_and_claim_is_in_the_picture(report: Report) -> None:
    shown = words(to_svg(report))
    for expected in (
        "Attention dropout at p = 0.1",
        "Dropout scales survivors by 1/(1-p)",
        "Weights before",
        "query ↓",
        "With and without",
        "[69.2, 70.0]",
        "Learning curves",
        "epoch",
        "Rows still sum to 1 <script>alert(1)</script> [bold]&[/bold]",
        "2 of 3 claims hold",
        "regdemo quiz --ids Q18.1,Q18.2",
    ):
        assert expected in re.sub(" +", " ", shown)


def test_the_picture_is_valid_xml_whatever_it_holds(odd: Report) -> None:
    assert ElementTree.fromstring(to_svg(odd)).tag == f"{SVG}svg"


def test_the_same_report_gives_the_same_bytes(report: Report) -> None:
    assert to_svg(report) == to_svg(report)


@pytest.mark.parametrize(
    ("name", "value"), [("NO_COLOR", "1"), ("COLUMNS", "40"), ("TERM", "dumb"), ("FORCE_COLOR", "1")]
)
def test_the_environment_does_not_change_the_picture(
    report: Report, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    before = to_svg(report)
    monkeypatch.setenv(name, value)
    assert to_svg(report) == before


def test_the_picture_needs_nothing_from_outside(report: Report) -> None:
    source = to_svg(report).replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"href|@import|@font-face|url\(|<script|<image|<foreignObject", source)


def test_no_text_leaves_the_picture(report: Report) -> None:
    root = ElementTree.fromstring(to_svg(report))
    width, height = float(root.get("width", "")), float(root.get("height", ""))
    lines = [text for text in root.iter(f"{SVG}text") if text.get("textLength")]
    assert max(float(text.get("x", "")) + float(text.get("textLength", "")) for text in lines) <= width
    assert max(float(text.get("y", "")) for text in lines) < height


def places(report: Report) -> dict[str, tuple[float, float]]:
    """Where each piece of text begins."""
    texts = ElementTree.fromstring(to_svg(report)).iter(f"{SVG}text")
    return {text.text or "": (float(text.get("x", "")), float(text.get("y", ""))) for text in texts}


def test_columns_stand_where_the_terminal_has_them() -> None:
    table = Table("", ["name", "kind"], [["a", "x"], ["long name", "y"]])
    found = places(Report("", {}, [], [table], "", "", []))
    # 28 of margin, then 9 letters and 2 blanks of 8.4
    assert [found[word][0] for word in ("kind", "x", "y")] == [120.4] * 3


def test_words_stand_below_the_chart_before_them() -> None:
    chart = HeatMap("", [[1.0]] * 30, 0, 1)
    report = Report("", {}, [], [Text("before"), chart, Text("after")], "", "", [])
    found = places(report)
    assert found["after"][1] - found["before"][1] > heat_map(chart).height
