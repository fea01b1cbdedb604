"""The quiz and the mock through plain forms, as a browser without script sends them."""

import re
import threading
from datetime import date, timedelta
from html import unescape

import pytest

from regdemo import catalog, diagnoses
from regdemo.quiz import history
from regdemo.web.desk import Wanted
from regdemo.web.site import Site
from web.conftest import Server, code_of, httpx
from web.deck import CARDS


class Learner:
    """A browser without script: fills in the forms of the page that it was shown last."""

    def __init__(self, client):
        self.client = client
        self.page = None

    def get(self, path):
        self.page = self.client.get(path, follow_redirects=True)
        return self

    def post(self, path, **fields):
        self.page = self.client.post(path, data={**self.hidden(), **fields}, follow_redirects=True)
        return self

    def hidden(self):
        found = {"csrf": code_of(self.page)}
        for name in ("token", "shown", "seen"):
            if value := re.search(rf'name="{name}" value="([^"]+)"', self.page.text):
                found[name] = value[1]
        return found

    def start(self, *ids, **fields):
        self.get("/quiz/start")
        return self.post("/quiz/start", ids=",".join(ids), **fields)

    @property
    def text(self):
        main = self.page.text[self.page.text.index("<main") :]
        return " ".join(unescape(re.sub("<[^>]+>", " ", main)).split())


@pytest.fixture(scope="module")
def deck(tmp_path_factory):
    path = tmp_path_factory.mktemp("deck") / "two_words.md"
    path.write_text(CARDS)
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory, deck):
    running = Server(tmp_path_factory.mktemp("home"), "--bank", str(deck))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def client(server):
    with server.client() as client:
        yield client


@pytest.fixture
def learner(client):
    return Learner(client)


def rows(server):
    return len(history.read(server.home))


def letter_of(learner, text):
    """The letter of the option with this text, wherever it was shuffled to."""
    return re.search(
        rf'value="(\w)"[^>]*>\s*<span class="letter">\w</span><span class="body">{text}', learner.page.text
    )[1]


@pytest.mark.parametrize(("option", "verdict"), [("Nothing", "✓ Right"), ("It drops", "✗ Wrong")])
def test_a_choice_is_graded_with_the_reason_under_each_option(learner, option, verdict):
    learner.start("T1")
    learner.post("/quiz/answer", pick=letter_of(learner, option))
    assert verdict in learner.text
    assert "The identity." in learner.text


@pytest.mark.parametrize(
    ("options", "verdict"),
    [
        (["Its variance is <math", "Its values"], "✓ Right"),
        (["Its values"], "✗ Partly right: 1 of 2 right options"),
        (["Its variance is p"], "✗ Wrong"),
    ],
)
def test_a_multi_is_right_wrong_or_half_right(learner, options, verdict):
    learner.start("T2")
    learner.post("/quiz/answer", pick=[letter_of(learner, option) for option in options])
    assert verdict in learner.text


@pytest.mark.parametrize(("response", "verdict"), [("2", "✓ Right"), ("4/2", "✓ Right"), ("0.5", "✗ Wrong")])
def test_a_number_is_graded(learner, response, verdict):
    learner.start("T3").post("/quiz/answer", response=response)
    assert verdict in learner.text
    assert ("that is the fraction that is kept" in learner.text) == (response == "0.5")


@pytest.mark.parametrize(
    ("gaps", "verdict"),
    [
        (["mask", "forward pass"], "✓ Right"),
        (["mask", "epoch"], "✗ Partly right: 1 of 2 gaps"),
        (["a", "b"], "✗ Wrong"),
    ],
)
def test_gaps_are_right_wrong_or_half_right(learner, gaps, verdict):
    learner.start("T4").post("/quiz/answer", gap=gaps)
    assert verdict in learner.text


@pytest.mark.parametrize(("response", "verdict"), [("2", "✓ Right"), ("3", "✗ Wrong")])
def test_an_output_is_graded(learner, response, verdict):
    learner.start("T5").post("/quiz/answer", response=response)
    assert verdict in learner.text


