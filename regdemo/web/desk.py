"""The learner's sessions as the pages drive them: one quiz and one interview, which any number of tabs show.

Every method runs in the history's thread, where it is open. The rules are the Session's and Practice's; what is
kept here is what a page has to show again when it is reloaded.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from regdemo import catalog
from regdemo.quiz import goal as goals
from regdemo.quiz import history, progress, selection, session
from regdemo.quiz import practice as practices
from regdemo.quiz.outcome import AnswerVerdict

if TYPE_CHECKING:
    from regdemo.quiz.cards import Card
    from regdemo.quiz.decks import Bank
    from regdemo.quiz.goal import Goal
    from regdemo.quiz.history import Review
    from regdemo.quiz.outcome import GradeChoice, Outcome
    from regdemo.quiz.practice import Practice, Today
    from regdemo.quiz.progress import Topic
    from regdemo.quiz.schedule import Rating
    from regdemo.quiz.session import Question, Reply, Session

MOST_KEPT = 100  # outcomes that can be looked at again
WEAK_TOPICS = 3  # topics that are named
INTERVIEW_OVER = (
    "This interview is over, as it is when the server is started again: what you sent was not taken. The answers that "
    "were graded are kept and count; those that waited for their grade do not count."
)


@dataclass(frozen=True)
class Wanted:
    """What a session is to ask, as its form says it."""

    ids: Sequence[str] = ()
    topics: Sequence[str] = ()
    kinds: Sequence[str] = ()
    tags: Sequence[str] = ()
    new: int | None = None
    limit: int | None = None
    cram: bool = False
    flagged: bool = False


@dataclass
class AnsweredQuestion:
    """A question that was answered, and what it came to."""

    question: Question
    outcome: Outcome


class LearnerSite(Protocol):
    """Whose learner it is: the folder of the history, the bank, the clock, and how a command in a message is typed."""

    home: Path
    now: Callable[[], datetime]
    typed: Callable[[str], str]

    @property
    def bank(self) -> Bank:
        """The cards."""


@dataclass
class WebDesk:
    """See the module."""

    site: LearnerSite
    quiz: Session | None = None
    mock: Session | None = None
    answered: OrderedDict[str, AnsweredQuestion] = field(default_factory=OrderedDict)  # by the id of the review
    drafts: dict[str, dict[str, list[str]]] = field(default_factory=dict)  # forms as sent, by the id of the review
    notice: str = ""  # to be said once
    _history: history.History | None = None

    @property
    def history(self) -> history.History:
        """The history, opened at the first need."""
        if self._history is None:
            self._history = history.History(self.site.home)
            self.notice = self.site.typed(self._history.notice)
        return self._history

    def practice(self) -> Practice:
        """The learner at this moment."""
        return practices.Practice(self.site.bank, self.history, self.site.home, self.site.now)

    def close(self) -> None:
        """Let go of the history."""
        if self._history:
            self._history.close()

    def history_of(self, id: str) -> list[Review]:
        """A card's reviews, oldest first."""
        return self.history.reviews(id)

    # Today

    def today(self) -> Today:
        """What there is to do now."""
        return self.practice().today()

    def today_and_topics(self) -> tuple[Today, list[Topic]]:
        """What there is to do now, and the topics that were begun and are recalled least, the worst first."""
        now = self.practice()
        topics = progress.topics(now.askable, now.states, now.now(), now.settings)
        return now.today(), progress.weakest(topics)[:WEAK_TOPICS]

    def aim(self, goal: Goal) -> None:
        """Keep another goal."""
        goals.write(self.site.home, goal)

    # The quiz

    def start(self, wanted: Wanted) -> None:
        """Begin a quiz. What the old one saved stays saved."""
        now = self.practice()
        cards = selection.narrow(
            self.site.bank,
            ids=wanted.ids,
            topics=wanted.topics,
            kinds=wanted.kinds,
            tags=wanted.tags,
            groups=catalog.stems_by_place(),
        )
        if wanted.flagged:
            marked = self.history.flagged()
            cards = [card for card in cards if card.id in marked]
        named = bool(wanted.ids or wanted.flagged)
        cards = now.choose(cards, new=wanted.new, limit=wanted.limit, cram=wanted.cram, named=named)
        self.quiz = now.session(cards, policy=session.CRAM if wanted.cram else session.QUIZ)
        self.drafts.clear()

    def running(self) -> bool:
        """Whether the quiz has a question to answer."""
        return self.quiz is not None and self.quiz.question is not None

    def session(self) -> Session:
        """The quiz; of a server that was started again, one with the cards that are due."""
        if self.quiz is None:
            self.start(Wanted())
        assert self.quiz
        return self.quiz

    def answer(self, token: str, response: str) -> str:
        """Take an answer; return the id of its outcome. Raises UnreadableAnswer, StaleQuestion."""
        quiz = self.session()
        question = quiz.question_of(token)
        return self._keep(question, self._enter(quiz, quiz.answer, token, response))

    def rate(self, token: str, rating: int | None, made: Sequence[int], response: str) -> str:
        """Take the learner's own grade; return the id of its outcome."""
        quiz = self.session()
        question = quiz.question_of(token)
        points = made if question.asked.key_points else None
        return self._keep(question, self._enter(quiz, quiz.rate, token, rating, made=points, response=response))

    def skip(self, token: str) -> str:
        """Go on without an answer; return the id of the outcome, which has the right answer."""
        quiz = self.session()
        question = quiz.question_of(token)
        return self._keep(question, self._enter(quiz, quiz.skip, token))

    def hint(self, token: str) -> None:
        """Show one more hint."""
        self.session().hint(token=token)

    def undo(self, shown: str = "") -> None:
        """Take the last answer back. shown: the id of the answer on the page, if the last one must be that one."""
        quiz = self.session()
        last = quiz.last
        if shown and not self.history.find(shown):
            self.notice = "Nothing is taken back: your answer was not saved yet, and can be changed."
            return
        if shown and last and last.id != shown:
            self.notice = f"Nothing is taken back: the last answer is the one to {last.card}."
            return
        review = quiz.undo()
        if review:
            self.answered.pop(review.id, None)
            self.notice = f"Took back your answer to {review.card}: its question is asked again."
        else:
            self.notice = "There is nothing to undo."

    def follow_up(self, id: str) -> None:
        """Ask a card next."""
        self.session().follow_up(id)

    def flag(self, id: str) -> None:
        """Flag a card, or take its flag off."""
        self.session().flag(self.site.bank.find(id))

    def flagged(self, card: Card) -> bool:
        """Whether a card is flagged."""
        return card.id in self.history.flagged()

    def suggest(self, token: str, made: int) -> tuple[tuple[GradeChoice, ...], Rating]:
        """The grades of a question, and the one that so many key points suggest."""
        quiz = self.session()
        return quiz.grades(token), quiz.suggest(made, quiz.question_of(token))

    def say_once(self) -> str:
        """What is to be said on the next page."""
        notice, self.notice = self.notice, ""
        return notice

    def _enter(
        self, session: Session, act: Callable[..., Outcome | None], token: str, *entered: Any, **named: Any
    ) -> Outcome | None:
        """Do something with the question of a token; what it comes to. Where it changes nothing, that is said."""
        late = session.is_settled(token)
        found = act(*entered, token=token, **named)
        if late:
            did = "skipped" if found and found.verdict is AnswerVerdict.SKIPPED else "answered"
            saved = f", and saved as {found.rating.title}" if found and found.rating else ""
            id = session.question_of(token).card.id
            self.notice = f"{id} was {did} already, perhaps in another tab{saved}: what you sent now is not kept."
        return found

    def _keep(self, question: Question, found: Outcome | None) -> str:
        assert found  # a quiz tells at once
        self.answered[question.review_id] = AnsweredQuestion(question, found)
        self.answered.move_to_end(question.review_id)
        while len(self.answered) > MOST_KEPT:
            self.answered.popitem(last=False)
        if found.rating is not None:
            self.drafts.pop(question.review_id, None)
        return question.review_id

    # The interview

    def start_mock(self, minutes: float, limit: int | None, topics: Sequence[str], tags: Sequence[str]) -> None:
        """Begin an interview, unless one is under way, which is said."""
        self.leave_mock()
        if self.mock:
            self.notice = "An interview is under way, perhaps in another tab: end it before you begin another one."
            return
        cards = selection.narrow(self.site.bank, topics=topics, tags=tags, groups=catalog.stems_by_place())
        self.mock = self.practice().mock(cards, minutes=minutes, limit=limit)

    def interview(self) -> Session | None:
        """The interview that a form is about. None if there is none, which is said: it ends with its server."""
        if not self.mock:
            self.notice = INTERVIEW_OVER
        return self.mock

    def answer_mock(self, token: str, response: str, sure: float | None) -> None:
        """Take an answer of the interview."""
        if mock := self.interview():
            self._enter(mock, mock.answer, token, response, sure=sure)

    def skip_mock(self, token: str) -> None:
        """Go on to the next question."""
        if mock := self.interview():
            self._enter(mock, mock.skip, token)

    def undo_mock(self) -> None:
        """Take the last answer of the interview back."""
        if mock := self.interview():
            mock.undo()

    def end_mock(self) -> None:
        """Ask no more."""
        if mock := self.interview():
            mock.end()

    def leave_mock(self) -> None:
        """Make room for another interview, once this one has nothing to ask and nothing to grade."""
        if self.mock and not self.mock.question and not self.ungraded():
            self.mock = None

    def grade_mock(self, review: str, rating: int | None, made: Sequence[int]) -> None:
        """Grade one of the answers that wait. One that was graded before stays as it is, which is said."""
        mock = self.interview()
        reply = next((reply for reply in self.ungraded() if reply.review.id == review), None)
        if mock and reply:
            points = reply.question.asked.key_points
            mock.regrade(reply, rating, made=made if points and (made or rating is None) else None)
        elif mock:
            self.notice = "That answer was graded already, perhaps in another tab: what you sent now is not kept."

    def ungraded(self) -> list[Reply]:
        """The answers of the interview that wait for their learner's grade."""
        return [reply for reply in self.mock.replies if not reply.graded] if self.mock else []
