"""`regdemo mock`: an interview against the clock, with no feedback until its end."""

from __future__ import annotations

from typing import Annotated

import typer

from regdemo import interviewer as interviewers
from regdemo.cli import desk, learner, scorecard
from regdemo.cli.as_json import print_json
from regdemo.cli.hints import typed
from regdemo.cli.learner import BankPath, Home, Kinds, Model, Seed, Tags, Topics, Transcript
from regdemo.quiz import history as histories


def mock(
    bank: BankPath = None,
    minutes: Annotated[float, typer.Option(min=0.1, max=600, help="How long it lasts.")] = 20,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many questions.")] = None,
    topic: Topics = None,
    kind: Kinds = None,
    tag: Tags = None,
    seed: Seed = None,
    model: Model = None,
    home: Home = None,
    as_json: Transcript = False,
) -> None:
    """A mock interview: weak topics more often, each question with its follow-ups, a clock, and no feedback.

    At the end come a score card with the reason for each mistake, what to improve, and how sure you were against how
    right. When the time is up, the question on the screen may still be answered. Every answer is saved at once, and
    counts as in a quiz; one that you grade yourself, once it is graded. At a prompt s passes, u takes the last answer
    back, f flags the question, q ends the interview, ? helps.
    """
    folder = learner.home_folder(home)
    loaded = learner.load_bank(bank, folder, asking=True)
    wanted = learner.narrowed(loaded, topic=topic, kind=kind, tag=tag)
    interviewer = interviewers.Interviewer(model) if model else None
    page, keyboard = learner.page_and_keyboard(as_json=as_json)
    with histories.History(folder) as history:
        if history.notice:
            page.quiet(typed(history.notice))
        practice = learner.practice(loaded, history, folder)
        askable = [card for card in wanted if card.askable]
        begun = learner.clock()
        session = practice.mock(askable, minutes=minutes, limit=limit, seed=seed)
        if not askable:
            code = f"{learner.katas_note(len(wanted))} " if wanted else ""
            page.quiet(f"There is nothing to ask: choose other topics, kinds or tags. {code}".rstrip())
        interview = desk.TerminalDesk(session, page, keyboard, interviewer=interviewer)
        took = None
        try:
            interview.take()
            took = learner.clock() - begun
            if not session.time_left:
                page.quiet("\nThe time is up.")
            interview.grade()
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        finally:
            # Shown however it ends: the last question, q, the end of input, Ctrl-C, a disk that takes no more.
            card = scorecard.Scorecard(session.replies, took or learner.clock() - begun)
            if as_json:
                print_json(card.as_plain())
            elif session.replies:
                card.show(page)
            elif askable:
                page.quiet("\nNo question was answered.")
