"""`regdemo stats`: the whole of it at the widths of a terminal, in a pipe, and as JSON."""

import json
import re
from datetime import UTC, date, datetime, timedelta

import pytest

from regdemo.cli import app
from regdemo.quiz import fitting, goal
from regdemo.quiz.fitting import FsrsFit
from regdemo.quiz.history import History, Review
from regdemo.quiz.schedule import DEFAULT_SETTINGS, microseconds

DECK = "".join(f"## Q{n}: What is {n}?\n\nThe number {n}.\n\n" for n in range(9))
NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Nine cards, answered on three days; Q1 fails, Q2 is flagged."""
    monkeypatch.setenv("REGDEMO_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("regdemo.cli.learner.clock", lambda: NOW)
    with History(tmp_path / "home") as kept:
        kept.add_all(
            Review(
                f"Q{n}",
                microseconds(NOW - timedelta(days=ago)),
                "recall",
                1 if n == 1 else 3,
                1.0,
                "",
                "{}",
                "",
                0,
                0,
                "s",
            )
            for ago in (9, 2, 1)
            for n in range(6)
        )
        kept.flag("Q2", 1)
    return tmp_path / "home"


@pytest.fixture
def run(home, tmp_path, capsys, monkeypatch):
    (tmp_path / "numbers.md").write_text(DECK)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*options):
        code = app.run(["stats", "--bank", "numbers.md", *options])
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("options", [(), ("--interview", "2026-04-01")])
def test_it_keeps_to_the_width_with_nothing_coloured_in_a_pipe(width, options, run, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    code, out, err = run(*options)
    assert (code, err) == (0, "")
    assert max(len(line) for line in out.splitlines() if "`regdemo" not in line) <= width
    assert "\x1b" not in out
    assert [line for line in out.splitlines() if line != line.rstrip()] == []


def test_the_calendar_shows_the_days_with_practice_and_the_streak(run):
    out = run()[1]
    rows = re.findall(r"^  (?:Mon|Wed|Fri|Sun|   ) ([·░▒▓█ ]+)$", out, re.MULTILINE)
    assert len(rows) == 7
    assert [row.count("█") for row in rows] == [0, 0, 0, 0, 2, 1, 0]  # two Fridays and a Saturday
    assert "Streak: 2 days (longest: 2 days)." in out


def test_what_was_predicted_is_held_against_what_was_seen(run):
    shown = json.loads(run("--json")[1])["retention"]
    assert (shown["reviews"], shown["seen"]) == (12, pytest.approx(10 / 12))
    assert sum(each["count"] for each in shown["bins"]) == 12
    assert "Predicted and seen in 12 reviews" in run()[1]


def test_flagged_cards_and_topics_are_told(run):
    out = run()[1]
    assert re.search(r"Flagged.*\n.*\n  Q2 +What is 2\?", out)
    assert re.search(r"6 of 9 +\d +numbers", out)
    shown = json.loads(run("--json")[1])
    assert (shown["flagged"], shown["topics"][0]["answered"]) == (["Q2"], 6)


def test_an_interview_is_forecast_by_topic(run):
    (topic,) = json.loads(run("--interview", "2026-04-01", "--json")[1])["topics"]
    assert 0 < topic["stopped"] < topic["kept"] < 6 / 9
    assert re.search(r"In all \d of 9 cards if you stop, 6 if", run("--interview", "2026-04-01")[1])


def test_a_plan_adds_a_forecast_with_its_interval(run, home):
    goal.write(home, goal.Goal(date(2026, 4, 1), 20))
    out = run()[1]
    assert "Forecast: recalled on 2026-04-01, of 9 cards, with 95% interval" in out
    assert re.search(r"if you keep to your plan, \d to \d +\d +█+", out)
    told = json.loads(run("--json")[1])["forecast"]
    assert told["kept"]["low"] <= told["kept"]["mean"] <= told["kept"]["high"]


def test_katas_are_counted(run, tmp_path):
    code = "```python starter\n...\n```\n\n```python judge\n...\n```\n\n```python solution\n...\n```\n"
    (tmp_path / "numbers.md").write_text(f"{DECK}## K1: Write it\n\n{code}")
    assert re.search(r"^Katas\n  passed +0\n  failed +0\n  not tried +1", run()[1], re.MULTILINE)


@pytest.mark.parametrize("options", [(), ("--interview", "2026-04-01")])
def test_no_table_of_topics_is_shown_before_one_was_begun(options, run, home):
    (home / "history.db").unlink()
    with History(home) as kept:
        kept.add(Review("Q1", microseconds(NOW), "recall", 3, 1.0, "", "{}", "", 0, 0, "s", mode="cram"))
    out = run(*options)[1]
    assert "Practice, katas included" in out
    assert "the weakest of" not in out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--interview", "2026-03-14"), "2026-03-14 has passed"),
        (("--interview", "2100-01-01"), "2100-01-01 is more than a year away"),
        (("--interview", "tomorrow"), "'tomorrow' isn't a day: write it as in 2026-12-15"),
        (("--retention", "0.5"), "'--retention'"),
        (("--fit",), "of your answers came on a later day"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(options, said, run):
    code, out, err = run(*options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


@pytest.mark.parametrize(("least", "said", "kept"), [(0.01, "Adopted", True), (-0.01, "Not adopted", False)])
def test_a_fit_is_adopted_only_if_its_interval_lies_above_zero(least, said, kept, run, home, monkeypatch):
    fitted = FsrsFit((0.3, *DEFAULT_SETTINGS.parameters[1:]), 99, 0.5, 0.48, (0.02, least, 0.05))
    monkeypatch.setattr(fitting, "fit", lambda reviews, plan: fitted)
    code, out, _ = run("--fit")
    assert code == 0
    assert said in out
    assert "better by 0.0200 (95% interval" in out
    assert (fitting.parameters(home) == fitted.parameters) is kept
    assert json.loads(run("--fit", "--json")[1])["adopted"] is kept
    run("--unfit")
    assert fitting.parameters(home) == DEFAULT_SETTINGS.parameters
