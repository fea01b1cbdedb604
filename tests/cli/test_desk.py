"""The keys of a quiz and what they do: hints, ticks, undo, flags, commands, filters, transcripts."""

import io
import json
import re
import sys
from importlib import import_module
from random import Random

import pytest

from regdemo.cli import app
from regdemo.cli.see import see
from regdemo.quiz import decks, kinds
from regdemo.quiz.history import History, read
from regdemo.quiz.kinds import find_kind

pytestmark = pytest.mark.usefixtures("home")

DECK = """
## Q1: Which?

- [ ] wrong
  The first is a trap.
- [x] right
- [ ] neither

### Hints
- one
- two

### See it
`regdemo dropout --p 0.1`

`regdemo drop-path --p 0.2`

## Q2: Which two?

- [x] first
- [x] second
- [ ] third
- [ ] fourth

## Q3: Why?

### Answer
Because.

### Key points
- the cause
- the effect

### Hints
- ask when

### Tags
- causes

## Q4: The letter of keys is {{k}}, of queries {{q}}.
"""


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    (tmp_path / "deck.md").write_text(DECK, encoding="utf-8")

    def run(answers, *options):
        monkeypatch.setattr(sys, "stdin", io.StringIO(answers))
        code = app.run(["quiz", "--bank", str(tmp_path / "deck.md"), "--seed", "0", *options])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def say(run):
    def say(answers, *options):
        code, out, err = run(answers, *options)
        assert (code, err) == (0, "")
        return out

    return say


@pytest.fixture
def shown(monkeypatch):
    """The commands that were run, in place of running them."""
    commands = []

    def note(command):
        commands.append(command)
        print(f"report of {command}")
        return ""

    monkeypatch.setattr("regdemo.cli.see.see", note)
    return commands


# Answers


def test_each_hint_says_what_the_best_grade_is_now(say, home):
    out = say("h\nh\nh\nright\n", "--ids", "Q1")
    assert re.findall(r"The best grade is now (\w+)|(No more hints)", out) == [
        ("Hard", ""),
        ("Again", ""),
        ("", "No more hints"),
    ]
    assert [review.rating for review in read(home)] == [1]


def test_what_was_right_of_a_partly_right_answer_is_told(say, home):
    out = say("first\n", "--ids", "Q2")
    assert "✗ Partly right: 1 of 2 right options" in out
    assert [review.share for review in read(home)][:1] == [0.75]
    assert "✗ Partly right: 1 of 2 gaps" in say("k; v\n", "--ids", "Q4")


def test_key_points_that_were_made_are_ticked_and_the_grade_can_be_changed(say, home):
    out = say("\na\n4\n", "--ids", "Q3")
    assert "✓ the cause" in out
    assert "· the effect" in out
    assert "1 of 2: Hard." in out
    assert [(review.rating, review.share) for review in read(home)] == [(4, 0.5)]


def test_after_a_hint_no_grade_above_the_best_is_given(say, home):
    out = say("h\n\n4\n", "--ids", "Q3")
    assert re.search(r"^1 Again \d+m · 2 Hard \d+m · 3 Good \d+d$", out, re.MULTILINE)
    assert "With the hints you took, Good is the best grade." in out
    assert [review.rating for review in read(home)] == [3]


def test_an_answer_that_looks_like_a_key_is_given_behind_a_backslash(say, home):
    assert "0 answers saved" in say("q\n", "--ids", "Q4")
    out = say("\\q\nk; q\n", "--ids", "Q4")
    assert "'q' does not fill the blanks" in out
    assert [review.response for review in read(home)] == ["k; q"]


def test_no_example_that_a_help_shows_is_an_accepted_answer_of_the_bundled_bank():
    accepted = []
    for card in decks.load(decks.bundled()).cards:
        for seed in range(8):
            asked, kind = card.ask(Random(seed)), find_kind(card.kind)
            example = kind.example(asked)
            parts = example.split(" or ") if example else []
            parts += re.findall(r"\d[\d./%]*", kind.allowed)
            accepted += [card.id for part in parts if kinds.grade(asked, part).correct]
    assert accepted == []


