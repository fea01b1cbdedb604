"""`regdemo quiz` and `regdemo stats`: the session decides, this reads and prints."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from regdemo.quiz.cards import Asked, Card
    from regdemo.quiz.decks import Bank
    from regdemo.quiz.schedule import Memory
    from regdemo.quiz.session import Saved, Session
    from regdemo.render.cards import Page

BankPath = Annotated[
    Path | None,
    typer.Option("--bank", metavar="PATH", help="A deck, or a folder of decks; without it, the bundled ones."),
]
Home = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", envvar="REGDEMO_HOME", help="The folder of your history; without it, your data folder."
    ),
]

KEYS = "h a hint · s skip · q quit · ? help"
GRADES = "1 Again · 2 Hard · 3 Good · 4 Easy"
WEAKEST = 5  # cards that `stats` lists
CACHE = "cache"  # the folder, beside the history, of decks that were read before
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

    folder = _home(home)
    loaded = _load(bank, folder)
    wanted = loaded.cards if ids is None else [loaded.find(id) for id in dict.fromkeys(map(str.strip, ids.split(",")))]
    askable = [card for card in wanted if card.kind != "code"]
    page = Page(Console())
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(errors="replace")  # bytes that are no text make a wrong answer, not a crash
    if code := len(wanted) - len(askable):
        page.quiet(f"{_count(code, 'code card')} {'is' if code == 1 else 'are'} not asked in a quiz.")
    with History(folder) as history:
        memories = replay(history.reviews())
        cards = pick(askable, memories, _now(), new=new, limit=limit) if ids is None else askable[:limit]
        if not cards:
            page.quiet(f"Nothing to ask now. {_outlook(askable, memories)}")
            return
        drawn = SystemRandom().randrange(2**32) if seed is None else seed
        session = Session(cards, history, memories, seed=drawn, now=_now)
        try:
            follow = f"regdemo quiz --bank {quote(str(bank))} --ids" if bank else "regdemo quiz --ids"
            _Desk(session, page).take({card.id for card in loaded.cards}, follow)
        finally:
            # Said however it ends: the last card, q, the end of input, Ctrl-C, a disk that takes no more.
            right = sum(review.rating > 1 for review in session.saved)
            saved = f"{_count(len(session.saved), 'answer')} saved, {right} right."
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
                again = "at the end" if saved.again else _in(saved.due - _now())
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
    now = _now()
    coming = sorted((memories[card.id].due, card.id) for card in cards if card.id in memories)
    due = sum(time <= now for time, _ in coming)
    fresh = len(cards) - len(coming)
    parts = []
    if due:
        parts.append(f"{_count(due, 'card')} due now.")
    elif coming:
        time, id = coming[0]
        parts.append(f"{id} is the next due, {_in(time - now)}.")
    if fresh:
        parts.append(f"{_count(fresh, 'card')} never answered.")
    return " ".join(parts)


def _name(rating: int) -> str:
    return GRADES.split(" · ")[rating - 1][2:]


def _in(time: timedelta) -> str:
    minutes = time / timedelta(minutes=1)
    if minutes <= 0:
        return "now"
    for size, unit in ((24 * 60, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size:
            return f"in {_count(round(minutes / size), unit)}"
    return "in a minute"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _now() -> datetime:
    return datetime.now(UTC)


def _load(bank: Path | None, home: Path) -> Bank:
    """The bank asked for. What was read is kept beside the history, once there is one."""
    from regdemo.quiz import decks

    return decks.load(bank or decks.bundled(), cache=home / CACHE if home.is_dir() else None)


def _home(home: Path | None) -> Path:
    if home is not None:
        return home
    from platformdirs import user_data_path

    return user_data_path("regdemo", appauthor=False)


def stats(
    bank: BankPath = None,
    home: Home = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """What is due, what is learned, and what is weak."""
    from rich.console import Console

    from regdemo.quiz.history import read
    from regdemo.quiz.schedule import LEARNED, replay
    from regdemo.render.cards import Page

    folder = _home(home)
    cards = {card.id: card for card in _load(bank, folder).cards if card.kind != "code"}
    answers = [review for review in read(folder) if review.card in cards]
    memories = replay(answers)
    now = _now()
    days = [(memory.due - now) / timedelta(days=1) for memory in memories.values()]
    due = {
        "now": sum(day <= 0 for day in days),
        "within a day": sum(0 < day <= 1 for day in days),
        "within a week": sum(1 < day <= 7 for day in days),
        "later": sum(day > 7 for day in days),
    }
    learned = sum(memory.learned for memory in memories.values())
    # Weak is what was failed and is not learned since, the least likely to be recalled tomorrow first.
    tomorrow = {id: memory.recall(now + timedelta(days=1)) for id, memory in memories.items()}
    weak = sorted(
        (id for id, memory in memories.items() if memory.failed and not memory.learned), key=tomorrow.__getitem__
    )
    if as_json:
        shown = {
            "cards": len(cards),
            "new": len(cards) - len(memories),
            "answers": len(answers),
            "due": {name.replace(" ", "_"): count for name, count in due.items()},
            "learned": learned,
            "weak": [
                {
                    "id": id,
                    "question": cards[id].question,
                    "recall_tomorrow": round(tomorrow[id], 4),
                    "stability": round(memories[id].stability, 4),
                    "answers": memories[id].reviews,
                    "failed": memories[id].failed,
                    "due": memories[id].due.isoformat(),
                }
                for id in weak
            ],
        }
        print(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    page = Page(Console())
    if not answers:
        page.quiet(f"{_count(len(cards), 'card')}, none answered yet: begin with `regdemo quiz`.")
        return
    page.bars("Due", due)
    page.bars(
        "Cards",
        {
            f"learned, stable for {LEARNED:.0f} days": learned,
            "being learned": len(memories) - learned,
            "never answered": len(cards) - len(memories),
        },
    )
    if weak:
        page.table(
            "Weakest, and how likely they are recalled tomorrow",
            ["  card", "recall", "failed", "due", "question"],
            [
                [
                    f"  {id}",
                    f"{tomorrow[id]:.0%}",
                    f"{memories[id].failed} of {memories[id].reviews}",
                    _in(memories[id].due - now),
                    cards[id].question.partition("\n")[0],
                ]
                for id in weak[:WEAKEST]
            ],
        )
