"""A sitting, step by step, with the clock in the test's hand."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from regdemo.errors import FileError
from regdemo.quiz.cards import Card, Numeric, Option, WrongAnswer
from regdemo.quiz.grading import UnreadableAnswer
from regdemo.quiz.history import History, read
from regdemo.quiz.schedule import AGAIN, EASY, GOOD, HARD, replay
from regdemo.quiz.selection import pick
from regdemo.quiz.session import TIMES, Session, fingerprint

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


class Clock:
    def __init__(self):
        self.time = START

    def __call__(self):
        return self.time


def recall(id="R", **parts):
    return Card(id=id, kind="recall", question="Why?", answer="Because.", file=Path("d.md"), line=1, **parts)


def choice(id="C"):
    options = tuple(Option(f"option {n}", correct=n == 3) for n in range(6))
    return Card(id=id, kind="choice", question="Which?", answer="", file=Path("d.md"), line=1, options=options)


def numeric(id="N", **parts):
    return Card(
        id=id,
        kind="numeric",
        question="What is {n} + 1?",
        answer="",
        file=Path("d.md"),
        line=1,
        numeric=Numeric("n + 1"),
        vary={"n": tuple(range(100))},
        hints=("one", "two"),
        wrong_answers=(WrongAnswer("n", "that is n itself"),),
        **parts,
    )


@pytest.fixture
def sit(tmp_path):
    """Begin a sitting on the test's history; its `clock` stands still until it is moved."""
    opened = []

    def begin(*cards, seed=0, mode="quiz"):
        history = History(tmp_path)
        opened.append(history)
        clock = Clock()
        session = Session(cards, history, replay(history.reviews()), seed=seed, now=clock, mode=mode)
        session.clock = clock
        return session

    yield begin
    for history in opened:
        history.close()


def right(asked):
    return str(asked.values["n"] + 1)


def test_cards_are_asked_in_the_order_given_and_then_no_more(sit):
    session = sit(recall("A"), recall("B"))
    assert [session.ask().card.id, session.ask().card.id, session.ask()] == ["A", "B", None]


def test_progress_counts_what_was_asked_and_what_is_left(sit):
    session = sit(recall("A"), recall("B"), recall("C"))
    session.ask()
    session.ask()
    assert (session.number, session.left) == (2, 1)


def test_an_answer_is_on_the_disk_when_answer_returns(sit, tmp_path):
    session = sit(numeric())
    session.answer(right(session.ask()))
    assert [review.card for review in read(tmp_path)] == ["N"]


def test_a_review_tells_what_was_asked_what_was_said_and_when(sit, tmp_path):
    session = sit(numeric())
    asked = session.ask()
    session.hint()
    session.clock.time += timedelta(seconds=2.5)
    session.answer(f" {right(asked)} ")
    (review,) = read(tmp_path)
    assert (review.card, review.kind, review.response) == ("N", "numeric", f" {right(asked)} ")
    assert json.loads(review.asked) == {"values": {"n": asked.values["n"]}}
    assert datetime.fromtimestamp(review.at / 1e6, UTC) == START + timedelta(seconds=2.5)
    assert (review.rating, review.share, review.hints, review.took) == (HARD, 1.0, 1, 2500)
    assert review.answer == fingerprint(numeric())


def test_the_order_in_which_options_were_shown_is_kept(sit, tmp_path):
    session = sit(choice())
    asked = session.ask()
    session.answer("a")
    assert json.loads(read(tmp_path)[0].asked) == {"options": [option.text for option in asked.options]}


def test_right_is_good_and_wrong_is_again(sit):
    session = sit(numeric("A"), numeric("B"))
    grade, _ = session.answer(right(session.ask()))
    assert grade.correct
    session.ask()
    grade, _ = session.answer("-1")
    assert not grade.correct
    assert [review.rating for review in session.saved] == [GOOD, AGAIN]


def test_the_feedback_of_a_known_wrong_answer_comes_with_the_grade(sit):
    session = sit(numeric())
    grade, _ = session.answer(str(session.ask().values["n"]))
    assert grade.feedback == "that is n itself"


