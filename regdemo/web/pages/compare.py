"""Compare and combine: a form, progress while it trains, a stop button, curves and tables that are kept.

One training runs at a time, in a process of its own; its report is kept as a file, and can be looked at next to others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from regdemo.errors import ArgumentError, FileError
from regdemo.lab import choices, data, recipe, techniques
from regdemo.web import kept, reports
from regdemo.web.site import FieldError, Form, Site, faults, form, see_other, whole
from regdemo.web.site import field as sent_field
from regdemo.web.workroom import Superseded, WorkError

COMPARISONS_FOLDER = "comparisons"
SEEDS = (int(choices.SEEDS.low), 64)  # from and to, networks per arm, in a page
TASK_NAMES = ("mnist1d", "digits", "text")


@dataclass
class _Training:
    """What runs, or ran last."""

    words: str = ""
    done: int = 0
    total: int = 0
    problem: str = ""
    result: str = ""
    stopped: bool = False
    sent: Form = field(default_factory=lambda: {"arms": ["dropout"]})  # the form, to be filled in again
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def running(self) -> bool:
        return self.task is not None and not self.task.done()

    def count(self, done: int, total: int) -> None:
        self.done, self.total = done, total


class _ComparePages:
    def __init__(self, site: Site) -> None:
        self.site = site
        self.folder = site.home / COMPARISONS_FOLDER
        self.training = _Training()

    async def look(self, request: Request, problems: Mapping[str, str] = {}) -> Response:
        return self.site.page(
            request,
            "compare.html",
            400 if problems else 200,
            title="Compare",
            here="/compare",
            techniques=list(techniques.TECHNIQUES),
            tasks=TASK_NAMES,
            sent=form(request) or self.training.sent,
            problems=problems,
            training=self.training,
            seeds=SEEDS,
            kept=await asyncio.to_thread(kept.every, self.folder),
        )

    async def start(self, request: Request) -> Response:
        if self.training.running:
            raise ArgumentError("a training is under way, perhaps in another tab: wait for its end, or stop it")
        try:
            command, arms, options, words = asked(request)
        except FieldError as error:
            return await self.look(request, faults(error))
        self.training = _Training(words, sent=form(request))
        self.training.task = asyncio.create_task(self.train(command, arms, options))
        return see_other("/compare#training")

    async def train(self, command: str, arms: list[str], options: dict[str, Any]) -> None:
        training = self.training
        try:
            (report, stopped), _ = await self.site.lab.run("lab", command, arms, options, progress=training.count)
            training.stopped = stopped
            training.result = await asyncio.to_thread(kept.keep, self.folder, training.words, report, self.site.now())
        except Superseded:
            training.problem = "It was stopped before there was anything to show."
        except WorkError as error:
            training.problem = str(error)
        except FileError as error:
            training.problem = f"The result could not be kept: {error}"

    async def stop(self, request: Request) -> Response:
        self.site.lab.stop("lab")
        return see_other("/compare#training")

    async def progress(self, request: Request) -> Response:
        if not self.training.running:
            return Response(status_code=204, headers={"HX-Redirect": "/compare"})
        return self.site.page(request, "progress.html", training=self.training)

    async def result(self, request: Request) -> Response:
        names = [request.path_params["name"], *request.query_params.getlist("with")][:3]
        found = [one for name in names if (one := await asyncio.to_thread(kept.read, self.folder, name))]
        if not found:
            raise HTTPException(404)
        others = [each for each in await asyncio.to_thread(kept.every, self.folder) if each.name not in names]
        return self.site.page(
            request,
            "comparison.html",
            title=f"Compare · {found[0].words.removeprefix('regdemo ')}",
            here="/compare",
            found=[(one, reports.drawn(one.report)) for one in found],
            others=others,
        )

    async def remove(self, request: Request) -> Response:
        await asyncio.to_thread(kept.remove, self.folder, request.path_params["name"])
        return see_other("/compare")


def routes(site: Site) -> list[Route]:
    """`/compare`, its forms and what it found."""
    page = _ComparePages(site)
    return [
        Route("/compare", page.look, methods=["GET"]),
        Route("/compare", page.start, methods=["POST"]),
        Route("/compare/stop", page.stop, methods=["POST"]),
        Route("/compare/progress", page.progress),
        Route("/compare/{name}", page.result),
        Route("/compare/{name}/remove", page.remove, methods=["POST"]),
    ]


def asked(request: Request) -> tuple[str, list[str], dict[str, Any], str]:
    """What a form asks for: the command, its arms and options, and all of it as typed. Raises FieldError."""
    sent = form(request)
    arms = [name for name in sent.get("arms", []) if name in techniques.TECHNIQUES]
    command, task = "combine" if "combine" in sent else "compare", sent_field(request, "task", TASK_NAMES[0])
    if task not in TASK_NAMES:
        raise FieldError("task", f"there is no task {task[:20]!r} here: choose from {', '.join(TASK_NAMES)}")
    if not arms:
        raise FieldError("arms", "no technique is ticked: tick one at least")
    options: dict[str, Any] = {"task": task}
    for name, low, high in (("seeds", *SEEDS), ("epochs", 1, 2_000), ("seed", 0, 2**31)):
        if (value := whole(request, name, low, high)) is not None:
            options[name] = value
    values, words = _values(arms, sent_field(request, "values"))
    offers: dict[str, Any] = {"offers": data.OFFERS[task], "task": task}
    for name, given in (("arms", {}), ("values", values)):  # what the training would refuse
        try:
            if command == "combine":
                choices.recipe_of(choices.factors(arms, given, **offers))
            else:
                choices.arms(arms, given, against=choices.NONE, **offers)
        except ArgumentError as error:
            raise FieldError(name, str(error)) from None
    typed = ["regdemo", command, *arms, *words, *(f"--{name} {value}" for name, value in options.items())]
    return command, arms, {**options, **values}, " ".join(typed)


def _values(arms: list[str], text: str) -> tuple[dict[str, list[float]], list[str]]:
    """`p 0.1 0.2, decay 0.5` as the options of techniques, and as words of a command. Raises FieldError."""
    known = {option for arm in arms for option in recipe.parameters(techniques.TECHNIQUES[arm])}
    found: dict[str, list[float]] = {}
    words = []
    for part in filter(None, map(str.strip, text.split(","))):
        name, *numbers = part.removeprefix("--").split() or [""]
        option = name.replace("-", "_")
        if option not in known:
            has = f"what they have is {', '.join(sorted(known))}" if known else "they have none"
            raise FieldError("values", f"{name[:40]!r} isn't a parameter of these techniques: {has}")
        try:
            found.setdefault(option, []).extend(map(float, numbers))
        except ValueError:
            numbers = []
        if not numbers:
            raise FieldError("values", f"{part[:40]!r} must be a name and its numbers, as in p 0.1 0.2")
        words.append(f"--{name} {' '.join(numbers)}")
    return found, words
