"""The katas: the task, an editor, the verdict, hints, and the reference once it may be seen.

The file is the one that `regdemo kata` uses: what is written here can be opened there, and the reverse.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from regdemo import storage
from regdemo.errors import ArgumentError
from regdemo.kata import files, judge, record, sandbox
from regdemo.kata import katas as kata_cards
from regdemo.quiz import decks, schedule
from regdemo.text import line_diff
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

    text: str
    verdict: Verdict
    saved: str

    @property
    def headline(self) -> str:
        """How it ended, in words."""
        return f"It {self.verdict.words}"


class Draft(NamedTuple):
    """What the editor holds. seen: when the file was saved that it was begun from."""

    text: str
    seen: str

    def is_like(self, text: str) -> bool:
        """Whether a text is the same, but for empty lines at its end."""
        return self.text.rstrip("\n") == text.rstrip("\n")


class Judging:
    """The judge, one text at a time; its process is started at the first and stays warm."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._turn = ThreadPoolExecutor(1, "judge")
        self._judge: Judge | None = None
        site.at_end.append(self.close)

    async def __call__(self, kata: Kata, text: str) -> Verdict:
        """A verdict. The code that it is on reads neither the decks, nor the history, nor the other katas."""
        return await asyncio.get_running_loop().run_in_executor(self._turn, self._check, kata, text)

    def _check(self, kata: Kata, text: str) -> Verdict:
        if self._judge is None:
            site = self._site
            hidden = [site.bank_path or decks.bundled(), site.home, files.absolute(site.folder)]
            self._judge = judge.Judge(hidden, weaker=True)
        return self._judge.check(kata, text)

    def close(self) -> None:
        """End the judge's process."""
        if self._judge:
            self._judge.close()
        self._turn.shutdown(wait=False, cancel_futures=True)


