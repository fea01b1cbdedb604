"""A mock interview: a clock, no feedback until its end, then grades, a score card and a calibration plot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from regdemo.errors import ArgumentError
from regdemo.quiz import interview, progress
from regdemo.quiz.cards import LETTERS
from regdemo.quiz.grading import UnreadableAnswer
from regdemo.quiz.session import Reply, StaleQuestion
from regdemo.web import pictures, see
from regdemo.web.pages.quiz import intervals
from regdemo.web.site import Site, entered, field, form, names, see_other, whole


def routes(site: Site) -> list[Route]:
    """`/mock` and its forms."""
    desk = site.desk

    async def look(request: Request, problem: str = "", status: int = 200, draft: str = "") -> Response:
        def gather() -> dict[str, Any]:
            mock = desk.mock
            question = mock.question if mock else None
            left = mock.time_left if mock else None
            return {
                "mock": mock,
                "question": question,
                "ungraded": desk.ungraded(),
                "left": int(left.total_seconds()) if left else 0,
                "flagged": desk.flagged(question.card) if question else False,
            }

        if "new" in request.query_params:
            await site.in_practice(desk.leave_mock)
        values = await site.in_practice(gather)
        common: dict[str, Any] = {"here": "/mock", "problem": problem, "letters": LETTERS, **values}
        if values["mock"] is None:
            cards = [card for card in site.bank.cards if card.askable]
            return site.page(
                request,
                "mock_start.html",
                status,
                title="Mock interview",
                topics=sorted({card.topic for card in cards}),
                levels=("screen", "onsite", "deep dive", "staff"),
                **common,
            )
        if question := values["question"]:
            return site.page(
                request,
                "mock_question.html",
                status,
                title=f"Mock · question {question.number}",
                draft=draft,
                chained=any(note.name == "FOLLOW_UP" for note in question.notes),
                **common,
            )
        if values["ungraded"]:
            reply = values["ungraded"][0]
            graded = sum(one.question.card.kind == "recall" for one in values["mock"].replies)
            return site.page(
                request,
                "mock_grade.html",
                status,
                title="Mock · grade your answers",
                reply=reply,
                number=graded - len(values["ungraded"]) + 1,
                total=graded,
                outcome=reply.outcome,
                intervals=intervals(site, reply.outcome.grades),
                suggested=None,
                **common,
            )
        return site.page(
            request, "scorecard.html", status, title="Mock · score card", **common, **scorecard(values["mock"].replies)
        )

    async def start(request: Request) -> Response:
        minutes = whole(field(request, "minutes"), 1, 600) or 20
        limit = whole(field(request, "limit"), 1, 1_000)
        topics, tags = (names(form(request).get(name, [])) for name in ("topic", "tag"))
        await site.in_practice(desk.start_mock, minutes, limit, topics, tags)
        return see_other("/mock")

    async def on_question(request: Request, act: Callable[..., None], *arguments: Any) -> Response:
        """Do something with the question of the form's token, then show the next; or the question as it is."""
        try:
            await site.in_practice(act, field(request, "token"), *arguments)
        except UnreadableAnswer as error:
            return await look(request, str(error), 422, entered(request))
        except StaleQuestion as error:
            return await look(request, f"This form is out of date: {error}. This is where the interview is.", 409)
        return see_other("/mock")

    async def answer(request: Request) -> Response:
        sure = whole(field(request, "sure"), 0, 100)
        return await on_question(request, desk.answer_mock, entered(request), None if sure is None else sure / 100)

    async def skip(request: Request) -> Response:
        return await on_question(request, desk.skip_mock)

    async def undo(request: Request) -> Response:
        await site.in_practice(desk.undo_mock)
        return see_other("/mock")

    async def end(request: Request) -> Response:
        await site.in_practice(desk.end_mock)
        return see_other("/mock")

    async def grade(request: Request) -> Response:
        rating = whole(field(request, "rating"), 1, 4)
        made = [int(place) for place in form(request).get("made", []) if place.isdecimal()]
        try:
            await site.in_practice(desk.grade_mock, field(request, "review"), rating, made)
        except ArgumentError as error:
            return await look(request, str(error), 422)
        return see_other("/mock")

    posts = {"start": start, "answer": answer, "skip": skip, "undo": undo, "end": end, "grade": grade}
    return [
        Route("/mock", look),
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
        "replies": replies,
        "right": score.right,
        "topics": score.topics,
        "calibration": found,
        "plot": plot,
        "said": [reply.outcome.verdict_text for reply in replies],
        "see": [next(filter(None, map(see.link, reply.question.asked.see_it)), None) for reply in replies],
    }
