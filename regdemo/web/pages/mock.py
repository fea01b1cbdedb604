"""A mock interview: a clock, no feedback until its end, then grades, a score card and a calibration plot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from regdemo.errors import ArgumentError
from regdemo.quiz import mock as mocks
from regdemo.quiz import progress, selection
from regdemo.quiz.cards import LETTERS
from regdemo.quiz.session import Reply
from regdemo.web import pictures, see
from regdemo.web.pages.quiz import QuestionForm
from regdemo.web.site import Site, entered, faults, field, form, own_grade, see_other, whole


class _MockPages:
    def __init__(self, site: Site) -> None:
        self.site = site
        self.desk = site.desk
        self.on_question = QuestionForm(site, "/mock", lambda: self.desk.mock, "This is where the interview is.")

    def mock_state(self) -> dict[str, Any]:
        mock = self.desk.mock
        question = mock.question if mock else None
        left = mock.time_left if mock else None
        return {
            "mock": mock,
            "question": question,
            "ungraded": self.desk.ungraded(),
            "left": int(left.total_seconds()) if left else 0,
            "notice": self.desk.say_once(),
            "draft": self.desk.drafts.get(question.review_id, {}) if question else {},
        }

    async def look(self, request: Request, problems: Mapping[str, str] = {}) -> Response:
        if "new" in request.query_params:
            await self.site.in_history_thread(self.desk.leave_mock)
        values = await self.site.in_history_thread(self.mock_state)
        mock, question, ungraded = values["mock"], values["question"], values["ungraded"]
        if mock is None:
            template, more = "mock_start.html", self.choices(request)
        elif question:
            template, more = (
                "mock_question.html",
                {
                    "title": f"Mock · question {question.number}",
                    "chained": any(note.name == "FOLLOW_UP" for note in question.notes),
                },
            )
        elif ungraded:
            template, more = "mock_grade.html", self.to_grade(mock.replies, ungraded)
        else:
            template, more = "scorecard.html", scorecard(mock.replies)
        status, problems = 400 if problems else 200, problems or self.on_question.say_once()
        more |= {"here": "/mock", "problems": problems, "letters": LETTERS}
        return self.site.page(request, template, status, **values, **more)

    def choices(self, request: Request) -> dict[str, Any]:
        return {
            "title": "Mock interview",
            "topics": sorted({card.topic for card in self.site.bank.cards if card.askable}),
            "sent": form(request),
        }

    def to_grade(self, replies: list[Reply], ungraded: list[Reply]) -> dict[str, Any]:
        reply = ungraded[0]
        total = sum(one.question.card.kind == "recall" for one in replies)
        return {
            "title": "Mock · grade your answers",
            "reply": reply,
            "number": total - len(ungraded) + 1,
            "total": total,
            "outcome": reply.outcome,
        }

    async def start(self, request: Request) -> Response:
        topics, tags = (selection.split_names(form(request).get(name, [])) for name in ("topic", "tag"))
        try:
            minutes, limit = whole(request, "minutes", 1, 600) or 20, whole(request, "limit", 1, 1_000)
            await self.site.in_history_thread(self.desk.start_mock, minutes, limit, topics, tags)
        except ArgumentError as error:
            return await self.look(request, faults(error))
        return see_other("/mock")

    async def answer(self, request: Request) -> Response:
        def answer(token: str) -> None:
            sure = whole(request, "sure", 0, 100)
            self.desk.answer_mock(token, entered(request), None if sure is None else sure / 100)

        return await self.on_question(request, answer)

    async def skip(self, request: Request) -> Response:
        return await self.on_question(request, self.desk.skip_mock)

    async def undo(self, request: Request) -> Response:
        await self.site.in_history_thread(self.desk.undo_mock)
        return see_other("/mock")

    async def end(self, request: Request) -> Response:
        await self.site.in_history_thread(self.desk.end_mock)
        return see_other("/mock")

    async def grade(self, request: Request) -> Response:
        try:
            await self.site.in_history_thread(self.desk.grade_mock, field(request, "review"), *own_grade(request))
        except ArgumentError as error:
            self.on_question.problems = faults(error)
        return see_other("/mock")


def routes(site: Site) -> list[Route]:
    """`/mock` and its forms."""
    page = _MockPages(site)
    posts = {
        "start": page.start, "answer": page.answer, "skip": page.skip, "undo": page.undo, "end": page.end,
        "grade": page.grade,
    }  # fmt: skip
    return [
        Route("/mock", page.look),
        *(Route(f"/mock/{name}", function, methods=["POST"]) for name, function in posts.items()),
    ]


def scorecard(replies: list[Reply]) -> dict[str, Any]:
    """What an interview came to, by topic and by answer, and how sure went with right."""
    score = mocks.score(replies)
    found = score.calibration
    plot = ""
    if found:
        points = [(one.stated, one.right, *progress.wilson(one.right, one.answers)) for one in found.bins]
        plot = pictures.plot(points, "how sure you were", "how often right", "Sure against right, with 95% intervals")
    return {
        "title": "Mock · score card",
        "replies": replies,
        "right": score.right,
        "topics": score.topics,
        "calibration": found,
        "plot": plot,
        "said": [reply.outcome.verdict_text for reply in replies],
        "see": [next(filter(None, map(see.link, reply.question.asked.see_it)), None) for reply in replies],
    }
