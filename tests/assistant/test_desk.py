"""The rules that an assistant is held to, whatever it asks for."""

import json
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from regdemo.errors import ArgumentError
from regdemo.mcp.desk import GRADER, McpDesk
from regdemo.quiz import goal
from regdemo.quiz.decks import load
from regdemo.quiz.history import read, read_rows
from regdemo.quiz.session import StaleQuestion

DECK = """\
# Deck

## Q1: Why divide by 1 - p?

### Answer
SECRET: so that the mean is kept.

### Key points
- SECRET the mean
- SECRET in training

### Hints
- Think of the expectation.

### Tags
screen

## Q2: What is 1 + 1?

### Answer
= 2

SECRET addition.

## C1: Which one?

- [x] right
  - SECRET because it is
- [ ] wrong
  - SECRET since it isn't
"""


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def make(tmp_path, home):
    """A desk on the deck above; several share one history."""
    (tmp_path / "deck.md").write_text(DECK)
    desks = []

    def make():
        bank = load(tmp_path / "deck.md")
        desks.append(McpDesk(bank, tmp_path / "deck.md", home, lambda: datetime(2026, 3, 1, 9, tzinfo=UTC), seed=0))
        return desks[-1]

    yield make
    for desk in desks:
        desk.close()


def ask(desk, kind):
    """The next question of this kind."""
    return desk.next_question(kind=kind)


def test_a_question_comes_without_any_part_of_its_answer(make):
    for kind in ("recall", "numeric", "choice"):
        assert "SECRET" not in json.dumps(ask(make(), kind))


def test_nothing_else_that_can_be_asked_for_holds_an_answer(make):
    desk = make()
    ask(desk, "recall")
    for told in (desk.search("mean", 10), desk.plan(), desk.stats(), desk.headings()):
        assert "SECRET" not in json.dumps(told, default=str)


def test_a_recall_answer_is_on_the_disk_before_the_model_answer_is_told(make, home):
    desk = make()
    token = ask(desk, "recall")["token"]
    told = desk.submit_answer(token, "The mean stays.")
    (review,), _ = read_rows(home)
    assert (review.response, review.graded_by) == ("The mean stays.", "nobody")
    assert read(home) == []
    assert "SECRET" in told["model_answer"]
    assert [point["made"] for point in told["key_points"]] == [None, None]


def test_the_grade_replaces_the_row_and_both_are_kept(make, home):
    desk = make()
    token = ask(desk, "recall")["token"]
    desk.submit_answer(token, "The mean stays.")
    told = desk.grade_recall(token, ["a", "b"])
    (review,) = read(home)
    assert (review.rating, review.share, review.graded_by) == (3, 1.0, GRADER)
    assert (told["grade"], len(read_rows(home)[0])) == ("good", 2)


def test_a_recorded_answer_sent_again_is_told_again_and_once_it_is_graded_with_its_grade(make, home):
    desk = make()
    token = ask(desk, "recall")["token"]
    told = desk.submit_answer(token, "The mean stays.")
    assert desk.submit_answer(token, "Other words.") == told
    desk.grade_recall(token, ["a", "b"])
    assert desk.submit_answer(token, "Other words.")["grade"] == "good"
    assert [review.response for review in read(home)] == ["The mean stays."]


def test_an_answer_that_an_earlier_server_recorded_is_not_recorded_again(make):
    earlier = make()
    token = ask(earlier, "recall")["token"]
    earlier.submit_answer(token, "The mean stays.")
    with pytest.raises(StaleQuestion, match="recorded already: ask for the next question"):
        make().submit_answer(token, "The mean stays.")


def test_a_card_is_graded_once(make):
    desk = make()
    token = ask(desk, "recall")["token"]
    desk.submit_answer(token, "The mean stays.")
    desk.grade_recall(token, ["a"])
    with pytest.raises(ArgumentError, match="graded already"):
        desk.grade_recall(token, ["a", "b"])