@pytest.mark.parametrize(
    ("made", "saved"), [(["0", "1"], "Saved as Good"), (["0"], "Saved as Hard"), ([], "Saved as Again")]
)
def test_a_recall_card_is_graded_by_the_points_that_were_made(learner, made, saved):
    learner.start("T6").post("/quiz/answer", response="Noise,\nand ensembles.")
    assert "Noise, and ensembles." in learner.text
    assert "an ensemble with shared weights" in learner.text
    learner.post("/quiz/rate", response="Noise.", made=made, rating="")
    assert saved in learner.text


def test_a_grade_of_ones_own_goes_before_the_points(learner, server):
    learner.start("T6").post("/quiz/answer", response="Noise.").post("/quiz/rate", response="Noise.", rating="4")
    assert "Saved as Easy" in learner.text
    assert history.read(server.home)[-1].response == "Noise."


def test_an_answer_that_cannot_be_read_is_asked_again_and_kept_in_the_field(learner, server):
    before = rows(server)
    learner.start("T3").post("/quiz/answer", response="what?")
    assert "'what?' isn't a number" in learner.text
    assert learner.page.url.path == "/quiz"
    assert 'value="what?"' in learner.page.text
    assert "'what?' isn't a number" not in learner.get("/quiz").text
    assert 'value="what?"' in learner.page.text
    assert rows(server) == before


def test_gaps_that_are_not_all_filled_are_said_in_the_words_of_the_form_and_stay_in_their_fields(learner):
    learner.start("T4").post("/quiz/answer", gap=["", "a; b"])
    assert "Gap 1 This gap is empty" in learner.text
    assert re.findall(r'name="gap" [^>]*value="([^"]*)"', learner.page.text) == ["", "a; b"]
    learner.post("/quiz/answer", gap=["mask", "a; b"])
    assert "✗ Partly right: 1 of 2 gaps" in learner.text


def test_a_form_sent_twice_is_saved_once(learner, server):
    learner.start("T3", "T5")
    before, fields = rows(server), learner.hidden()
    first = learner.client.post("/quiz/answer", data={**fields, "response": "2"}, follow_redirects=True)
    again = learner.client.post("/quiz/answer", data={**fields, "response": "7"}, follow_redirects=True)
    assert rows(server) == before + 1
    assert "✓ Right" in first.text
    assert "✓ Right" in again.text


def test_a_second_tab_shows_what_the_first_one_saved(client, server):
    first, second = Learner(client), Learner(client)
    first.start("T3", "T5")
    second.get("/quiz")
    before = rows(server)
    first.post("/quiz/answer", response="2")
    second.post("/quiz/answer", response="0.5")
    assert rows(server) == before + 1
    assert "✓ Right" in second.text
    assert "T3 was answered already, perhaps in another tab, and saved as Good: what you sent now is not" in second.text
    assert "answered already" not in second.get("/quiz").text
    assert "What is printed?" in second.text


def test_a_second_tab_that_grades_a_card_again_is_told_what_was_kept(client, server):
    first, second = Learner(client), Learner(client)
    first.start("T6", "T5").post("/quiz/answer", response="my words")
    second.get("/quiz").post("/quiz/answer", response="other words")
    first.post("/quiz/rate", response="my words", rating="3")
    assert "answered already" not in first.text
    second.post("/quiz/rate", response="other words", rating="1")
    assert "T6 was answered already, perhaps in another tab, and saved as Good" in second.text
    assert "You said my words" in second.text


def test_a_second_tab_in_which_a_skipped_card_is_answered_is_told_that_it_was_skipped(client):
    first, second = Learner(client), Learner(client)
    first.start("T3", "T5")
    second.get("/quiz")
    first.post("/quiz/skip")
    second.post("/quiz/answer", response="2")
    assert "T3 was skipped already, perhaps in another tab: what you sent now is not kept." in second.text


