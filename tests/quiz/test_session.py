"""A practice session, step by step, with the clock in the test's hand."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from regdemo.errors import ArgumentError, FileError
from regdemo.quiz.cards import Card, Numeric, Option, WrongAnswer
from regdemo.quiz.history import History, read, read_rows
from regdemo.quiz.kinds.base import UnreadableAnswer
from regdemo.quiz.outcome import AnswerVerdict, Pick, as_plain
from regdemo.quiz.schedule import AGAIN, EASY, GOOD, HARD, SchedulerSettings, replay
from regdemo.quiz.selection import pick
from regdemo.quiz.session import CRAM, MOCK, MOST_ASKED, QUIZ, Note, Session, StaleQuestion, fingerprint

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
    """Begin a session on the test's history; its `clock` stands still until it is moved."""
    opened = []

    def begin(*cards, seed=0, policy=QUIZ, **more):
        history = History(tmp_path)
        opened.append(history)
        clock = Clock()
        states = replay(history.reviews())
        session = Session(cards, history, states, seed=seed, now=clock, policy=policy, **more)
        session.clock = clock
        return session

    yield begin
    for history in opened:
        history.close()


def right(question):
    return str(question.asked.values["n"] + 1)


def saved(session):
    return [reply.review for reply in session.replies]


def asked_in_turn(session):
    """The ids of the cards that come, each skipped."""
    ids = []
    while session.question:
        ids.append(session.question.card.id)
        session.skip()
    return ids


def test_cards_are_asked_in_the_order_given_and_then_no_more(sit):
    session = sit(recall("A"), recall("B"))
    assert asked_in_turn(session) == ["A", "B"]
    assert session.question is None


def test_a_question_stays_the_same_until_it_is_answered(sit):
    session = sit(numeric("A"), numeric("B"))
    first = session.question
    assert session.question is first
    session.answer(right(first))
    assert session.question.card.id == "B"


def test_progress_counts_what_was_asked_and_what_is_left(sit):
    session = sit(recall("A"), recall("B"), recall("C"))
    session.skip()
    assert (session.question.number, session.question.left) == (2, 1)


def test_an_answer_is_on_the_disk_when_answer_returns(sit, tmp_path):
    session = sit(numeric())
    session.answer(right(session.question))
    assert [review.card for review in read(tmp_path)] == ["N"]


def test_a_review_tells_what_was_asked_what_was_said_and_when(sit, tmp_path):
    session = sit(numeric())
    question = session.question
    session.hint()
    session.clock.time += timedelta(seconds=2.5)
    session.answer(f" {right(question)} ")
    (review,) = read(tmp_path)
    assert (review.card, review.kind, review.response) == ("N", "numeric", f" {right(question)} ")
    assert json.loads(review.asked) == {"values": {"n": question.asked.values["n"]}}
    assert datetime.fromtimestamp(review.at / 1e6, UTC) == START + timedelta(seconds=2.5)
    assert (review.rating, review.share, review.hints, review.took) == (HARD, 1.0, 1, 2500)
    assert review.answer == fingerprint(numeric())


def test_the_order_in_which_options_were_shown_is_kept(sit, tmp_path):
    session = sit(choice())
    asked = session.question.asked
    session.answer("a")
    assert json.loads(read(tmp_path)[0].asked) == {"options": [option.text for option in asked.options]}


def test_right_is_good_and_wrong_is_again(sit):
    session = sit(numeric("A"), numeric("B"))
    assert session.answer(right(session.question)).verdict is AnswerVerdict.RIGHT
    assert session.answer("-1").verdict is AnswerVerdict.WRONG
    assert [review.rating for review in saved(session)] == [GOOD, AGAIN]
    assert session.right == 1


def test_what_is_said_of_a_known_wrong_answer_comes_with_the_outcome(sit):
    session = sit(numeric())
    assert session.answer(str(session.question.asked.values["n"])).why == "that is n itself"


