"""Compare and combine: a form, progress while it trains, a stop button, curves and tables that are kept.

One training runs at a time, in a process of its own; its report is kept as a file, and can be looked at next to others.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from regdemo.errors import ArgumentError, FileError
from regdemo.lab import choices, recipe, techniques
from regdemo.web import kept, reports
from regdemo.web.site import Site, form, see_other, whole
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

    async def look(self, request: Request) -> Response:
        query = request.query_params
        return self.site.page(
            request,
            "compare.html",
            title="Compare",
            here="/compare",
            techniques=list(techniques.TECHNIQUES),
            tasks=TASK_NAMES,
            chosen=[name for name in query.getlist("arms") if name in techniques.TECHNIQUES],
            combine="combine" in query,
            task=query.get("task", TASK_NAMES[0]),
            training=self.training,
            seeds=SEEDS,
            kept=await asyncio.to_thread(kept.every, self.folder),
        )

    async def start(self, request: Request) -> Response:
        if self.training.running:
            raise ArgumentError("a training is under way, perhaps in another tab: wait for its end, or stop it")
        command, arms, options, words = asked(request)
        self.training = _Training(words)
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
        Route("/compare", page.look),
        Route("/compare/start", page.start, methods=["POST"]),
        Route("/compare/stop", page.stop, methods=["POST"]),
        Route("/compare/progress", page.progress),
        Route("/compare/{name}", page.result),
        Route("/compare/{name}/remove", page.remove, methods=["POST"]),
    ]


def asked(request: Request) -> tuple[str, list[str], dict[str, Any], str]:
    """What a form asks for: the command, its arms and options, and all of it as typed. Raises ArgumentError."""
    sent = form(request)
    arms = [name for name in sent.get("arms", []) if name in techniques.TECHNIQUES]
    combine, task = "combine" in sent, sent_field(request, "task", TASK_NAMES[0])
    if task not in TASK_NAMES:
        raise ArgumentError(f"there is no task {task[:20]!r} here: choose from {', '.join(TASK_NAMES)}")
    if combine and not 2 <= len(arms) <= 5:
        raise ArgumentError(f"{len(arms)} techniques cannot be combined: tick from 2 to 5")
    if not arms:
        raise ArgumentError("no technique is ticked: tick one at least")
    options: dict[str, Any] = {"task": task}
    for name, low, high in (("seeds", *SEEDS), ("epochs", 1, 2_000), ("seed", 0, 2**31)):
        if (value := whole(sent_field(request, name), low, high)) is not None:
            options[name] = value
    values, words = _values(arms, sent_field(request, "values"))
    command = "combine" if combine else "compare"
    typed = ["regdemo", command, *arms, *words, *(f"--{name} {value}" for name, value in options.items())]
    return command, arms, {**options, **values}, " ".join(typed)


def _values(arms: list[str], text: str) -> tuple[dict[str, list[float]], list[str]]:
    """`p 0.1 0.2, decay 0.5` as the options of techniques, and as words of a command. Raises ArgumentError."""
    known = {option for arm in arms for option in recipe.parameters(techniques.TECHNIQUES[arm])}
    found: dict[str, list[float]] = {}
    words = []
    for part in filter(None, map(str.strip, text.split(","))):
        name, *numbers = part.removeprefix("--").split()
        try:
            found[name.replace("-", "_")] = [float(number) for number in numbers]
        except ValueError:
            raise ArgumentError(f"{part[:40]!r} isn't a value: write it as in `p 0.1 0.2`") from None
        if not numbers or name.replace("-", "_") not in known:
            raise ArgumentError(
                f"{part[:40]!r} isn't a value of these techniques: they have {', '.join(sorted(known))}"
            )
        words.append(f"--{name} {' '.join(numbers)}")
    return found, words
