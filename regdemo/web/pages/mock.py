"""A mock interview: a clock, no feedback until its end, then grades, a score card and a calibration plot."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from regdemo.errors import ArgumentError
from regdemo.quiz import interview, progress, selection
from regdemo.quiz.cards import LETTERS
from regdemo.quiz.session import Reply
from regdemo.web import pictures, see
from regdemo.web.pages.quiz import QuestionForm
from regdemo.web.site import Site, entered, field, form, own_grade, see_other, whole


class _MockPages:
    def __init__(self, site: Site) -> None:
        self.site = site
        self.desk = site.desk
        self.on_question = QuestionForm(site, "/mock", self.look, "This is where the interview is.")

    def standing(self) -> dict[str, Any]:
        mock = self.desk.mock
        question = mock.question if mock else None
        left = mock.time_left if mock else None
        return {
            "mock": mock,
            "question": question,
            "ungraded": self.desk.ungraded(),
            "left": int(left.total_seconds()) if left else 0,
            "notice": self.desk.say_once(),
        }

    async def look(self, request: Request, problem: str = "", status: int = 200, draft: str = "") -> Response:
        if "new" in request.query_params:
            await self.site.in_practice(self.desk.leave_mock)
        values = await self.site.in_practice(self.standing)
        mock, question, ungraded = values["mock"], values["question"], values["ungraded"]
        if mock is None:
            template, more = "mock_start.html", self.choices()
        elif question:
            template, more = (
                "mock_question.html",
                {
                    "title": f"Mock · question {question.number}",
                    "draft": draft,
                    "chained": any(note.name == "FOLLOW_UP" for note in question.notes),
                },
            )
        elif ungraded:
            template, more = "mock_grade.html", self.to_grade(mock.replies, ungraded)
        else:
            template, more = "scorecard.html", scorecard(mock.replies)
        return self.site.page(
            request, template, status, here="/mock", problem=problem, letters=LETTERS, **values, **more
        )

    def choices(self) -> dict[str, Any]:
        return {
            "title": "Mock interview",
            "topics": sorted({card.topic for card in self.site.bank.cards if card.askable}),
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
        minutes = whole(field(request, "minutes"), 1, 600) or 20
        limit = whole(field(request, "limit"), 1, 1_000)
        topics, tags = (selection.split_names(form(request).get(name, [])) for name in ("topic", "tag"))
        await self.site.in_practice(self.desk.start_mock, minutes, limit, topics, tags)
        return see_other("/mock")

    async def answer(self, request: Request) -> Response:
        try:
            sure = whole(field(request, "sure"), 0, 100)
        except ArgumentError as error:
            return await self.look(request, str(error), 422, entered(request))
        share = None if sure is None else sure / 100
        return await self.on_question(request, self.desk.answer_mock, entered(request), share)

    async def skip(self, request: Request) -> Response:
        return await self.on_question(request, self.desk.skip_mock)

    async def undo(self, request: Request) -> Response:
        await self.site.in_practice(self.desk.undo_mock)
        return see_other("/mock")

    async def end(self, request: Request) -> Response:
        await self.site.in_practice(self.desk.end_mock)
        return see_other("/mock")

    async def grade(self, request: Request) -> Response:
        rating, made = own_grade(request)
        try:
            await self.site.in_practice(self.desk.grade_mock, field(request, "review"), rating, made)
        except ArgumentError as error:
            return await self.look(request, str(error), 422)
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
    score = interview.score(replies)
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
