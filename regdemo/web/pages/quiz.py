"""The quiz: one card in view, its outcome, the next. Works through plain forms; script only saves reloads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from regdemo.errors import ArgumentError
from regdemo.quiz import kinds
from regdemo.quiz.cards import LETTERS
from regdemo.quiz.kinds.base import UnreadableAnswer
from regdemo.quiz.outcome import AnswerVerdict, GradeChoice, Outcome
from regdemo.quiz.schedule import Rating
from regdemo.quiz.selection import split_names
from regdemo.quiz.session import Question, Session, StaleQuestion
from regdemo.web import see
from regdemo.web.desk import AnsweredQuestion, Wanted
from regdemo.web.site import FieldError, Site, entered, faults, field, form, own_grade, see_other, whole
from regdemo.words import from_now, in_short


class QuestionForm:
    """A form on the question in view. session: which it is of; current: says which question that is.

    It leads to the question's page by a redirect, so that a reload sends nothing. What was entered is kept there.
    """

    def __init__(self, site: Site, address: str, session: Callable[[], Session | None], current: str) -> None:
        self._site, self._address, self._session, self._current = site, address, session, current
        self.problems: dict[str, str] = {}  # by field, to be said once

    async def __call__(self, request: Request, act: Callable[..., str | None], *arguments: Any) -> Response:
        """Do something with the question of the form's token, then show what came of it; or the question as it is."""

        def keep_and_act(token: str) -> str | None:
            if session := self._session():
                self._site.desk.drafts[session.question_of(token).review_id] = form(request)
            return act(token, *arguments)

        answered = None
        try:
            answered = await self._site.in_history_thread(keep_and_act, field(request, "token"))
        except StaleQuestion as error:
            self.problems = {"": f"This form is out of date: {error}. {self._current}"}
        except (UnreadableAnswer, FieldError) as error:
            self.problems = faults(error)
        return see_other(f"{self._address}?{urlencode({'after': answered})}" if answered else self._address)

    def say_once(self) -> dict[str, str]:
        """What is wrong with the form that was sent last."""
        problems, self.problems = self.problems, {}
        return problems