class _KataPages:
    def __init__(self, site: Site) -> None:
        self.site = site
        self.judging = Judging(site)
        self.judged: dict[str, JudgedText] = {}
        self.drafts: dict[str, Draft] = {}  # what was typed and is not saved

    def known(self) -> dict[str, Kata]:
        return kata_cards.katas(self.site.bank.cards)

    def found(self, request: Request) -> Kata:
        one = self.known().get(request.path_params["name"])
        if one is None:
            raise HTTPException(404)
        return one

    def file(self, one: Kata) -> Path:
        return self.site.folder / f"{one.name}.py"

    def lacking(self) -> list[str]:
        lacking = sandbox.missing()
        return lacking if lacking and not record.accepted(self.site.home, lacking) else []

    def rows(self) -> list[dict[str, Any]]:
        rows = []
        for one in self.known().values():
            reviews = self.site.desk.history.reviews(one.card.id)
            due = schedule.replay(reviews)[one.card.id].due if reviews else None
            state = record.progress(one, reviews, self.site.folder).value
            waits = from_now(due - self.site.now()) if due else ""
            rows.append({"kata": one, "state": state, "due": waits, "task": one.card.question.partition("\n")[0]})
        return rows

    async def every(self, request: Request) -> Response:
        rows = await self.site.in_history_thread(self.rows)
        return self.site.page(request, "katas.html", title="Katas", here="/katas", rows=rows, missing=self.lacking())

    def seen_so_far(self, one: Kata) -> dict[str, Any]:
        reviews = self.site.desk.history.reviews(one.card.id)
        shown = record.hints_shown(self.site.home, one)
        return {
            "hints": one.card.hints[:shown],
            "more_hints": len(one.card.hints) > shown,
            "open": record.is_open(reviews),
        }

    def state(self, one: Kata) -> dict[str, Any]:
        """What the editor and the file hold, and how the two differ."""
        saved = files.saved_at(self.file(one))
        held = Draft(files.read(one, self.site.folder) if saved else one.starter, str(saved))
        draft = self.drafts.get(one.name, held)
        unsaved = not draft.is_like(held.text)
        conflict = saved and unsaved and draft.seen != held.seen
        return {"draft": draft, "held": held, "unsaved": unsaved, "conflict": conflict}

    async def one(self, request: Request) -> Response:
        one = self.found(request)
        state, judged = self.state(one), self.judged.get(one.name)
        names = list(self.known())
        place = names.index(one.name)
        return self.site.page(
            request,
            "kata.html",
            title=f"Kata · {one.name}",
            here="/katas",
            kata=one,
            file=self.file(one),
            judged=judged,
            judges_draft=judged is not None and state["draft"].is_like(judged.text),
            follow="follow" in request.query_params,
            hinted="hint" in request.query_params,
            following=names[(place + 1) % len(names)],
            missing=self.lacking(),
            **state,
            **await self.site.in_history_thread(self.seen_so_far, one),
        )

    async def judge(self, one: Kata, text: str) -> None:
        verdict = await self.judging(one, text)
        self.judged[one.name] = JudgedText(
            text, verdict, await self.site.in_history_thread(self.keep, one, verdict, text)
        )

    def keep(self, one: Kata, verdict: Verdict, text: str) -> str:
        site = self.site
        saved = record.save(site.home, site.desk.history, one, verdict, text, site.now())
        if saved:
            return f"Saved as {saved.rating.title}. It comes again {from_now(saved.due - site.now())}."
        return "Nothing is saved: this is still the starter." if one.is_untouched(text) else ""

    def drafted(self, request: Request) -> Kata:
        """The kata of a form. What its editor holds is kept until it is saved."""
        one = self.found(request)
        self.drafts[one.name] = Draft(field(request, "source"), field(request, "over") or field(request, "seen"))
        return one

    async def check(self, request: Request) -> Response:
        one = self.drafted(request)
        if self.lacking():
            return see_other("/katas")
        if self.state(one)["conflict"]:
            return see_other(f"/katas/{one.name}")
        file, text = self.file(one), self.drafts[one.name].text
        if len(text.encode()) > files.LARGEST_CODE:
            raise ArgumentError(f"this is too long for a kata: it has at most {files.LARGEST_CODE:,} bytes")
        saved = text if text.endswith("\n") else f"{text}\n"
        storage.write_file(file, saved, parents=True, remedy="choose another --dir")
        del self.drafts[one.name]
        await self.judge(one, text)
        return see_other(f"/katas/{one.name}#verdict")

    async def take(self, request: Request) -> Response:
        """Take the file's text, and drop what the editor holds."""
        one = self.found(request)
        self.drafts.pop(one.name, None)
        return see_other(f"/katas/{one.name}")

    async def follow(self, request: Request) -> Response:
        """Asked each second while a file is followed: judges it when it was saved."""
        one = self.found(request)
        seen = files.saved_at(self.file(one))
        if self.lacking() or not seen or str(seen) == field(request, "seen"):
            return Response(status_code=204)
        await self.judge(one, files.read(one, self.site.folder))
        return Response(status_code=204, headers={"HX-Redirect": f"/katas/{one.name}?follow=1"})

    async def hint(self, request: Request) -> Response:
        one = self.drafted(request)
        return see_other(f"/katas/{one.name}?hint={record.next_hint(self.site.home, one)}")

    async def give_up(self, request: Request) -> Response:
        one, site = self.drafted(request), self.site
        await site.in_history_thread(lambda: record.give_up(site.home, site.desk.history, one, site.now()))
        return see_other(f"/katas/{one.name}/solution")

    async def accept(self, request: Request) -> Response:
        record.accept(self.site.home, sandbox.missing())
        return see_other("/katas")

    async def solution(self, request: Request) -> Response:
        one = self.found(request)
        reviews = await self.site.in_history_thread(self.site.desk.history_of, one.card.id)
        if not record.is_open(reviews):
            return see_other(f"/katas/{one.name}")
        mine = files.read(one, self.site.folder) if files.saved_at(self.file(one)) else one.starter
        changes = line_diff(one.code_of(mine), one.solution)
        return self.site.page(
            request,
            "solution.html",
            title=f"Kata · {one.name} · solution",
            here="/katas",
            kata=one,
            diff=reports.diff(changes) if changes else "",
        )


def routes(site: Site) -> list[Route]:
    """`/katas` and its forms."""
    page = _KataPages(site)
    posts = {
        "check": page.check, "take": page.take, "follow": page.follow, "hint": page.hint, "give-up": page.give_up,
    }  # fmt: skip
    return [
        Route("/katas", page.every),
        Route("/katas/accept", page.accept, methods=["POST"]),
        Route("/katas/{name}", page.one),
        Route("/katas/{name}/solution", page.solution),
        *(Route(f"/katas/{{name}}/{name}", function, methods=["POST"]) for name, function in posts.items()),
    ]
