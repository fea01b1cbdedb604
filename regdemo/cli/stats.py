"""`regdemo stats`: what the history says about its learner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import rich.console
import typer

from regdemo.cli import learner
from regdemo.cli.as_json import AsJson, print_json
from regdemo.cli.hints import typed
from regdemo.cli.learner import BankPath, Home, Interview, Retention
from regdemo.quiz import days, fitting, progress
from regdemo.quiz import history as histories
from regdemo.quiz.outcome import as_plain
from regdemo.quiz.schedule import LEARNED
from regdemo.render import cards as pages
from regdemo.words import from_now, pluralize, topic_title

if TYPE_CHECKING:
    from regdemo.quiz.practice import Practice
    from regdemo.quiz.progress import Overview, Topic
    from regdemo.quiz.schedule import SchedulerSettings
    from regdemo.render.cards import Page

WEAKEST = 5  # cards that are listed
TOPICS = 10  # that are listed, the weakest first
CALENDAR_WEEKS = 24  # of the calendar
SHADES = "·░▒▓█"  # no answer on a day, then ever more


def stats(
    bank: BankPath = None,
    retention: Retention = 0.9,
    interview: Interview = None,
    fit: Annotated[
        bool, typer.Option("--fit", help="Fit FSRS's parameters to your answers; kept if they predict better.")
    ] = False,
    unfit: Annotated[bool, typer.Option("--unfit", help="Go back to FSRS's default parameters.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """What is due, learned and weak, when you practised, and whether you recall what was predicted.

    With a plan or --interview, what you will recall on that day, by topic.
    """
    folder = learner.home_folder(home)
    page = pages.Page(rich.console.Console())
    if unfit:
        forgotten = fitting.forget(folder)
        page.quiet(f"FSRS's default parameters {'are back in use' if forgotten else 'were in use already'}.")
        return
    learner.check_day(interview)
    with histories.reading(folder) as history:
        practice = learner.practice(learner.load_bank(bank, folder), history, folder, retention, interview)
        if fit:
            _fit(page, folder, history.reviews(), practice.settings, as_json=as_json)
            return
        found = progress.overview(practice)
        if as_json:
            print_json(_as_plain(found, practice))
        elif not found.answers and not found.practised:
            begin = typed("begin with `regdemo quiz`")
            page.quiet(f"{pluralize(found.cards, 'card')}, none answered yet in {folder}: {begin}.")
        else:
            _show(page, found, practice)


def _as_plain(found: Overview, practice: Practice) -> dict[str, object]:
    plain: dict[str, object] = as_plain(found)
    plain["due"] = {name.replace(" ", "_"): count for name, count in found.due.items()}
    plain["weak"] = [
        {
            "id": weak.card.id,
            "question": weak.card.question,
            "recall_tomorrow": round(weak.recall, 4),
            "stability": round(weak.state.stability, 4),
            "answers": weak.state.reviews,
            "failed": weak.state.failed,
            "due": weak.state.due.isoformat(),
        }
        for weak in found.weak
    ]
    plain["interview"] = str(practice.goal.interview) if practice.settings.interview else None
    plain["forecast"] = as_plain(practice.forecast()) if practice.goal.minutes and plain["interview"] else None
    plain["practice"] = {
        "days": {day.isoformat(): count for day, count in sorted(found.practised.items())},
        "streak": plain.pop("streak"),
        "longest_streak": plain.pop("longest"),
    }
    del plain["practised"]
    return plain


def _show(page: Page, found: Overview, practice: Practice) -> None:
    page.bars("Due", found.due)
    begun = found.cards - found.new
    page.bars(
        "Cards",
        {
            f"learned, stable for {LEARNED:.0f} days": found.learned,
            "being learned": begun - found.learned,
            "not begun": found.new,
        },
    )
    if found.katas.cards:
        katas = found.katas
        page.bars(
            "Katas",
            {
                "passed": katas.passed,
                "failed": katas.failed,
                "not tried": katas.cards - katas.passed - katas.failed,
                "due again": katas.due,
            },
        )
    if found.weak:
        page.table(
            "Weakest, and how likely they are recalled tomorrow",
            ["  card", "recall", "failed", "due", "question"],
            [
                [
                    f"  {weak.card.id}",
                    f"{weak.recall:.0%}",
                    f"{weak.state.failed} of {weak.state.reviews}",
                    from_now(weak.state.due - practice.now()),
                    weak.card.first_line,
                ]
                for weak in found.weak[:WEAKEST]
            ],
        )
    if found.flagged:
        page.table(
            typed("Flagged: `regdemo quiz --flagged` asks them"),
            ["  card", "question"],
            [[f"  {id}", practice.bank.find(id).first_line] for id in found.flagged[:WEAKEST]],
        )
    _topics(page, found.topics, practice)
    _calendar(page, found.practised, practice.now().astimezone().date())
    page.quiet(f"\n  Streak: {pluralize(found.streak, 'day')} (longest: {pluralize(found.longest, 'day')}).")
    _retention(page, found.retention)


def _topics(page: Page, topics: Sequence[Topic], practice: Practice) -> None:
    """Each topic that was begun; with an interview, what will be recalled then."""
    begun = progress.weakest(topics)
    if practice.settings.interview is None:
        page.table(
            f"Topics, the weakest of {len(begun)}: recall of begun cards tomorrow",
            ["  recall", "learned", "begun", "due", "topic"],
            [
                [
                    f"  {topic.recall:.0%}",
                    f"{topic.learned}",
                    f"{topic.answered} of {topic.cards}",
                    f"{topic.due}",
                    topic_title(topic.name),
                ]
                for topic in begun[:TOPICS]
            ],
        )
        return
    page.table(
        f"Recalled on {practice.goal.interview}, the weakest of {pluralize(len(begun), 'topic')}",
        ["  if you stop", "if you keep up", "begun", "topic"],
        [
            [
                f"  {topic.stopped:.0%}",
                f"{topic.kept:.0%}",
                f"{topic.answered} of {topic.cards}",
                topic_title(topic.name),
            ]
            for topic in sorted(begun, key=lambda topic: topic.stopped or 0)[:TOPICS]
        ],
    )
    cards = sum(topic.cards for topic in topics)
    stopped, kept = (sum((getattr(topic, each) or 0) * topic.cards for topic in topics) for each in ("stopped", "kept"))
    unmet = sum(topic.cards - topic.answered for topic in topics)
    page.quiet(f"\n  In all {stopped:.0f} of {pluralize(cards, 'card')} if you stop, {kept:.0f} if you keep up.")
    page.quiet(f"  {unmet:,} are not begun. To keep up: Good, when due.")
    if practice.goal.minutes:
        ahead = practice.forecast()
        said = {
            f"if {what}, {each.low:.0f} to {each.high:.0f}": round(each.mean)
            for what, each in (("you stop now", ahead.stopped), ("you keep to your plan", ahead.kept))
        }
        of_all = f"of {pluralize(ahead.cards, 'card')}, with 95% interval"
        page.bars(f"Forecast: recalled on {ahead.interview}, {of_all}", said)
    page.quiet(typed("\n  `regdemo plan` shows the way there."))


def _calendar(page: Page, practised: Mapping[date, int], today: date) -> None:
    """Answers by day, a column for each week, darker for more."""
    rows = days.calendar(practised, today, CALENDAR_WEEKS)
    most = max((count or 0 for row in rows for count in row), default=0)
    mondays = [
        today - timedelta(days=today.weekday(), weeks=CALENDAR_WEEKS - 1 - week) for week in range(CALENDAR_WEEKS)
    ]
    # A month's name is over the first week that begins in it, if there is room.
    months = [" "] * (2 * CALENDAR_WEEKS + 3)
    for week, monday in enumerate(mondays):
        if monday.day <= 7:
            months[2 * week : 2 * week + 3] = f"{monday:%b}"
    names = ("Mon", "", "Wed", "", "Fri", "", "Sun")
    lines = [
        f"  {name:3} {' '.join(_shade(count, most) for count in row)}" for name, row in zip(names, rows, strict=True)
    ]
    page.listed([("", "")], "Practice, katas included, a column for each week")
    for line in (f"      {''.join(months)}", *lines):
        page.quiet(line.rstrip())


def _shade(count: int | None, most: int) -> str:
    if count is None:
        return " "
    return SHADES[-(-count * (len(SHADES) - 1) // most)] if count else SHADES[0]


def _retention(page: Page, found: progress.Retention) -> None:
    """What was predicted of the reviews on a later day, and what came."""
    if not found.reviews:
        page.quiet("\n  No card was answered on a second day yet.")
        return
    page.table(
        f"Predicted and seen in {pluralize(found.reviews, 'review')} on a later day",
        ["  predicted", "mean", "seen", "reviews", "95% interval"],
        [
            [
                f"  {each.low:.0%} to {each.high:.0%}",
                f"{each.predicted:.0%}",
                f"{each.seen:.0%}",
                f"{each.count:,}",
                f"{each.least:.0%} to {each.most:.0%}{'' if each.least <= each.predicted <= each.most else ' *'}",
            ]
            for each in found.bins
        ],
    )
    page.quiet(f"\n  Log loss {found.log_loss:.3f}, Brier score {found.brier:.3f}. * not as predicted.")


def _fit(
    page: Page, folder: Path, reviews: Sequence[histories.Review], settings: SchedulerSettings, *, as_json: bool
) -> None:
    """Fit, say by how much the prediction of later answers improved, and keep the parameters if it did."""
    fitted = fitting.fit(reviews, settings)
    kept = fitting.adopt(folder, fitted) if fitted.better else None
    if as_json:
        print_json({**fitted._asdict(), "adopted": fitted.better})
        return
    mean, low, high = fitted.gain
    page.quiet(
        f"Fitted to the first {fitting.TRAINED:.0%} of your answers and scored on {fitted.scored:,} later ones: "
        f"log loss {fitted.before:.4f} before, {fitted.after:.4f} fitted, "
        f"better by {mean:.4f} (95% interval {low:.4f} to {high:.4f})."
    )
    if kept:
        undo = typed("`regdemo stats --unfit` restores the defaults")
        page.quiet(f"Adopted, fitted again to all answers, in {kept}: {undo}.")
    else:
        page.quiet("Not adopted: the interval includes no gain at all. The parameters stay as they were.")
