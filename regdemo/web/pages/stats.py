"""What the history says of its learner, and the plan up to the interview."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from regdemo.errors import ArgumentError
from regdemo.quiz import progress
from regdemo.quiz.goal import MINUTES, USUAL_MINUTES, Goal, check_day, days_allowed
from regdemo.quiz.practice import Practice
from regdemo.web import pictures
from regdemo.web.site import FieldError, Site, faults, field, form, see_other, whole

DUE_DAYS = 14  # of the cards that come due
CALIBRATION_WEEKS = 26  # of predicted against actual


def routes(site: Site) -> list[Route]:
    """`/stats` and `/plan`."""

    async def stats(request: Request) -> Response:
        return site.page(request, "stats.html", title="Stats", here="/stats", **await site.aside(_stats))

    async def plan(request: Request, problems: Mapping[str, str] = {}) -> Response:
        status, values = 400 if problems else 200, await site.aside(_plan)
        values |= {"sent": form(request), "problems": problems, "days": days_allowed(site.now().astimezone().date())}
        return site.page(request, "plan.html", status, title="Plan", here="/stats", **values)

    async def aim(request: Request) -> Response:
        today, day = site.now().astimezone().date(), field(request, "interview")
        try:
            interview = date.fromisoformat(day) if day else None
            if interview:
                check_day(interview, today)
            goal = Goal(interview, whole(request, "minutes", *MINUTES), whole(request, "new", 0, 1_000))
        except FieldError as error:
            return await plan(request, faults(error))
        except ArgumentError as error:
            return await plan(request, {"interview": str(error)})
        except ValueError:
            return await plan(request, {"interview": f"{day[:20]} isn't a day: write it as in {today}"})
        await site.in_history_thread(site.desk.aim, goal)
        return see_other("/plan")

    return [Route("/stats", stats), Route("/plan", plan, methods=["GET"]), Route("/plan/set", aim, methods=["POST"])]


def _stats(practice: Practice) -> dict[str, Any]:
    now = practice.now()
    today = now.astimezone().date()
    found = progress.overview(practice)
    bins = found.retention.bins
    weeks = found.retention.weeks[-CALIBRATION_WEEKS:]
    lowest = min([0.5, *(said for _, _, said, _ in weeks), *(came for _, _, _, came in weeks)])
    return {
        "found": found,
        "days_left": practice.today().days_left,
        "calendar": pictures.calendar(found.practised, today),
        "topics": [(topic, pictures.meter(topic.recall or 0)) for topic in progress.weakest(found.topics)],
        "coming": _coming([state.due for state in practice.states.values()], today),
        "plot": pictures.plot(
            [(each.predicted, each.seen, each.least, each.most) for each in bins],
            "predicted recall",
            "what came",
            "Predicted against actual recall, with 95% intervals",
        )
        if bins
        else "",
        "weeks": pictures.curve(
            [
                ("actual", [came for _, _, _, came in weeks], False),
                ("predicted", [said for _, _, said, _ in weeks], True),
            ],
            [f"{monday:%d %b}" for monday, *_ in weeks],
            "Recall by week, predicted and actual",
            low=lowest,
        )
        if len(weeks) > 1
        else "",
    }


def _plan(practice: Practice) -> dict[str, Any]:
    goal = practice.goal
    planned = None
    if practice.today().days_left is not None:
        planned = practice.forecast()
    return {
        "goal": goal,
        "planned": planned,
        "minutes": goal.minutes or USUAL_MINUTES,
        "kept": pictures.meter(planned.kept.mean / planned.cards) if planned else "",
        "stopped": pictures.meter(planned.stopped.mean / planned.cards) if planned else "",
    }


def _coming(dues: list[datetime], today: date) -> list[tuple[str, int, Any]]:
    """How many cards come due on each of the next days, overdue ones today."""
    counts = Counter(max(due.astimezone().date(), today) for due in dues)
    days = [today + timedelta(days=after) for after in range(DUE_DAYS)]
    most = max(counts[day] for day in days) or 1
    return [(f"{day:%a %d %b}", counts[day], pictures.meter(counts[day] / most)) for day in days]
