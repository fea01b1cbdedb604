"""What the pages share: the bank, the history's one thread, the templates, the workroom, the fields of a form."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import jinja2
from markupsafe import Markup
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from regdemo import __version__
from regdemo.errors import ArgumentError
from regdemo.quiz import decks, goal, history, identity, selection
from regdemo.quiz import practice as practices
from regdemo.quiz.cards import LETTERS
from regdemo.quiz.decks import Bank
from regdemo.quiz.practice import Practice
from regdemo.web import markdown
from regdemo.web.desk import WebDesk
from regdemo.web.workroom import Bench
from regdemo.words import in_days, pluralize, topic_title

if TYPE_CHECKING:
    from regdemo.quiz.cards import Card

T = TypeVar("T")
Form = dict[str, list[str]]  # the entries of each field

PAGES = (
    ("Today", "/"),
    ("Quiz", "/quiz"),
    ("Mock", "/mock"),
    ("Demos", "/demos"),
    ("Pitfalls", "/pitfalls"),
    ("Compare", "/compare"),
    ("Katas", "/katas"),
    ("Guide", "/guide"),
    ("Stats", "/stats"),
)
HERE = Path(__file__).parent
TABS = 500  # forms that may wait to be sent


def _md(text: str) -> Markup:
    return Markup(markdown.html(text))


def _mdi(text: str) -> Markup:
    return Markup(markdown.inline(text))


def _code(text: str, language: str = "python") -> Markup:
    return Markup(markdown.block(text, language))


def _links(text: str) -> Markup:
    """A line with its bare addresses as links."""
    return Markup(markdown.inline(markdown.with_links(text)))


def first_line(card: Card) -> Markup:
    """What a card asks, in one line, with values for its parameters: how lists name it."""
    return _mdi(card.first_line)


class Site:
    """What the pages share. bank: None for the bundled one; folder: where the katas are edited.

    typed: gives a message whose commands are as the learner must type them.
    Everything that touches the history runs in one thread, in the order in which it was asked for.
    """

    def __init__(
        self, *, home: Path, bank: Path | None = None, folder: Path, typed: Callable[[str], str] = str
    ) -> None:
        self.home = home
        self.bank_path = bank
        self.folder = folder
        self.typed = typed
        self.now: Callable[[], datetime] = partial(datetime.now, UTC)
        self._history_thread = ThreadPoolExecutor(1, "history")
        self.at_end: list[Callable[[], None]] = []  # called when the server ends
        self.demos = Bench()
        self.lab = Bench(seconds=3_600, grace=20)
        self.desk = WebDesk(self)
        self.tabs: deque[str] = deque(maxlen=TABS)

    async def close(self) -> None:
        """End what was started: the workers, the judge, the history."""
        await self.demos.close()
        await self.lab.close()
        for end in self.at_end:
            end()
        await self.in_history_thread(self.desk.close)
        self._history_thread.shutdown(cancel_futures=True)

    def new_tab(self) -> str:
        """A name for a form that is shown, which an address that somebody made up lacks."""
        tab = secrets.token_hex(8)
        self.tabs.append(tab)
        return tab

    @cached_property
    def bank(self) -> Bank:
        """The cards. Read in the history's thread, at the first need."""
        cache = self.home / practices.CACHE if self.home.is_dir() else None
        loaded = decks.load(self.bank_path or decks.bundled(), cache=cache)
        return identity.keep_ids(loaded, self.home, write=True)[0]

    async def aside(self, function: Callable[[Practice], T]) -> T:
        """Call a function that reads much of the history, in a thread of its own, so that the quiz need not wait."""

        def work() -> T:
            with history.History(self.home) as opened:
                return function(practices.Practice(self.bank, opened, self.home, self.now))

        return await asyncio.to_thread(work)

    async def in_history_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function in the history's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._history_thread, function, *arguments)

    @cached_property
    def templates(self) -> jinja2.Environment:
        """The templates: everything is escaped but what the markdown renderer made."""
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.globals |= {"pages": PAGES, "version": __version__, "words": "", "here": ""}
        environment.globals |= {"levels": selection.LEVELS, "minutes_per_day": goal.MINUTES}
        environment.filters |= {"md": _md, "mdi": _mdi, "code": _code, "links": _links, "topic_title": topic_title}
        environment.filters |= {"first_line": first_line, "pluralize": pluralize, "in_days": in_days}
        return environment

    def page(
        self, request: Request, template: str, status: int = 200, then: BackgroundTask | None = None, **values: Any
    ) -> HTMLResponse:
        """A page from its template."""
        text = self.templates.get_template(template).render(
            csrf=request.scope.get("form_code", ""), path=request.url.path, **values
        )
        return HTMLResponse(text, status, background=then)

    async def measured(self, report: Callable[[Request], Awaitable[Response]], request: Request) -> str:
        """A report to be put into its page; nothing while torch is being loaded, and the page then asks for it."""
        if self.demos.warm:
            return bytes((await report(request)).body).decode()
        self.demos.warm_up()
        return ""


class FieldError(ArgumentError):
    """An entry that cannot be taken. name: its field's."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


def faults(error: ArgumentError) -> dict[str, str]:
    """What is wrong with a form, by the name of its field; under "" what is wrong with the whole."""
    return {error.name if isinstance(error, FieldError) else "": str(error)}


def form(request: Request) -> Form:
    """What was entered: the form that the guard has read; without one, the fields in the address."""
    query = request.query_params
    found: Form = request.scope.get("form", {name: query.getlist(name) for name in query})
    return found


def field(request: Request, name: str, default: str = "") -> str:
    """One field of the form."""
    return form(request).get(name, [default])[-1]


def entered(request: Request) -> str:
    """The answer of the form: of ticked options their letters, of several gaps the texts in their order.

    Raises FieldError for an empty gap.
    """
    sent = form(request)
    if "pick" in sent:
        return "".join(letter for letter in sent["pick"] if letter in LETTERS and len(letter) == 1)
    if "gap" not in sent:
        return field(request, "response")
    for number, gap in enumerate(sent["gap"], 1):
        if not gap.strip():
            raise FieldError(f"gap{number}", "This gap is empty: fill in every gap; each counts by itself.")
    return ("\n" if any(";" in gap for gap in sent["gap"]) else ";").join(sent["gap"])


def own_grade(request: Request) -> tuple[int | None, list[int]]:
    """The learner's own grade of an answer, and the places of the key points that it made."""
    rating = whole(request, "rating", 1, 4)
    return rating, [int(place) for place in form(request).get("made", []) if place.isdecimal()]


def see_other(address: str) -> RedirectResponse:
    """After a form, the page to look at: reloading that sends nothing twice."""
    return RedirectResponse(address, 303)


def whole(request: Request, name: str, low: int, high: int) -> int | None:
    """A whole number of a form, None where nothing was entered. Raises FieldError for one outside its range."""
    text = field(request, name).strip()
    if text and not (re.fullmatch("[0-9]{1,10}", text) and low <= int(text) <= high):
        raise FieldError(name, f"{text[:20]} is not allowed: it must be a whole number from {low} to {high:,}")
    return int(text) if text else None