def test_what_cannot_be_read_is_not_counted_and_can_be_answered_again(sit, tmp_path):
    session = sit(numeric())
    question = session.question
    with pytest.raises(UnreadableAnswer):
        session.answer("what?")
    assert read(tmp_path) == []
    assert session.answer(right(question)).verdict is AnswerVerdict.RIGHT
    assert len(read(tmp_path)) == 1


def test_an_answer_to_a_recall_card_shows_the_answer_and_saves_nothing_until_it_is_graded(sit, tmp_path):
    session = sit(recall(key_points=("x", "y")))
    shown = session.answer("my words")
    assert (shown.verdict, shown.answer, shown.response) == (AnswerVerdict.UNGRADED, "Because.", "my words")
    assert [(point.letter, point.made) for point in shown.key_points] == [("a", None), ("b", None)]
    assert read(tmp_path) == []
    graded = session.rate(made={1})
    assert [point.made for point in graded.key_points] == [False, True]
    assert (graded.verdict, graded.rating, graded.missed_points) == (AnswerVerdict.RIGHT, HARD, ("x",))
    assert [(r.response, r.rating, r.share) for r in read(tmp_path)] == [("my words", HARD, 0.5)]


def test_without_a_grade_and_without_key_points_nothing_is_saved(sit, tmp_path):
    session = sit(recall())
    session.answer("")
    with pytest.raises(ArgumentError, match="no grade"):
        session.rate()
    assert read(tmp_path) == []


@pytest.mark.parametrize(("made", "rating"), [(0, AGAIN), (1, AGAIN), (2, HARD), (3, HARD), (4, GOOD)])
def test_the_key_points_made_suggest_a_rating(made, rating, sit):
    assert sit(recall(key_points=tuple("abcd"))).suggest(made) is rating


def test_a_suggested_rating_is_bounded_by_the_hints(sit):
    session = sit(recall(hints=("h", "h"), key_points=("a",)))
    session.hint()
    session.hint()
    assert session.suggest(1) is HARD


@pytest.mark.parametrize(("rating", "share"), [(AGAIN, 0), (HARD, 1), (GOOD, 1), (EASY, 1)])
def test_a_recall_card_is_saved_as_the_learner_rates_it(rating, share, sit, tmp_path):
    session = sit(recall())
    session.rate(rating, response="my words")
    (review,) = read(tmp_path)
    assert (review.rating, review.share, review.response) == (rating, share, "my words")


def test_the_share_of_the_key_points_made_is_kept_when_the_grade_is_changed(sit, tmp_path):
    session = sit(recall(key_points=tuple("abcd")))
    session.rate(EASY, made={0})
    assert [(review.rating, review.share) for review in read(tmp_path)] == [(EASY, 0.25)]


def test_a_key_point_that_is_not_there_is_refused(sit, tmp_path):
    session = sit(recall(key_points=("a",)))
    with pytest.raises(ArgumentError, match="1 key points"):
        session.rate(made={1})
    assert read(tmp_path) == []


def test_each_grade_says_when_the_card_would_be_due_and_it_then_is(sit):
    session = sit(recall())
    dates = {choice.rating: choice.due for choice in session.grades()}
    assert list(dates) == [AGAIN, HARD, GOOD, EASY]
    assert dates[AGAIN] - START == 10 * MINUTE
    assert dates[GOOD] - START == 2 * DAY
    assert session.rate(GOOD).due == dates[GOOD]


def test_a_failed_card_comes_again_at_the_end(sit):
    session = sit(recall("A"), recall("B"))
    assert session.rate(AGAIN).again
    assert session.question.card.id == "B"
    assert not session.rate(GOOD).again
    assert (session.question.card.id, session.question.notes) == ("A", (Note.COMES_AGAIN,))
    session.rate(GOOD)
    assert session.question is None


def test_a_card_that_keeps_failing_is_left_for_another_day(sit):
    session = sit(recall("A"))
    assert [session.rate(AGAIN).again for _ in range(MOST_ASKED)] == [True] * (MOST_ASKED - 1) + [False]
    assert session.question is None


