"""`regdemo pitfalls` on the command line."""

import json

import pytest

from regdemo import catalog
from regdemo.cli import app
from regdemo.report import Claim, Report

NAMES = [pitfall.name for pitfall in catalog.pitfalls()]


def test_without_a_name_all_are_listed_and_how_to_open_one(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert app.run(["pitfalls"]) == 0
    out = capsys.readouterr().out
    assert [name for name in NAMES if f"  {name} " not in out] == []
    assert "regdemo pitfalls NAME" in out
    assert max(map(len, out.splitlines())) <= 80


def test_the_list_as_json_is_one_object_a_pitfall(capsys):
    assert app.run(["pitfalls", "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in entries] == NAMES
    assert {tuple(entry) for entry in entries} == {("name", "breaks", "title", "command")}


@pytest.mark.parametrize("width", [60, 80])
def test_one_is_opened_with_its_code_and_keeps_to_the_width(width, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    assert app.run(["pitfalls", "token_noise"]) == 0
    out = capsys.readouterr().out
    assert "  -def broken(" in out
    assert "  +def fixed(" in out
    assert max(map(len, out.splitlines())) <= width


def test_one_as_json_has_its_code_as_blocks(capsys):
    assert app.run(["pitfalls", "token-noise", "--json", "--seed", "7"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["parameters"] == {"seed": 7}
    assert [block["language"] for block in report["blocks"] + report["picture"] if block["kind"] == "code"] == [
        "python",
        "diff",
    ]


@pytest.mark.parametrize("ending", ["html", "svg", "json", "txt"])
def test_one_is_saved_in_every_form_with_its_code(ending, tmp_path, capsys):
    path = tmp_path / f"report.{ending}"
    assert app.run(["pitfalls", "token-noise", "--save", str(path)]) == 0
    assert "fixed" in path.read_text()


def broken_claim(pitfall, *, seed):
    return Report(pitfall.title, {}, [Claim("c", 0, "0", int(pitfall.name == NAMES[1]), 0, "exact")], [], "", "", [])


def test_all_are_run_and_one_whose_claim_fails_exits_1(monkeypatch, capsys):
    monkeypatch.setattr(catalog.Pitfall, "run", broken_claim)
    assert app.run(["pitfalls", "--all"]) == 1
    out = capsys.readouterr().out
    assert (out.count("✓"), out.count("✗")) == (len(NAMES) - 1, 1)


def test_all_as_json_are_the_reports(monkeypatch, capsys):
    monkeypatch.setattr(catalog.Pitfall, "run", broken_claim)
    assert app.run(["pitfalls", "--all", "--json"]) == 1
    assert len(json.loads(capsys.readouterr().out)) == len(NAMES)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["token-nois"], "'token-noise'"),
        (["--save", "report.html"], "--save needs one pitfall"),
        (["token-noise", "--all"], "--all runs every pitfall"),
        (["token-noise", "--seed", "-1"], "seed = -1"),
        (["token-noise", "--save", "report.pdf"], ".pdf"),
    ],
)
def test_what_cannot_be_meant_is_one_line_and_exit_2(arguments, said, capsys):
    assert app.run(["pitfalls", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert said in err
