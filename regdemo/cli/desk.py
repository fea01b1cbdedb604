"""Between a session and its learner: prints what is asked, reads what is answered, obeys the keys."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import redirect_stdout
from itertools import compress
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

from regdemo.cli.learner import clock, counted, in_words

if TYPE_CHECKING:
    from regdemo.cli.lines import Lines
    from regdemo.quiz.cards import Asked
    from regdemo.quiz.grading import Grade
    from regdemo.quiz.session import Saved, Session
    from regdemo.render.cards import Page

KEYS = "h hint · s skip · f flag · u undo · q quit · ? help"
AFTER = "Enter next · ! see it · u undo · f flag · q quit"
GRADES = "1 Again · 2 Hard · 3 Good · 4 Easy"
LETTERS = ascii_lowercase  # `cards.LETTERS`, which is slow to import
# At each kind of prompt: what stands before the answer on a terminal, and what `?` says is allowed.
PROMPTS = {
    "recall": ("Enter shows the answer", "Say your answer or type it; Enter shows the deck's."),
    "choice": ("letter", "The letter of an option."),
    "multi": ("letters", "The letters of all options that are right, as in ac."),
    "numeric": ("number", "A number or arithmetic: 1.11, 10/9 and 1/0.9 are the same."),
    "cloze": ("missing text", "What stands in the gap; several gaps are separated by ;"),
    "predict": ("output", "What the program prints, a space for each new line."),
    "grade": ("grade", f"{GRADES}; or the letters of the key points you made, as in ab."),
}
ESCAPE = "\\"  # before an answer that would be taken for a key


class Skip(Exception):
    """The learner wants the next question."""


class Undone(Exception):
    """The last answer was taken back: its question comes next."""


class Desk:
    """One sitting. transcript: what was asked and answered, as plain values; a question without an answer has None.

    streak: for how many days before this one there was practice.  follow: the command that asks cards of this bank.
    """

    def __init__(self, session: Session, page: Page, lines: Lines, streak: int, follow: str) -> None:
        self.transcript: list[dict[str, Any]] = []
        self._session = session
        self._page = page
        self._lines = lines
        self._streak = streak
        self._follow = follow
        self._answered: Asked | None = None  # whose command `!` runs
        self._news = ""  # to be said on the next screen

    def take(self, ids: Collection[str]) -> None:
        """Ask until no card is left or the learner leaves. ids: the bank's."""
        session, page = self._session, self._page
        while True:
            try:
                while asked := session.ask():
                    self._question(asked)
                    try:
                        grade, saved = self._recall(asked) if asked.card.kind == "recall" else self._graded(asked)
                    except Skip:
                        page.quiet("Skipped.")
                        continue
                    self.transcript[-1] |= answered(grade, saved)
                    self._answered = asked
                    next_ids = ",".join(id for id in asked.card.follow_ups if id in ids)
                    page.listed(
                        [
                            *under("See it", [f"`{command}`" for command in asked.see_it]),
                            *under("Source", asked.card.sources),
                            *under("Next", [f"`{self._follow} --ids {next_ids}`"] if next_ids else []),
                        ]
                    )
                    page.quiet(f"\nSaved as {name(saved.review.rating)}. {self._when(saved)}")
                    if self._lines.person:
                        self._pause(asked)
                return
            except Undone:
                continue
            except EOFError:
                return

    def _question(self, asked: Asked) -> None:
        """Everything that is to be read before the answer, on a screen of its own."""
        session, page = self._session, self._page
        self.transcript.append(told(asked))
        page.fresh()
        if session.number == 1:
            page.quiet(KEYS)
        right = sum(review.rating > 1 for review in session.saved)
        notes = [f"{right}/{len(session.saved)} right"] if session.saved else []
        notes += [f"day {self._streak + 1} in a row"] if self._streak else []
        page.rule(f"{session.number} of {session.number + session.left} · {asked.card.id}", " · ".join(notes))
        if self._news:
            page.quiet(self._news)
            self._news = ""
        if session.changed():
            page.quiet("Its answer has changed since you last gave one.")
        page.text(asked.question)
        page.listed([(f"{letter})", option.text) for letter, option in zip(LETTERS, asked.options, strict=False)])
        page.quiet("\nMore than one is right.\n" if asked.card.kind == "multi" else "")

    def _graded(self, asked: Asked) -> tuple[Grade, Saved]:
        """A card graded by itself. What cannot be read is asked again."""
        from regdemo.quiz.grading import UnreadableAnswer

        page = self._page
        while True:
            try:
                grade, saved = self._session.answer(self._line(asked, asked.card.kind, len(asked.options)))
            except UnreadableAnswer as error:
                page.quiet(str(error))
                continue
            page.verdict(grade.correct, verdict(asked, grade))
            page.text(grade.feedback)
            if grade.correct:
                page.text(asked.explanation)
            else:
                page.text(asked.answer, "The answer")
            return grade, saved

    def _recall(self, asked: Asked) -> tuple[None, Saved]:
        """A card graded by the learner: by a number, or by the key points made, which suggest one."""
        session, page = self._session, self._page
        response = self._line(asked, "recall")
        page.text(asked.answer)

        def read(note: str) -> str:
            return self._line(asked, "grade", len(asked.key_points), note)

        rating, share, _ = tick(page, read, asked, session.suggest, session.best)
        return None, session.rate(rating, response, share)

    def _when(self, saved: Saved) -> str:
        if saved.again:
            return "It comes again at the end."
        if saved.review.mode == "cram":
            return "A cram moves no schedule."
        return f"It comes again {in_words(saved.due - clock())}."

    def _pause(self, asked: Asked) -> None:
        """Until the learner wants the next card. A pipe is not asked: its next line is the next answer."""
        while True:
            line = self._lines.read(f"\n{AFTER}" if asked.see_it else f"\n{AFTER.replace('! see it · ', '')}")
            if line == "?":
                self._page.quiet(_help("! runs the command under See it, !2 the second one; Enter or n goes on."))
            elif line.startswith("!"):
                self._see(line)
            elif line == "f":
                self._flag(asked)
            elif line == "u":
                self._undo()
            elif line == "q":
                raise EOFError
            elif line in ("", "n", "s"):
                return
            else:
                self._page.quiet(f"{line!r} is no key here.")

    def _line(self, asked: Asked, prompt: str, options: int = 0, note: str = "") -> str:
        """The next line that is an answer. The keys of every prompt are obeyed, unless they are letters of options."""
        before, allowed = PROMPTS[prompt]
        letters = LETTERS[:options]
        while True:
            line = self._lines.read(f"{before}{note}")
            if line.startswith("!") and line[1:] in ("", *"123456789"):
                self._see(line)
            elif line not in set("sfuq?h") - set(letters):
                return line[1:] if line[:1] == ESCAPE and line[1:] in tuple("sfuq?h!") else line
            elif line == "q":
                raise EOFError
            elif line == "s":
                raise Skip
            elif line == "u":
                self._undo()
            elif line == "f":
                self._flag(asked)
            elif line == "?":
                self._page.quiet(_help(allowed))
            elif prompt == "grade":
                self._page.quiet("The answer is shown already: no hint helps now.")
            elif hint := self._session.hint():
                self._page.text(hint, "Hint")
                self._page.quiet(f"\nThe best grade is now {name(self._session.best)}.")
            else:
                self._page.quiet("No more hints.")

    def _undo(self) -> None:
        """Take the last answer back, and leave the question that waits for the one that comes back."""
        review = self._session.undo()
        if not review:
            self._page.quiet("There is nothing to undo: no answer was saved in this sitting.")
            return
        self._news = f"Took back your answer to {review.card}, which was saved as {name(review.rating)}."
        if self.transcript[-1]["rating"] is None:
            self.transcript.pop()  # it is asked again
        next(entry for entry in reversed(self.transcript) if entry["rating"] and not entry["undone"])["undone"] = True
        raise Undone

    def _flag(self, asked: Asked) -> None:
        self._page.quiet(flagged(self._session, asked, self._follow))

    def _see(self, line: str) -> None:
        """Run a command of the card that was answered last."""
        commands = self._answered.see_it if self._answered else ()
        number = int(line[1:]) if line[1:].isdecimal() else 1
        if not 1 <= number <= len(commands):
            self._page.quiet("There is no such command: ! runs what stands under See it, after the answer.")
            return
        from regdemo.cli.see import see

        self._page.quiet(f"\n$ {commands[number - 1]}    (Ctrl-C stops it)")
        with redirect_stdout(self._page.file):
            said = see(commands[number - 1])
        if said:
            self._page.quiet(said)


