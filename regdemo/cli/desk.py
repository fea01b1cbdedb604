"""Between a session and its learner in a terminal or a pipe: draws what it yields, hands it what is entered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stdout
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from regdemo import interviewer as interviewers
from regdemo.cli import see
from regdemo.cli.editor import edit
from regdemo.cli.hints import typed
from regdemo.errors import ArgumentError
from regdemo.quiz import days, kinds, outcome
from regdemo.quiz.cards import LETTERS
from regdemo.quiz.kinds.base import UnreadableAnswer
from regdemo.quiz.schedule import LEARNER, Mode, Rating
from regdemo.quiz.session import Note
from regdemo.words import from_now, in_short, pluralize

if TYPE_CHECKING:
    from regdemo.cli.keyboard import Keyboard
    from regdemo.interviewer import Interviewer, Opinion
    from regdemo.quiz.outcome import OptionResult, Outcome
    from regdemo.quiz.session import Question, Reply, Session
    from regdemo.render.cards import Page

KEYS = {"h": "hint", "s": "skip", "f": "flag", "u": "undo", "q": "quit", "?": "help"}
KEYS_OF_A_MOCK = {"s": "I don't know", "f": "flag", "u": "undo", "q": "end it now", "?": "help"}
COMMANDS = ("!", *(f"!{number}" for number in range(1, 10)))  # what runs a card's See it, but not in a mock
RULES = "No feedback until the end. After each answer, say how sure you are of it, from 0 to 100%."
MARKS = {"right": "✓", "wrong": "✗", "missed": "→", "left out": " "}  # by what was done with an option
ESCAPE = "\\"  # before an answer that would be taken for a key


class Skip(Exception):
    """The learner wants the next question."""


class Undone(Exception):
    """The last answer was taken back, or one that was not saved yet: its question comes next."""


class RecallGrade(NamedTuple):
    """The grade of a recall answer. made: the places of the key points that were ticked.  by: who or what chose it."""

    rating: Rating
    made: frozenset[int] | None = None
    by: str = LEARNER


class TerminalDesk:
    """One session with one learner. transcript: what was asked and answered, as plain values, in its order.

    times: of all answers, the last first; for the streak.
    """

    def __init__(
        self,
        session: Session,
        page: Page,
        keyboard: Keyboard,
        times: Callable[[], Iterable[int]] = tuple,
        interviewer: Interviewer | None = None,
    ) -> None:
        self.transcript: list[dict[str, Any]] = []
        self._session = session
        self._page = page
        self._keyboard = keyboard
        self._times = times
        self._interviewer = interviewer
        self._mock = session.policy.feedback_at_end
        self._keys = KEYS_OF_A_MOCK if self._mock else KEYS
        self._answered: Outcome | None = None  # whose command `!` runs
        self._news = ""  # to be said on the next screen

    def take(self) -> None:
        """Ask until no question is left or the learner leaves."""
        while True:
            try:
                while question := self._session.question:
                    self._show(question)
                    if self._mock:
                        self._take_for_the_end(question)
                    else:
                        self._take(question)
                return
            except Undone:
                continue
            except EOFError:
                return

    def grade(self) -> None:
        """After an interview, let the learner grade the recall cards. The end of input leaves the rest."""
        waiting = [reply for reply in self._session.replies if not reply.graded]
        for number, reply in enumerate(waiting, 1):
            question, page = reply.question, self._page
            page.fresh()
            page.rule(f"Grade {number} of {len(waiting)} · {question.card.id}")
            page.text(question.asked.question)
            page.text(question.asked.answer, "The answer")
            page.text(reply.review.response, "You said")
            try:
                grade = self._grade(question, reply.review.response, list(Rating), {})
            except (EOFError, Skip):
                return
            self._session.regrade(reply, grade.rating, made=grade.made, graded_by=grade.by)

    # One question

    def _show(self, question: Question) -> None:
        """Everything that is to be read before the answer, on a screen of its own."""
        session, page, asked = self._session, self._page, question.asked
        self.transcript.append(asked_as_plain(question))
        page.fresh()
        if question.number == 1:
            enter = "" if asked.options or not self._keyboard.at_once else "  (with Enter in a text)"
            page.quiet(f"{f'{RULES}{chr(10)}' if self._mock else ''}{self._key_line()}{enter}")
        if self._mock:
            follows = " · follow-up" if Note.FOLLOW_UP in question.notes else ""
            page.rule(f"Question {question.number} · {question.card.id}{follows}", f"{self._time_left()} left")
        else:
            notes = [f"{session.right} of {len(session.replies)} right"] if session.replies else []
            streak = days.streak(days.days_of(self._times()), session.now().astimezone().date())
            notes += [f"streak: {pluralize(streak, 'day')}"] if streak > 1 else []
            page.rule(f"{question.number} of {question.number + question.left} · {question.card.id}", " · ".join(notes))
        if self._news:
            page.quiet(self._news)
            self._news = ""
        for note in question.notes if not self._mock else ():
            page.quiet(note.value)
        page.text(asked.question)
        page.listed([(f"{letter})", option.text) for letter, option in zip(LETTERS, asked.options, strict=False)])
        several = {"multi": "More than one is right.", "cloze": _gaps(len(asked.blanks))}
        if question.card.kind in several:
            page.quiet(f"\n{several[question.card.kind]}")

    def _take(self, question: Question) -> None:
        """Take the answer, say what it came to, and wait until it was read."""
        session, page = self._session, self._page
        try:
            found = self._take_recall(question) if question.self_graded else self._take_graded(question)
        except Skip:
            skipped = session.skip()
            assert skipped
            found = skipped
            page.quiet("Skipped: nothing is saved.")
            page.text(found.answer if not found.options else "", "The answer")
            self._explain(found)
        else:
            self.transcript[-1] |= answered_as_plain(session.replies[-1])
        self._answered = found
        if not self._keyboard.person:
            follow_ups = [typed(f"`regdemo quiz --ids {','.join(found.follow_ups)}`")] if found.follow_ups else []
            page.listed(
                [
                    *_under("See it", [f"`{command}`" for command in found.see_it]),
                    *_under("Source", found.sources),
                    *_under("Next", follow_ups),
                ]
            )
        if found.rating:
            page.quiet(f"\nSaved as {found.rating.title}. {self._when(found)}")
        if self._keyboard.person:
            self._pause(question, found)

    def _take_graded(self, question: Question) -> Outcome:
        """A card graded by itself. What cannot be read is asked again."""
        while True:
            try:
                found = self._session.answer(self._read_answer(question))
            except UnreadableAnswer as error:
                self._page.quiet(str(error))
                continue
            assert found
            self._page.verdict(found.verdict is outcome.AnswerVerdict.RIGHT, found.verdict_text)
            self._page.text(found.why)
            if not found.options and found.verdict is not outcome.AnswerVerdict.RIGHT:
                self._page.text(found.answer, "The answer")
            self._explain(found)
            return found

    def _take_recall(self, question: Question) -> Outcome:
        """A card that the learner grades, with the own words next to the key points."""
        session, page = self._session, self._page
        shown = session.answer(self._read_answer(question))
        assert shown
        page.text(shown.answer, "The answer")
        page.text(shown.response, "You said")
        due = {choice.rating: choice.due for choice in shown.grades}
        try:
            grade = self._grade(question, shown.response, list(due), due)
        except Undone:
            said = f" You said: {shown.response}" if shown.response else ""
            self._ask_again(f"Nothing is taken back: your answer was not saved yet, and can be changed.{said}")
        found = session.rate(grade.rating, made=grade.made, graded_by=grade.by)
        assert found
        return found

    def _explain(self, found: Outcome) -> None:
        """Why the wrong picks are wrong and the right ones right; else the explanation that can be read alone."""
        self._list_options(found.reasons)
        if found.options or found.verdict is outcome.AnswerVerdict.RIGHT:
            self._page.text(found.explanation)

    def _list_options(self, options: Sequence[OptionResult]) -> None:
        for one in options:
            text = "  \n".join(filter(None, [one.text, one.why]))
            self._page.listed([(f"{MARKS[one.pick.value]} {one.letter})", text)])

    def _take_for_the_end(self, question: Question) -> None:
        """Take the answer and how sure it is, and save both. Raises EOFError when the learner has enough."""
        while True:
            try:
                response = self._read_answer(question)
                if not question.self_graded:
                    kinds.grade(question.asked, response)  # whether it can be read: else it is asked again
                elif not response:
                    raise Skip
            except Skip:
                self._session.skip()
                return
            except UnreadableAnswer as error:
                self._page.quiet(str(error))
                continue
            sure, leave = None, None
            try:
                sure = self._read_certainty()
            except Undone:
                self._page.quiet("Then answer it again.")
                continue
            except (EOFError, KeyboardInterrupt) as error:
                leave = error  # once the answer is saved
            self._session.answer(response, sure=sure)
            if leave:
                raise leave
            return

    def _grade(
        self, question: Question, response: str, ratings: Sequence[Rating], due: dict[Rating, Any]
    ) -> RecallGrade:
        """The learner's own grade. There is no default, unless a model has proposed one, which can be overruled."""
        page, asked = self._page, question.asked
        points = LETTERS[: len(asked.key_points)]
        labels = [
            f"{rating:d} {rating.title}" + (f" {in_short(due[rating] - self._session.now())}" if rating in due else "")
            for rating in ratings
        ]
        if points:
            page.listed([(point.letter, point.text) for point in outcome.key_points(asked, None)], "Key points")
            page.quiet(f"\nWhich points did you make? For example: {points[:2]}. Or grade yourself:")
        page.quiet(" · ".join(labels))
        allowed = f"{' · '.join(labels)}{'; or the letters of the key points you made.' if points else ''}"
        rating, made, by = None, None, LEARNER
        if points and response.strip() and (opinion := self._ask_model(question, response)):
            made, by = opinion.made, opinion.model
            rating = self._session.suggest(len(made), question)
            page.quiet(
                f"{len(made)} of {len(points)}: {rating.title}. Enter keeps that; letters or 1 to 4 overrule it."
            )
        while True:
            prompt = f"grade, Enter keeps {rating.title}" if rating else "grade"
            text = self._read(question, prompt, allowed, letters=points, counts="1234", hints=False)
            if text in ("1", "2", "3", "4"):
                if int(text) > max(ratings):
                    page.quiet(f"With the hints you took, {max(ratings).title} is the best grade.")
                return RecallGrade(min(Rating(int(text)), max(ratings)), made)
            if not text and rating:
                return RecallGrade(rating, made, by)
            if points and text and set(text.lower()) - set(" ,") <= set(points):
                made, by = frozenset(map(points.index, set(text.lower()) - set(" ,"))), LEARNER
                rating = self._session.suggest(len(made), question)
                page.listed([("✓" if point.made else "·", point.text) for point in outcome.key_points(asked, made)])
                page.quiet(f"{len(made)} of {len(points)}: {rating.title}. Enter keeps that, 1 to 4 changes it.")
            else:
                said = f"{text!r} isn't a grade." if text else "There is no default grade."
                page.quiet(f"{said} Choose from {allowed}")

    def _ask_model(self, question: Question, response: str) -> Opinion | None:
        """What the model says of an answer, shown; None without one, or where it could not be asked."""
        if self._interviewer is None:
            return None
        page, asked = self._page, question.asked
        try:
            opinion = self._interviewer.judge(asked.question, asked.key_points, response)
        except interviewers.InterviewerError as error:
            page.quiet(str(error))
            return None
        name = self._interviewer.name
        page.listed(
            [(f"✓ {LETTERS[point.place]}", f"“{point.quote}”") for point in opinion.granted],
            f"{name} grants, for your words",
        )
        if opinion.refused:
            page.quiet(f"Not counted: {pluralize(opinion.refused, 'point')} that {name} granted without quoting you.")
        if opinion.feedback:
            page.quiet(f"{name} says, unchecked: {opinion.feedback}")
        if opinion.follow_up:
            page.quiet(f"{name} would ask next: {opinion.follow_up}")
        return opinion

    # Keys

    def _key_line(self) -> str:
        return " · ".join(f"{key} {what}" for key, what in self._keys.items())

    def _read_answer(self, question: Question) -> str:
        """An answer to a card, or what a key does instead."""
        asked, kind = question.asked, kinds.find_kind(question.card.kind)
        letters = LETTERS[: len(asked.options)]
        spaced = " To type an option's text, begin with a space." if letters and self._keyboard.at_once else ""
        keys = LETTERS + "0123456789?!" if question.card.kind == "choice" else ""
        example = kind.example(asked)
        allowed = f"{kind.allowed}{f' For example: {example}.' if example else ''}{spaced}"
        return self._read(question, kind.prompt, allowed, letters=letters, counts=keys, editor=not letters)

    def _read(
        self,
        question: Question,
        prompt: str,
        allowed: str,
        *,
        letters: str = "",
        counts: str = "",
        hints: bool = True,
        editor: bool = False,
    ) -> str:
        """The next entry that isn't a key; keys are obeyed here.

        letters: characters that are answers even where a key has the same.  counts: characters that need no Enter.
        """
        keys = {*self._keys, *("e" if editor else "")} - set(letters)
        at_once = {*counts, "?", *(set(KEYS) - set(letters) if letters or counts else ())}
        before = " left · " if self._session.deadline and hints else ""
        while True:
            text = self._keyboard.read(
                f"{before}{prompt}", lambda text: text in at_once, self._time_left if before else None
            )
            if self._mock and hints and text in {"h", *COMMANDS} - set(letters):
                what = "hint" if text == "h" else "command to run"
                self._page.quiet(f"There is no {what} in a mock interview. {ESCAPE}{text} answers {text}.")
            elif text in COMMANDS and not self._mock:
                self._see(text)
            elif text not in keys:
                return text[1:] if text[:1] == ESCAPE and text[1:] in (*KEYS, *COMMANDS, "e") else text
            elif text == "q":
                raise EOFError
            elif text == "s":
                raise Skip
            elif text == "u" and hints:
                self._undo()
            elif text == "u" and self._mock:
                self._page.quiet("The interview is over: its answers are graded, and not taken back.")
            elif text == "u":
                raise Undone
            elif text == "f":
                self._flag(question)
            elif text == "?":
                self._help(allowed, editor)
            elif text == "e":
                try:
                    edited = edit().strip()
                except ArgumentError as error:
                    self._page.quiet(str(error))
                else:
                    self._page.quiet(edited)
                    return edited
            elif not hints:
                self._page.quiet("The answer is shown already: no hint helps now.")
            else:
                self._hint(question)

    def _read_certainty(self) -> float:
        while True:
            text = self._keyboard.read(" left · how sure, 0 to 100%", lambda text: text in ("u", "q"), self._time_left)
            number = text.removesuffix("%").strip()
            if number.isdecimal() and int(number) <= 100:
                return int(number) / 100
            if text == "q":
                raise EOFError
            if text == "u":
                raise Undone
            self._page.quiet(f"{text!r} isn't a certainty: type a whole number from 0 to 100; u changes the answer.")

    def _pause(self, question: Question, found: Outcome) -> None:
        """Until the learner wants the next card."""
        page = self._page
        down = "" if question.self_graded or not (found.rating and found.rating.right) else "12"[: found.rating - 1]
        there = {
            "a": "all options" if found.other_reasons else "",
            "o": "sources" if found.sources else "",
            "n": "follow-up" if found.follow_ups else "",
            "!": "see it" if found.see_it else "",
            "1": "it was luck" if down else "",
        }
        line = " · ".join(["Enter next", *(f"{key} {what}" for key, what in there.items() if what), "? more"])
        while True:
            text = self._keyboard.read(f"\n{line}", lambda text: len(text) == 1)
            if text == "":
                return
            if text == "q":
                raise EOFError
            if text == "u":
                self._undo()
            elif text == "f":
                self._flag(question)
            elif text == "a" and there["a"]:
                self._list_options(found.options)
            elif text == "o" and there["o"]:
                page.sources(found.sources)
            elif text == "n" and there["n"]:
                self._session.follow_up(found.follow_ups[0])
                return
            elif text.startswith("!") and there["!"]:
                self._see(text)
            elif text in (*down,):
                reply = self._session.regrade(self._session.replies[-1], int(text))
                self.transcript[-1] |= answered_as_plain(reply)
                page.quiet(f"Saved as {Rating(int(text)).title} instead. {self._when(reply.outcome)}")
            elif text == "?":
                page.quiet("u takes this answer back · f flags the card · q quits")
                page.quiet("! runs the command under See it here and returns to the card; !2 the second one.")
            else:
                page.quiet(f"{text!r} isn't a key here.")

    def _undo(self) -> None:
        """Take the last answer back, and leave the question that waits for the one that comes back."""
        earlier = "" if self._session.replies else " of last time"
        review = self._session.undo()
        if not review:
            self._page.quiet("There is nothing to undo: no answer was saved yet.")
            return
        graded = f", which was saved as {Rating(review.rating).title}."
        said = f": {review.response or '(passed)'}" if self._mock else graded
        for entry in reversed(self.transcript):
            if entry["id"] == review.card and entry["rating"] and not entry["undone"]:
                entry["undone"] = True
                break
        self._ask_again(f"Took back your answer{earlier} to {review.card}{said}")

    def _ask_again(self, news: str) -> NoReturn:
        """Leave the question that waits, and say why on the next screen."""
        self._news = news
        if self.transcript[-1]["rating"] is None:
            self.transcript.pop()  # it is asked again
        raise Undone

    def _flag(self, question: Question) -> None:
        id, now = question.card.id, self._session.flag(question.card)
        flagged = typed("flagged: `regdemo quiz --flagged` asks it")
        self._page.quiet(f"{id} is {flagged if now else 'no longer flagged'}.")

    def _hint(self, question: Question) -> None:
        if not question.asked.hints:
            self._page.quiet("This card has no hints.")
        elif hint := self._session.hint():
            current = self._session.question
            assert current
            self._page.text(hint, "Hint")
            left = pluralize(current.hints_left, "hint") if current.hints_left else "no hint"
            self._page.quiet(f"\nThe best grade is now {current.best.title}; {left} left.")
        else:
            self._page.quiet("No more hints.")

    def _help(self, allowed: str, editor: bool) -> None:
        lines = [
            allowed,
            *(["e opens your editor ($EDITOR); a paste of several lines is one answer, too."] if editor else []),
            self._key_line(),
            *([] if self._mock else ["Each hint lowers the best grade by one. ! runs the last card's See it."]),
            "Where an option or a grade is asked for, a key needs no Enter; where a text is, it does.",
            f"{ESCAPE}s answers s, and so for each key.{f' {self._time_left()} left.' if self._mock else ''}",
        ]
        self._page.quiet("\n".join(lines))

    def _see(self, text: str) -> None:
        """Run a command of the card that was answered last."""
        commands = self._answered.see_it if self._answered else ()
        if text == "!" and len(commands) > 1 and self._keyboard.at_once:
            self._page.listed([(f"{number}", f"`{command}`") for number, command in enumerate(commands, 1)])
            text += self._keyboard.read("which", lambda text: len(text) == 1)
        number = int(text[1:]) if text[1:].isdecimal() else 1
        if not 1 <= number <= len(commands):
            self._page.quiet("There is no such command: ! runs what a card names under See it, after its answer.")
            return
        self._page.quiet(f"\n$ {commands[number - 1]}    (Ctrl-C stops it)")
        with redirect_stdout(self._page.file):
            said = see.see(commands[number - 1])
        if said:
            self._page.quiet(said)

    def _when(self, found: Outcome) -> str:
        if found.again:
            return "It comes again at the end."
        if self._session.policy.mode is Mode.CRAM or not found.due:
            return "A cram moves no schedule."
        return f"It comes again {from_now(found.due - self._session.now())}."

    def _time_left(self) -> str:
        """A time as a clock shows it, 9:05."""
        seconds = max(0, round((self._session.time_left or timedelta()).total_seconds()))
        return f"{seconds // 60}:{seconds % 60:02}"