def test_what_cannot_be_read_is_not_counted_and_can_be_answered_again(sit, tmp_path):
    session = sit(numeric())
    asked = session.ask()
    with pytest.raises(UnreadableAnswer):
        session.answer("what?")
    assert read(tmp_path) == []
    grade, _ = session.answer(right(asked))
    assert grade.correct
    assert len(read(tmp_path)) == 1


def test_hints_come_one_by_one_and_anew_for_each_question(sit):
    session = sit(numeric("A"), numeric("B"))
    session.ask()
    assert [session.hint(), session.hint(), session.hint()] == ["one", "two", None]
    session.ask()
    assert session.hint() == "one"


def test_a_right_answer_after_a_hint_is_hard_and_a_wrong_one_again(sit):
    session = sit(numeric("A"), numeric("B"), numeric("C"))
    asked = session.ask()
    session.hint()
    session.answer(right(asked))
    session.ask()
    session.hint()
    session.answer("-1")
    session.answer(right(session.ask()))
    assert [review.rating for review in session.saved] == [HARD, AGAIN, GOOD]


@pytest.mark.parametrize(("made", "rating"), [(0, AGAIN), (1, AGAIN), (2, HARD), (3, HARD), (4, GOOD)])
def test_the_key_points_made_suggest_a_rating(made, rating, sit):
    session = sit(recall(key_points=tuple("abcd")))
    session.ask()
    assert session.suggest(made) == rating


def test_without_key_points_good_is_suggested_and_after_two_hints_hard(sit):
    session = sit(recall(hints=("h", "h")))
    session.ask()
    assert session.suggest(0) == GOOD
    session.hint()
    session.hint()
    assert session.suggest(0) == HARD


@pytest.mark.parametrize(("rating", "share"), [(AGAIN, 0), (HARD, 1), (GOOD, 1), (EASY, 1)])
def test_a_recall_card_is_saved_as_the_learner_rates_it(rating, share, sit, tmp_path):
    session = sit(recall())
    session.ask()
    session.rate(rating, "my words")
    (review,) = read(tmp_path)
    assert (review.rating, review.share, review.response) == (rating, share, "my words")


def test_the_share_of_the_key_points_made_is_kept(sit, tmp_path):
    session = sit(recall(key_points=tuple("abcd")))
    session.ask()
    session.rate(EASY, share=0.25)
    assert read(tmp_path)[0].share == 0.25


def test_saving_says_when_the_card_is_due(sit):
    session = sit(recall())
    session.ask()
    assert session.rate(GOOD).due == START + 2 * DAY


def test_a_failed_card_comes_again_at_the_end(sit):
    session = sit(recall("A"), recall("B"))
    session.ask()
    assert session.rate(AGAIN).again
    assert session.ask().card.id == "B"
    assert not session.rate(GOOD).again
    assert session.ask().card.id == "A"
    session.rate(GOOD)
    assert session.ask() is None


def test_a_card_that_keeps_failing_is_left_for_another_day(sit):
    session = sit(recall("A"))
    again = []
    for _ in range(TIMES):
        session.ask()
        again.append(session.rate(AGAIN).again)
    assert again == [True] * (TIMES - 1) + [False]
    assert session.ask() is None


def test_a_skipped_card_is_not_saved_and_does_not_come_again(sit, tmp_path):
    session = sit(recall("A"), recall("B"))
    session.ask()
    assert session.ask().card.id == "B"
    assert session.ask() is None
    assert read(tmp_path) == []


def test_the_same_seed_asks_the_same_whatever_other_cards_there_are(sit):
    alone, after_another, other_seed = sit(numeric("A")), sit(choice("B"), numeric("A")), sit(numeric("A"), seed=1)
    after_another.ask()
    asked = alone.ask()
    assert after_another.ask() == asked
    # One draw in 100 values is no accident for these two seeds: they are fixed.
    assert other_seed.ask() != asked