def test_a_skipped_card_is_explained_but_not_saved_and_does_not_come_again(sit, tmp_path):
    session = sit(choice("A"), recall("B"))
    skipped = session.skip()
    assert (skipped.verdict, skipped.rating) == (AnswerVerdict.SKIPPED, None)
    assert [option.text for option in skipped.reasons] == ["option 3"]
    assert asked_in_turn(session) == ["B"]
    assert read(tmp_path) == []


def test_the_same_seed_asks_the_same_whatever_other_cards_there_are(sit):
    alone, after_another, other_seed = sit(numeric("A")), sit(choice("B"), numeric("A")), sit(numeric("A"), seed=1)
    after_another.skip()
    asked = alone.question.asked
    assert after_another.question.asked == asked
    # One draw in 100 values is no accident for these two seeds: they are fixed.
    assert other_seed.question.asked != asked


def test_a_card_that_comes_again_draws_different_values(sit):
    session = sit(numeric())
    first = session.question.asked
    session.answer("-1")
    assert session.question.asked.values != first.values


def test_what_one_session_saved_the_next_one_knows(sit):
    first = sit(numeric("A"))
    first.answer(right(first.question))
    assert pick([numeric("A"), numeric("B")], sit().states, START, new=9) == [numeric("B")]


def test_every_review_of_a_session_has_its_name(sit, tmp_path):
    for day in range(2):
        session = sit(recall("A"), recall("B"))
        session.clock.time += day * DAY
        for _ in range(2):
            session.rate(GOOD)
    names = [review.session for review in read(tmp_path)]
    assert names[0] == names[1] != names[2] == names[3]


def test_the_answers_of_a_session_keep_their_order_when_the_clock_stands_still_or_goes_back(sit, tmp_path):
    session = sit(*map(recall, "ABCD"))
    for hours in (0, 0, -1, 2):
        session.clock.time += timedelta(hours=hours)
        session.rate(GOOD)
    assert [review.card for review in read(tmp_path)] == list("ABCD")
    assert saved(session) == read(tmp_path)


def test_an_answer_that_could_not_be_kept_is_not_counted_and_can_be_given_again(sit, tmp_path):
    session = sit(numeric())
    answer = right(session.question)
    session._history._db.execute("PRAGMA query_only = ON")  # SQLite answers as it does for a read-only disk
    with pytest.raises(FileError):
        session.answer(answer)
    assert saved(session) == []
    session._history._db.execute("PRAGMA query_only = OFF")
    session.answer(answer)
    assert len(saved(session)) == len(read(tmp_path)) == 1


def test_pick_takes_due_cards_then_new_ones_within_the_limit(sit):
    session = sit(recall("B"))
    session.rate(GOOD)
    cards = [recall(id) for id in "ABCD"]

    def picked(**bounds):
        return [card.id for card in pick(cards, session.states, START + 3 * DAY, **bounds)]

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
    assert fingerprint(replace(card, options=tuple(o._replace(correct=True) for o in card.options))) != fingerprint(
        card
    )


def test_a_fingerprint_of_a_recall_card_follows_its_answer():
    assert fingerprint(replace(recall(), answer="Other.")) != fingerprint(recall())


# What is said of options


def options(session, response):
    return [(option.pick, option.why) for option in session.answer(response).reasons]


def letters(session, *texts):
    shown = [option.text for option in session.question.asked.options]
    return "".join("abcdef"[shown.index(text)] for text in texts)


@pytest.fixture
def several(sit):
    parts = (("two", True), ("three", True), ("four", False), ("nine", False))
    marked = tuple(Option(text, correct, f"why {text}") for text, correct in parts)
    return sit(replace(choice(), kind="multi", options=marked))


def test_a_wrong_choice_says_why_it_is_wrong_and_why_the_right_one_is_right(sit):
    marked = tuple(Option(text, text == "b", f"why {text}") for text in "abc")
    session = sit(replace(choice(), options=marked, fixed_order=True))
    assert options(session, "c") == [(Pick.MISSED, "why b"), (Pick.WRONG, "why c")]


