"""The katas: the task, an editor, the verdict, hints, and the reference once it may be seen.

The file is the one that `regdemo kata` uses: what is written here can be opened there, and the reverse.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from regdemo import storage
from regdemo.errors import FileError
from regdemo.kata import files, judge, record, sandbox
from regdemo.kata import katas as kata_cards
from regdemo.quiz import decks, schedule
from regdemo.web import reports
from regdemo.web.site import Site, field, see_other
from regdemo.words import from_now

if TYPE_CHECKING:
    from regdemo.kata.judge import Judge
    from regdemo.kata.katas import Kata
    from regdemo.kata.verdict import Verdict


@dataclass(frozen=True)
class JudgedText:
    """A verdict on a text, and what it was recorded as."""

    verdict: Verdict
    saved: str

    @property
    def headline(self) -> str:
        """How it ended, in words."""
        return f"It {self.verdict.words}"


class Judging:
    """The judge, one text at a time; its process is started at the first and stays warm."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._turn = ThreadPoolExecutor(1, "judge")
        self._judge: Judge | None = None
        site.at_end.append(self.close)

    async def __call__(self, kata: Kata, text: str) -> Verdict:
        """A verdict. The code that it is on reads neither the decks, nor the history, nor the other katas."""

        def work() -> Verdict:
            if self._judge is None:
                site = self._site
                hidden = [site.bank_path or decks.bundled(), site.home, files.absolute(site.folder)]
                self._judge = judge.Judge(hidden, weaker=True)
            return self._judge.check(kata, text)

        return await asyncio.get_running_loop().run_in_executor(self._turn, work)

    def close(self) -> None:
        """End the judge's process."""
        if self._judge:
            self._judge.close()
        self._turn.shutdown(wait=False, cancel_futures=True)


def routes(site: Site) -> list[Route]:
    """`/katas` and its forms."""
    judged: dict[str, JudgedText] = {}

    def known() -> dict[str, Kata]:
        return kata_cards.katas(site.bank.cards)

    def found(request: Request) -> Kata:
        one = known().get(request.path_params["name"])
        if one is None:
            raise HTTPException(404)
        return one

    def file(one: Kata) -> Path:
        return site.folder / f"{one.name}.py"

    async def every(request: Request) -> Response:
        def gather() -> list[dict[str, Any]]:
            rows = []
            for one in known().values():
                reviews = site.desk.history.reviews(one.card.id)
                due = schedule.replay(reviews)[one.card.id].due if reviews else None
                state = record.progress(one, reviews, site.folder).value
                waits = from_now(due - site.now()) if due else ""
                rows.append({"kata": one, "state": state, "due": waits, "task": one.card.question.partition("\n")[0]})
            return rows

        rows = await site.in_practice(gather)
        return site.page(request, "katas.html", title="Katas", here="/katas", rows=rows, missing=lacking())

    async def one_page(
        request: Request, one: Kata, *, text: str | None = None, problem: str = "", status: int = 200
    ) -> Response:
        def gather() -> dict[str, Any]:
            reviews = site.desk.history.reviews(one.card.id)
            shown = record.hints_shown(site.home, one)
            return {
                "hints": one.card.hints[:shown],
                "more_hints": len(one.card.hints) > shown,
                "open": record.is_open(reviews),
            }

        seen = files.saved_at(file(one))
        held = files.read(one, site.folder) if seen else one.starter
        names = list(known())
        place = names.index(one.name)
        return site.page(
            request,
            "kata.html",
            status,
            title=f"Kata · {one.name}",
            here="/katas",
            kata=one,
            text=held if text is None else text,
            held=held,
            seen=seen,
            file=file(one),
            judged=judged.get(one.name),
            problem=problem,
            follow="follow" in request.query_params,
            following=names[(place + 1) % len(names)],
            missing=lacking(),
            **await site.in_practice(gather),
        )

    def lacking() -> list[str]:
        lacking = sandbox.missing()
        return lacking if lacking and not record.accepted(site.home, lacking) else []

    async def one(request: Request) -> Response:
        return await one_page(request, found(request))

    judging = Judging(site)

    async def judge_and_keep(one: Kata, text: str) -> None:
        found = await judging(one, text)

        def keep() -> str:
            saved = record.save(site.home, site.desk.history, one, found, text, site.now())
            if saved:
                return f"Saved as {saved.rating.title}. It comes again {from_now(saved.due - site.now())}."
            return "Nothing is saved: this is still the starter." if one.is_untouched(text) else ""

        judged[one.name] = JudgedText(found, await site.in_practice(keep))

    async def check(request: Request) -> Response:
        one, text, seen = found(request), field(request, "source"), field(request, "seen")
        if lacking():
            return see_other("/katas")
        if len(text.encode()) > files.LARGEST_CODE:
            return await one_page(request, one, text=text, problem="This is too long for a kata.", status=413)
        now = files.saved_at(file(one))
        if now and str(now) != seen and files.read(one, site.folder) != text:
            problem = "The file was saved in another editor since this page was loaded: choose which text to keep."
            return await one_page(request, one, text=text, problem=problem, status=409)
        try:
            site.folder.mkdir(parents=True, exist_ok=True)
            storage.atomic_write(file(one), text if text.endswith("\n") else f"{text}\n")
        except OSError as error:
            raise FileError(f"{file(one)} cannot be written ({error.strerror}): choose another --dir") from error
        await judge_and_keep(one, text)
        return see_other(f"/katas/{one.name}#verdict")

    async def follow(request: Request) -> Response:
        """Asked each second while a file is followed: judges it when it was saved."""
        one = found(request)
        seen = files.saved_at(file(one))
        if lacking() or not seen or str(seen) == field(request, "seen"):
            return Response(status_code=204)
        await judge_and_keep(one, files.read(one, site.folder))
        return Response(status_code=204, headers={"HX-Redirect": f"/katas/{one.name}?follow=1"})

    async def hint(request: Request) -> Response:
        one = found(request)
        record.next_hint(site.home, one)
        return see_other(f"/katas/{one.name}")

    async def give_up(request: Request) -> Response:
        one = found(request)
        await site.in_practice(lambda: record.give_up(site.home, site.desk.history, one, site.now()))
        return see_other(f"/katas/{one.name}/solution")

    async def accept(request: Request) -> Response:
        record.accept(site.home, sandbox.missing())
        return see_other("/katas")

    async def solution(request: Request) -> Response:
        one = found(request)
        reviews = await site.in_practice(site.desk.history_of, one.card.id)
        if not record.is_open(reviews):
            return see_other(f"/katas/{one.name}")
        mine = files.read(one, site.folder) if files.saved_at(file(one)) else one.starter
        before, after = mine.splitlines(), one.solution.splitlines()
        lines = [*unified_diff(before, after, n=max(len(before), len(after)), lineterm="")][3:]
        return site.page(
            request,
            "solution.html",
            title=f"Kata · {one.name} · solution",
            here="/katas",
            kata=one,
            diff=reports.diff("\n".join(lines)) if lines else "",
        )

    posts = {"check": check, "follow": follow, "hint": hint, "give-up": give_up}
    return [
        Route("/katas", every),
        Route("/katas/accept", accept, methods=["POST"]),
        Route("/katas/{name}", one),
        Route("/katas/{name}/solution", solution),
        *(Route(f"/katas/{{name}}/{name}", function, methods=["POST"]) for name, function in posts.items()),
    ]
