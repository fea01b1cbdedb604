"""What an assistant may see and do: a quiz and a mock interview over the learner's own history, as plain values.

The rules are those of `quiz.session`. One is added, so that the assistant need not keep it: a recall answer is on the
disk before the model answer is returned; it counts once it is graded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from regdemo import catalog, search
from regdemo.errors import ArgumentError
from regdemo.kata import judge, katas
from regdemo.quiz import history as histories
from regdemo.quiz import kinds, progress, selection
from regdemo.quiz import mock as mocks
from regdemo.quiz import practice as practices
from regdemo.quiz.cards import LETTERS, Card
from regdemo.quiz.decks import Bank
from regdemo.quiz.history import History
from regdemo.quiz.outcome import AnswerVerdict, Outcome, as_plain
from regdemo.quiz.practice import Practice
from regdemo.quiz.schedule import Mode, Rating
from regdemo.quiz.session import Policy, Reply, Session

# A failed card does not come again within an interview; the schedule brings it back.
ASSISTANT = Policy(Mode.QUIZ, grades_later=True, repeats=False)
GRADER = "assistant"
LONGEST_QUIZ = 20  # cards
LONGEST_RESPONSE = 20_000  # characters of a response
REPORTS = 5  # that are kept


class McpDesk:
    """One learner with one assistant. The history is opened at its first use, by the thread that uses it.

    bank_path: where the bank lies, which judged code must not read.  seed: fixes what is drawn, for tests.
    """

    def __init__(
        self, bank: Bank, bank_path: Path, home: Path, now: Callable[[], datetime], *, seed: int | None = None
    ) -> None:
        self._bank = bank
        self._bank_path = bank_path
        self._home = home
        self._now = now
        self._seed = seed
        self._history: History | None = None
        self._quiz: Session | None = None
        self._wanted: tuple[Any, ...] = ()
        self._mock: Session | None = None
        self._finished = False  # whether the interview is at its end, and feedback may be given
        self._judge: judge.Judge | None = None
        self.reports: list[dict[str, Any]] = []  # of demos and pitfalls, the latest first

    def close(self) -> None:
        """Let go of the history, and end the judge's process."""
        if self._history:
            self._history.close()
        if self._judge:
            self._judge.close()

    # Questions

    def next_question(self, topic: str = "", level: str = "", kind: str = "") -> dict[str, Any]:
        """The next question, without its answer: what is due, then new cards, as every other face asks them.

        While a mock interview lasts, its next question, and after undo the one that was taken back; topic, level and
        kind then change nothing.
        """
        session = self._mock
        if session is None:
            quiz, wanted = self._quiz, (topic, level, kind)
            if quiz is None or quiz.question is None or not (quiz.retaken or wanted == self._wanted):
                for reply in quiz.replies if quiz else ():
                    if not reply.graded:
                        raise ArgumentError(f"{reply.question.card.id} waits for its grade: call grade_recall, or undo")
                quiz = self._quiz = self._new_quiz(topic, level, kind)
                self._wanted = wanted
            session = quiz
        question = session.question
        if question is None:
            if session is self._mock:
                return {"done": True, "say": "The interview is over: call finish_mock for the score card."}
            return {
                "done": True,
                "say": "Nothing is due and today's new cards are met: name a topic, or stop for today.",
            }
        shown = question.as_plain()
        if session.time_left is not None:
            shown["seconds_left"] = round(session.time_left.total_seconds())
        form = "word for word" if question.self_graded else kinds.find_kind(question.card.kind).allowed
        shown["how"] = f"Ask it aloud, wait for the learner's own answer, then call submit_answer with it: {form}"
        return shown

    def submit_answer(self, token: str, response: str, sure: int | None = None) -> dict[str, Any]:
        """Record a response and, outside a mock interview, return what it came to."""
        session = self._session_of(token)
        question = session.question_of(token)
        if question.self_graded and session is not self._mock and not response.strip():
            raise ArgumentError("the response is empty: ask the learner to answer, or call skip")
        found = session.answer(response, sure=None if sure is None else sure / 100, token=token)
        if found is None:
            return {"recorded": True, "say": "No feedback in a mock interview: ask the next question."}
        if found.verdict is not AnswerVerdict.UNGRADED:
            return _outcome_as_plain(found)
        return {
            "recorded": True,
            "key_points": [point._asdict() for point in found.key_points],
            "model_answer": found.answer,
            "next": "Compare with the key points, then call grade_recall with the letters of those that were made.",
            **_where(found),
        }

    def grade_recall(self, token: str, made: Sequence[str]) -> dict[str, Any]:
        """Grade a recorded recall answer by the letters of the key points that were made. Once for each answer."""
        session = self._session_of(token)
        if session is self._mock and not self._finished:
            raise ArgumentError("a mock interview is graded at its end: call finish_mock first")
        reply = _find(session, token)
        if reply is None:
            raise ArgumentError("no response was recorded for this question: call submit_answer first")
        if not reply.question.self_graded:
            raise ArgumentError(f"{reply.question.card.id} was graded by its own answer: there is nothing to grade")
        if reply.graded:
            raise ArgumentError(f"{reply.question.card.id} is graded already: undo takes the answer back")
        letters = LETTERS[: len(reply.question.asked.key_points)]
        wrong = sorted({letter for letter in made if letter not in letters or len(letter) != 1})
        if wrong:
            raise ArgumentError(f"{wrong[0]!r} isn't a key point of this card: its letters are {letters or 'none'}")
        places = {letters.index(letter) for letter in made}
        if letters:
            reply = session.regrade(reply, made=places, graded_by=GRADER)
        else:
            reply = session.regrade(reply, Rating.GOOD, graded_by=GRADER)
        return _outcome_as_plain(reply.outcome)

    def skip(self, token: str) -> dict[str, Any]:
        """Go on without an answer. Outside a mock interview, what would have been right."""
        session = self._session_of(token)
        outcome = session.skip(token)
        return {"skipped": True} if outcome is None else _outcome_as_plain(outcome)

    def hint(self, token: str) -> dict[str, Any]:
        """The next hint of the current question."""
        self._not_in_a_mock("gives no hints")
        session = self._session_of(token)
        found = session.hint(token)
        question = session.question
        assert question
        return {
            "hint": found or "",
            "hints_left": question.hints_left,
            "best_grade": question.best.name.lower(),
            "token": question.token,
        }

    def undo(self) -> dict[str, Any]:
        """Take back the last answer; its question comes next."""
        session = self._mock or self._quiz or self._new_quiz()
        self._quiz = self._quiz or session
        review = session.undo()
        return {"undone": review.card if review else None}

    # A mock interview

    def start_mock(self, minutes: int, topic: str = "", level: str = "") -> dict[str, Any]:
        """Begin a mock interview. Raises ArgumentError while one lasts."""
        if self._mock is not None:
            raise ArgumentError("a mock interview is under way: call finish_mock first")
        practice = self._practice()
        self._finished = False
        self._mock = practice.mock(self._narrow(topic, level, ""), minutes=minutes, seed=self._seed)
        return {
            "minutes": minutes,
            "rules": "No hints, no demos, no feedback until finish_mock. Ask how sure the learner is of each answer.",
            "question": self.next_question(),
        }

    def finish_mock(self) -> dict[str, Any]:
        """The score card. Recall answers that still wait for a grade come with their key points; call again after."""
        if self._mock is None:
            raise ArgumentError("there is no mock interview: call start_mock")
        self._finished = True
        replies = self._mock.replies
        waiting = [reply for reply in replies if not reply.graded]
        card = score_card(replies)
        if waiting:
            card["to_grade"] = [
                {
                    "token": reply.question.token,
                    "id": reply.question.card.id,
                    "question": reply.question.asked.question,
                    "response": reply.review.response,
                    "key_points": [point._asdict() for point in reply.outcome.key_points],
                    "model_answer": reply.outcome.answer,
                }
                for reply in waiting
            ]
            card["next"] = "Call grade_recall for each of to_grade, then finish_mock once more."
        else:
            self._mock = None
            if self._quiz and all(reply.graded for reply in self._quiz.replies):
                self._quiz = None  # the last answer, which undo takes back, is the interview's
        return card

    # Everything else

    def search(self, words: str, most: int) -> dict[str, Any]:
        """What there is, without the text of answers."""
        self._not_in_a_mock("allows no look-ups")
        shown = [kind for kind in search.KINDS if kind != "diagnosis"]  # which no tool runs
        hits = search.find(words, search.documents(self._bank, search.guide()), kinds=shown, most=most)
        return {"hits": [{"kind": hit.kind, "name": hit.name, "title": hit.title} for hit in hits]}

    def run_demo(self, name: str, parameters: dict[str, Any], seed: int) -> dict[str, Any]:
        """A demo's report, with its claims and measurements."""
        self._not_in_a_mock("allows no demos")
        return self._kept(catalog.run_demo(name, parameters, seed).as_dict())

    def show_pitfall(self, name: str) -> dict[str, Any]:
        """A pitfall's report: the snippet, what it does, and its fix."""
        self._not_in_a_mock("allows no look-ups")
        return self._kept(catalog.run_pitfall(name).as_dict())

    def check_code(self, name: str, source: str) -> dict[str, Any]:
        """Judge a kata's source in the sandbox. Nothing is saved: the learner's own files are `regdemo kata`'s."""
        found = katas.find(katas.katas(self._bank.cards), name)
        if self._judge is None:
            self._judge = judge.Judge([self._bank_path, self._home])
        return {"kata": found.name, "starter": found.starter, **as_plain(self._judge.check(found, source))}

    def katas(self) -> dict[str, Any]:
        """The katas by name, each with its task and its starter."""
        found = katas.katas(self._bank.cards)
        return {
            "katas": [{"name": name, "task": one.card.question, "starter": one.starter} for name, one in found.items()]
        }

    def plan(self) -> dict[str, Any]:
        """The learner's plan up to the interview, and what is due now."""
        practice = self._practice()
        found: dict[str, Any] = {"today": as_plain(practice.today()), "goal": as_plain(practice.goal)}
        if practice.goal.minutes and practice.today().days_left is not None:
            found["forecast"] = as_plain(practice.forecast())
        return found

    def stats(self) -> dict[str, Any]:
        """What the history says about the learner."""
        practice = self._practice()
        overview = progress.overview(practice)
        found = as_plain(overview)
        found["topics"] = as_plain(progress.weakest(overview.topics)[:20])
        found["weak"] = [
            {"id": weak["card"]["id"], "question": weak["card"]["question"]} for weak in found["weak"][:10]
        ]
        found.pop("practised", None)
        result: dict[str, Any] = found
        return result

    def headings(self) -> list[tuple[str, str, str]]:
        """Each card's topic, id and question, without its answer."""
        return [(card.topic, card.id, card.first_line) for card in self._bank.cards]

    # Inside

    def _kept(self, report: dict[str, Any]) -> dict[str, Any]:
        self.reports = [report, *self.reports][:REPORTS]
        return report

    def _practice(self) -> Practice:
        if self._history is None:
            self._history = histories.History(self._home)
        return practices.Practice(self._bank, self._history, self._home, self._now)

    def _narrow(self, topic: str, level: str, kind: str) -> list[Card]:
        return selection.narrow(
            self._bank,
            topics=[topic] if topic else [],
            tags=[level] if level else [],
            kinds=[kind] if kind else [],
            groups=catalog.stems_by_place(),
        )

    def _new_quiz(self, topic: str = "", level: str = "", kind: str = "") -> Session:
        practice = self._practice()
        new = LONGEST_QUIZ if topic or level or kind else None
        cards = practice.choose(self._narrow(topic, level, kind), new=new, limit=LONGEST_QUIZ)
        return practice.session(cards, seed=self._seed, policy=ASSISTANT)

    def _session_of(self, token: str) -> Session:
        """The session that asked a question; for one that was asked before the server began, the quiz."""
        if self._mock is not None:
            return self._mock
        if self._quiz is None:
            self._quiz = self._new_quiz()
        return self._quiz

    def _not_in_a_mock(self, rule: str) -> None:
        if self._mock is not None and not self._finished:
            raise ArgumentError(f"a mock interview {rule}: go on with next_question, or call finish_mock")


