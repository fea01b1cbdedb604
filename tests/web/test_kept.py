"""What is kept of a training comes back as it was."""

import json
import math
from datetime import UTC, datetime

import pytest

from regdemo.report import Box, Boxes, Claim, Code, Curves, HeatMap, Interval, Report, Series, Table, Text

kept = pytest.importorskip("regdemo.web.kept", reason="the extra web is missing")
NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
REPORT = Report(
    title="t",
    parameters={"p": 0.1},
    claims=[Claim("s", 1.0, "f", 1.0, 0.1, "r")],
    blocks=[
        Text("x"),
        Table("t", ["a", "b"], [["x", Interval(1.0, 0.5, 1.5)], ["y", 2]]),
        HeatMap("h", [[0.0, 1.0]], 0.0, 1.0),
        Curves("c", "x", "y", [Series("s", [1.0, 2.0], [3.0, 4.0])]),
        Boxes("b", "points", [Box("a", [0.1, 0.3, 0.2], Interval(0.2, 0.1, 0.3))]),
        Code("c", "print(1)"),
    ],
    say="say",
    wrong_answer="",
    cards=["Q1"],
)


def test_a_report_comes_back_as_it_was(tmp_path):
    name = kept.keep(tmp_path, "regdemo compare dropout", REPORT, NOW)
    (found,) = kept.every(tmp_path)
    assert (found.name, found.words, found.at, found.report) == (name, "regdemo compare dropout", NOW, REPORT)


def test_what_a_report_has_in_addition_is_passed_over(tmp_path):
    name = kept.keep(tmp_path, "w", REPORT, NOW)
    data = json.loads((tmp_path / f"{name}.json").read_text())
    data["report"]["networks"] = [{"arm": "none"}]
    (tmp_path / f"{name}.json").write_text(json.dumps(data))
    assert kept.read(tmp_path, name).report == REPORT


def test_a_number_that_is_none_comes_back_as_one(tmp_path):
    report = Report("t", {}, [Claim("s", 1.0, "f", math.nan, 0.1, "r")], [], "", "", [])
    name = kept.keep(tmp_path, "w", report, NOW)
    assert math.isnan(kept.read(tmp_path, name).report.claims[0].measured)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"words": 1}', '{"words": "", "at": 0, "report": {"claims": 1}}', "[" * 9999]
)
def test_a_file_that_is_no_report_is_passed_over(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    assert kept.every(tmp_path) == []


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "", "a" * 99, "a.json"])
def test_a_name_that_is_a_path_is_no_report(tmp_path, name):
    assert kept.read(tmp_path / "x", name) is None


def test_what_is_removed_is_gone(tmp_path):
    kept.remove(tmp_path, kept.keep(tmp_path, "w", REPORT, NOW))
    assert kept.every(tmp_path) == []
