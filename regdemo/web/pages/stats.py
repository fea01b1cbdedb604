"""What the history says of its learner: a year of practice, forecasts, topics, predicted against actual."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from regdemo.errors import ArgumentError
from regdemo.quiz import fitting, history, progress, schedule
from regdemo.web import pictures
from regdemo.web.site import Site

DAYS = 14  # of the forecast of cards that come due
WEEKS = 26  # of predicted against actual


def routes(site: Site) -> list[Route]:
    """`/stats`."""

    async def stats(request: Request) -> Response:
        day = request.query_params.get("interview", "")
        try:
            interview = datetime.strptime(day, "%Y-%m-%d").astimezone(UTC) if day else None
        except (ValueError, OverflowError):
            raise ArgumentError(f"{day[:20]!r} isn't a day: write it as in 2026-12-15") from None
        if interview and not timedelta(0) <= interview - site.now() <= timedelta(days=3650):
            raise ArgumentError(f"{day} isn't a day in the next ten years: choose one")
        values = await site.in_practice(gather, site, interview)
        return site.page(request, "stats.html", title="Stats", here="/stats", interview=day, **values)

    return [Route("/stats", stats)]


def gather(site: Site, interview: datetime | None) -> dict[str, Any]:
    """All that the page shows. Runs in the practice thread."""
    now = site.now()
    today = now.astimezone().date()
    plan = schedule.Plan(parameters=fitting.parameters(site.home), interview=interview)
    everything = history.read(site.home)
    cards = [card for card in site.bank.cards if card.kind != "code"]
    ids = {card.id for card in cards}
    predictions, states = fitting.follow((review for review in everything if review.card in ids), plan)
    states = {id: schedule.with_deadline(state, plan) for id, state in states.items()}
    days = progress.practised(everything)
    current, longest = progress.streaks(days, today)
    topics = progress.topics(cards, states, now, plan)
    begun = sorted((topic for topic in topics if topic.answered), key=lambda topic: topic.left or topic.recall or 0)
    total = len(cards)
    bins = progress.calibration(predictions)
    return {
        "answers": len(everything),
        "cards": total,
        "seen": len(states),
        "learned": sum(state.learned for state in states.values()),
        "due": sum(state.due <= now for state in states.values()),
        "streak": current,
        "longest": longest,
        "calendar": pictures.calendar(days, today),
        "topics": [(topic, pictures.meter(topic.recall or 0)) for topic in begun],
        "coming": coming([state.due for state in states.values()], now, today),
        "weeks": weeks(predictions, today),
        "plot": pictures.plot(
            [(each.predicted, each.seen, each.least, each.most) for each in bins],
            "predicted recall",
            "what came",
            "Predicted against actual recall, with 95% intervals",
        )
        if bins
        else "",
        "predictions": len(predictions),
        "left": sum((topic.left or 0) * topic.cards for topic in topics) if interview else None,
        "kept": sum((topic.kept or 0) * topic.cards for topic in topics) if interview else None,
    }


def coming(dues: list[datetime], now: datetime, today: date) -> list[tuple[str, int, Any]]:
    """How many cards come due on each of the next days, overdue ones today."""
    counts: dict[date, int] = defaultdict(int)
    for due in dues:
        counts[max(due.astimezone().date(), today)] += 1
    days = [today + timedelta(days=after) for after in range(DAYS)]
    most = max([counts[day] for day in days], default=0) or 1
    return [(f"{day:%a %d %b}", counts[day], pictures.meter(counts[day] / most)) for day in days]


def weeks(predictions: list[fitting.Prediction], today: date) -> Any:
    """Predicted and actual recall by week, as curves; nothing where there are fewer than two weeks."""
    by_week: dict[int, list[fitting.Prediction]] = defaultdict(list)
    for each in predictions:
        back = (today - schedule.moment(each.at).astimezone().date()).days // 7
        if back < WEEKS:
            by_week[back].append(each)
    if len(by_week) < 2:
        return ""
    order = sorted(by_week, reverse=True)
    said = [sum(each.recall for each in by_week[back]) / len(by_week[back]) for back in order]
    came = [sum(each.recalled for each in by_week[back]) / len(by_week[back]) for back in order]
    labels = [f"{today - timedelta(days=today.weekday(), weeks=back):%d %b}" for back in order]
    low = min(0.5, *said, *came)
    series = [("actual", came, False), ("predicted", said, True)]
    return pictures.curve(series, labels, "Recall by week, predicted and actual", low=low)
