"""A card to look at, and the cards of a topic."""

from __future__ import annotations

from random import Random

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from regdemo.errors import ArgumentError
from regdemo.quiz import kinds
from regdemo.quiz.cards import LETTERS
from regdemo.web import see
from regdemo.web.site import Site
from regdemo.words import topic_title


def routes(site: Site) -> list[Route]:
    """A page for each card, and one for each topic."""

    async def card(request: Request) -> Response:
        found = site.bank.find(request.path_params["id"])
        asked = found.ask(Random(0))  # the same draws each time a card is only looked at
        return site.page(
            request,
            "card.html",
            title=found.id,
            here="/quiz",
            card=found,
            asked=asked,
            question=kinds.question(asked),
            letters=LETTERS,
            flagged=await site.in_history_thread(site.desk.flagged, found),
            follow_ups=site.bank.known(found.follow_ups),
            see=see.links(asked.see_it),
        )

    async def topic(request: Request) -> Response:
        name = request.path_params["name"]
        cards = [one for one in site.bank.cards if one.topic == name]
        if not cards:
            raise ArgumentError(f"there is no topic {name[:40]!r}: the quiz page lists them")
        return site.page(request, "topic.html", title=topic_title(name), here="/quiz", name=name, cards=cards)

    return [Route("/cards/{id}", card), Route("/topics/{name}", topic)]