def tick(
    page: Page, read: Callable[[str], str], asked: Asked, suggest: Callable[[int], int], best: int = 4
) -> tuple[int, float | None, frozenset[str] | None]:
    """The learner's own grade of a recall card, at most best; the share of its key points that were ticked, and which.

    The last two are None where nothing was ticked. suggest: the rating that so many key points come to.
    """
    points = LETTERS[: len(asked.key_points)]
    page.listed(list(zip(points, asked.key_points, strict=False)), "Key points")
    grades = " · ".join(GRADES.split(" · ")[:best])
    page.quiet("\nTick what you said, as in ab, or grade yourself:" if points else "")
    page.quiet(grades)
    rating, share, ticked = suggest(len(points)), None, None
    while True:
        line = read(f", Enter is {rating}")
        if line in ("", "1", "2", "3", "4"):
            if int(line or rating) > best:
                page.quiet(f"With a hint {name(best)} is the best grade.")
            return min(int(line or rating), best), share, ticked
        made = set(line.lower()) - set(" ,")
        if points and made <= set(points):
            said = [letter in made for letter in points]
            rating, share = suggest(len(made)), len(made) / len(points)
            ticked = frozenset(compress(asked.key_points, said))
            page.listed([("✓" if one else "·", point) for one, point in zip(said, asked.key_points, strict=False)])
            page.quiet(f"{len(made)} of {len(points)}: {name(rating)}. Enter keeps that, 1 to 4 changes it.")
        else:
            page.quiet(f"{line!r} is no grade. {PROMPTS['grade'][1]}")


