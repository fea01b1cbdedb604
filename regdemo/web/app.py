"""The routes put together: every page, our own files, and what a fault looks like."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from regdemo.errors import FileError, RegdemoError
from regdemo.web import pages
from regdemo.web.site import Site, see_other

HERE = Path(__file__).parent
STATIC = {
    "style.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "htmx.min.js": "text/javascript; charset=utf-8",
    "htmx.LICENSE": "text/plain; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


class _Pages:
    """Every page. Its routes are made when one of them is first asked for, so that the first page need not wait."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._routers: dict[str, Router] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        first = scope["path"].lstrip("/").partition("/")[0]
        if first not in pages.BY_FIRST:
            raise HTTPException(404)
        if first not in self._routers:
            self._routers[first] = Router(pages.BY_FIRST[first].routes(self._site))
        await self._routers[first](scope, receive, send)


class _Squeezed:
    """Whole pages and our own files are sent compressed; what script asks for while a slider moves is not."""

    def __init__(self, app: ASGIApp) -> None:
        self._plain = app
        self._squeezed = GZipMiddleware(app, minimum_size=2_000, compresslevel=4)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        by_script = scope["type"] == "http" and any(name == b"hx-request" for name, _ in scope["headers"])
        await (self._plain if by_script else self._squeezed)(scope, receive, send)


def application(site: Site) -> Starlette:
    """The pages of a site; to be wrapped in a Guard."""

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        yield
        await site.close()

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, RegdemoError)
        status = 500 if isinstance(error, FileError) else 400
        return site.page(request, "error.html", status, title="That did not work", message=site.typed(str(error)))

    async def missing(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 404:
            message = "There is no such page here. The search finds cards, demos, pitfalls, katas, runs and the guide."
            return site.page(request, "error.html", 404, title="Not found", message=message)
        if error.status_code == 405:  # the address of a form, which was reloaded: to the page of the form
            return see_other(request.url.path.rpartition("/")[0])
        return site.page(request, "error.html", error.status_code, title="That did not work", message=error.detail)

    async def broken(request: Request, error: Exception) -> Response:
        message = f"An error inside regdemo ({type(error).__name__}). Nothing that was confirmed is lost."
        return site.page(request, "error.html", 500, title="That did not work", message=message)

    return Starlette(
        routes=[
            Route("/static/{name}", static),
            Route("/alive", alive),
            Mount("/", _Pages(site)),
        ],
        exception_handlers={RegdemoError: refused, HTTPException: missing, Exception: broken},
        middleware=[Middleware(_Squeezed)],
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
