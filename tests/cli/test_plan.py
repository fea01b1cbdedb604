"""The start page and the plan up to the day of the interview."""

import json
import re
import sys
from datetime import UTC, date, datetime, timedelta
from io import StringIO

import pytest

from regdemo import catalog
from regdemo.cli import app, learner
from regdemo.quiz import goal
from regdemo.quiz.history import History, Review
from regdemo.quiz.schedule import microseconds

pytestmark = pytest.mark.usefixtures("home")

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DECK = "".join(
    f"## Q{n}: What is {n}?\n\nThe number {n}.\n\n### Tags\n{'common' if n < 5 else 'rare'}\n\n" for n in range(300)
)


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    (tmp_path / "numbers.md").write_text(DECK)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("regdemo.cli.learner.clock", lambda: NOW)
    monkeypatch.setattr(sys, "stdin", StringIO())

    def run(*options, name="plan"):
        code = app.run([name, "--bank", "numbers.md", *options])
        return code, *capsys.readouterr()

    return run


def answer(home, card, days_ago):
    with History(home) as kept:
        at = microseconds(NOW - timedelta(days=days_ago))
        kept.add(Review(card, at, "recall", 3, 1.0, "", "{}", "", 0, 0, "s"))


def test_a_plan_is_kept_until_it_is_changed(run, home):
    run("--interview", "2026-03-15", "--minutes", "30")
    run("--minutes", "10")
    kept = goal.read(home)
    assert (kept.interview, kept.minutes) == (date(2026, 3, 15), 10)
    assert "Interview on 2026-03-15, in 14 days · 10 minutes a day" in run()[1]
    assert run("--clear") == (0, "The plan is gone.\n", "")
    assert run("--clear") == (0, "There was no plan.\n", "")


def test_a_plan_says_what_to_do_what_is_left_out_and_what_is_recalled(run):
    code, out, err = run("--interview", "2026-03-15", "--minutes", "10")
    assert (code, err) == (0, "")
    assert re.search(r"^  2026-03-01 +7 +\d+ +\d+ +1 +0 +\d+$", out, re.MULTILINE)
    assert re.search(r"Left out, since time is short: \d+ cards \(\d+ rare\)\.", out)
    assert re.search(r"you will recall about \d+ \(\d+ to \d+\) of 300 cards", out)
    assert max(len(line) for line in out.splitlines() if "`regdemo" not in line) <= 80


def test_a_plan_as_json_has_all_of_it(run):
    told = json.loads(run("--interview", "2026-03-15", "--json")[1])
    assert (told["interview"], told["cards"], len(told["weeks"])) == ("2026-03-15", 300, 2)
    assert told["kept"]["low"] <= told["kept"]["mean"] <= told["kept"]["high"]


def test_weak_topics_are_named_with_what_to_type(run, home):
    answer(home, "Q7", 20)
    assert re.search(
        r"Weak topics, by what you will recall tomorrow: numbers \(\d+%\): "
        r"`regdemo quiz --bank numbers.md --topic numbers --cram`\.",
        " ".join(run("--interview", "2026-04-01")[1].split()),
    )


def test_the_plan_decides_how_many_new_cards_a_day_brings(run):
    run("--interview", "2026-03-15", "--new", "3")
    assert "1 of 3 · " in run(name="quiz")[1]
    assert "1 of 5 · " in run("--new", "5", name="quiz")[1]


def test_to_look_at_the_plan_changes_nothing_of_today(run, home):
    def today():
        found = re.search(r"Today: 0 due, (\d+) new\.", run()[1])
        assert f"1 of {found[1]} · " in run(name="quiz")[1]
        return int(found[1])

    run("--interview", "2026-03-08", "--minutes", "30")
    number = today()
    for card in range(9):
        answer(home, f"Q{card}", 0.1)
    assert [today(), today()] == [number - 9] * 2
    run("--minutes", "40")
    assert today() > number - 9
    run("--minutes", "30")
    assert today() == number - 9