def test_several_options_say_which_picks_were_wrong_and_which_were_missed(several):
    found = several.answer(letters(several, "two", "four"))
    assert found.verdict is AnswerVerdict.PARTLY
    assert {(option.text, option.pick) for option in found.reasons} == {("three", Pick.MISSED), ("four", Pick.WRONG)}
    assert {(option.text, option.pick) for option in found.other_reasons} == {
        ("two", Pick.RIGHT),
        ("nine", Pick.LEFT_OUT),
    }
    assert found.parts == (1, 2)


def test_right_picks_are_not_shown_as_mistakes(several):
    found = several.answer(letters(several, "two", "three"))
    assert found.verdict is AnswerVerdict.RIGHT
    assert {(option.text, option.pick) for option in found.reasons} == {("two", Pick.RIGHT), ("three", Pick.RIGHT)}


def test_options_rightly_left_out_alone_do_not_make_an_answer_partly_right(several):
    assert several.answer(letters(several, "nine")).verdict is AnswerVerdict.WRONG


# Hints and the best grade


def test_hints_come_one_by_one_and_start_again_for_each_question(sit):
    session = sit(numeric("A"), numeric("B"))
    assert [session.hint(), session.hint(), session.hint()] == ["one", "two", None]
    session.skip()
    assert (session.question.hints_left, session.hint(), session.question.hints_left) == (2, "one", 1)


@pytest.mark.parametrize(("hints", "rating"), [(0, GOOD), (1, HARD), (2, AGAIN)])
def test_each_hint_lowers_the_grade_of_a_right_answer(hints, rating, sit):
    session = sit(numeric())
    for _ in range(hints):
        session.hint()
    session.answer(right(session.question))
    (review,) = saved(session)
    assert (review.rating, review.share, review.hints) == (rating, 1.0, hints)


@pytest.mark.parametrize(("hints", "best"), [(0, EASY), (1, GOOD), (2, HARD), (3, AGAIN), (4, AGAIN)])
def test_each_hint_lowers_the_best_grade_of_a_recall_card(hints, best, sit):
    session = sit(recall(hints=tuple("hhhh")))
    for _ in range(hints):
        session.hint()
    assert session.question.best is best
    assert [choice.rating for choice in session.grades()][-1] is best
    assert session.rate(EASY).rating is best


def test_a_hint_that_is_not_there_lowers_nothing(sit):
    session = sit(recall())
    assert session.hint() is None
    assert session.question.best is EASY


# Undo


def test_an_undone_answer_counts_no_more_and_its_question_comes_next_as_it_was(sit, tmp_path):
    session = sit(numeric("A"), numeric("B"))
    first = session.question
    session.answer("-1")
    assert session.question.card.id == "B"
    assert session.undo().response == "-1"
    assert (saved(session), session.states, read(tmp_path)) == ([], {}, [])
    assert session.question._replace(review_id=first.review_id) == first
    session.answer(right(first))
    assert asked_in_turn(session) == ["B"]


def test_undo_gives_back_the_state_that_was_before(sit):
    session = sit(recall("A"), recall("A"))
    session.rate(GOOD)
    before = session.states["A"]
    session.clock.time += 3 * DAY
    session.rate(GOOD)
    assert session.states["A"] != before
    session.undo()
    assert session.states["A"] == before


def test_every_answer_of_a_session_can_be_undone(sit, tmp_path):
    session = sit(*map(recall, "ABC"))
    for _ in "ABC":
        session.rate(GOOD)
    assert [session.undo().card for _ in "ABC"] == ["C", "B", "A"]
    assert session.undo() is None
    assert read(tmp_path) == []
    assert asked_in_turn(session) == ["A", "B", "C"]


def test_the_first_undo_of_a_session_takes_back_the_last_answer_of_the_one_before(sit, tmp_path):
    earlier = sit(recall("Y"), recall("Z"))
    earlier.rate(GOOD)
    earlier.rate(EASY)
    before = {"Y": earlier.states["Y"]}
    session = sit(recall("A"), bank=[recall("Y"), recall("Z")])
    assert session.question.card.id == "A"
    assert (session.undo().card, session.states) == ("Z", before)
    assert [review.card for review in read(tmp_path)] == ["Y"]
    assert asked_in_turn(session) == ["Z", "A"]


