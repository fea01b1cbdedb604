"""`regdemo mock`: an interview against the clock. Nothing is told until its end; then everything is."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from regdemo.cli.desk import ESCAPE, LETTERS, PROMPTS, flagged, tick
from regdemo.cli.learner import (
    CACHE,
    BankPath,
    Home,
    Kinds,
    Seed,
    Tags,
    Topics,
    Transcript,
    asking,
    clock,
    home_folder,
    katas,
    listed,
    load_bank,
    page_and_lines,
    plan_for,
)
from regdemo.cli.scorecard import Scorecard
from regdemo.quiz import grading
from regdemo.quiz.session import Note

if TYPE_CHECKING:
    from regdemo.cli.lines import Lines
    from regdemo.quiz.cards import Asked
    from regdemo.quiz.session import Question, Session
    from regdemo.render.cards import Page

MOST = 1000  # questions that are ever lined up
KEYS = "s I do not know · u undo · f flag · q end it now · ? help"
RULES = "No feedback until the end. After each answer, say how sure you are of it, from 0 to 100%."


class Undone(Exception):
    """An answer was taken back, and its question comes next."""


def mock(
    bank: BankPath = None,
    minutes: Annotated[float, typer.Option(min=0.1, max=600, help="How long it lasts.")] = 20,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many questions.")] = None,
    topic: Topics = None,
    kind: Kinds = None,
    tag: Tags = None,
    seed: Seed = None,
    home: Home = None,
    as_json: Transcript = False,
) -> None:
    """A mock interview: weak topics more often, each question with its follow-ups, a clock, and no feedback.

    At the end come a score card, what to say better, and how sure you were against how right. When the time is up, the
    question on the screen may still be answered. Every answer is saved at once, and counts as in a quiz. At a prompt s
    passes, u takes the last answer back, f flags the question, q ends the interview, ? helps.
    """
    from random import Random, SystemRandom

    from regdemo.quiz.history import History
    from regdemo.quiz.interview import questions
    from regdemo.quiz.selection import narrow
    from regdemo.quiz.session import MOCK, Session
    from regdemo.quiz.states import card_states

    folder = home_folder(home)
    loaded = load_bank(bank, folder)
    wanted = narrow(loaded, topics=listed(topic), kinds=listed(kind), tags=listed(tag))
    page, lines = page_and_lines(as_json=as_json)
    drawn = SystemRandom().randrange(2**32) if seed is None else seed
    with History(folder) as history:
        if history.notice:
            page.quiet(history.notice)
        plan = plan_for(folder)
        states = card_states(history, plan, folder / CACHE)
        askable = [card for card in wanted if card.kind != "code"]
        cards = list(islice(questions(askable, states, clock(), Random(drawn)), limit or MOST))
        if not cards:
            code = f"{katas(len(wanted), bank)} " if wanted else ""
            page.quiet(f"There is nothing to ask: choose other topics, kinds or tags. {code}".rstrip())
        end = clock() + timedelta(minutes=minutes)
        session = Session(cards, history, states, seed=drawn, now=clock, policy=MOCK, plan=plan, deadline=end)
        interview = _Interview(session, page, lines, asking(bank))
        try:
            interview.take()
            interview.grade()
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        finally:
            # Shown however it ends: the last question, q, the end of input, Ctrl-C, a disk that takes no more.
            card = Scorecard(session.replies, interview.took, bank)
            if as_json:
                print(json.dumps(card.told(), indent=2, ensure_ascii=False))
            elif session.replies:
                card.show(page)
            elif cards:
                page.quiet("\nNo question was answered.")


class _Interview:
    """The questions asked one by one, then graded, then scored. follow: the command that asks cards of this bank."""

    def __init__(self, session: Session, page: Page, lines: Lines, follow: str) -> None:
        self._session = session
        self._page = page
        self._lines = lines
        self._follow = follow
        self._begun = clock()
        self.took = timedelta()
        self._again = ""  # what was taken back, to be said when its question comes again

    def take(self) -> None:
        """Ask until the time is up, the questions are, or the learner has enough."""
        try:
            while question := self._session.question:
                self._question(question)
                self._again = ""
                with suppress(Undone):
                    self._reply(question)
        except EOFError:
            pass
        finally:
            self.took = clock() - self._begun
        if not self._session.time_left:
            self._page.quiet("\nThe time is up.")

    def grade(self) -> None:
        """Let the learner grade the recall cards, which could not be done before. The end of input leaves the rest."""
        spoken = [reply for reply in self._session.replies if not reply.graded]
        for number, reply in enumerate(spoken, 1):
            question, page = reply.question, self._page
            page.fresh()
            page.rule(f"Grade {number} of {len(spoken)} · {question.card.id}")
            page.text(question.asked.question)
            page.text(reply.review.response, "You said")
            page.text(question.asked.answer, "The answer")
            try:
                rating, made = tick(
                    page,
                    partial(self._grade_line, question.asked),
                    question.asked,
                    partial(self._session.suggest, question=question),
                )
            except EOFError:
                return
            self._session.regrade(reply, rating, made=made)

    def _question(self, question: Question) -> None:
        page, asked = self._page, question.asked
        page.fresh()
        if question.number == 1:
            page.quiet(f"{RULES}\n{KEYS}")
        follows = " · follow-up" if Note.FOLLOW_UP in question.notes else ""
        page.rule(f"Question {question.number} · {asked.card.id}{follows}", f"{self._left()} left")
        if self._again:
            page.quiet(self._again)
        page.text(asked.question)
        page.listed([(f"{letter})", option.text) for letter, option in zip(LETTERS, asked.options, strict=False)])
        page.quiet("\nMore than one is right.\n" if asked.card.kind == "multi" else "")

    def _reply(self, question: Question) -> None:
        """Take the answer and how sure it is, and save both. Raises EOFError when the learner has enough."""
        session, spoken = self._session, question.card.kind == "recall"
        while True:
            response = self._line(question.asked)
            if response is None or (spoken and not response):
                session.skip()
                return
            try:
                if not spoken:
                    grading.grade(question.asked, response)
            except grading.UnreadableAnswer as error:
                self._page.quiet(str(error))
                continue
            sure, leave = None, None
            try:
                sure = self._sure()
            except Undone:
                self._page.quiet("Then answer anew.")
                continue
            except (EOFError, KeyboardInterrupt) as error:
                leave = error  # once the answer is saved
            # A spoken answer counts as not known until it is graded at the end, and so is kept whatever happens before.
            session.answer(response, sure=sure)
            if leave:
                raise leave
            return

    def _line(self, asked: Asked) -> str | None:
        """The next line that is an answer; None if the learner passes."""
        before, allowed = (
            ("your answer", "Your answer, on one line.") if asked.card.kind == "recall" else PROMPTS[asked.card.kind]
        )
        while True:
            line = self._lines.read(f" left · {before}", self._left)
            if line not in set("sufq?") - set(LETTERS[: len(asked.options)]):
                return line[1:] if line[:1] == ESCAPE and line[1:] in tuple("sufq?") else line
            if line == "q":
                raise EOFError
            if line == "s":
                return None
            if line == "u":
                self._undo()
            elif line == "f":
                self._flag(asked)
            else:
                self._page.quiet(f"{allowed}\n{KEYS}\n{ESCAPE}s answers s, and so for each key. {self._left()} left.")

    def _undo(self) -> None:
        """Take the last answer back, and leave the question that waits for the one that comes back."""
        review = self._session.undo()
        if not review:
            self._page.quiet("There is nothing to undo: no answer was saved in this interview.")
            return
        self._again = f"Took back your answer to {review.card}: {review.response or '(passed)'}"
        raise Undone

    def _flag(self, asked: Asked) -> None:
        self._page.quiet(flagged(self._session, asked, self._follow))

    def _left(self) -> str:
        return minutes_left(self._session.time_left or timedelta())

    def _grade_line(self, asked: Asked, note: str) -> str:
        while True:
            line = self._lines.read(f"grade{note}")
            if line not in set("fq") - set(LETTERS[: len(asked.key_points)]):
                return line
            if line == "q":
                raise EOFError
            self._flag(asked)

    def _sure(self) -> float:
        while True:
            line = self._lines.read(" left · how sure, 0 to 100%", self._left)
            number = line.removesuffix("%").strip()
            if number.isdecimal() and int(number) <= 100:
                return int(number) / 100
            if line == "q":
                raise EOFError
            if line == "u":
                raise Undone
            self._page.quiet(f"{line!r} is no certainty: type a whole number from 0 to 100; u changes the answer.")


def minutes_left(time: timedelta) -> str:
    """A time as a clock shows it, 9:05."""
    seconds = max(0, round(time.total_seconds()))
    return f"{seconds // 60}:{seconds % 60:02}"
