"""Between a session and its learner: prints what is asked, reads what is answered, obeys the keys."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import redirect_stdout
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

from regdemo.cli.learner import clock, counted, in_words
from regdemo.quiz import grading
from regdemo.quiz.outcome import Outcome, Pick, Verdict
from regdemo.quiz.schedule import Mode, Rating

if TYPE_CHECKING:
    from regdemo.cli.lines import Lines
    from regdemo.quiz.cards import Asked
    from regdemo.quiz.session import Reply, Session
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
MARKS = {Pick.RIGHT: "✓", Pick.WRONG: "✗", Pick.MISSED: "→", Pick.LEFT_OUT: " "}
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
                while question := session.question:
                    asked = question.asked
                    self._question(asked)
                    try:
                        saved = self._recall(asked) if asked.card.kind == "recall" else self._graded(asked)
                    except Skip:
                        session.skip()
                        page.quiet("Skipped.")
                        continue
                    self.transcript[-1] |= answered(session.replies[-1])
                    self._answered = asked
                    next_ids = ",".join(id for id in asked.card.follow_ups if id in ids)
                    page.listed(
                        [
                            *under("See it", [f"`{command}`" for command in asked.see_it]),
                            *under("Source", asked.card.sources),
                            *under("Next", [f"`{self._follow} --ids {next_ids}`"] if next_ids else []),
                        ]
                    )
                    assert saved.rating
                    page.quiet(f"\nSaved as {saved.rating.title}. {self._when(saved)}")
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
        question = session.question
        assert question
        if question.number == 1:
            page.quiet(KEYS)
        notes = [f"{session.right}/{len(session.saved)} right"] if session.saved else []
        notes += [f"day {self._streak + 1} in a row"] if self._streak else []
        page.rule(f"{question.number} of {question.number + question.left} · {asked.card.id}", " · ".join(notes))
        if self._news:
            page.quiet(self._news)
            self._news = ""
        for note in question.notes:
            page.quiet(note.value)
        page.text(asked.question)
        page.listed([(f"{letter})", option.text) for letter, option in zip(LETTERS, asked.options, strict=False)])
        page.quiet("\nMore than one is right.\n" if asked.card.kind == "multi" else "")

    def _graded(self, asked: Asked) -> Outcome:
        """A card graded by itself. What cannot be read is asked again."""
        page = self._page
        while True:
            try:
                found = self._session.answer(self._line(asked, asked.card.kind, len(asked.options)))
            except grading.UnreadableAnswer as error:
                page.quiet(str(error))
                continue
            assert found
            right = found.verdict is Verdict.RIGHT
            page.verdict(right, verdict(found))
            page.text(found.why)
            page.listed([(f"{MARKS[one.pick]} {one.letter})", one.text + reason(one.why)) for one in found.reasons])
            page.text(found.explanation if right or found.options else found.answer, "" if right else "The answer")
            return found

    def _recall(self, asked: Asked) -> Outcome:
        """A card graded by the learner: by a number, or by the key points made, which suggest one."""
        session, page = self._session, self._page
        session.answer(self._line(asked, "recall"))
        page.text(asked.answer)

        def read(note: str) -> str:
            return self._line(asked, "grade", len(asked.key_points), note)

        question = session.question
        assert question
        rating, made = tick(page, read, asked, session.suggest, question.best)
        found = session.rate(rating, made=made)
        assert found
        return found

    def _when(self, saved: Outcome) -> str:
        if saved.again:
            return "It comes again at the end."
        if self._session.policy.mode is Mode.CRAM or not saved.due:
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
                question = self._session.question
                assert question
                self._page.quiet(f"\nThe best grade is now {question.best.title}.")
            else:
                self._page.quiet("No more hints.")

    def _undo(self) -> None:
        """Take the last answer back, and leave the question that waits for the one that comes back."""
        review = self._session.undo()
        if not review:
            self._page.quiet("There is nothing to undo: no answer was saved yet.")
            return
        self._news = f"Took back your answer to {review.card}, which was saved as {Rating(review.rating).title}."
        if self.transcript and self.transcript[-1]["rating"] is None:
            self.transcript.pop()  # it is asked again
        for entry in reversed(self.transcript):
            if entry["rating"] and not entry["undone"]:
                entry["undone"] = True
                break
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
    page: Page, read: Callable[[str], str], asked: Asked, suggest: Callable[[int], Rating], best: Rating = Rating.EASY
) -> tuple[Rating, frozenset[int] | None]:
    """The learner's own grade of a recall card, at most best; the places of the key points that were ticked, if any.

    suggest: the rating that so many key points come to.
    """
    points = LETTERS[: len(asked.key_points)]
    page.listed(list(zip(points, asked.key_points, strict=False)), "Key points")
    page.quiet("\nTick what you said, as in ab, or grade yourself:" if points else "")
    page.quiet(" · ".join(f"{rating:d} {rating.title}" for rating in Rating if rating <= best))
    rating, ticked = suggest(len(points)), None
    while True:
        line = read(f", Enter is {rating}")
        if line in ("", "1", "2", "3", "4"):
            if int(line or rating) > best:
                page.quiet(f"With a hint {best.title} is the best grade.")
            return Rating(min(int(line or rating), best)), ticked
        made = set(line.lower()) - set(" ,")
        if points and made <= set(points):
            ticked = frozenset(map(points.index, made))
            rating = suggest(len(made))
            page.listed([("✓" if one in ticked else "·", point) for one, point in enumerate(asked.key_points)])
            page.quiet(f"{len(made)} of {len(points)}: {rating.title}. Enter keeps that, 1 to 4 changes it.")
        else:
            page.quiet(f"{line!r} is no grade. {PROMPTS['grade'][1]}")


def flagged(session: Session, asked: Asked, follow: str) -> str:
    """Flag a card, or take its flag off, and say so."""
    now = session.flag(asked.card)
    return f"{asked.card.id} is {f'flagged: `{follow} --flagged` asks it' if now else 'no longer flagged'}."


def under(label: str, items: Sequence[str]) -> list[tuple[str, str]]:
    """Each item behind a mark of one width; only the first mark says the label."""
    return [(f"{'' if i else label:6} ", item) for i, item in enumerate(items)]


def verdict(found: Outcome) -> str:
    """Right or wrong, and how much of it was right."""
    right, parts = found.parts
    if found.verdict is not Verdict.PARTLY:
        return str(found.verdict.value)
    what = counted(parts, "right option" if found.options else "gap")
    return f"{found.verdict.value}: {right} of {what}"


def reason(why: str) -> str:
    """The reason of an option, under it."""
    return f"\n\n{why}" if why else ""


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


def feedback(found: Outcome) -> str:
    """Why what was answered is wrong."""
    return found.why or "\n\n".join(one.why for one in found.options if one.pick is Pick.WRONG and one.why)


def answered(reply: Reply) -> dict[str, Any]:
    """What an answer adds to its question in a transcript."""
    review, found = reply.review, reply.outcome
    return {
        "response": review.response,
        "correct": reply.right if reply.question.card.kind == "recall" else found.verdict is Verdict.RIGHT,
        "share": round(review.share, 4),
        "rating": found.rating.name.lower() if found.rating else None,
        "feedback": feedback(found),
        "hints": review.hints,
        "due": found.due.isoformat() if found.due else None,
    }


def _help(allowed: str) -> str:
    return f"{allowed}\n{KEYS}\n! runs the last card's See it; {ESCAPE}s answers s, and so for each key."