def test_a_question_on_something_else_waits_for_the_grade_of_a_recorded_answer(make):
    desk = make()
    token = ask(desk, "recall")["token"]
    desk.submit_answer(token, "The mean stays.")
    with pytest.raises(ArgumentError, match="waits for its grade: call grade_recall, or undo"):
        ask(desk, "numeric")
    desk.grade_recall(token, ["a"])
    assert ask(desk, "numeric")["kind"] == "numeric"


def test_no_grade_without_a_recorded_response(make):
    desk = make()
    token = ask(desk, "recall")["token"]
    with pytest.raises(ArgumentError, match="no response was recorded"):
        desk.grade_recall(token, ["a"])


def test_an_empty_response_to_a_recall_card_tells_nothing(make, home):
    desk = make()
    token = ask(desk, "recall")["token"]
    with pytest.raises(ArgumentError, match="empty"):
        desk.submit_answer(token, " \n")
    assert not home.exists() or read(home) == []


@pytest.mark.parametrize("made", [["c"], ["ab"], [""], ["A"]])
def test_a_key_point_that_is_not_there_is_refused(made, make):
    desk = make()
    token = ask(desk, "recall")["token"]
    desk.submit_answer(token, "The mean stays.")
    with pytest.raises(ArgumentError, match="isn't a key point of this card"):
        desk.grade_recall(token, made)


@pytest.mark.parametrize(("kind", "response"), [("numeric", "2"), ("choice", "a")])
def test_the_same_answer_twice_is_saved_once_and_told_twice(kind, response, make, home):
    desk = make()
    token = ask(desk, kind)["token"]
    assert desk.submit_answer(token, response) == desk.submit_answer(token, response)
    assert len(read(home)) == 1


def test_the_verdict_of_a_graded_card_comes_with_its_reason_and_due_date(make):
    desk = make()
    question = ask(desk, "choice")
    wrong = next(option["letter"] for option in question["options"] if option["text"] == "wrong")
    told = desk.submit_answer(question["token"], wrong)
    assert told["verdict"] == "Wrong"
    assert {reason["pick"] for reason in told["reasons"]} == {"wrong", "missed"}
    assert told["next_due"]


def test_a_hint_lowers_the_best_grade_and_the_old_token_still_works(make, home):
    desk = make()
    token = ask(desk, "recall")["token"]
    assert desk.hint(token)["hint"] == "Think of the expectation."
    desk.submit_answer(token, "The mean stays.")
    desk.grade_recall(token, ["a", "b"])
    assert read(home)[0].hints == 1


def test_an_answer_can_be_taken_back(make, home):
    desk = make()
    token = ask(desk, "numeric")["token"]
    desk.submit_answer(token, "3")
    assert desk.undo() == {"undone": "Q2"}
    assert read(home) == []


@pytest.mark.parametrize("kind", ["", "recall", "choice"])
def test_the_question_of_an_answer_that_was_taken_back_comes_next_whatever_is_asked_for(kind, make):
    desk = make()
    token = ask(desk, "recall")["token"]
    desk.submit_answer(token, "The mean stays.")
    desk.grade_recall(token, ["a"])
    desk.undo()
    question = ask(desk, kind)
    assert question["id"] == "Q1"
    desk.submit_answer(question["token"], "The mean stays.")
    desk.grade_recall(question["token"], ["a"])
    assert ask(desk, "choice")["id"] == "C1"


def test_after_an_interview_its_last_answer_is_taken_back_not_the_quizs_before_it(make, home):
    desk, seconds = make(), count()
    desk._now = lambda: datetime(2026, 3, 1, 9, tzinfo=UTC) + timedelta(seconds=next(seconds))
    desk.submit_answer(ask(desk, "numeric")["token"], "2")
    question = desk.start_mock(5)["question"]
    while question["id"] == "Q1":
        desk.skip(question["token"])
        question = desk.next_question()
    desk.submit_answer(question["token"], "2")
    desk.finish_mock()
    assert desk.undo()["undone"] == question["id"]
    assert [review.mode for review in read(home)] == ["quiz"]


