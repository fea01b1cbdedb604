"""The start page: what is due, one button to start, and the map of the field."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from regdemo import catalog
from regdemo.quiz import progress
from regdemo.web import pictures
from regdemo.web.site import Site


def routes(site: Site) -> list[Route]:
    """`/`."""
    practice = site.learner

    def gather() -> dict[str, Any]:
        now = site.now()
        today = now.astimezone().date()
        states = practice.states()
        cards = [card for card in site.bank.cards if card.kind != "code"]
        topics = [topic for topic in progress.topics(cards, states, now, practice.plan()) if topic.answered]
        weak = sorted(topics, key=lambda topic: topic.recall or 0)[:3]
        days = practice.days()
        return {
            "counts": practice.counts(),
            "weak": [topic for topic in weak if topic.recall is not None and topic.recall < 0.9],
            "week": pictures.week(days, today),
            "streak": progress.streaks(days, today)[0],
            "answered": bool(states),
            "running": practice.quiz is not None and practice.quiz.question is not None,
            "notice": practice.say_once(),
        }

    async def today(request: Request) -> Response:
        async def warm_up() -> None:
            site.demos.warm_up()

        return site.page(
            request,
            "today.html",
            title="Today",
            here="/",
            groups=[(place, list(here)) for place, here in groupby(catalog.demos(), lambda entry: entry.acts_on)],
            then=BackgroundTask(warm_up),
            **await site.in_practice(gather),
        )

    return [Route("/", today)]
