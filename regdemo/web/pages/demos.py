"""All demos; one with its controls; its report, redrawn while a slider moves."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from regdemo import catalog
from regdemo.errors import ArgumentError
from regdemo.report import Report
from regdemo.web import controls, reports
from regdemo.web.site import Site
from regdemo.web.workroom import Superseded, WorkError


class _DemoPages:
    def __init__(self, site: Site) -> None:
        self.site = site

    async def every(self, request: Request) -> Response:
        return self.site.page(request, "demos.html", title="Demos", here="/demos", groups=catalog.by_place().items())

    async def one(self, request: Request) -> Response:
        demo = find_demo(request.path_params["name"])
        problem, status, typed = "", 200, QueryParams()
        try:
            values = controls.parsed(demo, request.query_params)
        except ArgumentError as error:
            problem, status, values, typed = str(error), 400, controls.parsed(demo, {}), request.query_params
        meant = self.is_meant(request, demo, values)
        tab = self.site.new_tab()
        report = None
        if not meant:
            problem = "This address brings a text of its own. Look at it, then press Run if that is what you want."
        elif self.site.demos.warm and not problem:
            try:
                report, _ = await self.site.demos.run(tab, "demo", demo.stem, values)
            except (WorkError, Superseded) as error:
                problem = str(error)
        else:
            self.site.demos.warm_up()
        return self.site.page(
            request,
            "demo.html",
            status,
            title=demo.title,
            here="/demos",
            demo=demo,
            controls=controls.controls(demo, values),
            problem=problem,
            typed=typed,
            tab=tab,
            waits=not problem,
            **about(self.site, demo.stem, report, values),
        )

    async def report(self, request: Request, small: bool = False) -> Response:
        """The report alone; small: its first picture alone, which stays away where nobody asked for a text."""
        demo = find_demo(request.path_params["name"])
        tab = request.query_params.get("tab", "")[:40]
        try:
            values = controls.parsed(demo, request.query_params)
            if not self.is_meant(request, demo, values):
                if small:
                    return Response(status_code=204)
                raise ArgumentError("this form is from another start of the server: reload the page, then press Run")
            ran, seconds = await self.site.demos.run(tab, "demo", demo.stem, values)
        except Superseded:
            return Response(status_code=204)
        except (ArgumentError, WorkError) as error:
            text = self.site.templates.get_template("problem.html").render(problem=str(error))
            return HTMLResponse(text, headers={"HX-Retarget": "#problem", "HX-Reswap": "outerHTML"})
        query = urlencode(controls.changed(demo, values))
        address = f"/demos/{demo.name}{f'?{query}' if query else ''}"
        if small:
            return self.site.page(request, "see_report.html", report=reports.drawn(ran), address=address)
        response = self.site.page(request, "report.html", **about(self.site, demo.stem, ran, values))
        response.headers["HX-Replace-Url"] = address
        response.headers["Server-Timing"] = f"compute;dur={1000 * seconds:.1f}"
        return response

    async def next_to_card(self, request: Request) -> Response:
        """A demo's slider and first picture, for the side of a card."""
        demo = find_demo(request.path_params["name"])
        values = controls.parsed(demo, request.query_params)
        self.site.demos.warm_up()
        shown, tab = controls.controls(demo, values), self.site.new_tab()
        return self.site.page(request, "see.html", demo=demo, controls=shown, tab=tab)

    async def small_report(self, request: Request) -> Response:
        return await self.report(request, small=True)

    def is_meant(self, request: Request, demo: catalog.Demo, values: dict[str, Any]) -> bool:
        """Whether a form of ours was sent, or nothing is asked but numbers: a text may name a model to be loaded."""
        text = any(kind is str and values[name] != default for name, (kind, _, default) in demo.parameters.items())
        return not text or request.query_params.get("tab", "") in self.site.tabs


def routes(site: Site) -> list[Route]:
    """`/demos`, `/demos/NAME` and its report alone; `/see/NAME`, the same next to a card."""
    page = _DemoPages(site)
    return [
        Route("/demos", page.every),
        Route("/demos/{name}", page.one),
        Route("/demos/{name}/report", page.report),
        Route("/see/{name}", page.next_to_card),
        Route("/see/{name}/report", page.small_report),
    ]


def find_demo(name: str) -> catalog.Demo:
    """The demo of this name."""
    stem = name.replace("-", "_")
    if stem not in {demo.stem for demo in catalog.demos()}:
        raise HTTPException(404)
    return catalog.demo(stem)


def about(site: Site, stem: str, report: Report | None, values: dict[str, Any]) -> dict[str, Any]:
    """What a report's template needs: its blocks drawn, its cards, its pitfalls, the command that shows the same."""
    return {
        "report": reports.drawn(report) if report else None,
        "cards": site.bank.known(report.cards if report else ()),
        "pitfalls": [pitfall for pitfall in catalog.pitfalls() if pitfall.technique.stem == stem],
        "command": reports.command(stem, values),
    }
