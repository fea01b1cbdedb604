"""The mock interview as its candidate meets it."""

import io
import json
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from regdemo.cli import app
from regdemo.quiz.history import History, read, read_rows

pytestmark = pytest.mark.usefixtures("home")

DECK = """
## Q1: Which?

- [ ] wrong
  The first is a trap.
- [x] right

### Follow-ups
- Q2

### See it
`regdemo dropout --p 0.1`

## Q2: Why?

### Answer
Because.

### Key points
- the cause
- the effect

### Follow-ups
- Q1
"""


@pytest.fixture
def deck(tmp_path):
    (tmp_path / "deck.md").write_text(DECK, encoding="utf-8")
    return tmp_path / "deck.md"


@pytest.fixture
def say(deck, capsys, monkeypatch):
    """Give an interview; the answers are to Q1 and then to Q2, since the seed begins with Q1."""

    def say(answers, *options):
        monkeypatch.setattr(sys, "stdin", io.StringIO(answers))
        code = app.run(["mock", "--bank", str(deck), "--seed", SEED, *options])
        out, err = capsys.readouterr()
        assert (code, err) == (0, "")
        return out

    return say


SEED = "1"


def test_nothing_is_told_before_the_end(say):
    out = say("wrong\n90\nmy words\n60\n\n", "--seed", SEED)
    asked, end = out.split("── Grade", 1)
    for told in ("trap", "Because", "Right", "Wrong", "the cause", "dropout"):
        assert told not in asked
    for told in ("The first is a trap.", "Because.", "✗ Wrong", "the cause", "`regdemo dropout --p 0.1`", "my words"):
        assert told in end


def test_questions_show_the_time_left_and_say_what_follows_up(say):
    out = say("", "--minutes", "20")
    assert re.search(r"^── Question 1 · Q1 ─+ (20:00|19:5\d) left ──$", out, re.MULTILINE)
    assert "── Question 2 · Q2 · follow-up ─" in say("s\n")


def test_every_answer_is_kept_with_its_certainty_as_of_an_interview(say, home):
    say("wrong\n90\nmy words\n60\na\n\n")
    assert [(r.card, r.rating, r.share, r.sure, r.mode, r.response) for r in read(home)] == [
        ("Q1", 1, 0.0, 0.9, "mock", "wrong"),
        ("Q2", 2, 0.5, 0.6, "mock", "my words"),
    ]


def test_a_spoken_answer_that_is_never_graded_is_kept_and_does_not_count(say, home):
    out = say("right\n90\nmy words\n60\n")
    assert [(r.card, r.rating, r.response) for r in read(home)] == [("Q1", 3, "right")]
    assert [r.response for r in read_rows(home)[0]] == ["right", "my words"]
    assert "1 not graded, so not counted" in out
    assert "── Score card ─" in out
    assert " 1 of 1 right ──" in out


def test_an_answer_outlives_the_end_of_input_before_its_certainty(say, home):
    say("right\n")
    assert [(r.card, r.rating, r.sure) for r in read(home)] == [("Q1", 3, None)]


def test_to_pass_counts_as_not_known(say, home):
    say("s\n\n")
    assert [(r.card, r.rating, r.response, r.sure) for r in read(home)] == [("Q1", 1, "", None), ("Q2", 1, "", None)]


def test_the_last_answer_can_be_taken_back_and_given_anew(say, home):
    out = say("wrong\n90\nu\nright\n60\n")
    again = out.split("── Question 1", 2)[2]
    assert again.split("\n")[1] == "Took back your answer to Q1: wrong"
    assert "── Question 2" in again
    assert [(r.card, r.rating, r.sure) for r in read(home)] == [("Q1", 3, 0.6)]
    assert "nothing to undo" in say("u\n")


def test_no_answer_is_taken_back_at_the_grades(say, home):
    out = say("right\n90\nmy words\n60\nu\na\n\n")
    assert "its answers are graded, and not taken back" in out
    assert [(r.card, r.rating) for r in read(home)] == [("Q1", 3), ("Q2", 2)]


def test_an_answer_can_be_changed_before_its_certainty(say, home):
    say("wrong\nu\nright\n60\n")
    assert [(r.response, r.sure) for r in read(home)] == [("right", 0.6)]


