"""The routes put together: every page, our own files, and what a fault looks like."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from regdemo.errors import FileError, RegdemoError
from regdemo.web import pages
from regdemo.web.site import Site

HERE = Path(__file__).parent
STATIC = {
    "style.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "htmx.min.js": "text/javascript; charset=utf-8",
    "htmx.LICENSE": "text/plain; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


def application(site: Site) -> Starlette:
    """The pages of a site; to be wrapped in a Guard."""

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        yield
        await site.close()

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, RegdemoError)
        status = 500 if isinstance(error, FileError) else 400
        return site.page(request, "error.html", status, title="That did not work", message=str(error))

    async def missing(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 404:
            message = "There is no such page here. The search finds cards, demos, pitfalls, katas and the guide."
            return site.page(request, "error.html", 404, title="Not found", message=message)
        return site.page(request, "error.html", error.status_code, title="That did not work", message=error.detail)

    async def broken(request: Request, error: Exception) -> Response:
        message = f"An error inside regdemo ({type(error).__name__}). Nothing that was confirmed is lost."
        return site.page(request, "error.html", 500, title="That did not work", message=message)

    return Starlette(
        routes=[
            Route("/static/{name}", static),
            Route("/alive", alive),
            *(route for module in pages.ALL for route in module.routes(site)),
        ],
        exception_handlers={RegdemoError: refused, HTTPException: missing, Exception: broken},
        lifespan=life,
    )


async def static(request: Request) -> Response:
    """One of our own files. No other name leads anywhere."""
    name = request.path_params["name"]
    if name not in STATIC:
        raise HTTPException(404)
    return FileResponse(
        HERE / "static" / name, media_type=STATIC[name], headers={"Cache-Control": "max-age=31536000, immutable"}
    )


async def alive(request: Request) -> Response:
    """Asked by a page that has lost its server."""
    return Response(status_code=204)