def test_a_card_that_comes_again_draws_anew(sit):
    session = sit(numeric())
    first = session.ask()
    session.answer("-1")
    assert session.ask().values != first.values


def test_what_one_sitting_saved_the_next_one_knows(sit):
    first = sit(numeric("A"))
    first.answer(right(first.ask()))
    assert pick([numeric("A"), numeric("B")], sit().memories, START, new=9) == [numeric("B")]


def test_every_review_of_a_sitting_has_its_name(sit, tmp_path):
    for day in range(2):
        session = sit(recall("A"), recall("B"))
        session.clock.time += day * DAY
        for _ in range(2):
            session.ask()
            session.rate(GOOD)
    names = [review.session for review in read(tmp_path)]
    assert names[0] == names[1] != names[2] == names[3]


def test_the_answers_of_a_sitting_keep_their_order_when_the_clock_stands_still_or_goes_back(sit, tmp_path):
    session = sit(*map(recall, "ABCD"))
    for hours in (0, 0, -1, 2):
        session.clock.time += timedelta(hours=hours)
        session.ask()
        session.rate(GOOD)
    assert [review.card for review in read(tmp_path)] == list("ABCD")
    assert session.saved == read(tmp_path)


def test_an_answer_that_could_not_be_kept_is_not_counted_and_can_be_given_again(sit, tmp_path):
    session = sit(numeric())
    asked = session.ask()
    session._history._db.execute("PRAGMA query_only = ON")  # SQLite answers as it does for a read-only disk
    with pytest.raises(FileError):
        session.answer(right(asked))
    assert session.saved == []
    session._history._db.execute("PRAGMA query_only = OFF")
    session.answer(right(asked))
    assert len(session.saved) == len(read(tmp_path)) == 1


def test_pick_takes_due_cards_then_new_ones_within_the_limit(sit):
    session = sit(recall("B"))
    session.ask()
    session.rate(GOOD)
    cards = [recall(id) for id in "ABCD"]

    def picked(**bounds):
        return [card.id for card in pick(cards, session.memories, START + 3 * DAY, **bounds)]

    assert picked(new=2) == ["B", "A", "C"]
    assert picked(new=9, limit=2) == ["B", "A"]
    assert picked(new=0) == ["B"]


def test_a_fingerprint_follows_what_is_graded_and_nothing_else():
    card = numeric()
    same = [replace(card, explanation="reworded"), replace(card, question="?"), replace(card, line=9)]
    other = [replace(card, numeric=Numeric("n + 2")), replace(card, numeric=Numeric("n + 1", tolerance=0.1))]
    assert {fingerprint(card) for card in same} == {fingerprint(card)}
    assert len({fingerprint(each) for each in [card, *other]}) == 3


def test_a_fingerprint_of_options_follows_the_right_ones_in_any_order():
    card = choice()
    turned = replace(card, options=card.options[::-1])
    assert fingerprint(turned) == fingerprint(card)
    assert fingerprint(replace(card, options=tuple(replace(o, correct=True) for o in card.options))) != fingerprint(
        card
    )


def test_a_fingerprint_of_a_recall_card_follows_its_answer():
    assert fingerprint(replace(recall(), answer="Other.")) != fingerprint(recall())


# Hints and the best grade


@pytest.mark.parametrize(("hints", "rating"), [(0, GOOD), (1, HARD), (2, AGAIN)])
def test_each_hint_lowers_the_grade_of_a_right_answer(hints, rating, sit):
    session = sit(numeric())
    asked = session.ask()
    for _ in range(hints):
        session.hint()
    _, saved = session.answer(right(asked))
    assert (saved.review.rating, saved.review.share, saved.review.hints) == (rating, 1.0, hints)


@pytest.mark.parametrize(("hints", "best"), [(0, EASY), (1, GOOD), (2, HARD), (3, AGAIN), (4, AGAIN)])
def test_each_hint_lowers_the_best_grade_of_a_recall_card(hints, best, sit):
    session = sit(recall(hints=tuple("hhhh")))
    session.ask()
    for _ in range(hints):
        session.hint()
    assert session.best == best
    assert session.rate(EASY).review.rating == best


