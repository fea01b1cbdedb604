"""`regdemo quiz`: which cards, whose history; the session decides, the desk draws and reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from regdemo import interviewer as interviewers
from regdemo.cli import desk, learner
from regdemo.cli.as_json import print_json
from regdemo.cli.hints import typed
from regdemo.cli.learner import BankPath, Home, Ids, Interview, Kinds, Model, Retention, Seed, Tags, Topics, Transcript
from regdemo.quiz import history as histories
from regdemo.quiz import session as sessions
from regdemo.quiz.practice import Practice, Today
from regdemo.words import from_now, pluralize

if TYPE_CHECKING:
    from regdemo.quiz.cards import Card
    from regdemo.quiz.history import History


def quiz(
    bank: BankPath = None,
    new: Annotated[
        int | None,
        typer.Option(min=0, help="At most this many new cards today; without it, as your plan says, or 10."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many cards in all.")] = None,
    ids: Ids = None,
    topic: Topics = None,
    kind: Kinds = None,
    tag: Tags = None,
    flagged: Annotated[bool, typer.Option("--flagged", help="The cards that you flagged, due or not.")] = False,
    tonight: Annotated[
        bool, typer.Option("--tonight", help="Ten cards for the evening before, due or not, and three katas.")
    ] = False,
    cram: Annotated[
        bool, typer.Option("--cram", help="Due or not, the most likely forgotten first; moves no schedule.")
    ] = False,
    retention: Retention = 0.9,
    interview: Interview = None,
    model: Model = None,
    seed: Seed = None,
    home: Home = None,
    as_json: Transcript = False,
) -> None:
    """Practise: the cards that are due, then new ones, the most asked first. Every answer is saved at once.

    At any prompt h gives a hint, s skips, f flags, u takes the last answer back, q quits, ? helps. After an answer o
    shows its sources, n asks a follow-up, ! runs the command under See it. Answers can be piped in, one a line.
    """
    folder = learner.home_folder(home)
    loaded = learner.load_bank(bank, folder, asking=True)
    wanted = learner.narrowed(loaded, ids=ids, topic=topic, kind=kind, tag=tag)
    learner.check_day(interview)
    interviewer = interviewers.Interviewer(model) if model else None
    page, keyboard = learner.page_and_keyboard(as_json=as_json)
    with histories.History(folder) as history:
        if history.notice:
            page.quiet(typed(history.notice))
        practice = learner.practice(loaded, history, folder, retention, interview)
        wanted = _marked(wanted, history, flagged=flagged, tonight=tonight)
        askable = [card for card in wanted if card.askable]
        # Of a whole bank katas are not missed; of cards that were chosen they would be.
        if len(askable) < len(wanted) and (len(wanted) < len(loaded.cards) or not askable):
            page.quiet(_katas([card.id for card in wanted if not card.askable], tonight=tonight))
        named = ids is not None or flagged or tonight
        cards = practice.choose(askable, new=new, limit=limit, cram=cram, named=named)
        if not cards:
            reason = "no such card is flagged, and f flags one at any prompt" if flagged else "no card is all of this"
            page.quiet(_nothing(practice, askable, new, "" if wanted else f": {reason}"))
            if as_json:
                print("[]")
            return
        session = practice.session(cards, seed=seed, policy=sessions.CRAM if cram else sessions.QUIZ)
        terminal = desk.TerminalDesk(session, page, keyboard, history.times, interviewer)
        try:
            terminal.take()
        finally:
            # Said however it ends: the last card, q, the end of input, Ctrl-C, a disk that takes no more.
            saved = f"{pluralize(len(session.replies), 'answer')} saved, {session.right} right."
            page.quiet(f"\n{saved} {outlook(practice, practice.today(askable, new, session.states))}".rstrip())
            if as_json:
                print_json(terminal.transcript)


def outlook(practice: Practice, today: Today) -> str:
    """What is due, or when the next card is."""
    parts = []
    if today.due:
        parts.append(f"{pluralize(today.due, 'card')} due now.")
    elif today.next_due:
        id, due = today.next_due
        parts.append(f"{id} is the next due, {from_now(due - practice.now())}.")
    if today.unanswered:
        parts.append(f"{pluralize(today.unanswered, 'card')} not begun.")
    return " ".join(parts)


def _marked(cards: Sequence[Card], history: History, *, flagged: bool, tonight: bool) -> list[Card]:
    """Of these cards, those with a flag, or those for the evening before, if they are asked for."""
    marked = history.flagged() if flagged else set()
    return [card for card in cards if (card.id in marked or not flagged) and ("tonight" in card.tags or not tonight)]


def _katas(ids: list[str], *, tonight: bool) -> str:
    """Where cards of code are asked; on the evening before, what to type after the quiz."""
    then = "".join(f", then {id}" for id in ids[1:])
    return typed(f"Afterwards: `regdemo kata start {ids[0]}`{then}.") if tonight else learner.katas_note(len(ids))


def _nothing(practice: Practice, askable: Sequence[Card], new: int | None, why: str) -> str:
    """What to say where no card is asked."""
    today = practice.today(askable, new)
    said = f"Nothing to ask now{why}. {outlook(practice, today)}".rstrip()
    return f"{said}\n{_more(today)}" if askable else said


def _more(today: Today) -> str:
    if not today.unanswered:
        return "`--cram` asks cards before they are due."
    asked = f"{pluralize(today.introduced, 'new card')} begun today: " if today.introduced else ""
    return f"{asked}`--new {today.introduced + 10}` asks new ones."