@pytest.mark.parametrize("late", ["answer", "skip", "grade"])
def test_a_second_tab_of_an_interview_is_told_that_its_answer_or_grade_is_not_kept(late, tmp_path):
    (tmp_path / "cards.md").write_text("## R1: Why?\n\n### Answer\nSo.\n\n## R2: Why not?\n\n### Answer\nSo.\n")
    desk = Site(home=tmp_path, bank=tmp_path / "cards.md", folder=tmp_path).desk
    desk.start_mock(20, None, (), ())
    token = desk.mock.question.token
    desk.answer_mock(token, "my words", 0.5)
    id = desk.ungraded()[0].review.id
    if late == "grade":
        desk.grade_mock(id, 3, ())
    assert desk.say_once() == ""
    {
        "answer": lambda: desk.answer_mock(token, "other words", 0.9),
        "skip": lambda: desk.skip_mock(token),
        "grade": lambda: desk.grade_mock(id, 1, ()),
    }[late]()
    assert re.search(f"{'graded' if late == 'grade' else 'answered'} already, .* is not kept", desk.say_once())
    assert [(reply.review.response, reply.review.rating) for reply in desk.mock.replies] == [
        ("my words", 3 if late == "grade" else 1)
    ]
    desk.close()


def test_a_form_whose_answer_was_taken_back_is_out_of_date(client, server):
    learner, other = Learner(client), Learner(client)
    learner.start("T3", "T5")
    other.get("/quiz")
    learner.post("/quiz/answer", response="2").post("/quiz/undo")
    before = rows(server)
    other.post("/quiz/answer", response="0.5")
    assert "This form is out of date" in other.text
    assert "What is 1/(1-p)" in other.text
    assert rows(server) == before


@pytest.mark.parametrize("token", ["", "x", "e30", "A" * 5000])
def test_a_token_that_was_made_up_is_refused_with_the_current_card(learner, server, token):
    learner.start("T3")
    before = rows(server)
    learner.post("/quiz/answer", token=token, response="2")
    assert "This form is out of date" in learner.text
    assert "What is 1/(1-p)" in learner.text
    assert rows(server) == before


def test_a_hint_is_shown_and_keeps_what_was_typed(learner):
    learner.start("T6").post("/quiz/hint", response="half an answer")
    assert "Think of ensembles." in learner.text
    assert "half an answer" in learner.page.text
    assert "The best grade is now Good" in learner.text


def test_undo_asks_the_card_again(learner, server):
    learner.start("T3")
    learner.post("/quiz/answer", response="2")
    before = rows(server)
    learner.post("/quiz/undo")
    assert "Took back your answer to T3" in learner.text
    assert rows(server) == before - 1


def test_undo_beside_an_older_answer_takes_nothing_back_and_names_the_last(client, server):
    learner, tab = Learner(client), Learner(client)
    learner.start("T3", "T5").post("/quiz/answer", response="2")
    tab.get(str(learner.page.url.raw_path, "ascii"))
    learner.get("/quiz").post("/quiz/answer", response="0.5")
    before = rows(server)
    tab.post("/quiz/undo")
    assert "Nothing is taken back: the last answer is the one to T5." in tab.text
    assert rows(server) == before


def test_undo_at_the_grades_goes_back_to_the_question_with_the_text_and_takes_nothing_back(learner, server):
    learner.start("T3", "T6").post("/quiz/answer", response="2").get("/quiz")
    before = rows(server)
    learner.post("/quiz/answer", response="half an answer")
    assert "an ensemble with shared weights" in learner.text
    learner.post("/quiz/undo")
    assert "Nothing is taken back: your answer was not saved yet" in learner.text
    assert "Why does dropout regularize?" in learner.text
    assert "half an answer" in learner.text
    assert rows(server) == before


def test_undo_at_an_answer_from_before_a_restart_takes_back_that_one_or_nothing(tmp_path, deck):
    before, after = (Site(home=tmp_path, bank=deck, folder=tmp_path).desk for _ in range(2))
    before.start(Wanted(ids=("T3", "T5", "T6")))
    answers = {}
    for response in ("2", "2", "half an answer"):
        question = before.quiz.question
        answers[question.card.id] = before.answer(question.token, response)
    for id, said in (("T6", "not saved yet"), ("T3", "the last answer is the one to T5"), ("T5", "Took back")):
        after.undo(answers[id])
        assert said in after.say_once()
    before.close()
    after.close()
    assert [review.card for review in history.read(tmp_path)] == ["T3"]


