"""A run to diagnose: its log, then what the next experiment shows. Cards lead here."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from regdemo import diagnoses
from regdemo.web import reports
from regdemo.web.site import Site
from regdemo.web.workroom import Superseded, WorkError


def routes(site: Site) -> list[Route]:
    """`/diagnose`, `/diagnose/NAME` and its tables alone."""

    async def every(request: Request) -> Response:
        return site.page(request, "diagnoses.html", title="Diagnose", here="/pitfalls", runs=diagnoses.names().items())

    async def one(request: Request) -> Response:
        name = find_run(request)
        return site.page(
            request,
            "diagnosis.html",
            title=diagnoses.names()[name],
            here="/pitfalls",
            measured=await site.measured(report, request),
        )

    async def report(request: Request) -> Response:
        name = find_run(request)
        try:
            ran, _ = await site.demos.run(f"diagnosis {name} {request.scope['form_code']}", "diagnosis", name)
        except (WorkError, Superseded) as error:
            return site.page(request, "problem.html", problem=str(error) or "stopped")
        return site.page(
            request,
            "diagnosis_report.html",
            blocks=[reports.template_block(block) for block in ran.blocks],
            cards=site.bank.known(ran.cards),
            command=f"regdemo diagnose {name}",
        )

    return [Route("/diagnose", every), Route("/diagnose/{name}", one), Route("/diagnose/{name}/report", report)]


def find_run(request: Request) -> str:
    """The run that the address names."""
    name = str(request.path_params["name"])
    if name not in diagnoses.names():
        raise HTTPException(404)
    return name
