import json
from math import inf, nan

import pytest

from regdemo.report import Claim, Code, Curves, HeatMap, Interval, Report, Series, Table, Text


def claim(expected, measured, tolerance):
    return Claim("the share dropped is p", expected, "p", measured, tolerance, "exact")


def report(*, claims=(), blocks=(), parameters=None):
    return Report("Dropout", parameters or {"p": 0.1, "seed": 0}, list(claims), list(blocks), "say", "wrong", ["Q18"])


def as_json(report):
    """What a reader of the JSON sees; strict, so NaN and inf would raise."""
    return json.loads(json.dumps(report.as_dict(), allow_nan=False))


@pytest.mark.parametrize(("measured", "tolerance"), [(0.5, 0), (0.75, 0.25), (0.25, 0.25), (0.625, 0.25), (3.0, inf)])
def test_a_claim_holds_within_its_tolerance_and_on_its_edge(measured, tolerance):
    assert claim(0.5, measured, tolerance).holds


@pytest.mark.parametrize(("measured", "tolerance"), [(0.5000001, 0), (0.76, 0.25), (0.24, 0.25), (0.5, -1), (inf, 1)])
def test_a_claim_fails_outside_its_tolerance(measured, tolerance):
    assert not claim(0.5, measured, tolerance).holds


@pytest.mark.parametrize(
    ("expected", "measured", "tolerance"), [(0.5, nan, inf), (nan, 0.5, inf), (0.5, 0.5, nan), (inf, inf, 1)]
)
def test_what_is_not_a_number_never_holds(expected, measured, tolerance):
    assert not claim(expected, measured, tolerance).holds


def test_a_report_holds_when_all_its_claims_do():
    assert report().holds
    assert report(claims=[claim(1, 1, 0), claim(2, 2, 0)]).holds
    assert not report(claims=[claim(1, 1, 0), claim(2, 3, 0)]).holds


def test_a_reports_json_has_the_public_keys():
    keys = ["title", "parameters", "claims", "blocks", "say", "wrong_answer", "cards", "picture"]
    assert list(as_json(report())) == keys


def test_a_claims_json_has_the_public_keys_and_whether_it_holds():
    (plain,) = as_json(report(claims=[claim(1, 2, 0.5)]))["claims"]
    assert plain == {
        "statement": "the share dropped is p",
        "expected": 1,
        "formula": "p",
        "measured": 2,
        "tolerance": 0.5,
        "reason": "exact",
        "code": "",
        "holds": False,
    }


def test_each_claim_keeps_its_own_verdict():
    plain = as_json(report(claims=[claim(1, 1, 0), claim(1, 2, 0), claim(1, 1, 0)]))
    assert [item["holds"] for item in plain["claims"]] == [True, False, True]


def test_every_block_is_tagged_with_its_kind():
    blocks = [
        Text("prose"),
        Table("a table", ["p"], [[0.1], ["none"], [3], [Interval(1.0, 0.5, 1.5)]], "a note"),
        HeatMap("a mask", [[0.0, 1.0]], 0, 1),
        Curves("loss", "epoch", "loss", [Series("with", [0.0], [1.0], [0.5], [1.5])]),
        Code("what mends it", "-x\n+y", "diff"),
    ]
    text, table, heatmap, curves, code = as_json(report(blocks=blocks))["blocks"]
    assert text == {"kind": "text", "text": "prose"}
    assert table == {
        "kind": "table",
        "title": "a table",
        "columns": ["p"],
        "rows": [[0.1], ["none"], [3], [{"value": 1.0, "low": 0.5, "high": 1.5}]],
        "note": "a note",
    }
    assert (heatmap["kind"], heatmap["values"], heatmap["low"], heatmap["high"]) == ("heatmap", [[0.0, 1.0]], 0, 1)
    assert code == {"kind": "code", "title": "what mends it", "source": "-x\n+y", "language": "diff", "note": ""}
    assert curves["kind"] == "curves"
    assert curves["series"] == [{"name": "with", "x": [0.0], "y": [1.0], "low": [0.5], "high": [1.5], "style": "line"}]


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_what_is_not_finite_is_null_wherever_it_stands(value):
    plain = as_json(
        report(
            parameters={"p": value, "sizes": (1, value)},
            claims=[claim(0, value, 1)],
            blocks=[Table("t", ["a"], [[value], [Interval(value, 0, 1)]]), HeatMap("h", [[value, 1.0]], 0, 1)],
        )
    )
    assert plain["parameters"] == {"p": None, "sizes": [1, None]}
    assert (plain["claims"][0]["measured"], plain["claims"][0]["holds"]) == (None, False)
    assert plain["blocks"][0]["rows"] == [[None], [{"value": None, "low": 0, "high": 1}]]
    assert plain["blocks"][1]["values"] == [[None, 1.0]]


def test_the_report_itself_is_left_as_it_was():
    one = report(claims=[claim(0, nan, 1)], blocks=[HeatMap("h", [[nan]], 0, 1)])
    one.as_dict()
    assert repr(one) == repr(report(claims=[claim(0, nan, 1)], blocks=[HeatMap("h", [[nan]], 0, 1)]))
