"""The study guide, typeset: the README of the bundled decks, its links turned to pages here."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from regdemo import catalog
from regdemo.quiz import decks
from regdemo.web import markdown
from regdemo.web.site import Site


def routes(site: Site) -> list[Route]:
    """`/guide` and its pictures."""

    async def guide(request: Request) -> Response:
        return site.page(
            request, "guide.html", title="Guide", here="/guide", text=Markup(_html()), contents=_contents()
        )

    async def picture(request: Request) -> Response:
        path = pictures().get(request.path_params["name"])
        if path is None:
            raise HTTPException(404)
        return FileResponse(path, media_type="image/svg+xml")

    return [Route("/guide", guide), Route("/guide/pictures/{name}", picture)]


def folder() -> Path:
    """The folder of the guide and its decks."""
    return decks.bundled() / "15_regularization"


@cache
def pictures() -> dict[str, Path]:
    """The guide's pictures by name: no other file is served from there."""
    return {path.name: path for path in (folder() / "pictures").glob("*.svg")}


@cache
def _html() -> str:
    text = (folder() / "README.md").read_text(encoding="utf-8")
    # What a card says for the quiz alone is left out, and how the numbers were made.
    text = re.sub(
        r"^### (Tags|Hints|Follow-ups|See it)\n.*?(?=^#)|<!--.*?-->\n?", "", text, flags=re.DOTALL | re.MULTILINE
    )
    return markdown.html(markdown.with_links(text), _resolve)


@cache
def _contents() -> list[tuple[str, Markup]]:
    """The anchors and the titles of the guide's sections."""
    return [(anchor, Markup(title)) for anchor, title in re.findall(r'<h2 id="([^"]*)">(.*?)</h2>', _html())]


def _resolve(address: str) -> str | None:
    """A page here for a link of the guide."""
    name, _, _ = address.partition("#")
    path = Path(name)
    if path.parent.name == "pictures" and path.name in pictures():
        return f"/guide/pictures/{path.name}"
    if path.suffix == ".md" and path.stem in {demo.stem for demo in catalog.demos()}:
        return f"/demos/{path.stem.replace('_', '-')}"
    if path.suffix == ".md" and (folder() / name).is_file() and ".." not in path.parts:
        return f"/topics/{path.stem}"
    return None