def feedback(found: Outcome) -> str:
    """Why what was answered is wrong."""
    return found.why or "\n\n".join(one.why for one in found.options if one.pick is outcome.Pick.WRONG and one.why)


def asked_as_plain(question: Question) -> dict[str, Any]:
    """A question as a transcript keeps it, before its answer."""
    asked = question.asked
    return {
        "id": question.card.id,
        "kind": question.card.kind,
        "topic": question.card.topic,
        "question": asked.question,
        "values": dict(asked.values),
        "options": [option.text for option in asked.options],
        "answer": asked.answer,
        "response": None,
        "correct": None,
        "share": None,
        "rating": None,
        "feedback": "",
        "hints": 0,
        "due": None,
        "undone": False,
    }


def answered_as_plain(reply: Reply) -> dict[str, Any]:
    """What an answer adds to its question in a transcript."""
    review, found = reply.review, reply.outcome
    return {
        "response": review.response,
        "correct": reply.right if reply.question.self_graded else found.verdict is outcome.AnswerVerdict.RIGHT,
        "share": round(review.share, 4),
        "rating": Rating(review.rating).name.lower(),
        "feedback": feedback(found),
        "hints": review.hints,
        "due": found.due.isoformat() if found.due else None,
    }


def _gaps(count: int) -> str:
    if count > 1:
        return f"{count} gaps: type what is missing in each, in order, with ; between them."
    return "Type what is missing in the gap." if count else ""


def _under(label: str, items: Sequence[str]) -> list[tuple[str, str]]:
    """Each item behind a mark of one width; only the first mark says the label."""
    return [(f"{'' if i else label:6} ", item) for i, item in enumerate(items)]
