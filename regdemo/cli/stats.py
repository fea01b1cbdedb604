"""`regdemo stats`: what the history says of its learner."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from regdemo.cli.learner import (
    BankPath,
    Home,
    Interview,
    Retention,
    clock,
    counted,
    home_folder,
    in_words,
    load_bank,
    plan_for,
)

if TYPE_CHECKING:
    from regdemo.quiz.fitting import Prediction
    from regdemo.quiz.history import Review
    from regdemo.quiz.progress import Topic
    from regdemo.quiz.schedule import Plan
    from regdemo.render.cards import Page

WEAKEST = 5  # cards that are listed
TOPICS = 10  # that are listed, the weakest first
WEEKS = 24  # of the calendar
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
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """What is due, learned and weak, when you practised, and whether you recall what was predicted.

    With --interview, what you will recall on that day, by topic.
    """
    from rich.console import Console

    from regdemo.quiz import progress
    from regdemo.quiz.fitting import follow, forget
    from regdemo.quiz.history import flagged, read
    from regdemo.quiz.schedule import LEARNED
    from regdemo.render.cards import Page

    folder = home_folder(home)
    page = Page(Console())
    if unfit:
        page.quiet("FSRS's default parameters hold again." if forget(folder) else "FSRS's default parameters hold.")
        return
    everything = read(folder)
    plan = plan_for(folder, retention, interview)
    if fit:
        _fit(page, folder, everything, plan, as_json=as_json)
        return
    cards = {card.id: card for card in load_bank(bank, folder).cards if card.kind != "code"}
    answers = [review for review in everything if review.card in cards]
    predictions, memories = follow(answers, plan)
    marked = [id for id in cards if id in flagged(folder)]
    now = clock()
    today = now.astimezone().date()
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
    by_topic = progress.topics(cards.values(), memories, now, plan)
    practised = progress.practised(everything)
    current, longest = progress.streaks(practised, today)
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
            "flagged": marked,
            "topics": [asdict(topic) for topic in by_topic],
            "interview": interview.date().isoformat() if interview else None,
            "practice": {
                "days": {day.isoformat(): count for day, count in sorted(practised.items())},
                "streak": current,
                "longest_streak": longest,
            },
            "retention": {
                "wanted": plan.retention,
                "reviews": len(predictions),
                **_scores(predictions),
                "bins": [asdict(each) for each in progress.calibration(predictions)],
            },
        }
        print(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    if not answers:
        page.quiet(f"{counted(len(cards), 'card')}, none answered yet in {folder}: begin with `regdemo quiz`.")
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
                    in_words(memories[id].due - now),
                    cards[id].question.partition("\n")[0],
                ]
                for id in weak[:WEAKEST]
            ],
        )
    if marked:
        page.table(
            "Flagged: `regdemo quiz --flagged` asks them",
            ["  card", "question"],
            [[f"  {id}", cards[id].question.partition("\n")[0]] for id in marked[:WEAKEST]],
        )
    _topics(page, by_topic, interview)
    _calendar(page, practised, today)
    page.quiet(f"\n  {counted(current, 'day')} in a row; the longest row was {counted(longest, 'day')}.")
    _retention(page, predictions, plan)


def _topics(page: Page, topics: Sequence[Topic], interview: datetime | None) -> None:
    """Where each topic stands that was begun; with an interview, what will be recalled then."""
    begun = sorted((topic for topic in topics if topic.answered), key=lambda topic: topic.left or topic.recall or 0)
    if interview is None:
        page.table(
            f"Topics, the weakest of {len(begun)}: recall of answered cards now",
            ["  recall", "learned", "answered", "due", "topic"],
            [
                [
                    f"  {topic.recall:.0%}",
                    f"{topic.learned}",
                    f"{topic.answered} of {topic.cards}",
                    f"{topic.due}",
                    topic.name,
                ]
                for topic in begun[:TOPICS]
            ],
        )
        return
    page.table(
        f"Recalled on {interview:%Y-%m-%d}, the weakest of {counted(len(begun), 'topic')}",
        ["  if you stop", "if you keep up", "answered", "topic"],
        [
            [f"  {topic.left:.0%}", f"{topic.kept:.0%}", f"{topic.answered} of {topic.cards}", topic.name]
            for topic in begun[:TOPICS]
        ],
    )
    cards = sum(topic.cards for topic in topics)
    left, kept = (sum((getattr(topic, each) or 0) * topic.cards for topic in topics) for each in ("left", "kept"))
    unmet = sum(topic.cards - topic.answered for topic in topics)
    page.quiet(f"\n  In all {left:.0f} of {cards:,} cards if you stop, {kept:.0f} if you keep up.")
    page.quiet(f"  {unmet:,} were never answered. To keep up: Good, when due.")


def _calendar(page: Page, practised: Mapping[date, int], today: date) -> None:
    """Answers by day, a column for each week, darker for more."""
    from regdemo.quiz.progress import calendar

    rows = calendar(practised, today, WEEKS)
    most = max((count or 0 for row in rows for count in row), default=0)
    mondays = [today - timedelta(days=today.weekday(), weeks=WEEKS - 1 - week) for week in range(WEEKS)]
    # A month's name stands over the first week that begins in it, if there is room.
    months = [" "] * (2 * WEEKS + 3)
    for week, monday in enumerate(mondays):
        if monday.day <= 7:
            months[2 * week : 2 * week + 3] = f"{monday:%b}"
    names = ("Mon", "", "Wed", "", "Fri", "", "Sun")
    lines = [
        f"  {name:3} {' '.join(_shade(count, most) for count in row)}" for name, row in zip(names, rows, strict=True)
    ]
    page.listed([("", "")], "Practice, a column for each week")
    for line in (f"      {''.join(months)}", *lines):
        page.quiet(line.rstrip())


def _shade(count: int | None, most: int) -> str:
    if count is None:
        return " "
    return SHADES[-(-count * (len(SHADES) - 1) // most)] if count else SHADES[0]


def _scores(predictions: Sequence[Prediction]) -> dict[str, float | None]:
    count = len(predictions)
    return {
        "predicted": sum(each.recall for each in predictions) / count if count else None,
        "seen": sum(each.recalled for each in predictions) / count if count else None,
        "log_loss": sum(each.loss for each in predictions) / count if count else None,
        "brier": sum((each.recall - each.recalled) ** 2 for each in predictions) / count if count else None,
    }


def _retention(page: Page, predictions: Sequence[Prediction], plan: Plan) -> None:
    """What was predicted of the reviews on a later day, and what came."""
    from regdemo.quiz.progress import calibration

    if not predictions:
        page.quiet("\n  No card was answered on a second day yet.")
        return
    page.table(
        f"Predicted and seen in {counted(len(predictions), 'review')} on a later day",
        ["  predicted", "mean", "seen", "reviews", "95% interval"],
        [
            [
                f"  {each.low:.0%} to {each.high:.0%}",
                f"{each.predicted:.0%}",
                f"{each.seen:.0%}",
                f"{each.count:,}",
                f"{each.least:.0%} to {each.most:.0%}{'' if each.least <= each.predicted <= each.most else ' *'}",
            ]
            for each in calibration(predictions)
        ],
    )
    scores = _scores(predictions)
    page.quiet(f"\n  Log loss {scores['log_loss']:.3f}, Brier score {scores['brier']:.3f}. * not as predicted.")


def _fit(page: Page, folder: Path, reviews: Sequence[Review], plan: Plan, *, as_json: bool) -> None:
    """Fit, say by how much the prediction of later answers improved, and keep the parameters if it did."""
    from regdemo.quiz import fitting

    fitted = fitting.fit(reviews, plan)
    kept = fitting.adopt(folder, fitted) if fitted.better else None
    if as_json:
        print(json.dumps({**asdict(fitted), "adopted": fitted.better}, indent=2))
        return
    mean, low, high = fitted.gain
    page.quiet(
        f"Fitted to the first {fitting.TRAINED:.0%} of your answers and scored on {fitted.scored:,} later ones: "
        f"log loss {fitted.before:.4f} before, {fitted.after:.4f} fitted, "
        f"better by {mean:.4f} (95% interval {low:.4f} to {high:.4f})."
    )
    if kept:
        page.quiet(
            f"Adopted, fitted anew to all answers, in {kept}: `regdemo stats --unfit` goes back to the defaults."
        )
    else:
        page.quiet("Not adopted: the interval allows that it is no better. The parameters of before hold.")
