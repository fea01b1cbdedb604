"""`regdemo plan`: the day of the interview, the minutes per day, and what they come to."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated

import rich.console
import typer

from regdemo.cli import learner
from regdemo.cli.as_json import AsJson, print_json
from regdemo.cli.hints import typed
from regdemo.cli.learner import BankPath, Home, parse_day
from regdemo.errors import ArgumentError
from regdemo.quiz import goal, progress
from regdemo.quiz import history as histories
from regdemo.quiz.forecast import Estimate, Forecast
from regdemo.quiz.outcome import as_plain
from regdemo.quiz.practice import Practice
from regdemo.render import cards as pages
from regdemo.words import in_days, pluralize, topic_title

WEAK_TOPICS = 3  # topics that are named


def plan(
    bank: BankPath = None,
    interview: Annotated[
        datetime | None,
        typer.Option(parser=parse_day, metavar="YYYY-MM-DD", help="The day of your interview. Kept until changed."),
    ] = None,
    minutes: Annotated[
        int | None,
        typer.Option(
            min=goal.MINUTES[0],
            max=goal.MINUTES[1],
            help=f"How many minutes a day you have. Kept; {goal.USUAL_MINUTES} if you never say.",
        ),
    ] = None,
    new: Annotated[
        int | None,
        typer.Option(min=0, max=1000, help="New cards per day. Kept; without it, as many as fit into the minutes."),
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Forget the plan.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """What to do each day until your interview, what is left out, and what you will recall on the day.

    The plan is kept next to your history; `regdemo` alone and every quiz follow it. Without options it is computed
    again from where you are now.
    """
    folder = learner.home_folder(home)
    page = pages.Page(rich.console.Console())
    if clear:
        page.quiet("The plan is gone." if goal.clear(folder) else "There was no plan.")
        return
    learner.check_day(interview)
    kept = goal.read(folder)
    aim = replace(
        kept,
        interview=interview.date() if interview else kept.interview,
        minutes=minutes or kept.minutes or goal.USUAL_MINUTES,
        new=kept.new if new is None else new,
    )
    today = learner.clock().astimezone().date()
    if aim.interview is None or aim.interview < today:
        said = f"your interview, {aim.interview}, is over" if aim.interview else "no day is set"
        raise ArgumentError(f"{said}: type `regdemo plan --interview YYYY-MM-DD --minutes {aim.minutes}`")
    goal.check_day(aim.interview, today)  # the one that was kept, too
    with histories.reading(folder) as history:
        practice = Practice(learner.load_bank(bank, folder), history, folder, learner.clock, goal=aim)
        found = practice.forecast()
        goal.write(folder, aim)
        if as_json:
            print_json(as_plain(found))
        else:
            _show(page, found, practice)


def _show(page: pages.Page, found: Forecast, practice: Practice) -> None:
    when = in_days(practice.goal.days_left(practice.now().astimezone().date()) or 0)
    page.rule(f"Interview on {found.interview}, {when} · {pluralize(found.minutes, 'minute')} a day")
    today, new = practice.today(), pluralize(found.new_per_day, "new card")
    brought = f"{new} on average" if practice.goal.new is None else f"up to {new}"
    page.quiet(f"Each day, while the time lasts: what is due, then {brought}.")
    page.quiet(f"Today: {today.due} due, {today.new} new.")
    if found.weeks:
        page.table(
            "Week by week, on average",
            ["  from", "days", "new", "reviews", "mocks", "katas", "minutes a day"],
            [
                [
                    f"  {week.start}",
                    f"{week.days}",
                    f"{week.new}",
                    f"{week.reviews}",
                    f"{week.mocks}",
                    f"{week.katas}",
                    f"{week.minutes / week.days:.0f}",
                ]
                for week in found.weeks
            ],
        )
        page.quiet("\nOn the day before, every card is due: stop when your time is up.")
    left = sum(found.left_out.values())
    by_frequency = ", ".join(f"{count} {name}" for name, count in found.left_out.items())
    short = f"Left out, since time is short: {pluralize(left, 'card')} ({by_frequency})."
    page.quiet(f"\n{short if left else 'Every card is asked before the day.'}")
    cards = pluralize(found.cards, "card")
    page.quiet(f"On the day you will recall about {_in_words(found.kept)} of {cards} if you keep to it,")
    page.quiet(f"and {_in_words(found.stopped)} if you stop now. (95% intervals,")
    page.quiet("by chance alone: that FSRS's model fits you is assumed.)")
    topics = progress.topics(practice.askable, practice.states, practice.now(), practice.settings)
    weak = [topic for topic in progress.weakest(topics) if (topic.recall or 0) < practice.settings.retention]
    if weak:
        said = ", ".join(f"{topic_title(topic.name)} ({topic.recall:.0%})" for topic in weak[:WEAK_TOPICS])
        command = typed(f"regdemo quiz --topic {topic_title(weak[0].name)} --cram")
        page.quiet(f"Weak topics, by what you will recall tomorrow: {said}: `{command}`.")
    page.quiet(typed("\n`regdemo quiz` follows the plan; `regdemo mock` and `regdemo kata` belong to it."))


def _in_words(estimate: Estimate) -> str:
    return f"{estimate.mean:.0f} ({estimate.low:.0f} to {estimate.high:.0f})"
