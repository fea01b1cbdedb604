"""`regdemo quiz`: the session decides, this reads and prints."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from string import ascii_lowercase
from typing import TYPE_CHECKING, Annotated

import typer

from regdemo.cli.learner import BankPath, Home, clock, counted, home_folder, in_words, load_bank

if TYPE_CHECKING:
    from regdemo.quiz.cards import Asked, Card
    from regdemo.quiz.schedule import Memory
    from regdemo.quiz.session import Saved, Session
    from regdemo.render.cards import Page

KEYS = "h a hint · s skip · q quit · ? help"
GRADES = "1 Again · 2 Hard · 3 Good · 4 Easy"
LETTERS = ascii_lowercase  # `cards.LETTERS`, which is slow to import
# At each kind of prompt: what stands before the answer on a terminal, and what `?` says is allowed.
PROMPTS = {
    "recall": ("Enter shows the answer", "Say your answer or type it; Enter shows the deck's."),
    "choice": ("letter", "The letter of an option."),
    "multi": ("letters", "The letters of all options that are right, as in ac."),
    "numeric": ("number", "A number or arithmetic: 1.11, 10/9 and 1/0.9 are the same."),
    "cloze": ("missing text", "What stands in the gap; several gaps are separated by ;"),
    "predict": ("output", "What the program prints."),
    "grade": ("grade", f"{GRADES}; or the letters of the key points you made, as in ab."),
}


class _Skip(Exception):
    """The learner wants the next question."""


def quiz(
    bank: BankPath = None,
    new: Annotated[int, typer.Option(min=0, help="At most this many cards that you never answered.")] = 10,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many cards in all.")] = None,
    ids: Annotated[str | None, typer.Option(metavar="ID,...", help="These cards and no others, due or not.")] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Fixes the values drawn and the order of options."),
    ] = None,
    home: Home = None,
) -> None:
    """Practise: the cards that are due, then new ones. Every answer is saved at once.

    At any prompt h gives a hint, s skips, q quits, ? helps. Answers can be piped in, one a line.
    """
    from random import SystemRandom
    from shlex import quote

    from rich.console import Console

    from regdemo.quiz.history import History
    from regdemo.quiz.schedule import replay
    from regdemo.quiz.session import Session, pick
    from regdemo.render.cards import Page

    folder = home_folder(home)
    loaded = load_bank(bank, folder)
    wanted = loaded.cards if ids is None else [loaded.find(id) for id in dict.fromkeys(map(str.strip, ids.split(",")))]
    askable = [card for card in wanted if card.kind != "code"]
    page = Page(Console())
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(errors="replace")  # bytes that are no text make a wrong answer, not a crash
    if code := len(wanted) - len(askable):
        page.quiet(f"{counted(code, 'code card')} {'is' if code == 1 else 'are'} not asked in a quiz.")
    with History(folder) as history:
        memories = replay(history.reviews())
        cards = pick(askable, memories, clock(), new=new, limit=limit) if ids is None else askable[:limit]
        if not cards:
            page.quiet(f"Nothing to ask now. {_outlook(askable, memories)}")
            return
        drawn = SystemRandom().randrange(2**32) if seed is None else seed
        session = Session(cards, history, memories, seed=drawn, now=clock)
        try:
            follow = f"regdemo quiz --bank {quote(str(bank))} --ids" if bank else "regdemo quiz --ids"
            _Desk(session, page).take({card.id for card in loaded.cards}, follow)
        finally:
            # Said however it ends: the last card, q, the end of input, Ctrl-C, a disk that takes no more.
            right = sum(review.rating > 1 for review in session.saved)
            saved = f"{counted(len(session.saved), 'answer')} saved, {right} right."
            page.quiet(f"\n{saved} {_outlook(askable, session.memories)}")


class _Desk:
    """Between a session and its learner: prints what is asked, reads what is answered."""

    def __init__(self, session: Session, page: Page) -> None:
        self._session = session
        self._page = page

    def take(self, ids: Collection[str], follow: str) -> None:
        """Ask until no card is left or the learner leaves. ids: the bank's; follow: the command that asks some."""
        session, page = self._session, self._page
        page.quiet(KEYS)
        while asked := session.ask():
            page.rule(f"{session.number} of {session.number + session.left} · {asked.card.id}")
            page.text(asked.question)
            page.listed([(f"{letter})", option.text) for letter, option in zip(LETTERS, asked.options, strict=False)])
            page.quiet("\nMore than one is right.\n" if asked.card.kind == "multi" else "")
            try:
                saved = self._recall(asked) if asked.card.kind == "recall" else self._graded(asked)
            except _Skip:
                page.quiet("Skipped.")
            except EOFError:
                return
            else:
                next_ids = ",".join(id for id in asked.card.follow_ups if id in ids)
                page.listed(
                    [
                        *_under("See it", [f"`{command}`" for command in asked.see_it]),
                        *_under("Source", asked.card.sources),
                        *_under("Next", [f"`{follow} {next_ids}`"] if next_ids else []),
                    ]
                )
                again = "at the end" if saved.again else in_words(saved.due - clock())
                page.quiet(f"\nSaved as {_name(saved.review.rating)}. It comes again {again}.")

    def _graded(self, asked: Asked) -> Saved:
        """A card graded by itself. What cannot be read is asked again."""
        from regdemo.quiz.grading import UnreadableAnswer

        while True:
            try:
                grade, saved = self._session.answer(self._line(asked.card.kind, LETTERS[: len(asked.options)]))
            except UnreadableAnswer as error:
                self._page.quiet(str(error))
                continue
            self._page.verdict(grade.correct, "Right" if grade.correct else "Wrong")
            self._page.text(grade.feedback)
            if grade.correct:
                self._page.text(asked.explanation)
            else:
                self._page.text(asked.answer, "The answer")
            return saved

    def _recall(self, asked: Asked) -> Saved:
        """A card graded by the learner: by a number, or by the key points made, which suggest one."""
        session, page = self._session, self._page
        response = self._line("recall")
        page.text(asked.answer)
        points = LETTERS[: len(asked.key_points)]
        page.listed(list(zip(points, asked.key_points, strict=False)), "Key points")
        page.quiet(f"\n{GRADES}{', or the points you made, as in ab' if points else ''}")
        rating, share = session.suggest(len(points)), None
        while True:
            line = self._line("grade", points, note=f", Enter is {rating}")
            if line in ("", "1", "2", "3", "4"):
                return session.rate(int(line or rating), response, share)
            made = set(line.lower()) - set(" ,")
            if points and made <= set(points):
                rating, share = session.suggest(len(made)), len(made) / len(points)
                page.quiet(f"{len(made)} of {len(points)}: {_name(rating)}. Enter keeps that, 1 to 4 changes it.")
            else:
                page.quiet(f"{line!r} is no grade. {PROMPTS['grade'][1]}")

    def _line(self, prompt: str, letters: str = "", note: str = "") -> str:
        """The next line that is an answer. The keys of every prompt are obeyed, unless they are `letters` here."""
        before, allowed = PROMPTS[prompt]
        keys = set("sq?") if prompt == "grade" else set("sq?h")  # once the answer is shown, no hint helps
        while True:
            line = self._read(f"{before}{note} > ").strip()
            if line not in keys - set(letters):
                return line
            if line == "q":
                raise EOFError
            if line == "s":
                raise _Skip
            if line == "?":
                self._page.quiet(f"{allowed}\n{KEYS}")
            elif hint := self._session.hint():
                self._page.text(hint, "Hint")
                self._page.quiet("")
            else:
                self._page.quiet("No more hints.")

    def _read(self, prompt: str) -> str:
        """One line of standard input; EOFError at its end. A person is prompted, a line from a pipe is printed."""
        if sys.stdin is None:
            raise EOFError
        if sys.stdin.isatty():
            with suppress(ImportError):
                import readline  # noqa: F401  # gives `input` its arrow keys
            return input(prompt)
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        self._page.quiet(f"> {line.rstrip()}")
        return line


def _under(label: str, items: Sequence[str]) -> list[tuple[str, str]]:
    """Each item behind a mark of one width; only the first mark says the label."""
    return [(f"{'' if i else label:6} ", item) for i, item in enumerate(items)]


def _outlook(cards: Sequence[Card], memories: Mapping[str, Memory]) -> str:
    """What is due, or when the next card is."""
    now = clock()
    coming = sorted((memories[card.id].due, card.id) for card in cards if card.id in memories)
    due = sum(time <= now for time, _ in coming)
    fresh = len(cards) - len(coming)
    parts = []
    if due:
        parts.append(f"{counted(due, 'card')} due now.")
    elif coming:
        time, id = coming[0]
        parts.append(f"{id} is the next due, {in_words(time - now)}.")
    if fresh:
        parts.append(f"{counted(fresh, 'card')} never answered.")
    return " ".join(parts)


def _name(rating: int) -> str:
    return GRADES.split(" · ")[rating - 1][2:]