class _QuizPages:
    def __init__(self, site: Site) -> None:
        self.site = site
        self.desk = site.desk
        self.on_question = QuestionForm(site, "/quiz", self.desk.session, "This is the current card.")

    async def look(self, request: Request) -> Response:
        query = request.query_params
        if "after" in query:
            answered = await self.site.in_history_thread(self.desk.answered.get, query["after"])
            if answered:
                return await self.outcome_page(request, answered)
        if self.desk.quiz is None or query.keys() - {"after"}:
            return await self.begin(request)
        return await self.question_page(request)

    async def begin(self, request: Request, problems: Mapping[str, str] = {}) -> Response:
        sent = form(request)
        cards = [card for card in self.site.bank.cards if card.askable]
        counts, running, notice = await self.site.in_history_thread(
            lambda: (self.desk.today(), self.desk.running(), self.desk.say_once())
        )
        return self.site.page(
            request,
            "quiz_start.html",
            400 if problems else 200,
            title="Quiz",
            here="/quiz",
            sent=sent,
            problems=problems,
            chosen={name: split_names(sent.get(name, [])) for name in ("ids", "topic", "kind", "tag")},
            topics=sorted({card.topic for card in cards}),
            kinds=[name for name in kinds.kind_names() if name != "code"],
            tags=sorted({tag for card in cards for tag in card.tags} - {card.topic for card in cards}),
            counts=counts,
            running=running,
            notice=notice,
        )

    async def start(self, request: Request) -> Response:
        sent = form(request)
        try:
            wanted = Wanted(
                ids=split_names(sent.get("ids", [])),
                topics=split_names(sent.get("topic", [])),
                kinds=split_names(sent.get("kind", [])),
                tags=split_names(sent.get("tag", [])),
                limit=whole(request, "limit", 1, 10_000),
                new=whole(request, "new", 0, 10_000),
                cram="cram" in sent,
                flagged="flagged" in sent,
            )
            await self.site.in_history_thread(self.desk.start, wanted)
        except ArgumentError as error:
            return await self.begin(request, faults(error))
        return see_other("/quiz")

    def in_view(self) -> dict[str, Any]:
        quiz = self.desk.session()
        question = quiz.question
        return {
            "quiz": quiz,
            "question": question,
            "flagged": self.desk.flagged(question.card) if question else False,
            "draft": self.desk.drafts.get(question.review_id, {}) if question else {},
            "notice": self.desk.say_once(),
            "counts": self.desk.today() if question is None else None,
        }

    async def question_page(self, request: Request) -> Response:
        values = await self.site.in_history_thread(self.in_view)
        question = values["question"]
        common = {"here": "/quiz", "problems": self.on_question.say_once(), **values}
        if question is None:
            return self.site.page(request, "quiz_end.html", title="Quiz · done", **common)
        place = _place(question)
        return self.site.page(
            request,
            "question.html",
            title=f"Quiz · {place}",
            place=place,
            total=question.number + question.left,
            letters=LETTERS,
            **common,
        )

    def after(self, answered: AnsweredQuestion) -> dict[str, Any]:
        quiz, question = self.desk.session(), answered.question
        ticked = self.desk.drafts.get(question.review_id, {}).get("made", [])
        return {
            "quiz": quiz,
            "flagged": self.desk.flagged(question.card),
            "ticked": ticked,
            "suggested": quiz.suggest(len(ticked), question) if ticked or not question.asked.key_points else None,
            "notice": self.desk.say_once(),
            "follow_ups": [self.site.bank.find(id) for id in answered.outcome.follow_ups],
            "more": quiz.question is not None,
        }

    async def outcome_page(self, request: Request, answered: AnsweredQuestion) -> Response:
        outcome, question = answered.outcome, answered.question
        values = await self.site.in_history_thread(self.after, answered)
        open_ = outcome.verdict is AnswerVerdict.UNGRADED
        return self.site.page(
            request,
            "grade.html" if open_ else "outcome.html",
            title=f"Quiz · {outcome.verdict.value if not open_ else 'your grade'}",
            here="/quiz",
            question=question,
            outcome=outcome,
            place=_place(question) if question.number else question.card.id,
            total=question.number + question.left,
            verdict=outcome.verdict_text,
            when=when(self.site, outcome),
            intervals=intervals(self.site, outcome.grades),
            see=see.links(outcome.see_it),
            **values,
        )

    async def answer(self, request: Request) -> Response:
        return await self.on_question(request, lambda token: self.desk.answer(token, entered(request)))

    async def rate(self, request: Request) -> Response:
        return await self.on_question(request, self.desk.rate, *own_grade(request), field(request, "response"))

    async def skip(self, request: Request) -> Response:
        return await self.on_question(request, self.desk.skip)

    async def hint(self, request: Request) -> Response:
        return await self.on_question(request, self.desk.hint)

    async def undo(self, request: Request) -> Response:
        await self.site.in_history_thread(self.desk.undo, field(request, "shown"))
        return see_other("/quiz")

    async def follow(self, request: Request) -> Response:
        await self.site.in_history_thread(self.desk.follow_up, field(request, "id"))
        return see_other("/quiz")

    async def flag(self, request: Request) -> Response:
        def flag(token: str) -> None:
            self.desk.flag(field(request, "id"))

        if field(request, "token"):  # within a form: what was entered there is kept
            await self.on_question(request, flag)
        else:
            await self.site.in_history_thread(flag, "")
        back = field(request, "back")
        return see_other(back if back.startswith(("/quiz", "/cards/")) else "/quiz")

    async def suggest(self, request: Request) -> Response:
        query = request.query_params
        token, made = query.get("token", ""), len(set(query.getlist("made")))
        try:
            choices, suggested = await self.site.in_history_thread(self.desk.suggest, token, made)
        except ArgumentError:
            return Response(status_code=204)
        given = intervals(self.site, choices)
        return self.site.page(request, "grades.html", intervals=given, suggested=suggested, made=made)


def routes(site: Site) -> list[Route]:
    """`/quiz` and its forms."""
    page = _QuizPages(site)
    posts = {
        "start": page.start, "answer": page.answer, "rate": page.rate, "skip": page.skip, "hint": page.hint,
        "undo": page.undo, "next": page.follow, "flag": page.flag,
    }  # fmt: skip
    return [
        Route("/quiz", page.look),
        Route("/quiz/start", page.begin),
        Route("/quiz/suggest", page.suggest),
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


def _place(question: Question) -> str:
    return f"{question.number} of {question.number + question.left}"