def test_an_interview_takes_back_no_answer_from_before_it(sit, tmp_path):
    sit(recall("A")).rate(GOOD)
    assert sit(recall("A"), policy=MOCK).undo() is None
    assert len(read(tmp_path)) == 1


def test_a_failed_card_that_came_again_is_undone_whole(sit):
    session = sit(recall("A"))
    session.rate(AGAIN)
    assert session.question.number == 2
    session.undo()
    assert (session.question.card.id, session.question.number, session.question.left) == ("A", 1, 0)


def test_an_answer_to_a_question_of_another_session_is_undone_like_any_other(sit, tmp_path):
    token = sit(recall("Z")).question.token
    session = sit(recall("A"), recall("B"), bank=[recall("Z")])
    session.rate(GOOD)
    session.rate(GOOD, token=token)
    assert [session.undo().card for _ in "ZA"] == ["Z", "A"]
    assert read(tmp_path) == []
    assert session.question.number == 1
    assert asked_in_turn(session) == ["A", "Z", "B"]


def test_a_question_before_which_another_was_asked_is_answered_once_and_can_be_undone(sit):
    session = sit(recall("A"), recall("B"), recall("C"))
    token = session.question.token
    session.follow_up("B")
    assert session.question.card.id == "B"
    session.rate(GOOD, token=token)
    assert [session.undo().card, session.question.card.id, session.question.number] == ["A", "A", 1]
    session.rate(GOOD)
    assert asked_in_turn(session) == ["B", "C"]


# Tokens


def test_an_answer_sent_twice_is_saved_once_and_says_the_same(sit, tmp_path):
    session = sit(numeric("A"), numeric("B"))
    token = session.question.token
    first = session.answer("-1", token=token)
    assert session.answer("5", token=token) is first
    assert [review.response for review in read(tmp_path)] == ["-1"]
    assert session.question.card.id == "B"


def test_a_recall_answer_graded_twice_is_saved_once(sit, tmp_path):
    session = sit(recall("A"))
    token = session.question.token
    session.answer("my words", token=token)
    assert session.rate(GOOD, token=token) is session.rate(AGAIN, token=token)
    assert [(review.rating, review.response) for review in read(tmp_path)] == [(GOOD, "my words")]


def test_a_token_outlives_its_session(sit, tmp_path):
    before = sit(numeric("A"), numeric("B"))
    token, answer = before.question.token, right(before.question)
    session = sit(numeric("A"), numeric("B"))
    assert session.answer(answer, token=token).verdict is AnswerVerdict.RIGHT
    assert session.question.card.id == "B"
    assert sit(numeric("A")).answer("-1", token=token).verdict is AnswerVerdict.RIGHT  # saved once, and never again
    assert [review.rating for review in read(tmp_path)] == [GOOD]


def test_the_hints_that_were_shown_go_with_the_token(sit):
    before = sit(numeric("A"))
    before.hint()
    token, answer = before.question.token, right(before.question)
    assert sit(numeric("A")).answer(answer, token=token).rating is HARD


@pytest.mark.parametrize("later", [[], [replace(numeric("A"), numeric=Numeric("n + 2"))]])
def test_a_token_whose_card_has_changed_or_gone_is_stale(later, sit, tmp_path):
    token = sit(numeric("A")).question.token
    with pytest.raises(StaleQuestion, match="'A' has changed in its deck or has gone"):
        sit(*later).answer("1", token=token)
    assert read(tmp_path) == []


def test_a_token_of_an_answer_that_was_taken_back_is_stale(sit, tmp_path):
    session = sit(numeric("A"))
    token = session.question.token
    session.answer("-1", token=token)
    session.undo()
    for each in (session, sit(numeric("A"))):
        with pytest.raises(StaleQuestion, match="taken back"):
            each.answer("5", token=token)
    assert read(tmp_path) == []


