"""The learner's sessions as the pages drive them: one quiz and one interview, whatever number of tabs look at them.

Every method runs in the practice thread, where the history is open. Rules live in the Session; what is kept here is
what a page has to show again when it is reloaded.
"""

from __future__ import annotations

import random
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from regdemo.quiz import fitting, history, interview, schedule, selection, session, states
from regdemo.quiz.grading import UnreadableAnswer
from regdemo.quiz.outcome import Outcome
from regdemo.quiz.schedule import Plan
from regdemo.quiz.session import CRAM, MOCK, QUIZ, Question, Reply, Session, StaleQuestion

if TYPE_CHECKING:
    from regdemo.quiz.cards import Card
    from regdemo.web.site import Site

KEPT = 100  # outcomes that can be looked at again
MOST = 1_000  # questions of an interview
NEW = 10


@dataclass(frozen=True)
class Wanted:
    """What a session is to ask, as its form says it."""

    ids: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    new: int | None = None
    limit: int | None = None
    cram: bool = False
    flagged: bool = False


@dataclass
class Told:
    """A question that was answered, and what it came to."""

    question: Question
    outcome: Outcome
    flagged: bool = False


@dataclass
class Practice:
    """See the module."""

    site: Site
    quiz: Session | None = None
    mock: Session | None = None
    told: OrderedDict[str, Told] = field(default_factory=OrderedDict)  # by the id of the review
    drafts: dict[str, str] = field(default_factory=dict)  # what was typed so far, by the id of the review
    notice: str = ""  # to be said once
    _history: history.History | None = None

    @property
    def history(self) -> history.History:
        """The history, opened at the first need."""
        if self._history is None:
            self._history = history.History(self.site.home)
            self.notice = self._history.notice
        return self._history

    def plan(self) -> Plan:
        """What decides when a card comes again."""
        return schedule.Plan(parameters=fitting.parameters(self.site.home))

    def states(self) -> dict[str, schedule.CardState]:
        """Each card's state now."""
        return states.card_states(self.history, self.plan(), self.site.cache)

    def close(self) -> None:
        """Let go of the history."""
        if self._history:
            self._history.close()

    def counts(self) -> dict[str, int]:
        """How many cards there are, are due now, and were never answered."""
        known, now = self.states(), self.site.now()
        cards = [card.id for card in self.site.bank.cards if card.kind != "code"]
        return {
            "cards": len(cards),
            "due": sum(known[id].due <= now for id in cards if id in known),
            "fresh": sum(id not in known for id in cards),
        }

    def days(self) -> dict[date, int]:
        """How many answers there were on each of the last days."""
        found: Counter[date] = Counter()
        for at in self.history.times():
            day = date.fromtimestamp(at / 1_000_000)
            found[day] += 1
            if len(found) > 366:
                break
        return found

    # The quiz

    def start(self, wanted: Wanted) -> None:
        """Begin a quiz. What the old one saved stays saved."""
        bank, known = self.site.bank, self.states()
        cards = selection.narrow(bank, ids=wanted.ids, topics=wanted.topics, kinds=wanted.kinds, tags=wanted.tags)
        if wanted.flagged:
            marked = self.history.flagged()
            cards = [card for card in cards if card.id in marked]
        cards = [card for card in cards if card.kind != "code"]
        if wanted.ids or wanted.flagged:
            cards = cards[: wanted.limit]
        else:
            cards = selection.pick(
                cards,
                known,
                self.site.now(),
                new=NEW if wanted.new is None else wanted.new,
                limit=wanted.limit,
                cram=wanted.cram,
            )
        self.quiz = Session(
            cards,
            self.history,
            known,
            seed=random.SystemRandom().randrange(2**32),
            now=self.site.now,
            policy=CRAM if wanted.cram else QUIZ,
            plan=self.plan(),
            bank=bank.cards,
        )
        self.drafts.clear()

    def session(self) -> Session:
        """The quiz; of a server that was started again, one with the cards that are due."""
        if self.quiz is None:
            self.start(Wanted())
        assert self.quiz
        return self.quiz

    def answer(self, token: str, response: str) -> str:
        """Take an answer; the id under which its outcome is told. Raises UnreadableAnswer, StaleQuestion."""
        quiz = self.session()
        question = self._question(quiz, token)
        self.drafts[question.review] = response
        found = quiz.answer(response, token=token)
        assert found
        return self._keep(question, found)

    def rate(self, token: str, rating: int | None, made: Sequence[int], response: str) -> str:
        """Take the learner's own grade; the id under which its outcome is told."""
        quiz = self.session()
        question = self._question(quiz, token)
        found = quiz.rate(rating, made=made if question.asked.key_points else None, response=response, token=token)
        assert found
        return self._keep(question, found)

    def skip(self, token: str) -> str:
        """Go on without an answer; the id under which what would have been right is told."""
        quiz = self.session()
        question = self._question(quiz, token)
        found = quiz.skip(token=token)
        assert found
        return self._keep(question, found)

    def hint(self, token: str, response: str) -> None:
        """Show one more hint, and keep what was typed."""
        quiz = self.session()
        quiz.hint(token=token)
        if quiz.question:
            self.drafts[quiz.question.review] = response

    def undo(self) -> None:
        """Take the last answer back."""
        review = self.session().undo()
        if review:
            self.told.pop(review.id, None)
            self.notice = f"Took back your answer to {review.card}: its question is asked again."
        else:
            self.notice = "There is nothing to undo."

    def follow_up(self, id: str) -> None:
        """Ask a card next."""
        self.session().follow_up(id)

    def flag(self, id: str) -> bool:
        """Flag a card, or take its flag off; whether it has one now."""
        return self.session().flag(self.site.bank.find(id))

    def flagged(self, card: Card) -> bool:
        """Whether a card is flagged."""
        return card.id in self.history.flagged()

    def suggest(self, token: str, made: int) -> tuple[Any, int]:
        """The grades of a question, and the one that so many key points suggest."""
        quiz = self.session()
        return quiz.grades(token), quiz.suggest(made, self._question(quiz, token))

    def say_once(self) -> str:
        """What is to be said on the next page."""
        notice, self.notice = self.notice, ""
        return notice

    def _question(self, of: Session, token: str) -> Question:
        current = of.question
        return current if current and current.token == token else of.question_of(token)

    def _keep(self, question: Question, found: Outcome) -> str:
        self.told[question.review] = Told(question, found)
        self.told.move_to_end(question.review)
        while len(self.told) > KEPT:
            self.told.popitem(last=False)
        if found.rating is not None:
            self.drafts.pop(question.review, None)
        return question.review

    # The interview

    def start_mock(self, minutes: float, limit: int | None, topics: Sequence[str], tags: Sequence[str]) -> None:
        """Begin an interview."""
        seed = random.SystemRandom().randrange(2**32)
        known, now = self.states(), self.site.now()
        cards = [card for card in selection.narrow(self.site.bank, topics=topics, tags=tags) if card.kind != "code"]
        lined_up = islice(interview.questions(cards, known, now, random.Random(seed)), limit or MOST)
        self.mock = Session(
            lined_up,
            self.history,
            known,
            seed=seed,
            now=self.site.now,
            policy=MOCK,
            plan=self.plan(),
            bank=self.site.bank.cards,
            deadline=now + timedelta(minutes=minutes),
        )

    def answer_mock(self, token: str, response: str, sure: float | None) -> None:
        """Take an answer of the interview. An interview that a server took with it cannot go on."""
        if self.mock:
            self.mock.answer(response, sure=sure, token=token)

    def skip_mock(self, token: str) -> None:
        """Go on to the next question."""
        if self.mock:
            self.mock.skip(token=token)

    def undo_mock(self) -> None:
        """Take the last answer of the interview back."""
        if self.mock:
            self.mock.undo()

    def end_mock(self) -> None:
        """Ask no more."""
        if self.mock:
            self.mock.deadline = self.site.now()

    def leave_mock(self) -> None:
        """Make room for another interview, once this one has nothing to ask and nothing to grade."""
        if self.mock and not self.mock.question and not self.ungraded():
            self.mock = None

    def grade_mock(self, review: str, rating: int | None, made: Sequence[int]) -> None:
        """Grade one of the answers that wait; one that was graded before stays as it is."""
        for reply in self.ungraded():
            if self.mock and reply.review.id == review:
                points = reply.question.asked.key_points
                self.mock.regrade(reply, rating, made=made if points and (made or rating is None) else None)

    def ungraded(self) -> list[Reply]:
        """The answers of the interview that wait for their learner's grade."""
        return [reply for reply in self.mock.replies if not reply.graded] if self.mock else []


__all__ = ["Practice", "StaleQuestion", "Told", "UnreadableAnswer", "Wanted", "session"]