def test_the_plan_of_a_small_bank_is_no_limit_to_others(run, tmp_path, capsys):
    (tmp_path / "small.md").write_text("## S1: What?\n\nThis.\n")
    plan = ["plan", "--bank", str(tmp_path / "small.md"), "--interview", "2026-03-08", "--minutes", "30"]
    assert app.run(plan) == 0
    assert "Today: 0 due, 1 new." in capsys.readouterr().out
    assert "1 of 1 · " not in run(name="quiz")[1]
    assert app.run([]) == 0
    assert "Today: nothing due, 1 new." not in capsys.readouterr().out


def test_new_cards_are_counted_by_day_not_by_session(run, home):
    answer(home, "Q0", 0.1)
    assert "1 of 4 · " in run("--new", "5", name="quiz")[1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "no day is set: type `regdemo plan --bank numbers.md --interview YYYY-MM-DD --minutes 20`"),
        (("--interview", "2026-02-01"), "2026-02-01 has passed: choose a day from 2026-03-01 to 2027-03-02"),
        (("--interview", "2100-01-01"), "2100-01-01 is more than a year away"),
        (("--interview", "soon"), "'soon' isn't a day: write it as in 2026-12-15"),
        (("--minutes", "0"), "'--minutes'"),
    ],
)
def test_what_cannot_be_planned_is_refused_in_one_line(options, said, run, home):
    code, out, err = run(*options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert not home.exists()


def test_a_plan_whose_day_has_passed_says_so(run, home):
    goal.write(home, goal.Goal(date(2026, 2, 1)))
    assert "your interview, 2026-02-01, is over" in run()[2]


def test_a_plan_that_was_kept_for_a_day_far_away_is_refused(run, home):
    goal.write(home, goal.Goal(date(2027, 3, 3)))
    assert "2027-03-03 is more than a year away" in run()[2]
    assert run("--interview", "2027-03-02")[0] == 0


def test_regdemo_alone_prints_a_start_page_of_at_most_20_lines_within_80_columns(run, home, capsys):
    assert app.run([]) == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) <= 20
    assert max(map(len, out.splitlines())) <= 80
    for command in ("regdemo quiz", "regdemo mock", "regdemo kata", "regdemo dropout --p 0.1", "regdemo --help"):
        assert command in out
    assert "Today: nothing due, 10 new." in out
    assert "plan --interview" in out
    assert not home.exists()


def test_the_start_page_says_what_is_due_and_how_many_days_are_left(run, home, capsys):
    answer(home, "Q18.1", 9)
    goal.write(home, goal.Goal(date(2026, 3, 15), 20, 4))
    assert app.run([]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "Today: 1 card due, 4 new." in out
    assert "Your interview is in 14 days, 20 minutes a day" in out


def test_places_and_levels_are_topics_with_hyphens_and_capitals(capsys):
    assert app.run(["bank", "list", "--topic", "Attention", "--tag", "deep-dive", "--json"]) == 0
    cards = json.loads(capsys.readouterr().out)["cards"]
    assert cards
    assert all("deep dive" in card["tags"] for card in cards)
    assert app.run(["bank", "list", "--topic", "attention, ,"]) == 0
    assert app.run(["quiz", "--topic", ","]) == 2
    assert app.run(["quiz", "--topic", "atention"]) == 2
    assert "the nearest are attention" in capsys.readouterr().err


def test_the_help_of_topics_names_every_place():
    assert learner.PLACE_NAMES.split(", ") == list(catalog.PLACES)


def test_list_shows_one_place_and_suggests_it_on_a_typo(capsys):
    assert app.run(["list", "weights"]) == 0
    out = capsys.readouterr().out
    assert "regdemo weight-decay" in out
    assert "regdemo mixup" not in out
    assert app.run(["list", "weigths"]) == 2
    assert "weights" in capsys.readouterr().err
