"""Compare and combine: a form, progress while it trains, a stop button, curves and tables that are kept.

One training runs at a time, in a process of its own; its report is kept as a file, and can be looked at next to others.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from regdemo.errors import ArgumentError, FileError
from regdemo.lab import choices, recipe, techniques
from regdemo.web import kept, reports
from regdemo.web.site import Site, form, see_other, whole
from regdemo.web.site import field as sent_field
from regdemo.web.workroom import Superseded, WorkError

COMPARISONS_FOLDER = "comparisons"
MOST_SEEDS = 64  # networks per arm, in a page
TASK_NAMES = ("mnist1d", "digits", "text")


@dataclass
class Training:
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
        """Whether it goes on."""
        return self.task is not None and not self.task.done()


def routes(site: Site) -> list[Route]:
    """`/compare`, its forms and what it found."""
    training = Training()
    folder = site.home / COMPARISONS_FOLDER

    async def look(request: Request) -> Response:
        query = request.query_params
        return site.page(
            request,
            "compare.html",
            title="Compare",
            here="/compare",
            techniques=list(techniques.TECHNIQUES),
            tasks=TASK_NAMES,
            chosen=[name for name in query.getlist("arms") if name in techniques.TECHNIQUES],
            combine="combine" in query,
            task=query.get("task", TASK_NAMES[0]),
            training=training,
            seeds=(int(choices.SEEDS.low), MOST_SEEDS),
            kept=await asyncio.to_thread(kept.every, folder),
        )

    async def start(request: Request) -> Response:
        if training.running:
            return see_other("/compare")
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
        for name, low, high in (
            ("seeds", int(choices.SEEDS.low), MOST_SEEDS),
            ("epochs", 1, 2_000),
            ("seed", 0, 2**31),
        ):
            if (value := whole(sent_field(request, name), low, high)) is not None:
                options[name] = value
        values, words = _values(arms, sent_field(request, "values"))
        command = "combine" if combine else "compare"
        training.words = " ".join(
            ["regdemo", command, *arms, *words, *(f"--{name} {value}" for name, value in options.items())]
        )
        training.done = training.total = 0
        training.problem = training.result = ""
        training.stopped = False
        training.task = asyncio.create_task(train(command, arms, {**options, **values}))
        return see_other("/compare#training")

    async def train(command: str, arms: list[str], options: dict[str, Any]) -> None:
        def progress(done: int, total: int) -> None:
            training.done, training.total = done, total

        try:
            (report, stopped), _ = await site.lab.run("lab", command, arms, options, progress=progress)
            training.stopped = stopped
            training.result = await asyncio.to_thread(kept.keep, folder, training.words, report, site.now())
        except Superseded:
            training.problem = "It was stopped before there was anything to show."
        except WorkError as error:
            training.problem = str(error)
        except FileError as error:
            training.problem = f"The result could not be kept: {error}"

    async def stop(request: Request) -> Response:
        site.lab.stop("lab")
        return see_other("/compare#training")

    async def progress(request: Request) -> Response:
        if not training.running:
            return Response(status_code=204, headers={"HX-Redirect": "/compare"})
        return HTMLResponse(site.templates.get_template("progress.html").render(training=training))

    async def result(request: Request) -> Response:
        names = [request.path_params["name"], *request.query_params.getlist("with")][:3]
        found = [one for name in names if (one := await asyncio.to_thread(kept.read, folder, name))]
        if not found:
            raise HTTPException(404)
        others = [each for each in await asyncio.to_thread(kept.every, folder) if each.name not in names]
        return site.page(
            request,
            "comparison.html",
            title=f"Compare · {found[0].words.removeprefix('regdemo ')}",
            here="/compare",
            found=[(one, reports.drawn(one.report)) for one in found],
            others=others,
        )

    async def remove(request: Request) -> Response:
        await asyncio.to_thread(kept.remove, folder, request.path_params["name"])
        return see_other("/compare")

    return [
        Route("/compare", look),
        Route("/compare/start", start, methods=["POST"]),
        Route("/compare/stop", stop, methods=["POST"]),
        Route("/compare/progress", progress),
        Route("/compare/{name}", result),
        Route("/compare/{name}/remove", remove, methods=["POST"]),
    ]


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
