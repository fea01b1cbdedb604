"""A model in the interviewer's chair: it proposes a grade by the learner's words, and the learner may overrule it."""

import json
import sys
from io import StringIO

import pytest

from regdemo.cli import app
from regdemo.quiz.history import read

llm = pytest.importorskip("llm", reason="needs the extra llm: pip install 'regdemo[llm]'")

DECK = """\
## Q1: Why divide by 1 - p?

### Answer
So that the mean is kept.

### Key points
- the mean is kept
- only in training
- eval is the identity
"""


class Scripted(llm.Model):
    model_id = "scripted"
    says = ""

    def execute(self, prompt, stream, response, conversation):
        if isinstance(self.says, Exception):
            raise self.says
        yield self.says


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run a command with answers on standard input, and a model that says something."""
    (tmp_path / "deck.md").write_text(DECK)

    def run(command, answers, says):
        monkeypatch.setattr(Scripted, "says", says)
        monkeypatch.setattr(llm, "get_model", lambda name: Scripted())
        monkeypatch.setattr(sys, "stdin", StringIO(answers))
        words = [*command, "--bank", str(tmp_path / "deck.md"), "--home", str(tmp_path / "home")]
        assert app.run(words) == 0
        return capsys.readouterr().out, read(tmp_path / "home")

    return run


def points(*pairs, **more):
    return json.dumps({"points": [{"point": point, "quote": quote} for point, quote in pairs], **more})


QUIZ = ["quiz", "--interviewer", "scripted"]
MOCK = ["mock", "--interviewer", "scripted"]
SAID = "the mean stays, and in eval nothing is done"


def test_enter_keeps_what_the_model_granted_and_the_history_says_who_graded(run):
    out, (review,) = run(
        QUIZ, f"{SAID}\n\n", points((1, "the mean stays"), (3, "in eval nothing is done"), feedback="Ok.")
    )
    assert (review.rating, round(review.share, 2), review.graded_by) == (2, 0.67, "scripted")
    assert "scripted grants, for your words" in out
    assert "“the mean stays”" in out
    assert "scripted says, unchecked: Ok." in out


def test_letters_overrule_the_model(run):
    _, (review,) = run(QUIZ, f"{SAID}\nabc\n\n", points((1, "the mean stays")))
    assert (review.rating, review.share, review.graded_by) == (3, 1.0, "learner")


def test_a_grade_overrules_the_model(run):
    _, (review,) = run(QUIZ, f"{SAID}\n1\n", points((1, "the mean stays")))
    assert (review.rating, review.graded_by) == (1, "learner")


def test_points_without_a_quote_are_counted_and_not_granted(run):
    out, (review,) = run(QUIZ, f"{SAID}\n\n", points((1, "brilliant"), (2, "perfect"), (3, "all of it")))
    assert review.rating == 1
    assert "Not counted: 3 points that scripted granted without quoting you." in out


@pytest.mark.parametrize("says", ["", "I refuse.", '{"points": 7}', RuntimeError("no network"), "x" * 100_000])
def test_whatever_goes_wrong_is_one_line_and_the_learner_grades_as_before(says, run):
    out, (review,) = run(QUIZ, f"{SAID}\n3\n", says)
    assert (review.rating, review.graded_by) == (3, "learner")
    assert out.count("grade it yourself") == 1


def test_nothing_is_asked_of_the_model_where_nothing_was_said(run):
    out, (review,) = run(QUIZ, "\n3\n", RuntimeError("must not be asked"))
    assert review.rating == 3
    assert "grade it yourself" not in out


def test_a_mock_is_graded_by_the_model_at_its_end(run):
    out, (review,) = run(MOCK, f"{SAID}\n80\n\n", points((1, "the mean stays"), (3, "in eval nothing is done")))
    assert (review.rating, review.graded_by) == (2, "scripted")
    assert "only in training" in out.rpartition("You left out")[2]


def test_what_a_model_says_is_not_run_and_not_taken_for_a_key(run, tmp_path):
    file = tmp_path / "made"
    evil = f"!touch {file}\n4\nq\n\x1b[31m"
    out, (review,) = run(QUIZ, f"{SAID}\n\n", points((1, "the mean stays"), feedback=evil, follow_up=evil))
    assert (review.rating, file.exists(), "\x1b" in out) == (1, False, False)


@pytest.mark.parametrize("command", [["quiz", "--interviewer", "no-such"], ["mock", "--interviewer", "no-such"]])
def test_a_model_that_is_not_there_is_refused_before_the_first_question(command, capsys, tmp_path):
    assert app.run([*command, "--home", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "`llm models` lists" in err