def test_a_skipped_card_is_answered_but_not_saved(learner, server):
    before = rows(server)
    learner.start("T3").post("/quiz/skip")
    assert "Half of the units are kept" in learner.text
    assert rows(server) == before


def test_the_form_that_starts_a_quiz_is_there_before_the_first_card_of_another_was_shown(learner):
    learner.start("T3").post("/quiz/answer", response="2")
    learner.client.post("/quiz/start", data={**learner.hidden(), "ids": "T3"})
    assert "Continue the session" in learner.get("/quiz/start").text


def test_a_follow_up_is_asked_next_in_the_same_session(learner):
    learner.start("T1", "T5")
    learner.post("/quiz/answer", pick=letter_of(learner, "Nothing"))
    learner.post("/quiz/next", id="T3")
    assert "What is 1/(1-p)" in learner.text


@pytest.mark.parametrize(
    ("card", "entered", "shown"),
    [
        ("T3", {"response": "1.5"}, 'value="1.5"'),
        ("T6", {"response": "half an answer"}, ">half an answer</textarea>"),
        ("T4", {"gap": ["ma", ""]}, 'value="ma"'),
        ("T2", {"pick": ["a", "c"]}, 'value="c" data-key="c" checked'),
    ],
)
@pytest.mark.parametrize("button", ["flag", "hint"])
def test_a_flag_and_a_hint_keep_what_was_entered(learner, card, entered, shown, button):
    learner.start(card)
    for _ in range(2):
        learner.post(f"/quiz/{button}", id=card, back="/quiz", **entered)
        assert shown in learner.page.text


def test_a_flag_keeps_the_key_points_that_were_ticked(learner):
    learner.start("T6").post("/quiz/answer", response="Noise.")
    address = f"/quiz?{learner.page.url.query.decode()}"
    learner.post("/quiz/flag", id="T6", back=address, made=["1"])
    assert re.findall(r'name="made" value="(\d)"[^>]* checked', learner.page.text) == ["1"]
    assert re.search(r'data-key="2" class="main"', learner.page.text), "Hard is suggested: one point of two"
    assert "Noise." in learner.text


def test_a_flag_is_put_on_and_taken_off(learner):
    learner.start("T3")
    assert "take the flag off" in learner.post("/quiz/flag", id="T3", back="/quiz").text
    assert "take the flag off" not in learner.post("/quiz/flag", id="T3", back="//evil.example").text
    assert learner.page.url.host == "127.0.0.1"


@pytest.mark.parametrize("path", ["/quiz/start", "/mock", "/cards/T6", "/topics/two_words"])
def test_a_topic_is_spelled_as_it_is_typed_in_the_terminal(learner, path):
    assert "two-words" in learner.get(path).text.lower()


@pytest.mark.parametrize("begin", ["quiz", "mock"])
def test_a_place_where_techniques_act_may_be_asked_for_as_in_the_terminal(tmp_path, begin):
    desk = Site(home=tmp_path, folder=tmp_path).desk
    if begin == "quiz":
        desk.start(Wanted(topics=("activations",), limit=50, new=50))
    else:
        desk.start_mock(20, 5, ("activations",), ())
    run = desk.quiz if begin == "quiz" else desk.mock
    assert run.question.card.topic in catalog.stems_by_place()["activations"]


def test_the_reload_of_an_outcome_shows_it_again(learner):
    learner.start("T3").post("/quiz/answer", response="2")
    assert "✓ Right" in learner.get(str(learner.page.url)).text


def test_the_end_of_a_session_says_what_was_saved(learner):
    learner.start("T3").post("/quiz/answer", response="2").get("/quiz")
    assert "1 answer saved, 1 right" in learner.text


def test_a_quiz_goes_on_when_the_server_was_killed(tmp_path, deck):
    server = Server(tmp_path, "--bank", str(deck))
    with server.client() as client:
        learner = Learner(client)
        learner.start("T3", "T5")
        learner.post("/quiz/answer", response="2").get("/quiz")
        server.kill()
        assert rows(server) == 1
        server.start()
        learner.post("/quiz/answer", response="3")
        assert "✗ Wrong" in learner.text
        assert rows(server) == 2
        learner.get("/quiz")
        assert learner.page.status_code == 200
    server.stop()


