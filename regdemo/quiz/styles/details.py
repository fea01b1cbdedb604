"""Folds whose summary asks: `<details><summary>What is p?</summary>`, `??? question "..."`, `:::{dropdown} ...`."""

from __future__ import annotations

from bisect import bisect_left

from regdemo.quiz.styles.base import ForeignPage, Start


class Details:
    """The question is seen, the answer is folded away."""

    name = "folds"
    example = "<details><summary>What is a mask?</summary>\nZeros and ones.\n</details>"

    def certainty(self, document: ForeignPage) -> float:
        """Sure if a summary asks."""
        return 0.8 if document.question_folds else 0.0

    def starts(self, document: ForeignPage, index: int, current: Start | None) -> list[Start]:
        """The folds that begin in a block. A list shows its own: an item may have more around it."""
        block = document.blocks[index]
        return [] if block.kind == "list" else folds_in(document, *document.span(block))


STYLE = Details()


def folds_in(document: ForeignPage, start: int, end: int) -> list[Start]:
    """The questions in the folds that begin in a stretch of the text."""
    first = bisect_left(document.question_folds, start, key=lambda found: found[0].start)
    last = bisect_left(document.question_folds, end, key=lambda found: found[0].start)
    return [
        Start(fold.start, title.text, fold.inside, fold.close, title.number, after=fold.end)
        for fold, title in document.question_folds[first:last]
    ]