def test_an_answer_to_another_servers_question_is_undone_like_any_other(make, home):
    token = ask(make(), "recall")["token"]
    desk = make()
    desk.submit_answer(ask(desk, "numeric")["token"], "2")
    desk.submit_answer(token, "The mean stays.")
    assert [desk.undo()["undone"] for _ in range(3)] == ["Q1", "Q2", None]
    assert read(home) == []


@pytest.mark.parametrize("token", ["", "nonsense", "e30", "W10", "A" * 4000])
def test_a_token_that_is_none_is_refused(token, make):
    desk = make()
    ask(desk, "numeric")
    with pytest.raises(StaleQuestion):
        desk.submit_answer(token, "2")


def test_what_an_earlier_server_asked_can_be_answered_now(make, home):
    token = ask(make(), "numeric")["token"]
    assert make().submit_answer(token, "2")["verdict"] == "Right"
    assert len(read(home)) == 1


def test_two_assistants_save_one_answer_to_one_question(make, home):
    first, second = make(), make()
    token = ask(first, "numeric")["token"]
    first.submit_answer(token, "2")
    assert second.submit_answer(token, "3")["verdict"] == "Right"
    assert len(read(home)) == 1


# A mock interview


def test_a_mock_interview_tells_nothing_until_its_end(make):
    desk = make()
    question = desk.start_mock(20)["question"]
    while "token" in question:
        response = {"recall": "The mean stays.", "numeric": "2", "choice": "a"}[question["kind"]]
        assert "SECRET" not in json.dumps(desk.submit_answer(question["token"], response, 80))
        question = desk.next_question()
    card = desk.finish_mock()
    (waiting,) = card["to_grade"]
    assert "SECRET" in waiting["model_answer"]
    desk.grade_recall(waiting["token"], ["a", "b"])
    card = desk.finish_mock()
    assert (card["asked"], card["ungraded"], "to_grade" in card) == (3, 0, False)
    assert card["calibration"]["stated"] == pytest.approx(0.8)


@pytest.mark.parametrize(
    "wanted",
    [
        lambda desk, token: desk.hint(token),
        lambda desk, token: desk.search("mean", 5),
        lambda desk, token: desk.run_demo("dropout", {}, 0),
        lambda desk, token: desk.show_pitfall("one-gradient"),
        lambda desk, token: desk.grade_recall(token, []),
        lambda desk, token: desk.start_mock(5),
    ],
)
def test_a_mock_interview_refuses_whatever_would_help(wanted, make):
    desk = make()
    token = desk.start_mock(20)["question"]["token"]
    with pytest.raises(ArgumentError, match="mock interview"):
        wanted(desk, token)


def test_a_question_of_the_quiz_is_not_answered_in_a_mock_interview(make, home):
    desk = make()
    asked = ask(desk, "choice")
    desk.start_mock(20)
    with pytest.raises(ArgumentError, match=r"^C1 was not asked in this mock interview"):
        desk.submit_answer(asked["token"], "a")
    assert read(home) == []


def test_the_forecast_is_that_of_the_learners_own_plan(make, home):
    home.mkdir()
    goal.write(home, goal.Goal(date(2026, 3, 20), minutes=20, new=1))
    assert make().plan()["forecast"]["new_per_day"] == 1


def test_there_is_no_score_card_without_an_interview(make):
    with pytest.raises(ArgumentError, match="there is no mock interview"):
        make().finish_mock()


def test_what_a_model_graded_can_be_left_out_of_the_schedule(make, home, monkeypatch):
    monkeypatch.setenv("REGDEMO_OWN_GRADES_ONLY", "1")
    desk = make()
    token = ask(desk, "recall")["token"]
    desk.submit_answer(token, "The mean stays.")
    assert desk.grade_recall(token, ["a", "b"])["next_due"] is None
    assert read(home)[0].rating == 3


def test_an_unknown_topic_is_refused_with_the_nearest(make):
    with pytest.raises(ArgumentError, match="no topic or tag 'dropuot'"):
        make().next_question(topic="dropuot")


def test_the_desk_needs_no_protocol():
    text = (Path(__file__).parents[2] / "regdemo/mcp/desk.py").read_text()
    assert "from mcp" not in text
    assert "import mcp" not in text