def test_an_interview_tells_nothing_before_its_end(learner, server):
    learner.get("/mock").post("/mock/start", minutes="20", limit="3")
    kinds = []
    while "How sure are you" in learner.text:
        text = learner.page.text
        kinds.append("recall" if "<textarea" in text and "Say your answer" in text else "graded")
        if 'name="pick"' in text:
            learner.post("/mock/answer", pick="a", sure="70")
        elif 'name="gap"' in text:
            learner.post("/mock/answer", gap=["mask", "epoch"], sure="30")
        else:
            learner.post("/mock/answer", response="2", sure="100")
        assert "✓" not in learner.text or "Score card" in learner.text
    for _ in range(kinds.count("recall")):
        assert "Which points did you make?" in learner.text
        review = re.search(r'name="review" value="(\w+)"', learner.page.text)[1]
        learner.post("/mock/grade", review=review, made=["0"], rating="")
    assert "Score card" in learner.text
    assert len(kinds) == 3
    assert "Brier" in learner.text


def test_an_interview_that_ended_with_its_server_is_said_to_be_over_and_what_nobody_graded_does_not_count(tmp_path):
    (tmp_path / "cards.md").write_text("## R1: Why?\n\n### Answer\nSo.\n\n## R2: Why not?\n\n### Answer\nSo.\n")
    server = Server(tmp_path, "--bank", str(tmp_path / "cards.md"))
    with server.client() as client:
        learner = Learner(client)
        learner.get("/mock").post("/mock/start", minutes="20").post("/mock/answer", response="my words", sure="60")
        assert "Question 2" in learner.text
        sent = {**learner.hidden(), "response": "more", "sure": "50", "review": "x", "rating": "1"}
        server.kill()
        server.start()
        for form in ("answer", "skip", "undo", "end", "grade"):
            learner.page = client.post(f"/mock/{form}", data=sent, follow_redirects=True)
            assert "This interview is over" in learner.text
            assert "This interview is over" not in learner.get("/mock").text
    server.stop()
    assert history.read(tmp_path) == []
    assert [row.response for row in history.read_rows(tmp_path)[0]] == ["my words"]


def test_an_interview_that_is_under_way_is_not_replaced_by_another_tab(tmp_path, deck):
    desk = Site(home=tmp_path, bank=deck, folder=tmp_path).desk
    desk.start_mock(20, None, (), ())
    begun = desk.mock
    desk.start_mock(5, None, (), ())
    assert desk.mock is begun
    assert "An interview is under way" in desk.say_once()
    desk.end_mock()
    assert desk.mock.question is None
    desk.start_mock(5, None, (), ())
    assert desk.mock is not begun
    desk.close()


def test_a_certainty_out_of_range_keeps_the_question_and_the_answer(learner):
    learner.get("/mock?new=1").post("/mock/start", minutes="20", topic="", limit="1")
    learner.post("/mock/answer", response="my answer", pick="a", sure="170")
    assert (
        "How sure are you, from 0 to 100%? 170 is not allowed: it must be a whole number from 0 to 100" in learner.text
    )
    assert 'value="170" required aria-invalid="true" aria-describedby="sure-fault"' in learner.page.text
    assert learner.page.url.path == "/mock"
    learner.post("/mock/end")


def test_a_mock_keeps_what_was_entered_with_an_answer_that_cannot_be_read(tmp_path, deck):
    deck = tmp_path / "cards.md"
    deck.write_text(CARDS[CARDS.index("## T4") : CARDS.index("## T5")])
    server = Server(tmp_path / "home", "--bank", str(deck))
    with server.client() as client:
        learner = Learner(client)
        learner.get("/mock").post("/mock/start", minutes="20", limit="1")
        learner.post("/mock/answer", gap=["a;b", ""], sure="55")
        assert "Gap 2 This gap is empty" in learner.text
        assert re.search('id="gap2"[^>]* aria-invalid="true"[^>]* autofocus', learner.page.text)
        for _ in range(2):  # a reload keeps it as well
            assert re.findall(r'name="gap" [^>]*value="([^"]*)"', learner.page.text) == ["a;b", ""]
            assert 'name="sure" min="0" max="100" step="5" value="55"' in learner.page.text
            learner.get("/mock")
    server.stop()


