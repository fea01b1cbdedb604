"""Answers graded: what is right, what fraction of it, and what to say to the learner."""

from __future__ import annotations

from regdemo.errors import ArgumentError
from regdemo.quiz.kinds import grade
from regdemo.quiz.kinds.base import Grade, UnreadableAnswer
from regdemo.quiz.schedule import Rating

__all__ = ["Grade", "UnreadableAnswer", "grade", "grade_recall"]


def grade_recall(ticked: int, total: int) -> Rating:
    """The rating that the fraction of key points said suggests: all of them good, half of them hard, fewer again.

    Raises ArgumentError unless 0 <= ticked <= total and total > 0.
    """
    if not 0 <= ticked <= total or total == 0:
        raise ArgumentError(f"{ticked} of {total} key points: choose from 0 to the number of key points, at least 1")
    if ticked == total:
        return Rating.GOOD
    return Rating.HARD if 2 * ticked >= total else Rating.AGAIN
