"""The end of a mock interview: right by topic, what to improve, sure against right, and what to try."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from regdemo.cli.desk import MARKS, answered_as_plain, asked_as_plain
from regdemo.cli.hints import typed
from regdemo.quiz import mock as mocks
from regdemo.quiz.outcome import AnswerVerdict
from regdemo.words import topic_title

if TYPE_CHECKING:
    from regdemo.quiz.mock import Calibration
    from regdemo.quiz.session import Reply
    from regdemo.render.cards import Page

BAR = 20  # columns


class Scorecard:
    """What an interview came to."""

    def __init__(self, replies: Sequence[Reply], took: timedelta) -> None:
        self._replies = replies
        self._took = took
        self._score = mocks.score(replies)
        self._weak = [reply for reply in replies if not reply.graded or not reply.right or left_out(reply)]
        commands = dict.fromkeys(command for reply in self._weak for command in reply.outcome.see_it)
        if self._weak:
            ids = ",".join(reply.question.card.id for reply in self._weak)
            commands[typed(f"regdemo quiz --ids {ids}")] = None
        self._commands = list(commands)

    def as_plain(self) -> dict[str, Any]:
        """All of it as plain values."""
        found = self._score.calibration
        return {
            "seconds": round(self._took.total_seconds(), 3),
            "answers": [self._answer_as_plain(reply) for reply in self._replies],
            "topics": [{"topic": each.topic, "right": each.right, "asked": each.asked} for each in self._score.topics],
            "calibration": found
            and {
                "brier": round(found.brier, 4),
                "stated": round(found.stated, 4),
                "right": round(found.right, 4),
                "tail": round(found.tail, 6),
                "bins": [each._asdict() for each in found.bins],
            },
            "commands": self._commands,
        }

    def _answer_as_plain(self, reply: Reply) -> dict[str, Any]:
        plain = {**asked_as_plain(reply.question), **answered_as_plain(reply), "sure": reply.review.sure}
        plain["missed"] = list(left_out(reply))
        if not reply.graded:
            plain |= dict.fromkeys(("correct", "share", "rating"))
        return {key: value for key, value in plain.items() if key not in ("due", "undone", "hints")}

    def show(self, page: Page) -> None:
        """Print it."""
        score = self._score
        waiting = score.asked - score.graded
        page.fresh()
        for reply in self._weak:
            self._show_weak(page, reply)
        page.rule("Score card", f"{score.right} of {score.graded} right")
        if waiting:
            page.quiet(f"{waiting} not graded, so not counted: a quiz asks them again.")
        page.table(
            "By topic, the weakest first",
            ["  topic", "right", ""],
            [
                [
                    f"  {topic_title(each.topic)}",
                    f"{each.right}/{each.asked}",
                    "█" * round(BAR * each.right / each.asked),
                ]
                for each in score.topics
            ],
        )
        if score.calibration:
            self._show_calibration(page, score.calibration)
        page.rule("Try")
        page.listed([("", f"`{command}`") for command in self._commands])

    def _show_weak(self, page: Page, reply: Reply) -> None:
        """The question, what was answered, and the reasons: of every option where there are options."""
        found = reply.outcome
        page.rule(f"What to improve · {reply.question.card.id}")
        page.text(reply.question.asked.question)
        page.text(reply.review.response or "(passed)", "You said")
        if not reply.question.self_graded and found.verdict is not AnswerVerdict.SKIPPED:
            page.verdict(found.verdict is AnswerVerdict.RIGHT, found.verdict_text)
        page.text(found.why)
        for one in found.options:
            reason = one.why if one in found.reasons else ""
            page.listed([(f"{MARKS[one.pick.value]} {one.letter})", "  \n".join(filter(None, [one.text, reason])))])
        page.text(found.explanation if found.options else found.answer, "" if found.options else "The answer")
        page.listed([("·", point) for point in left_out(reply)], "You left out")

    def _show_calibration(self, page: Page, found: Calibration) -> None:
        page.table(
            "How sure you were, and how right",
            ["  said", "right", "answers", "right █, said │, from 0 to 100%"],
            [
                [
                    f"  {each.low:.0%} to {each.high:.0%}",
                    f"{each.right:.0%}",
                    str(each.answers),
                    _bar(each.right, each.stated),
                ]
                for each in found.bins
            ],
        )
        page.quiet(f"\n{_judged(found)}")
        page.quiet(f"Brier score {found.brier:.2f}: 0 is perfect, always saying 50% gets 0.25.")


def left_out(reply: Reply) -> tuple[str, ...]:
    """The key points to make next time; none that are known while the answer waits for its grade."""
    return reply.outcome.missed_points if reply.graded else ()


def _bar(fraction: float, mark: float) -> str:
    """A bar as long as the fraction, and a mark at another."""
    cells = ["█"] * round(BAR * fraction) + ["·"] * (BAR - round(BAR * fraction))
    cells.insert(round(BAR * mark), "│")
    return "".join(cells)


def _judged(found: Calibration) -> str:
    """Whether the learner is too sure, as far as so few answers can tell: a tail under 2.5%."""
    said = f"On average you said {found.stated:.0%}, and {found.right:.0%} was right: "
    if found.tail >= 0.025:
        return f"{said}chance alone may do that with so few answers."
    return f"{said}{'too sure' if found.stated > found.right else 'not sure enough'}, by more than chance explains."
