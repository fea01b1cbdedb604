"""One practice session: what is asked, what an answer comes to, and the answer on the disk before the next question.

Every face (terminal, page, assistant) drives this `Session`; nothing here reads, prints or knows a subject. A face
shows `session.question`, enters what the learner did, and shows the `Outcome` that comes back:

    >>> from datetime import UTC, datetime
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> from regdemo.quiz.cards import Card, Option
    >>> from regdemo.quiz.history import History
    >>> options = (Option("1/2", True, "Half are kept."), Option("2", False, "That is 1/(1-p)."))
    >>> card = Card("Q1", "choice", "p is 0.5. What fraction is kept?", "", Path("d.md"), 1, options=options)
    >>> history = History(Path(mkdtemp()))
    >>> session = Session([card], history, {}, seed=0, now=lambda: datetime(2026, 3, 1, 9, tzinfo=UTC))
    >>> [option.text for option in session.question.asked.options]
    ['1/2', '2']
    >>> outcome = session.answer("b")
    >>> outcome.verdict, [(option.letter, option.pick.value, option.why) for option in outcome.reasons]
    (<AnswerVerdict.WRONG: 'Wrong'>, [('a', 'missed', 'Half are kept.'), ('b', 'wrong', 'That is 1/(1-p).')])
    >>> session.question.notes  # it failed, so it comes again; until the end, when `question` is None
    (<Note.COMES_AGAIN: 'You answered this card earlier in this session.'>,)
    >>> session.undo().rating, session.replies
    (<Rating.AGAIN: 1>, [])
    >>> history.close()

- `question` stays the same until it is answered, rated or skipped. Its `token` is a string that a form or a tool call
  carries: each method takes it back as `token=`. The same token twice is saved once, and the second call returns the
  first outcome; a token outlives the session (a server that restarts), and one whose card has changed or whose answer
  was taken back raises `StaleQuestion`. Without a token the current question is meant.
- `answer(response)` grades choice, multi, numeric, cloze and predict cards and saves them. For a recall card it saves
  nothing: it returns the answer, the key points and the grades with their due dates; then `rate(rating)` or
  `rate(made={0, 2})` (the places of the key points that were made) saves it. An answer that cannot be read raises
  `UnreadableAnswer`, and the question stays.
- `hint()`, `skip()`, `flag()`, `undo()`, `follow_up(id)`, `regrade(reply, ...)` and `end()` do what they say.
- The `Policy` decides the rest. Under MOCK feedback comes at the end: `answer` saves, returns None, and `replies` hold
  the outcomes; recall answers are kept, and count once `regrade` has graded them.
- `Question.as_plain()` and `outcome.as_plain(...)` are JSON.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, NamedTuple
from uuid import uuid4

from regdemo.errors import ArgumentError
from regdemo.quiz import kinds, outcome, schedule
from regdemo.quiz.cards import LETTERS, Asked, Card
from regdemo.quiz.history import History, Review
from regdemo.quiz.kinds.base import Grade
from regdemo.quiz.schedule import DEFAULT_SETTINGS, LEARNER, NOBODY, CardState, Mode, Rating, SchedulerSettings

MOST_ASKED = 3  # how often a card that keeps failing is asked in one session


class StaleQuestion(ArgumentError):
    """A token whose question can no longer be answered: its card has changed or gone, or the answer was taken back."""


class Policy(NamedTuple):
    """What a session is for.

    mode: what its reviews say the learner did.  feedback_at_end: no feedback until the end.  grades_later: `answer`
    keeps a recall answer, which counts once `regrade` has graded it.  repeats: a failed card comes again.
    """

    mode: Mode
    feedback_at_end: bool = False
    grades_later: bool = False
    repeats: bool = True


QUIZ = Policy(Mode.QUIZ)
CRAM = Policy(Mode.CRAM)
MOCK = Policy(Mode.MOCK, feedback_at_end=True, grades_later=True, repeats=False)


class Note(Enum):
    """What to say with a question."""

    ANSWER_CHANGED = "The answer to this card has changed since you last gave one."
    FOLLOW_UP = "A follow-up to the question before."
    COMES_AGAIN = "You answered this card earlier in this session."


class Question(NamedTuple):
    """A card as it is asked. hints: those shown so far; number, left: progress; review_id: of its review to be."""

    asked: Asked
    number: int
    left: int
    notes: tuple[Note, ...]
    hints: tuple[str, ...]
    review_id: str
    session: str
    seed: int
    draw: int
    since: int  # microseconds since 1970

    @property
    def card(self) -> Card:
        """The card that is asked."""
        return self.asked.card

    @property
    def self_graded(self) -> bool:
        """Whether the learner grades the answer, as on a recall card."""
        return kinds.find_kind(self.card.kind).self_graded

    @property
    def hints_left(self) -> int:
        """How many hints the card still has."""
        return len(self.asked.hints) - len(self.hints)

    @property
    def best(self) -> Rating:
        """The best rating that this question can still get: Easy for a recall card, else Good; each hint lowers it."""
        best = Rating.EASY if self.self_graded else Rating.GOOD
        return Rating(max(Rating.AGAIN, best - len(self.hints)))

    @property
    def token(self) -> str:
        """All that is needed to take the answer later, in another session too."""
        parts = [self.card.id, self.session, self.review_id, self.seed, self.draw, self.since, len(self.hints)]
        text = json.dumps([*parts, fingerprint(self.card)], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def as_plain(self) -> dict[str, Any]:
        """What a face may show before the answer, as JSON."""
        asked, card = self.asked, self.card
        return {
            "token": self.token,
            "id": card.id,
            "kind": card.kind,
            "topic": card.topic,
            "tags": list(card.tags),
            "text": asked.question,
            "options": [
                {"letter": letter, "text": option.text} for letter, option in zip(LETTERS, asked.options, strict=False)
            ],
            "gaps": len(asked.blanks),
            "hints": list(self.hints),
            "hints_left": self.hints_left,
            "best": self.best.name.lower(),
            "number": self.number,
            "left": self.left,
            "notes": [note.name.lower() for note in self.notes],
        }


@dataclass
class Reply:
    """A question with its answer. graded: False while a recall answer waits for its grade, and does not count."""

    question: Question
    review: Review
    outcome: outcome.Outcome
    graded: bool = True
    before: CardState | None = None
    again: bool = False

    @property
    def right(self) -> bool:
        """Whether it counts as recalled."""
        return Rating(self.review.rating).right


class Session:
    """Cards asked one by one. See the module for how to drive it.

    A card that fails comes again at the end, until it is right or was asked MOST_ASKED times. What is drawn for a card
    follows from the seed, its id and how often it was asked, not from the other cards.

    states: what the scheduler knows of the cards.  now: the clock.  bank: every card that a follow-up, an undo or an
    old token may name; without it, `cards`.  deadline: no new question after it.
    """

    def __init__(
        self,
        cards: Iterable[Card],
        history: History,
        states: Mapping[str, CardState],
        *,
        seed: int,
        now: Callable[[], datetime],
        policy: Policy = QUIZ,
        settings: SchedulerSettings = DEFAULT_SETTINGS,
        bank: Iterable[Card] = (),
        deadline: datetime | None = None,
    ) -> None:
        self.states = dict(states)
        self.policy = policy
        self.deadline = deadline
        self.replies: list[Reply] = []
        self._queue = deque(cards)
        self._bank = {card.id: card for card in [*bank, *self._queue]}
        self._history = history
        self._seed = seed
        self.now = now
        self._settings = settings
        self.id = uuid4().hex
        self._asked: dict[str, Card] = {}  # what was asked, in its order, by the id of the review
        self._question: Question | None = None
        self._response = ""  # to a recall card that waits for its grade
        self.retaken = False  # whether the next question is of an answer that was taken back, the deadline or not
        self._settled: dict[str, outcome.Outcome | None] = {}  # by the id of the review
        self._undone: set[str] = set()

    # What to show

    @property
    def question(self) -> Question | None:
        """What waits for an answer; None at the end."""
        if self._question is None and self._queue and (self.retaken or not self._time_is_up()):
            self._ask(self._queue.popleft())
        return self._question

    @property
    def right(self) -> int:
        """How many answers of this session count as recalled."""
        return sum(reply.right for reply in self.replies)

    @property
    def time_left(self) -> timedelta | None:
        """Until the deadline, if there is one; never less than nothing."""
        return max(timedelta(), self.deadline - self.now()) if self.deadline else None

    @property
    def last(self) -> Review | None:
        """The answer that `undo` takes back."""
        if self.replies:
            return self.replies[-1].review
        return None if self.policy.feedback_at_end else self._last_review()

    def grades(self, token: str | None = None) -> tuple[outcome.GradeChoice, ...]:
        """The ratings that the question can still get, each with when the card would be due."""
        return self._grades(self.question_of(token))

    def suggest(self, made: int, question: Question | None = None) -> Rating:
        """The rating that so many key points come to: all is Good, half of them Hard, fewer Again; at most `best`."""
        question = question or self._current()
        points = len(question.asked.key_points)
        rating = outcome.grade_recall(made, points) if points else Rating.GOOD
        return min(rating, question.best)

    def question_of(self, token: str | None = None) -> Question:
        """The question of a token; of the current one's token, or without one, the current one.

        Raises StaleQuestion for a token that can no longer be answered, ArgumentError where nothing waits.
        """
        if token is None:
            return self._current()
        read = self._read(token)
        current = self._question
        return current if current and current.review_id == read.review_id else read

    def is_settled(self, token: str) -> bool:
        """Whether the question of a token was answered or skipped before: an answer to it now changes nothing."""
        return self._find_settled(token) is not None

    # What was entered

    def hint(self, token: str | None = None) -> str | None:
        """The next hint of the card, or None when there is no more. Each lowers `question.best` by one."""
        question = self.question_of(token)
        if question is not self._question:
            raise StaleQuestion(f"{question.card.id} isn't the current question: hints are given to that one")
        if not question.hints_left:
            return None
        hint = question.asked.hints[len(question.hints)]
        self._question = question._replace(hints=(*question.hints, hint))
        return hint

    def answer(self, response: str, *, sure: float | None = None, token: str | None = None) -> outcome.Outcome | None:
        """Grade an answer and save it: wrong is Again, right is Good, or `best`. See the module on recall cards.

        sure: how sure of it the learner was, 0 to 1. Returns None where feedback comes at the end. Raises
        UnreadableAnswer, with nothing saved, where the response cannot be read.
        """
        if (settled := self._find_settled(token)) is not None:
            return settled[0]
        question = self.question_of(token)
        asked = question.asked
        if not question.self_graded:
            grade = kinds.grade(asked, response)
            rating = min(Rating.GOOD if grade.correct else Rating.AGAIN, question.best)
            return self._feedback(self._save(question, rating, grade.share, response, sure, grade))
        if self.policy.grades_later:
            return self._feedback(self._save(question, Rating.AGAIN, 0.0, response, sure, graded=not response.strip()))
        self._response = response
        return outcome.outcome_of(
            asked,
            response,
            outcome.AnswerVerdict.UNGRADED,
            0.0,
            key_points=outcome.key_points(asked, None),
            follow_ups=self._follow_ups(asked.card),
            grades=self._grades(question),
        )

    def rate(
        self,
        rating: int | None = None,
        *,
        made: Collection[int] | None = None,
        response: str | None = None,
        sure: float | None = None,
        token: str | None = None,
        graded_by: str = LEARNER,
    ) -> outcome.Outcome | None:
        """Save a recall card as the learner graded it, at most as `best`.

        made: the places of the key points that were made; without a rating they suggest it.  response: what was said,
        by default what `answer` was given.  graded_by: who or what chose the grade.
        """
        if (settled := self._find_settled(token)) is not None:
            return settled[0]
        question = self.question_of(token)
        said = self._response if response is None and question is self._question else response or ""
        rating, share = self._rated(question, rating, made)
        return self._feedback(self._save(question, rating, share, said, sure, made=made, graded_by=graded_by))

    def skip(self, token: str | None = None) -> outcome.Outcome | None:
        """Go on without an answer; the outcome says what would have been right. In an interview it counts as failed."""
        if (settled := self._find_settled(token)) is not None:
            return settled[0]
        question = self.question_of(token)
        if self.policy.feedback_at_end:
            return self._feedback(
                self._save(question, Rating.AGAIN, 0.0, "", None, verdict=outcome.AnswerVerdict.SKIPPED)
            )
        found = outcome.outcome_of(
            question.asked,
            "",
            outcome.AnswerVerdict.SKIPPED,
            0.0,
            key_points=outcome.key_points(question.asked, None),
            follow_ups=self._follow_ups(question.card),
        )
        self._settle(question, found)
        return found

    def regrade(
        self,
        reply: Reply,
        rating: int | None = None,
        *,
        made: Collection[int] | None = None,
        graded_by: str = LEARNER,
    ) -> Reply:
        """Save an answer of this session again with another grade; the old row is then undone.

        A card that is graded by itself can only be graded down. Raises ArgumentError for a grade that is too good.
        """
        question = reply.question
        best = question.best if question.self_graded else Rating(reply.review.rating)
        if rating is not None and rating > best:
            raise ArgumentError(f"{Rating(rating).title} is too good a grade for this answer: at most {best.title}")
        rating, share = self._rated(question, rating, made)
        if not question.self_graded:
            share = reply.review.share
        better = reply.review._replace(rating=rating, share=share, graded_by=graded_by, id=uuid4().hex)
        self._history.add(better)  # first, since an answer that is there twice loses nothing
        if reply.graded:
            self._history.undo(reply.review, schedule.microseconds(self.now()))
        reply.review, reply.graded = better, True
        if schedule.counts(better, self._settings):
            self.states[better.card] = schedule.after(reply.before, better, self._settings)
        reply.outcome = replace(
            reply.outcome,
            verdict=reply.outcome.verdict if not question.self_graded else _recalled(rating, share),
            share=share,
            rating=rating,
            key_points=outcome.key_points(question.asked, made),
            due=self._due(question.card),
        )
        self._settled[question.review_id] = self._feedback(reply)
        return reply

    def undo(self) -> Review | None:
        """Take back the last answer; its question comes next. None if there is none.

        The answer is kept, and a new row says that it no longer counts. Where this session has none, the last answer of
        an earlier one to a card of this bank is taken back, unless feedback comes at the end.
        """
        if self.replies:
            reply = self.replies[-1]
            if reply.graded:
                self._history.undo(reply.review, schedule.microseconds(self.now()))
            self.replies.pop()
            card, review = reply.question.card, reply.review
            if reply.before:
                self.states[card.id] = reply.before
            else:
                self.states.pop(card.id, None)
            self._undone.add(reply.question.review_id)
            self._settled.pop(reply.question.review_id, None)
            self._put_back_question()
            if reply.again and card in self._queue:
                self._queue.remove(card)
            self._put_back(reply.question)
        elif found := self.last:
            review, card = found, self._bank[found.card]
            self._history.undo(review, schedule.microseconds(self.now()))
            self._undone.add(review.id)
            self.states.pop(card.id, None)
            self.states.update(schedule.replay(self._history.reviews(card.id), self._settings))
            self._put_back_question()
            self._move_to_front(card)
        else:
            return None
        self.retaken = True
        return review

    def end(self) -> None:
        """Ask no more, the current question included."""
        self._put_back_question()
        self._queue.clear()

    def flag(self, card: Card | None = None) -> bool:
        """Flag a card, by default the current one, or take its flag off; whether it has one now."""
        id = (card or self._current().card).id
        flagged = id not in self._history.flagged()
        self._history.flag(id, schedule.microseconds(self.now()), flagged=flagged)
        return flagged

    def follow_up(self, id: str) -> None:
        """Ask a card of the bank next. Raises ArgumentError for an id that the bank does not hold."""
        if id not in self._bank:
            raise ArgumentError(f"there is no card {id[:40]!r} in this bank")
        self._put_back_question()
        self._move_to_front(self._bank[id])

    # Inside

    def _current(self) -> Question:
        if not (question := self.question):
            raise ArgumentError("the session is over: no question waits for an answer")
        return question

    def _time_is_up(self) -> bool:
        return self.deadline is not None and self.now() >= self.deadline

    def _ask(self, card: Card) -> None:
        draw = 1 + self._times(card)
        notes = []
        if card.id in self.states and self._has_changed(card):
            notes.append(Note.ANSWER_CHANGED)
        if self._asked and card.id in next(reversed(self._asked.values())).follow_ups:
            notes.append(Note.FOLLOW_UP)
        if draw > 1:
            notes.append(Note.COMES_AGAIN)
        self._response = ""
        self._question = Question(
            asked=_draw(card, self._seed, draw),
            number=1 + len(self._asked),
            left=len(self._queue),
            notes=tuple(notes),
            hints=(),
            review_id=uuid4().hex,
            session=self.id,
            seed=self._seed,
            draw=draw,
            since=schedule.microseconds(self.now()),
        )
        self._asked[self._question.review_id] = card

    def _times(self, card: Card) -> int:
        return sum(one.id == card.id for one in self._asked.values())

    def _has_changed(self, card: Card) -> bool:
        last = self._history.reviews(card.id)[-1:]
        return any(review.answer != fingerprint(card) for review in last)

    def _put_back_question(self) -> None:
        """Make the current question the next, as if it had not been asked."""
        if self._question:
            self._put_back(self._question)
            self._question = None

    def _put_back(self, question: Question) -> None:
        self._queue.appendleft(question.card)
        self._asked.pop(question.review_id, None)  # one of an earlier session was not asked in this one

    def _move_to_front(self, card: Card) -> None:
        if card in self._queue:
            self._queue.remove(card)
        self._queue.appendleft(card)

    def _last_review(self) -> Review | None:
        askable = {id for id, card in self._bank.items() if card.askable}
        return next((review for review in self._history.newest_first() if review.card in askable), None)

    def _follow_ups(self, card: Card) -> tuple[str, ...]:
        return tuple(id for id in card.follow_ups if id in self._bank and self._bank[id].askable)

    def _grades(self, question: Question) -> tuple[outcome.GradeChoice, ...]:
        dates = schedule.due_dates(self.states.get(question.card.id), self.now(), self._settings)
        return tuple(outcome.GradeChoice(rating, due) for rating, due in dates.items() if rating <= question.best)

    def _rated(self, question: Question, rating: int | None, made: Collection[int] | None) -> tuple[Rating, float]:
        """A rating within what is possible, and the fraction that goes with it."""
        points = len(question.asked.key_points)
        if made is not None and not set(made) <= set(range(points)):
            raise ArgumentError(f"{question.card.id} has {points} key points: name them by their places from 0")
        if rating is None:
            if made is None:
                raise ArgumentError("there is no grade: give a rating from 1 to 4, or the key points that were made")
            rating = self.suggest(len(set(made)), question)
        chosen = min(Rating(rating), question.best)
        return chosen, len(set(made)) / points if made is not None and points else float(chosen.right)

    def _find_settled(self, token: str | None) -> tuple[outcome.Outcome | None] | None:
        """What a question came to that was answered or skipped before, in a tuple of one; None for one that was not."""
        if token is None:
            return None
        question = self._read(token)
        if question.review_id in self._settled:
            return (self._settled[question.review_id],)
        if question.review_id in self._undone:
            raise StaleQuestion(
                f"the answer to {question.card.id} was taken back: answer the question as it comes again"
            )
        if review := self._find_kept(question):
            return (self._feedback(self._known(question, review)),)
        return None

    def _find_kept(self, question: Question) -> Review | None:
        """The review of a question that another session saved. Raises StaleQuestion for one that does not count."""
        if question.session == self.id:
            return None
        found = self._history.find(question.review_id)
        if found and not found[1]:
            what = "recorded already" if found[0].graded_by == NOBODY else "taken back"
            raise StaleQuestion(f"the answer to {question.card.id} was {what}: ask for the next question")
        return found[0] if found else None

    def _read(self, token: str) -> Question:
        try:
            text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            id, session, review, seed, draw, since, hints, mark = json.loads(text)
            numbers = [int(number) for number in (seed, draw, since, hints)]
            id, session, review = str(id), str(session), str(review)
        except (ValueError, TypeError) as error:
            raise StaleQuestion("this question's token cannot be read: ask for the next question") from error
        card = self._bank.get(id)
        if card is None or fingerprint(card) != mark:
            raise StaleQuestion(
                f"{id[:40]!r} has changed in its deck or has gone from it since: ask for the next question"
            )
        asked = _draw(card, numbers[0], numbers[1])
        if self.policy.feedback_at_end and session != self.id:
            raise StaleQuestion(f"{id} was not asked in this mock interview: go on with its next question")
        given = asked.hints[: numbers[3]]
        return Question(asked, 0, len(self._queue), (), given, review, session, *numbers[:3])

    def _known(self, question: Question, review: Review) -> Reply:
        """An answer that an earlier session saved, graded again to say what it came to."""
        grade = None
        if not question.self_graded and review.response:
            grade = kinds.grade(question.asked, review.response)
        return Reply(question, review, self._describe(question, review, grade, None, None))

    def _save(
        self,
        question: Question,
        rating: Rating,
        share: float,
        response: str,
        sure: float | None,
        grade: Grade | None = None,
        *,
        made: Collection[int] | None = None,
        graded: bool = True,
        verdict: outcome.AnswerVerdict | None = None,
        graded_by: str = LEARNER,
    ) -> Reply:
        asked, card, now = question.asked, question.card, schedule.microseconds(self.now())
        drawn = {"values": dict(asked.values), "options": [option.text for option in asked.options]}
        review = Review(
            card=card.id,
            # Answers keep their order, even if the clock stops or goes back.
            at=max(now, self.replies[-1].review.at + 1 if self.replies else 0),
            kind=card.kind,
            rating=rating,
            share=share,
            response=response,
            asked=json.dumps({key: value for key, value in drawn.items() if value}, ensure_ascii=False),
            answer=fingerprint(card),
            hints=len(question.hints),
            took=max(0, now - question.since) // 1000,
            session=self.id,
            mode=self.policy.mode,
            sure=sure,
            graded_by=graded_by if graded else NOBODY,
            id=question.review_id,
        )
        with self._history.transaction():  # so that of two processes that hold the token one saves it
            if known := self._find_kept(question):
                return self._known(question, known)
            self._history.add(review)
            if not graded:
                self._history.undo(review, now)  # it counts once it is graded, by a row of its own
        before = self.states.get(card.id)
        if graded and schedule.counts(review, self._settings):
            self.states[card.id] = schedule.after(before, review, self._settings)
        again = rating is Rating.AGAIN and self.policy.repeats and self._times(card) < MOST_ASKED
        verdict = outcome.AnswerVerdict.UNGRADED if not graded else verdict
        found = self._describe(question, review, grade, made, verdict, again)
        reply = Reply(question, review, found, graded, before, again)
        self.replies.append(reply)
        self._settle(question, self._feedback(reply))
        if again:
            self._queue.append(card)
        return reply

    def _describe(
        self,
        question: Question,
        review: Review,
        grade: Grade | None,
        made: Collection[int] | None,
        verdict: outcome.AnswerVerdict | None,
        again: bool = False,
    ) -> outcome.Outcome:
        rating = Rating(review.rating)
        if verdict is None:
            verdict = _graded(question.asked, grade) if grade else _recalled(rating, review.share)
        return outcome.outcome_of(
            question.asked,
            review.response,
            verdict,
            review.share,
            grade,
            key_points=outcome.key_points(question.asked, made),
            follow_ups=self._follow_ups(question.card),
            rating=None if verdict is outcome.AnswerVerdict.UNGRADED else rating,
            due=self._due(question.card),
            again=again,
        )

    def _due(self, card: Card) -> datetime | None:
        return self.states[card.id].due if card.id in self.states else None

    def _settle(self, question: Question, found: outcome.Outcome | None) -> None:
        """Note what a question came to. Its card, which waits if another one was asked since, is asked no more."""
        self._settled[question.review_id] = found
        self.retaken = False
        if self._question and question.card == self._question.card:
            self._question = None
        elif question.card in self._queue:
            self._queue.remove(question.card)

    def _feedback(self, reply: Reply) -> outcome.Outcome | None:
        return None if self.policy.feedback_at_end else reply.outcome


def fingerprint(card: Card) -> str:
    """Sixteen hex digits that change with the right answer; where one is graded, not with its explanation."""
    right = sorted(option.text for option in card.options if option.correct)
    graded = [right, card.numeric, card.blanks, card.output]
    content = graded if any(graded) else card.answer
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _draw(card: Card, seed: int, draw: int) -> Asked:
    return card.ask(random.Random(f"{seed} {card.id} {draw}"))


def _graded(asked: Asked, grade: Grade) -> outcome.AnswerVerdict:
    if grade.correct:
        return outcome.AnswerVerdict.RIGHT
    # An option that was rightly left out counts in the fraction, but isn't an answer.
    found = any(asked.options[place].correct for place in grade.picked) if asked.options else grade.share > 0
    return outcome.AnswerVerdict.PARTLY if found else outcome.AnswerVerdict.WRONG


def _recalled(rating: Rating, share: float) -> outcome.AnswerVerdict:
    if rating.right:
        return outcome.AnswerVerdict.RIGHT
    return outcome.AnswerVerdict.PARTLY if share > 0 else outcome.AnswerVerdict.WRONG
