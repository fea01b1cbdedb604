"""`regdemo` alone: what is due today, what to type, and where everything else is."""

from __future__ import annotations

import rich.console

from regdemo.cli import learner
from regdemo.quiz import days
from regdemo.quiz import history as histories
from regdemo.render import cards as pages
from regdemo.words import in_days, pluralize

SENTENCE = "Interview practice on regularization: answers explained, claims measured."


def start() -> None:
    """Print the start page: at most 20 lines, also at 80 columns."""
    page = pages.Page(rich.console.Console())
    folder = learner.home_folder(None)
    with histories.reading(folder) as history:
        practice = learner.practice(learner.load_bank(None, folder), history, folder)
        today = practice.today()
        streak = days.streak(days.days_of(history.times()), practice.now().astimezone().date())
    due = f"{pluralize(today.due, 'card')} due" if today.due else "nothing due"
    lines = [SENTENCE, "", f"  Today: {due}, {today.new} new."]
    if today.days_left is not None:
        minutes = f", {pluralize(practice.goal.minutes, 'minute')} a day" if practice.goal.minutes else ""
        lines.append(f"  Your interview is {in_days(today.days_left)}{minutes}: see `regdemo plan`.")
    else:
        lines.append("  Your interview: regdemo plan --interview YYYY-MM-DD --minutes 20")
    if streak:
        lines.append(f"  Streak: {pluralize(streak, 'day')}.")
    lines += [
        "",
        "  regdemo quiz              what is due, then what interviewers ask most",
        "  regdemo mock              a mock interview with a clock and a score card",
        "  regdemo kata              write it or find the bug; your code is judged",
        "  regdemo dropout --p 0.1   run a demo that measures each of its claims",
        "",
        "  Also: regdemo list (all demos), pitfalls, compare, stats, plan, bank, history.",
        "  regdemo --help shows every command; regdemo COMMAND --help, its options.",
    ]
    for line in lines:
        page.quiet(line)