def test_a_question_can_be_flagged_when_it_is_asked_and_when_it_is_graded(say, home):
    out = say("f\nright\n80\nmy words\n60\nf\na\n\n")
    with History(home) as history:
        assert history.flagged() == {"Q1", "Q2"}
    assert re.search(r"Q2 is flagged: `regdemo quiz --bank \S+ --flagged` asks it\.", " ".join(out.split()))


def test_the_score_card_shows_the_options_that_a_letter_stood_for(say):
    out = say("wrong\n90\nq\n")
    assert re.search(r"^✗ [ab]\) wrong$", out.split("What to improve")[1], re.MULTILINE)


def test_what_cannot_be_read_is_asked_again(say, home):
    out = say("what\nright\nvery\n101\n-1\n80%\nq\n")
    assert "'what' isn't an option" in out
    assert out.count("isn't a certainty") == 3
    assert [r.sure for r in read(home)] == [0.8]


def test_a_key_that_a_mock_does_not_have_is_no_answer_unless_it_is_escaped(say, home):
    out = say("h\nright\n80\nh\n!\n!2\n\\h\n60\na\n\n")
    assert out.count("There is no hint in a mock interview. \\h answers h.") == 2
    assert out.count("There is no command to run in a mock interview. \\!") == 2
    assert [r.response for r in read(home)] == ["right", "h"]
    say("s\n\\!2\n60\na\n\n", "--home", str(home / "other"))
    assert [r.response for r in read(home / "other")] == ["", "!2"]


def test_the_end_of_the_time_ends_it_after_the_question_on_the_screen(say, monkeypatch, home):
    times = iter(datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=n) for n in range(99))
    monkeypatch.setattr("regdemo.cli.learner.clock", lambda: next(times))
    out = say("right\n80\nmy words\n60\n\n", "--minutes", "3")
    assert "The time is up." in out
    assert [r.card for r in read(home)] == ["Q1"]
    assert "Question 2" not in out


def test_the_score_card_tells_right_by_topic_and_sure_against_right(say):
    out = say("right\n90\nmy words\n60\nb\n\n")
    assert re.search(r"deck +2/2 +█{20}$", out, re.MULTILINE)
    assert re.search(r"80% to 100% +100% +1 ", out)
    assert "Brier score 0.09" in out  # (0.01 + 0.16) / 2 = 0.085
    assert "You left out" in out
    assert "· the cause" in out
    assert "· the effect" not in out.split("You left out")[1]


def test_json_tells_all_of_it_and_nothing_else(say):
    told = json.loads(say("wrong\n90\nmy words\n60\na\n\n", "--json"))
    assert [(a["id"], a["sure"], a["correct"], a["share"], a["rating"], a["missed"]) for a in told["answers"]] == [
        ("Q1", 0.9, False, 0.0, "again", []),
        ("Q2", 0.6, True, 0.5, "hard", ["the effect"]),
    ]
    assert told["topics"] == [{"topic": "deck", "right": 1, "asked": 2}]
    assert told["calibration"]["brier"] == pytest.approx((0.81 + 0.16) / 2)
    assert told["commands"][0] == "regdemo dropout --p 0.1"
    assert told["commands"][-1].endswith("--ids Q1,Q2")


def test_a_choice_that_leaves_nothing_to_ask_says_so_once(say):
    out = say("", "--kind", "numeric")
    assert out == "There is nothing to ask: choose other topics, kinds or tags.\n"


def test_limit_ends_it(say, home):
    say("right\n80\nmy words\n60\n", "--limit", "1")
    assert [r.card for r in read(home)] == ["Q1"]


def test_ctrl_c_ends_it_with_the_score_card_of_what_was_answered(deck, home):
    command = [sys.executable, "-m", "regdemo", "mock", "--bank", str(deck), "--seed", SEED]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, **pipes) as mock:
        mock.stdin.write(b"right\n80\n")
        mock.stdin.flush()
        seen = b""
        while b"Question 2" not in seen:
            seen += mock.stdout.read1()
        mock.send_signal(signal.SIGINT)
        out, err = mock.communicate()
    assert (mock.returncode, err) == (130, b"")
    assert b"Score card" in out
    assert b"1 of 1 right" in out
    assert [r.card for r in read(home)] == ["Q1"]