def flagged(session: Session, asked: Asked, follow: str) -> str:
    """Flag a card, or take its flag off, and say so."""
    now = session.flag(asked.card)
    return f"{asked.card.id} is {f'flagged: `{follow} --flagged` asks it' if now else 'no longer flagged'}."


def under(label: str, items: Sequence[str]) -> list[tuple[str, str]]:
    """Each item behind a mark of one width; only the first mark says the label."""
    return [(f"{'' if i else label:6} ", item) for i, item in enumerate(items)]


def verdict(asked: Asked, grade: Grade) -> str:
    """Right or wrong, and how much of it was right."""
    if grade.correct:
        return "Right"
    parts = len(asked.options) or len(asked.blanks)
    right = round(grade.share * parts)
    noun = "option" if asked.options else "blank"
    return f"Wrong: {right} of {counted(parts, noun)} right" if 0 < right < parts else "Wrong"


def name(rating: int) -> str:
    """What a rating is called."""
    return GRADES.split(" · ")[rating - 1][2:]


def told(asked: Asked) -> dict[str, Any]:
    """A question as a transcript keeps it, before its answer."""
    return {
        "id": asked.card.id,
        "kind": asked.card.kind,
        "topic": asked.card.topic,
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


def answered(grade: Grade | None, saved: Saved) -> dict[str, Any]:
    """What an answer adds to its question in a transcript."""
    review = saved.review
    return {
        "response": review.response,
        "correct": grade.correct if grade else review.rating > 1,
        "share": round(review.share, 4),
        "rating": name(review.rating).lower(),
        "feedback": grade.feedback if grade else "",
        "hints": review.hints,
        "due": saved.due.isoformat(),
    }


def _help(allowed: str) -> str:
    return f"{allowed}\n{KEYS}\n! runs the last card's See it; {ESCAPE}s answers s, and so for each key."