def test_an_interview_that_is_ended_asks_no_more_and_leaves_its_question_open(learner, server):
    before = rows(server)
    learner.get("/mock?new=1").post("/mock/start", minutes="20", limit="3")
    assert "End the interview now" in learner.text
    assert "Score card No question was answered." in learner.post("/mock/end").text
    assert "Mock interview" in learner.get("/mock?new=1").text
    assert rows(server) == before


def editor(learner):
    return unescape(re.search("<textarea[^>]*>(.*?)</textarea>", learner.page.text, re.DOTALL)[1])


def test_a_kata_keeps_what_was_typed_and_asks_which_text_to_keep(tmp_path):
    server = Server(tmp_path / "home", "--dir", str(tmp_path))
    file = tmp_path / "dropout.py"
    with server.client() as client:
        learner = Learner(client)
        learner.get("/katas/dropout").post("/katas/dropout/hint", source="half done")
        assert "Hint 1" in learner.text
        assert editor(learner) == "half done"
        assert "This text is not saved yet." in learner.text
        learner.post("/katas/dropout/give-up", source="more")
        assert learner.page.url.path == "/katas/dropout/solution"
        assert editor(learner.get("/katas/dropout")) == "more"

        file.write_text("of another editor")
        learner.post("/katas/dropout/check", source="mine")
        assert file.read_text() == "of another editor"
        for _ in range(2):  # a reload shows the same
            assert learner.page.url.path == "/katas/dropout"
            assert "choose which text to keep" in learner.text
            assert "Keep the text below, and check it" in learner.text
            assert "of another editor" in learner.text
            assert editor(learner) == "mine"
            learner.get("/katas/dropout")
        learner.post("/katas/dropout/take", source="mine")
        assert editor(learner) == "of another editor"
        assert "choose which text to keep" not in learner.text
    server.stop()


def test_the_plan_is_kept(learner):
    day = date.today() + timedelta(days=20)
    learner.get("/plan").post("/plan/set", interview=str(day), minutes="20", new="500")
    assert "if you stop today" in learner.text
    assert "With 20 minutes and up to 500 new cards a day" in learner.text
    assert "days to the interview 20" in learner.get("/").text


@pytest.mark.parametrize(("days", "when"), [(1, "in 1 day"), (0, "today")])
def test_the_plan_of_the_last_two_days_is_shown_and_counts_one_as_one(learner, days, when):
    learner.start("T1").post("/quiz/answer", pick="a")
    learner.get("/plan").post("/plan/set", interview=str(date.today() + timedelta(days=days)), minutes="1", new="1")
    assert "With 1 minute and up to 1 new card a day" in learner.text
    assert f"The plan up to your interview, {when}" in learner.get("/stats").text


@pytest.mark.parametrize("days", [-1, 367])
def test_a_day_that_has_passed_or_is_far_away_is_no_plan(learner, days):
    day = str(date.today() + timedelta(days=days))
    assert learner.get("/plan").post("/plan/set", interview=day, minutes="20").page.status_code == 400


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"interview": "2020-01-01"}, "Day of the interview 2020-01-01 has passed: choose a day from"),
        ({"interview": "soon"}, "Day of the interview soon isn't a day: write it as in"),
        ({"minutes": "700"}, "Minutes per day 700 is not allowed: it must be a whole number from 1 to 600"),
        ({"new": "-1"}, "New cards per day -1 is not allowed: it must be a whole number from 0 to 1,000"),
    ],
)
def test_a_plan_that_cannot_be_is_said_at_its_field_and_stays_in_the_form(learner, fields, said):
    learner.get("/plan").post("/plan/set", **({"interview": "", "minutes": "33", "new": "44"} | fields))
    assert learner.page.status_code == 400
    assert said in learner.text
    for entered in ({"minutes": "33", "new": "44"} | fields).values():
        assert f'value="{entered}"' in learner.page.text