def _find(session: Session, token: str) -> Reply | None:
    """The reply to the question of a token, if there is one."""
    review_id = session.question_of(token).review_id
    return next((reply for reply in session.replies if reply.question.review_id == review_id), None)


def score_card(replies: Sequence[Reply]) -> dict[str, Any]:
    """What an interview came to: topic by topic, sure against right, and each answer with what it left out."""
    score = mocks.score(replies)
    return {
        "asked": score.asked,
        "right": score.right,
        "ungraded": score.asked - score.graded,
        "topics": [{"topic": each.topic, "right": each.right, "asked": each.asked} for each in score.topics],
        "calibration": as_plain(score.calibration),
        "answers": [
            {
                "id": reply.question.card.id,
                "question": reply.question.asked.question,
                "response": reply.review.response,
                "verdict": reply.outcome.verdict.value if reply.graded else AnswerVerdict.UNGRADED.value,
                "left_out": list(reply.outcome.missed_points) if reply.graded else [],
                "see_it": list(reply.outcome.see_it),
            }
            for reply in replies
        ],
    }


def _outcome_as_plain(outcome: Outcome) -> dict[str, Any]:
    """What a graded answer came to."""
    return {
        "verdict": outcome.verdict.value,
        "share": outcome.share,
        "grade": outcome.rating.name.lower() if outcome.rating else None,
        "why": outcome.why,
        "reasons": [as_plain(reason) for reason in outcome.reasons],
        "answer": outcome.answer,
        "key_points": [as_plain(point) for point in outcome.key_points],
        "next_due": outcome.due.isoformat() if outcome.due else None,
        **_where(outcome),
    }


def _where(outcome: Outcome) -> dict[str, Any]:
    return {
        "see_it": list(outcome.see_it),
        "sources": list(outcome.sources),
        "follow_ups": list(outcome.follow_ups),
    }