@pytest.mark.parametrize("token", ["", "x", "W10", "é", "bnVsbA", "WzEsMl0"])
def test_what_is_no_token_is_stale(token, sit):
    with pytest.raises(StaleQuestion, match="cannot be read"):
        sit(numeric("A")).answer("1", token=token)


def test_a_question_as_json_holds_nothing_of_its_answer(sit):
    shown = json.dumps(sit(numeric("A", key_points=("secret",))).question.as_plain())
    assert "n + 1" not in shown.replace("{n} + 1", "")
    for hidden in ("secret", "one", "that is n itself"):
        assert hidden not in shown


def test_an_outcome_as_json_is_plain_values(sit):
    session = sit(choice())
    told = json.loads(json.dumps(as_plain(session.answer("a"))))
    assert (told["verdict"], told["rating"], told["options"][0]["pick"]) == ("wrong", "again", "wrong")


def test_the_question_of_a_token_is_the_current_one_where_it_is_its_own(sit):
    session = sit(numeric("A"), numeric("B"))
    token = session.question.token
    session.hint()
    assert session.question_of(token) is session.question
    session.skip()
    assert (session.question_of(token).card.id, session.question.card.id) == ("A", "B")


def test_of_two_sessions_that_answer_the_same_token_one_saves_it(sit, tmp_path):
    token = sit(numeric("A")).question.token
    one, two = sit(numeric("A")), sit(numeric("A"))
    two._find_settled = lambda token: None  # as if both had looked before either saved
    first, second = one.answer("-1", token=token), two.answer("5", token=token)
    assert (first.response, second.response) == ("-1", "-1")
    assert [review.response for review in read(tmp_path)] == ["-1"]


def test_who_graded_is_kept_and_what_a_model_graded_can_be_left_out_of_the_schedule(sit, tmp_path):
    session = sit(recall("A"), recall("B"))
    session.rate(GOOD, graded_by="assistant")
    session.rate(GOOD)
    assert [review.graded_by for review in read(tmp_path)] == ["assistant", "learner"]
    assert replay(read(tmp_path)).keys() == {"A", "B"}
    assert replay(read(tmp_path), SchedulerSettings(own_grades_only=True)).keys() == {"B"}


# Policies, flags, changes, follow-ups


def test_a_cram_is_kept_and_moves_no_schedule(sit, tmp_path):
    sit(recall("A")).rate(GOOD)
    session = sit(recall("A"), recall("B"), policy=CRAM)
    due = session.states["A"].due
    session.clock.time += MINUTE
    for _ in "AB":
        session.rate(GOOD)
    assert session.states["A"].due == due == replay(read(tmp_path))["A"].due
    assert [review.mode for review in read(tmp_path)] == ["quiz", "cram", "cram"]


def test_in_an_interview_nothing_is_told_and_no_card_comes_again(sit):
    session = sit(numeric(), policy=MOCK)
    assert session.answer("-1", sure=0.9) is None
    (reply,) = session.replies
    assert (reply.review.sure, reply.outcome.verdict, session.question) == (0.9, AnswerVerdict.WRONG, None)


def test_what_is_skipped_in_an_interview_counts_as_failed(sit, tmp_path):
    session = sit(numeric(), policy=MOCK)
    assert session.skip() is None
    assert [(review.rating, review.response) for review in read(tmp_path)] == [(AGAIN, "")]
    assert session.replies[0].outcome.verdict is AnswerVerdict.SKIPPED


def test_an_answer_that_waits_for_its_grade_is_kept_and_does_not_count_until_it_has_one(sit, tmp_path):
    session = sit(recall("A", key_points=("x", "y")), recall("B"), policy=MOCK)
    session.answer("my words", sure=0.5)
    session.answer("more")
    assert [(row.response, row.graded_by) for row in read_rows(tmp_path)[0]] == [
        ("my words", "nobody"),
        ("more", "nobody"),
    ]
    assert (read(tmp_path), session.states) == ([], {})
    reply, waiting = session.replies
    assert (reply.graded, reply.outcome.verdict, reply.outcome.rating) == (False, AnswerVerdict.UNGRADED, None)
    session.regrade(reply, made={0})
    assert (reply.graded, reply.outcome.verdict, reply.outcome.missed_points) == (True, AnswerVerdict.RIGHT, ("y",))
    assert (reply.review.rating, reply.review.response, reply.review.sure) == (HARD, "my words", 0.5)
    assert (read(tmp_path), reply.review.graded_by) == ([reply.review], "learner")
    assert session.states == replay(read(tmp_path))
    assert session.undo() == waiting.review
    assert len(read_rows(tmp_path)[1]) == 2  # that either waited


