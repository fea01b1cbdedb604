"""Search across everything, each hit a link."""

from __future__ import annotations

import asyncio
from typing import Any

from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from regdemo import search
from regdemo.errors import ArgumentError
from regdemo.quiz.text import slug
from regdemo.web import markdown
from regdemo.web.site import Site

MOST_HITS = 30


def routes(site: Site) -> list[Route]:
    """`/search`."""

    async def look(request: Request) -> Response:
        words = request.query_params.get("q", "")[:200]
        hits = await asyncio.to_thread(find_hits, site, words) if words.strip() else []
        title = f"Search · {words}" if words else "Search"
        return site.page(request, "search.html", title=title, here="/search", words=words, hits=hits)

    return [Route("/search", look)]


def find_hits(site: Site, words: str) -> list[dict[str, Any]]:
    """The hits with their addresses."""
    guide = search.guide()
    try:
        hits = search.find(words, search.documents(site.bank, guide if guide.is_file() else None), most=MOST_HITS)
    except ArgumentError:
        return []
    return [
        {
            "kind": hit.kind,
            "title": Markup(markdown.inline(hit.title)),
            "address": address(hit.kind, hit.name),
            "excerpt": Markup(str(escape(hit.excerpt)).replace("«", "<mark>").replace("»", "</mark>")),
        }
        for hit in hits
    ]


def address(kind: str, name: str) -> str:
    """Where something that was found is to be seen."""
    if kind == "guide":
        return f"/guide#{slug(name)}"
    if kind == "diagnosis":
        return f"/diagnose/{name}"
    return f"/{kind}s/{name.replace('_', '-') if kind in ('demo', 'pitfall') else name}"
