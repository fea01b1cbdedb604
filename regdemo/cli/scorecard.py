"""The end of a mock interview: right by topic, what to say better, sure against right, and what to try."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regdemo.cli.desk import MARKS, feedback, reason, told, verdict
from regdemo.cli.learner import asking
from regdemo.quiz.outcome import Verdict
from regdemo.quiz.schedule import Rating

if TYPE_CHECKING:
    from regdemo.quiz.interview import Calibration
    from regdemo.quiz.session import Reply
    from regdemo.render.cards import Page

BAR = 20  # columns


class Scorecard:
    """What an interview came to. bank: where it lies, None for the bundled one."""

    def __init__(self, replies: Sequence[Reply], took: timedelta, bank: Path | None) -> None:
        from regdemo.quiz.interview import calibration

        self._replies = replies
        self._took = took
        self._graded = [reply for reply in replies if reply.graded]
        self._calibration = calibration(
            [(reply.review.sure, reply.right) for reply in self._graded if reply.review.sure is not None]
        )
        self._weak = [reply for reply in replies if not reply.graded or not reply.right or missed(reply)]
        commands = dict.fromkeys(command for reply in self._weak for command in reply.question.asked.see_it)
        if self._weak:
            commands[f"{asking(bank)} --ids {','.join(reply.question.card.id for reply in self._weak)}"] = None
        self._commands = list(commands)

    def topics(self) -> list[tuple[str, int, int]]:
        """Each topic with how many of its answers were right and how many there were, the weakest first."""
        counts: dict[str, list[int]] = {}
        for reply in self._graded:
            count = counts.setdefault(reply.question.card.topic, [0, 0])
            count[0] += reply.right
            count[1] += 1
        rows = [(topic, right, asked) for topic, (right, asked) in counts.items()]
        return sorted(rows, key=lambda row: row[1] / row[2])

    def told(self) -> dict[str, Any]:
        """All of it as plain values."""
        found = self._calibration
        return {
            "seconds": round(self._took.total_seconds(), 3),
            "answers": [
                {
                    **{
                        key: value
                        for key, value in told(reply.question.asked).items()
                        if key not in ("due", "undone", "hints")
                    },
                    "response": reply.review.response,
                    "sure": reply.review.sure,
                    "correct": reply.right if reply.graded else None,
                    "share": round(reply.review.share, 4) if reply.graded else None,
                    "rating": Rating(reply.review.rating).name.lower() if reply.graded else None,
                    "feedback": feedback(reply.outcome),
                    "missed": missed(reply),
                }
                for reply in self._replies
            ],
            "topics": [{"topic": topic, "right": right, "asked": asked} for topic, right, asked in self.topics()],
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

    def show(self, page: Page) -> None:
        """Print it."""
        right = sum(reply.right for reply in self._graded)
        waiting = len(self._replies) - len(self._graded)
        page.fresh()
        for reply in self._weak:
            page.rule(f"To say better · {reply.question.card.id}")
            page.text(reply.question.asked.question)
            found = reply.outcome
            page.text(reply.review.response or "(passed)", "You said")
            if reply.question.card.kind != "recall":
                page.verdict(found.verdict is Verdict.RIGHT, verdict(found))
            page.text(found.why)
            page.listed([(f"{MARKS[one.pick]} {one.letter})", one.text + reason(one.why)) for one in found.options])
            page.text(found.explanation if found.options else found.answer, "The answer")
            page.listed([("·", point) for point in missed(reply)], "Say next time")
        page.rule("Score card", f"{right} of {len(self._graded)} right")
        if waiting:
            page.quiet(f"{waiting} not graded: they count as not known until a quiz asks them.")
        page.table(
            "By topic, the weakest first",
            ["  topic", "right", ""],
            [
                [f"  {topic}", f"{right}/{asked}", "█" * round(BAR * right / asked)]
                for topic, right, asked in self.topics()
            ],
        )
        if self._calibration:
            self._show_calibration(page, self._calibration)
        page.rule("Try")
        page.listed([("", f"`{command}`") for command in self._commands])

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


def _bar(share: float, mark: float) -> str:
    """A bar as long as the share, and a mark at another."""
    cells = ["█"] * round(BAR * share) + ["·"] * (BAR - round(BAR * share))
    cells.insert(round(BAR * mark), "│")
    return "".join(cells)


def _judged(found: Calibration) -> str:
    """Whether the learner is too sure, as far as so few answers can tell: a tail under 2.5%."""
    said = f"On average you said {found.stated:.0%}, and {found.right:.0%} was right: "
    if found.tail >= 0.025:
        return f"{said}chance alone may do that with so few answers."
    return f"{said}{'too sure' if found.stated > found.right else 'not sure enough'}, by more than chance would do."


def missed(reply: Reply) -> list[str]:
    """The key points to make next time; none that are known while the answer waits for its grade."""
    return list(reply.outcome.missed_points) if reply.graded else []