def test_a_token_of_an_answer_that_waited_for_its_grade_when_its_session_ended_is_stale(sit):
    before = sit(recall("A"), policy=QUIZ._replace(grades_later=True))
    token = before.question.token
    before.answer("my words")
    with pytest.raises(StaleQuestion, match="the answer to A was recorded already: ask for the next question"):
        sit(recall("A")).answer("other words", token=token)


def test_an_interview_takes_no_answer_to_a_question_of_another_session(sit, tmp_path):
    token = sit(recall("A")).question.token
    interview = sit(recall("A"), policy=MOCK)
    for act in (interview.answer, lambda said, token: interview.skip(token), lambda said, token: interview.hint(token)):
        with pytest.raises(StaleQuestion, match="A was not asked in this mock interview"):
            act("my words", token=token)
    assert read_rows(tmp_path)[0] == []


def test_what_was_graded_wrong_cannot_be_graded_up(sit, tmp_path):
    session = sit(numeric())
    session.answer("-1")
    with pytest.raises(ArgumentError, match="Good is too good a grade"):
        session.regrade(session.replies[0], GOOD)
    assert [review.rating for review in read(tmp_path)] == [AGAIN]


def test_what_was_right_by_luck_can_be_graded_down(sit, tmp_path):
    session = sit(numeric())
    session.answer(right(session.question))
    session.regrade(session.replies[0], AGAIN)
    assert [review.rating for review in read(tmp_path)] == [AGAIN]
    assert session.replies[0].outcome.verdict is AnswerVerdict.RIGHT


def test_no_question_comes_after_the_deadline_but_one_that_was_taken_back(sit):
    session = sit(recall("A"), recall("B"), policy=MOCK, deadline=START + MINUTE)
    assert session.time_left == MINUTE
    assert session.question.card.id == "A"
    session.clock.time += 2 * MINUTE
    session.answer("my words")
    assert (session.question, session.time_left) == (None, timedelta())
    session.undo()
    assert session.question.card.id == "A"
    session.answer("better words")
    assert session.question is None


def test_no_question_is_left_after_the_end_and_an_answer_can_still_be_taken_back(sit):
    session = sit(*map(recall, "ABC"), policy=MOCK)
    session.skip()
    assert session.question.card.id == "B"
    session.end()
    assert session.question is None
    session.undo()
    assert asked_in_turn(session) == ["A"]


def test_a_flag_is_kept_until_it_is_taken_off(sit):
    session = sit(recall("A"))
    assert [session.flag(), session.flag(), session.flag()] == [True, False, True]


def test_a_changed_answer_shows_and_a_reworded_question_does_not(sit):
    def notes(card):
        session = sit(card)
        notes = session.question.notes
        session.rate(GOOD)
        return notes

    cards = [recall(), replace(recall(), question="Why, then?"), replace(recall(), answer="No.")]
    assert [notes(card) for card in cards] == [(), (), (Note.ANSWER_CHANGED,)]


def test_a_follow_up_is_asked_next_and_once(sit):
    session = sit(recall("A", follow_ups=("B", "Z", "Q")), recall("C"), recall("B"), bank=[recall("Z")])
    assert session.rate(GOOD).follow_ups == ("B", "Z")
    session.follow_up("B")
    assert (session.question.card.id, session.question.notes) == ("B", (Note.FOLLOW_UP,))
    session.follow_up("Z")
    assert asked_in_turn(session) == ["Z", "B", "C"]
    with pytest.raises(ArgumentError, match="no card 'Q'"):
        session.follow_up("Q")