# Undo and flag


def test_u_takes_the_last_answer_back_and_asks_again(say, home):
    out = say("wrong\nu\nright\nq\n", "--ids", "Q1,Q3")
    assert "Took back your answer to Q1, which was saved as Again." in out
    assert [(review.card, review.rating) for review in read(home)] == [("Q1", 3)]
    assert "1 answer saved, 1 right." in out


def test_u_at_the_grades_goes_back_to_the_question_and_takes_nothing_back(say, home):
    out = say("right\nhalf an answer\nu\nall of it\n3\nu\nq\n", "--ids", "Q1,Q3,Q2")
    again = out.split("── 2 of 3 · Q3", 2)[2]
    assert "your answer was not saved yet, and can be changed. You said: half an answer" in " ".join(again.split())
    assert "Took back your answer to Q3" in again
    assert [review.card for review in read(home)] == ["Q1"]
    told = json.loads(say("right\nhalf an answer\nu\nall of it\n3\n", "--ids", "Q1,Q3", "--json"))
    assert [(one["id"], one["response"], one["undone"]) for one in told] == [
        ("Q1", "right", False),
        ("Q3", "all of it", False),
    ]


def test_u_works_after_the_last_card_too(say, home):
    say("wrong\nright\nu\nright\n", "--ids", "Q1")
    assert [review.rating for review in read(home)] == [1, 3]


def test_u_before_any_answer_says_that_there_is_nothing(say):
    assert "nothing to undo" in say("u\nright\n", "--ids", "Q1")


def test_f_flags_a_card_and_flagged_asks_it_alone(say, home):
    out = say("s\nf\nq\n", "--ids", "Q1,Q3")
    assert "Q3 is flagged" in out
    with History(home) as kept:
        assert kept.flagged() == {"Q3"}
    out = say("f\nq\n", "--flagged")
    assert re.findall(r"^── .* · (\S+) ─", out, re.MULTILINE) == ["Q3"]
    assert "no longer flagged" in out
    assert say("", "--flagged").startswith("Nothing to ask now: no such card is flagged, and f flags")
    assert say("", "--ids", "Q1", "--tonight").startswith("Nothing to ask now: no card is all of this.")


def test_a_changed_answer_is_said(say, tmp_path):
    say("\n3\n", "--ids", "Q3")
    assert "has changed" not in say("", "--ids", "Q3")
    (tmp_path / "deck.md").write_text(DECK.replace("Because.", "Because of that."), encoding="utf-8")
    assert "The answer to this card has changed since you last gave one." in say("", "--ids", "Q3")


# See it


def test_an_exclamation_mark_runs_the_command_of_the_card_answered_last(say, shown):
    out = say("right\n!\n!2\n!3\n", "--ids", "Q1,Q3")
    assert shown == ["regdemo dropout --p 0.1", "regdemo drop-path --p 0.2"]
    assert out.index("2 of 2 · Q3") < out.index("report of regdemo dropout") < out.index("no such command")


def test_an_exclamation_mark_works_when_a_card_comes_again_and_not_before_the_first(say, shown):
    out = say("!\nwrong\n!\nright\n", "--ids", "Q1")
    assert shown == ["regdemo dropout --p 0.1"]
    assert "no such command" in out