@pytest.mark.parametrize(
    ("begin", "fields", "said"),
    [
        ("/quiz/start", {"new": "5", "limit": "0"}, "Cards in all at most 0 is not allowed"),
        ("/quiz/start", {"new": "5", "ids": "T99"}, "T99"),
        ("/mock/start", {"minutes": "5", "limit": "x"}, "Questions at most x is not allowed"),
    ],
)
def test_a_session_that_cannot_begin_keeps_its_form(learner, begin, fields, said):
    learner.get("/mock?new=1").get("/quiz/start").post(begin, **fields)
    assert learner.page.status_code == 400
    assert said in learner.text
    assert 'value="5"' in learner.page.text


@pytest.mark.parametrize(
    "path", ["/", "/stats", "/plan", "/katas", "/guide", "/search?q=mask", "/cards/T6", "/topics/two_words"]
)
def test_a_page_is_there_without_script(learner, path):
    assert learner.get(path).page.status_code == 200
    assert "<h1" in learner.page.text


def test_a_demo_that_computes_does_not_hold_up_the_quiz(learner, server):
    learner.start("T3", "T5")
    client = learner.client
    client.get("/demos/dropout/report", params={"tab": "warm"})
    arrived = []

    def slide():
        with httpx.Client(base_url=server.base, cookies=client.cookies, timeout=60) as other:
            other.get("/demos/dropout/report", params={"size": 1_000_000, "tab": "slow"})
            arrived.append("report")

    sliding = threading.Thread(target=slide)
    sliding.start()
    learner.post("/quiz/answer", response="2").get("/quiz")
    arrived.append("card")
    sliding.join()
    assert arrived == ["card", "report"]


def test_a_value_that_is_not_allowed_in_an_address_is_said_and_stays_in_its_field(learner):
    learner.get("/demos/dropout?p=7&seed=3")
    assert learner.page.status_code == 400
    assert "p = 7.0 is not allowed" in learner.text
    assert re.search('name="p" value="7"', learner.page.text)
    assert re.search('name="seed" value="3"', learner.page.text)
    assert "Torch is being loaded" not in learner.text


def test_a_text_that_an_address_brings_is_not_run(learner):
    learner.client.get("/demos/dropout/report", params={"tab": "warm"})
    learner.get("/demos/augmentation?model=/tmp/x")
    assert "press Run if that is what you want" in learner.text
    assert "claims hold" not in learner.text
    answer = learner.client.get("/demos/augmentation/report?model=/tmp/x&tab=made-up")
    assert "another start of the server" in answer.text


def test_the_runs_to_diagnose_are_found_in_the_page(learner):
    for path in ("/pitfalls", "/demos", "/diagnose/overfitting"):
        assert 'href="/diagnose"' in learner.get(path).page.text
    assert all(f'href="/diagnose/{name}"' in learner.get("/diagnose").page.text for name in diagnoses.names())
    assert 'href="/diagnose/overfitting"' in learner.get("/search?q=diagnose+overfitting").page.text


def test_the_guide_shows_no_comments_and_its_sources_are_links(learner):
    text = learner.get("/guide").page.text
    assert "run: python" not in text
    assert "measured: regdemo" not in text
    assert '<a href="https://arxiv.org/abs/1706.03762" rel=' in text
    assert not re.search(r">[^<]*https?://[^<]*<(?!/a>)", text)


def test_a_run_to_diagnose_has_a_page_with_its_tables(learner):
    assert learner.get("/diagnose/recurrent-dropout").page.status_code == 200
    learner.get("/diagnose/recurrent-dropout/report")
    assert "one mask per sequence" in learner.page.text


@pytest.mark.parametrize(
    "path", ["/nothing", "/demos/nothing", "/pitfalls/nothing", "/diagnose/nothing", "/katas/nothing"]
)
def test_what_is_not_there_has_a_page_with_a_way_on(learner, path):
    assert learner.get(path).page.status_code == 404
    assert "Go to today" in learner.text
