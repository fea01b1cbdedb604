"""`regdemo quiz`: which cards, whose history; the session decides, the desk reads and prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from regdemo.cli.learner import (
    CACHE,
    BankPath,
    Home,
    Ids,
    Interview,
    Kinds,
    Retention,
    Seed,
    Tags,
    Topics,
    Transcript,
    asking,
    clock,
    counted,
    home_folder,
    in_words,
    katas,
    listed,
    load_bank,
    page_and_lines,
    plan_for,
    streak,
)

if TYPE_CHECKING:
    from regdemo.quiz.cards import Card
    from regdemo.quiz.schedule import CardState


def quiz(
    bank: BankPath = None,
    new: Annotated[int, typer.Option(min=0, help="At most this many cards that you never answered.")] = 10,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many cards in all.")] = None,
    ids: Ids = None,
    topic: Topics = None,
    kind: Kinds = None,
    tag: Tags = None,
    flagged: Annotated[bool, typer.Option("--flagged", help="The cards that you flagged, due or not.")] = False,
    cram: Annotated[
        bool, typer.Option("--cram", help="Due or not, the most likely forgotten first; moves no schedule.")
    ] = False,
    retention: Retention = 0.9,
    interview: Interview = None,
    seed: Seed = None,
    home: Home = None,
    as_json: Transcript = False,
) -> None:
    """Practise: the cards that are due, then new ones, topics in turn. Every answer is saved at once.

    At any prompt h gives a hint, s skips, f flags, u takes the last answer back, q quits, ? helps; after an answer !
    runs the command under See it. Answers can be piped in, one a line.
    """
    import json
    from random import SystemRandom

    from regdemo.cli.desk import Desk
    from regdemo.quiz.history import History
    from regdemo.quiz.selection import narrow, pick
    from regdemo.quiz.session import CRAM, QUIZ, Session
    from regdemo.quiz.states import card_states

    folder = home_folder(home)
    plan = plan_for(folder, retention, interview)
    loaded = load_bank(bank, folder)
    wanted = narrow(loaded, ids=listed(ids), topics=listed(topic), kinds=listed(kind), tags=listed(tag))
    page, lines = page_and_lines(as_json=as_json)
    with History(folder) as history:
        if history.notice:
            page.quiet(history.notice)
        if flagged:
            marked = history.flagged()
            wanted = [card for card in wanted if card.id in marked]
        askable = [card for card in wanted if card.kind != "code"]
        # Of a whole bank they are not missed; of cards that were chosen they would be.
        if (code := len(wanted) - len(askable)) and (len(wanted) < len(loaded.cards) or not askable):
            page.quiet(katas(code, bank))
        states = card_states(history, plan, folder / CACHE)
        if ids is not None or flagged:
            cards = askable[:limit]
        else:
            cards = pick(askable, states, clock(), new=new, limit=limit, cram=cram)
        if not cards:
            why = ": no such card is flagged, and f flags one at any prompt" if flagged and not wanted else ""
            page.quiet(f"Nothing to ask now{why}. {_outlook(askable, states)}".rstrip())
            if askable:
                fresh = any(card.id not in states for card in askable)
                page.quiet(f"{'`--new 10` asks new ones' if fresh else '`--cram` asks cards before they are due'}.")
            if as_json:
                print("[]")
            return
        drawn = SystemRandom().randrange(2**32) if seed is None else seed
        policy = CRAM if cram else QUIZ
        session = Session(cards, history, states, seed=drawn, now=clock, policy=policy, plan=plan, bank=loaded.cards)
        desk = Desk(session, page, lines, streak(history.times()), asking(bank))
        try:
            desk.take({card.id for card in loaded.cards})
        finally:
            # Said however it ends: the last card, q, the end of input, Ctrl-C, a disk that takes no more.
            saved = f"{counted(len(session.saved), 'answer')} saved, {session.right} right."
            page.quiet(f"\n{saved} {_outlook(askable, session.states)}")
            if as_json:
                print(json.dumps(desk.transcript, indent=2, ensure_ascii=False))


def _outlook(cards: Sequence[Card], states: Mapping[str, CardState]) -> str:
    """What is due, or when the next card is."""
    now = clock()
    coming = sorted((states[card.id].due, card.id) for card in cards if card.id in states)
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
