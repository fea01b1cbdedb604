"""The gallery of pitfalls; one with its broken and its fixed code side by side, and what was measured."""

from __future__ import annotations

from itertools import groupby

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from regdemo import catalog
from regdemo.report import Code
from regdemo.web import reports
from regdemo.web.site import Site
from regdemo.web.workroom import Superseded, WorkError


def routes(site: Site) -> list[Route]:
    """`/pitfalls`, `/pitfalls/NAME` and its measurements alone."""

    async def every(request: Request) -> Response:
        groups = [(demo, list(here)) for demo, here in groupby(catalog.pitfalls(), lambda one: one.technique)]
        return site.page(request, "pitfalls.html", title="Pitfalls", here="/pitfalls", groups=groups)

    async def one(request: Request) -> Response:
        pitfall = find_pitfall(request.path_params["name"])
        return site.page(
            request,
            "pitfall.html",
            title=pitfall.title,
            here="/pitfalls",
            pitfall=pitfall,
            measured=await site.measured(report, request),
        )

    async def report(request: Request) -> Response:
        pitfall = find_pitfall(request.path_params["name"])
        asker = f"pitfall {pitfall.name} {request.scope['form_code']}"
        try:
            ran, _ = await site.demos.run(asker, "pitfall", pitfall.name, 0)
        except (WorkError, Superseded) as error:
            return site.page(request, "problem.html", problem=str(error) or "stopped")
        first, last = (next(b for b in blocks if isinstance(b, Code)) for blocks in (ran.blocks, ran.picture))
        return site.page(
            request,
            "pitfall_report.html",
            report=reports.drawn(ran),
            story=next((block.text for block in ran.blocks if hasattr(block, "text")), ""),
            blocks=[reports.template_block(b) for b in ran.blocks if b is not first and not hasattr(b, "text")],
            broken_fixed=reports.sides(last.source),
            pitfall=pitfall,
            cards=site.bank.known(ran.cards),
        )

    return [Route("/pitfalls", every), Route("/pitfalls/{name}", one), Route("/pitfalls/{name}/report", report)]


def find_pitfall(name: str) -> catalog.Pitfall:
    """The pitfall of this name."""
    for pitfall in catalog.pitfalls():
        if pitfall.name == name:
            return pitfall
    raise HTTPException(404)