@pytest.mark.parametrize(
    "command",
    [
        "rm -rf /",
        "regdemo",
        "regdemo; true",
        "regdemo quiz",
        "regdemo bank verify --bank x",
        "regdemo dropout; rm x",
        "regdemo dropout && rm x",
        "regdemo dropout | tee x",
        "regdemo dropout > x",
        "regdemo dropout $(touch x)",
        "regdemo dropout --p `touch x`",
        "regdemo dropout --save x.html",
        "regdemo dropout --save=x.html",
        "regdemo dropout --sav x.html",
        "regdemo compare dropout --save x.html",
        "regdemo compare dropout --data /etc/passwd",
        "regdemo dropout --p 7",
        "regdemo dropout '",
        "python -m regdemo dropout",
        "./regdemo dropout",
        "regdemo ../x",
        "",
    ],
)
def test_nothing_but_a_demo_is_run_and_no_file_is_written(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert "cannot be run" in see(command)
    assert [path.name for path in tmp_path.iterdir()] == []
    assert capsys.readouterr() == ("", "")


def test_a_demo_is_run_in_this_process_and_its_report_printed(capsys):
    assert see("regdemo list") == ""
    assert "regdemo drop-path" in capsys.readouterr().out


def test_ctrl_c_ends_the_command_and_the_quiz_goes_on(say, home, monkeypatch):
    def interrupted(name, arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("regdemo.cli.see._run", interrupted)
    out = say("right\n!\nq\n", "--ids", "Q1,Q3")
    assert "Stopped." in out
    assert "1 answer saved" in out


def test_ctrl_c_within_an_import_comes_after_it_and_a_later_command_finds_the_module_whole(tmp_path, monkeypatch):
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole/__init__.py").write_text("import whole.core, signal\nsignal.raise_signal(signal.SIGINT)\n")
    (tmp_path / "whole/core.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    loaded = []

    def run(name, arguments):
        loaded.append(import_module("whole").core)
        while len(loaded) == 1:
            pass

    monkeypatch.setattr("regdemo.cli.see._run", run)
    assert (see("regdemo list"), see("regdemo list")) == ("Stopped.", "")


# Filters


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        (["--kind", "multi,cloze"], ["Q2", "Q4"]),
        (["--kind", "multi", "--kind", "recall"], ["Q2", "Q3"]),
        (["--topic", "deck", "--limit", "2"], ["Q1", "Q2"]),
        (["--cram", "--new", "1"], ["Q1"]),
    ],
)
def test_filters_choose_what_is_asked(options, asked, say):
    out = say("s\n" * 9, *options)
    assert re.findall(r"^── .* · (\S+) ─", out, re.MULTILINE) == asked


def test_an_unknown_name_exits_2_in_one_line_and_makes_no_history(run, home):
    code, out, err = run("", "--kind", "essay")
    assert (code, out) == (2, "")
    assert re.fullmatch(r"regdemo: there is no kind 'essay': choose from choice, [^\n]+\n", err)
    assert not home.exists()


# Transcripts


def test_json_prints_the_transcript_and_nothing_else(say):
    told = json.loads(say("wrong\nu\nright\nh\n\na\n\nfirst\n", "--ids", "Q1,Q3,Q2,Q4", "--json"))
    assert [(one["id"], one["rating"], one["correct"], one["share"], one["undone"]) for one in told] == [
        ("Q1", "again", False, 0.0, True),
        ("Q1", "good", True, 1.0, False),
        ("Q3", "hard", True, 0.5, False),
        ("Q2", "again", False, 0.75, False),
        ("Q4", None, None, None, False),
    ]
    first = told[0]
    assert (first["question"], first["response"], first["feedback"]) == ("Which?", "wrong", "The first is a trap.")
    assert sorted(first["options"]) == ["neither", "right", "wrong"]
    assert "right" in first["answer"]
    assert told[2]["hints"] == 1
    assert told[1]["due"] > told[0]["due"]


def test_json_of_nothing_is_an_empty_list(say):
    assert json.loads(say("", "--new", "0", "--json")) == []


def test_json_holds_the_values_that_were_drawn_and_the_same_seed_gives_the_same(run, tmp_path, capsys, monkeypatch):
    deck = tmp_path / "drawn.md"
    deck.write_text("## N1: {n} + 1?\n\n```toml vary\nn = [1, 2, 3, 4, 5]\n```\n\n### Answer\n= n + 1\n")

    def take(name):
        monkeypatch.setattr(sys, "stdin", io.StringIO("-1\ns\n"))
        options = ["--bank", str(deck), "--seed", "3", "--json", "--home", str(tmp_path / name)]
        assert app.run(["quiz", *options]) == 0
        return [{**one, "due": None} for one in json.loads(capsys.readouterr().out)]

    told = take("a")
    assert [one["question"] for one in told] == [f"{one['values']['n']} + 1?" for one in told]
    assert len(told) == 2
    assert take("b") == told
