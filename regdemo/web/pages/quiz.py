"""The quiz: one card in view, its outcome, the next. Works through plain forms; script only saves reloads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from regdemo.errors import ArgumentError
from regdemo.quiz import kinds
from regdemo.quiz.cards import LETTERS
from regdemo.quiz.grading import UnreadableAnswer
from regdemo.quiz.outcome import AnswerVerdict, GradeChoice, Outcome
from regdemo.quiz.schedule import Rating
from regdemo.quiz.session import Question, Session, StaleQuestion
from regdemo.web import see
from regdemo.web.desk import AnsweredQuestion, Wanted
from regdemo.web.site import Site, entered, field, form, names, see_other, whole
from regdemo.words import from_now, in_short


def routes(site: Site) -> list[Route]:
    """`/quiz` and its forms."""
    desk = site.desk

    async def look(request: Request) -> Response:
        query = request.query_params
        if "after" in query:
            answered = await site.in_practice(desk.answered.get, query["after"])
            if answered:
                return await outcome_page(request, answered)
        if desk.quiz is None or not set(query) <= {"after", "problem", "saved"}:
            return await begin(request)
        return await question_page(request)

    async def begin(request: Request) -> Response:
        query = request.query_params
        cards = [card for card in site.bank.cards if card.askable]
        chosen = {name: names(query.getlist(name)) for name in ("ids", "topic", "kind", "tag")}
        counts = await site.in_practice(desk.today)
        return site.page(
            request,
            "quiz_start.html",
            title="Quiz",
            here="/quiz",
            chosen=chosen,
            topics=sorted({card.topic for card in cards}),
            kinds=[name for name in kinds.kind_names() if name != "code"],
            tags=sorted({tag for card in cards for tag in card.tags} - {card.topic for card in cards}),
            counts=counts,
            running=desk.quiz is not None and desk.quiz.question is not None,
            flagged="flagged" in query,
            cram="cram" in query,
            notice=await site.in_practice(desk.say_once),
        )

    async def start(request: Request) -> Response:
        sent = form(request)
        limit = whole(field(request, "limit"), 1, 10_000)
        wanted = Wanted(
            ids=names(sent.get("ids", [])),
            topics=names(sent.get("topic", [])),
            kinds=names(sent.get("kind", [])),
            tags=names(sent.get("tag", [])),
            new=whole(field(request, "new"), 0, 10_000),
            limit=limit,
            cram="cram" in sent,
            flagged="flagged" in sent,
        )
        await site.in_practice(desk.start, wanted)
        return see_other("/quiz")

    async def question_page(
        request: Request, problem: str = "", status: int = 200, draft: str | None = None
    ) -> Response:
        def gather() -> dict[str, Any]:
            quiz = desk.session()
            question = quiz.question
            flagged = bool(question) and desk.flagged(question.card) if question else False
            return {
                "quiz": quiz,
                "question": question,
                "flagged": flagged,
                "draft": desk.drafts.get(question.review_id, "") if question and draft is None else draft or "",
                "notice": desk.say_once(),
                "counts": desk.today() if question is None else None,
            }

        values = await site.in_practice(gather)
        quiz, question = values["quiz"], values["question"]
        if question is None:
            return site.page(
                request, "quiz_end.html", status, title="Quiz · done", here="/quiz", problem=problem, **values
            )
        return site.page(
            request,
            "question.html",
            status,
            title=f"Quiz · {_place(quiz, question)}",
            here="/quiz",
            place=_place(quiz, question),
            total=question.number + question.left,
            problem=problem,
            letters=LETTERS,
            **values,
        )

    async def outcome_page(request: Request, answered: AnsweredQuestion) -> Response:
        def gather() -> dict[str, Any]:
            quiz = desk.session()
            card, outcome = answered.question.card, answered.outcome
            open_ = outcome.verdict is AnswerVerdict.UNGRADED
            suggested = Rating.GOOD if open_ and not outcome.key_points else None
            return {
                "quiz": quiz,
                "flagged": desk.flagged(card),
                "notice": desk.say_once(),
                "follow_ups": [site.bank.find(id) for id in outcome.follow_ups],
                "more": quiz.question is not None,
                "suggested": suggested,
            }

        outcome, question = answered.outcome, answered.question
        values = await site.in_practice(gather)
        open_ = outcome.verdict is AnswerVerdict.UNGRADED
        return site.page(
            request,
            "grade.html" if open_ else "outcome.html",
            title=f"Quiz · {outcome.verdict.value if not open_ else 'your grade'}",
            here="/quiz",
            question=question,
            outcome=outcome,
            place=_place(values["quiz"], question) if question.number else question.card.id,
            total=question.number + question.left,
            verdict=outcome.verdict_text,
            when=when(site, outcome),
            intervals=intervals(site, outcome.grades),
            see=[found for command in outcome.see_it if (found := see.link(command))],
            **values,
        )

    async def on_question(request: Request, act: Callable[..., str | None], *arguments: Any) -> Response:
        """Do something with the question of the form's token, then show what came of it; or the question as it is."""
        try:
            answered = await site.in_practice(act, field(request, "token"), *arguments)
        except UnreadableAnswer as error:
            return await question_page(request, str(error), 422, entered(request))
        except StaleQuestion as error:
            return await question_page(request, f"This form is out of date: {error}. This is the current card.", 409)
        return see_other(f"/quiz?{urlencode({'after': answered})}" if answered else "/quiz")

    async def answer(request: Request) -> Response:
        return await on_question(request, desk.answer, entered(request))

    async def rate(request: Request) -> Response:
        rating = whole(field(request, "rating"), 1, 4)
        made = [int(place) for place in form(request).get("made", []) if place.isdecimal()]
        return await on_question(request, desk.rate, rating, made, field(request, "response"))

    async def skip(request: Request) -> Response:
        return await on_question(request, desk.skip)

    async def hint(request: Request) -> Response:
        return await on_question(request, desk.hint, entered(request))

    async def undo(request: Request) -> Response:
        await site.in_practice(desk.undo, field(request, "shown"))
        return see_other("/quiz")

    async def follow(request: Request) -> Response:
        await site.in_practice(desk.follow_up, field(request, "id"))
        return see_other("/quiz")

    async def flag(request: Request) -> Response:
        await site.in_practice(desk.flag, field(request, "id"))
        back = field(request, "back")
        return see_other(back if back.startswith(("/quiz", "/cards/")) else "/quiz")

    async def suggest(request: Request) -> Response:
        made = len(set(request.query_params.getlist("made")))
        try:
            choices, suggested = await site.in_practice(desk.suggest, request.query_params.get("token", ""), made)
        except ArgumentError:
            return Response(status_code=204)
        return HTMLResponse(
            site.templates.get_template("grades.html").render(
                intervals=intervals(site, choices), suggested=suggested, made=made
            )
        )

    posts = {
        "start": start, "answer": answer, "rate": rate, "skip": skip, "hint": hint, "undo": undo, "next": follow,
        "flag": flag,
    }  # fmt: skip
    return [
        Route("/quiz", look),
        Route("/quiz/start", begin),
        Route("/quiz/suggest", suggest),
        *(Route(f"/quiz/{name}", function, methods=["POST"]) for name, function in posts.items()),
    ]


def intervals(site: Site, choices: tuple[GradeChoice, ...]) -> list[tuple[Rating, str]]:
    """Each grade that may be given, with when the card would come again."""
    now = site.now()
    return [(choice.rating, in_short(choice.due - now)) for choice in choices]


def when(site: Site, outcome: Outcome) -> str:
    """When the card comes again."""
    if outcome.rating is None:
        return ""
    if outcome.again:
        return "It comes again in this session."
    return f"It comes again {from_now(outcome.due - site.now())}." if outcome.due else ""


def _place(quiz: Session, question: Question) -> str:
    return f"{question.number} of {question.number + question.left}"
