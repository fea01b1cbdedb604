"""The start page: what is due, one button to start, and the map of the field."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import takewhile
from typing import Any

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from regdemo import catalog
from regdemo.quiz import days
from regdemo.web import pictures
from regdemo.web.site import Site


def routes(site: Site) -> list[Route]:
    """`/`."""
    desk = site.desk

    def gather() -> dict[str, Any]:
        day = site.now().astimezone().date()
        times = desk.history.times  # read no further than each needs
        week = takewhile(lambda when: when > day - timedelta(days=7), days.days_of(times()))
        counts, weak = desk.today_and_topics()
        return {
            "counts": counts,
            "weak": weak,
            "week": pictures.week(Counter(week), day),
            "streak": days.streak(days.days_of(times()), day),
            "answered": next(times(), None) is not None,
            "running": desk.running(),
            "notice": desk.say_once(),
        }

    async def today(request: Request) -> Response:
        async def warm_up() -> None:
            site.demos.warm_up()

        return site.page(
            request,
            "today.html",
            title="Today",
            here="/",
            groups=catalog.by_place().items(),
            then=BackgroundTask(warm_up),
            **await site.in_history_thread(gather),
        )

    return [Route("/", today)]