def test_a_hint_that_is_not_there_lowers_nothing(sit):
    session = sit(recall())
    session.ask()
    assert session.hint() is None
    assert session.best == EASY


# Undo


def test_an_undone_answer_counts_no_more_and_its_question_comes_next_as_it_was(sit, tmp_path):
    session = sit(numeric("A"), numeric("B"))
    first = session.ask()
    _, saved = session.answer("-1")
    session.ask()
    assert session.undo() == saved.review
    assert (session.saved, session.memories, read(tmp_path)) == ([], {}, [])
    assert session.ask() == first
    assert (session.number, session.left) == (1, 1)
    session.answer(right(first))
    assert [session.ask().card.id, session.ask()] == ["B", None]


def test_undo_gives_back_the_memory_that_was_before(sit):
    session = sit(recall("A"), recall("A"))
    session.ask()
    session.rate(GOOD)
    before = session.memories["A"]
    session.clock.time += 3 * DAY
    session.ask()
    session.rate(GOOD)
    assert session.memories["A"] != before
    session.undo()
    assert session.memories["A"] == before


def test_every_answer_of_a_sitting_can_be_undone_and_none_before_it(sit, tmp_path):
    earlier = sit(recall("Z"))
    earlier.ask()
    earlier.rate(GOOD)
    session = sit(*map(recall, "ABC"))
    for _ in "ABC":
        session.ask()
        session.rate(GOOD)
    assert [review and review.card for review in (session.undo() for _ in range(4))] == ["C", "B", "A", None]
    assert [review.card for review in read(tmp_path)] == ["Z"]
    assert [session.ask().card.id for _ in "ABC"] == ["A", "B", "C"]


def test_a_failed_card_that_came_again_is_undone_whole(sit):
    session = sit(recall("A"))
    session.ask()
    session.rate(AGAIN)
    session.ask()
    session.undo()
    assert session.ask().card.id == "A"
    assert (session.number, session.left) == (1, 0)


# Modes, flags, changes


def test_a_cram_is_kept_and_moves_no_schedule(sit, tmp_path):
    before = sit(recall("A"))
    before.ask()
    before.rate(GOOD)
    session = sit(recall("A"), recall("B"), mode="cram")
    due = session.memories["A"].due
    session.clock.time += MINUTE
    for _ in "AB":
        session.ask()
        session.rate(GOOD)
    assert session.memories["A"].due == due == replay(read(tmp_path))["A"].due
    assert [review.mode for review in read(tmp_path)] == ["quiz", "cram", "cram"]


def test_in_a_mock_interview_no_card_comes_again(sit):
    session = sit(numeric(), mode="mock")
    session.ask()
    _, saved = session.answer("-1", sure=0.9)
    assert (saved.again, saved.review.sure, session.ask()) == (False, 0.9, None)


def test_an_answer_graded_later_takes_the_place_of_the_first_grade(sit, tmp_path):
    session = sit(recall("A"), recall("B"), mode="mock")
    session.ask()
    first = session.rate(AGAIN, "my words").review
    session.ask()
    session.rate(GOOD)
    better = session.regrade(first, GOOD, 1.0)
    assert (better.rating, better.response, better.at) == (GOOD, "my words", first.at)
    assert read(tmp_path) == session.saved
    assert session.memories == replay(read(tmp_path))


def test_a_flag_is_kept_until_it_is_taken_off(sit):
    session = sit(recall("A"))
    card = session.ask().card
    assert [session.flag(card), session.flag(card), session.flag(card)] == [True, False, True]


def test_a_changed_answer_shows_and_a_reworded_question_does_not(sit):
    def changed(card):
        session = sit(card)
        session.ask()
        told = session.changed()
        session.rate(GOOD)
        return told

    cards = [recall(), replace(recall(), question="Why, then?"), replace(recall(), answer="No.")]
    assert [changed(card) for card in cards] == [False, False, True]
