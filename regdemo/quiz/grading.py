"""Answers graded: what is right, what fraction of it, and what to say to the learner."""

from __future__ import annotations

from regdemo.errors import ArgumentError
from regdemo.quiz.kinds import example, grade
from regdemo.quiz.kinds.base import Grade, SuggestedRating, UnreadableAnswer

__all__ = ["Grade", "SuggestedRating", "UnreadableAnswer", "example", "grade", "grade_recall"]


def grade_recall(ticked: int, total: int) -> SuggestedRating:
    """The rating that the fraction of key points said suggests: all of them good, half of them hard, fewer again.

    Raises ArgumentError unless 0 <= ticked <= total and total > 0.
    """
    if not 0 <= ticked <= total or total == 0:
        raise ArgumentError(f"{ticked} of {total} key points: choose from 0 to the number of key points, at least 1")
    if ticked == total:
        return "good"
    return "hard" if 2 * ticked >= total else "again"
