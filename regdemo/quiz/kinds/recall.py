"""Recall: prose that the learner grades, against the key points if there are any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from regdemo.quiz.cards import Card, Reason, Value
from regdemo.quiz.kinds.base import CardKind, Flaw, texts, wrong_answers
from regdemo.quiz.styles import answers

if TYPE_CHECKING:
    from regdemo.quiz.parts import Parts


class RecallKind(CardKind):
    """The answer is said, and compared by the learner."""

    name = "recall"
    precedence = 70
    prompt = "your answer"
    allowed = "Say your answer or type it; then the deck's answer is shown, and you grade yours."
    self_graded = True
    needs_hints = True
    needs_sources = True
    skeleton = """\
## {id}: What is asked?

### Answer
What is to be said, in the words of an interview.

### Key points
- the first thing that must be said
- the second
- the third
"""

    def detects(self, parts: Parts) -> bool:
        """Every section that is nothing else."""
        return True

    def build(self, parts: Parts) -> dict[str, Any]:
        """The answer. A body that tells its answer in a style of its own may make it a choice."""
        if "answer" not in parts.named and parts.answer:
            found = answers.split_blocks(parts.section.question, parts.page, parts.answer)
            if isinstance(found, answers.SplitAnswer):
                return {**_fields(found), "wrong_answers": wrong_answers(parts)}
            if found:
                parts.left_out = Reason.UNDECIDED, found.reason
            else:
                parts.left_out = Reason.NO_ANSWER, "has no answer"
        text = parts.page.source(parts.answer) or parts.page.source(parts.parts["key points"])
        if not text:
            parts.fault(parts.section.heading, "has no answer: write it below the heading, or under a heading Answer")
        return {**texts(self.name, parts, parts.question, text, text), "wrong_answers": wrong_answers(parts)}

    def lint(self, card: Card, drawn: Sequence[Mapping[str, Value]]) -> Iterator[Flaw]:
        """There are key points to grade by."""
        if not card.key_points:
            yield Flaw("has no key points to grade an answer by: list 3 to 5 under a heading Key points")


KIND = RecallKind()


def _fields(found: answers.SplitAnswer) -> dict[str, Any]:
    """The fields of a card whose body tells its answer by a line `Answer:`, a fold, or lettered options."""
    return {
        "kind": found.kind,
        "question": found.question,
        "answer": found.answer,
        "explanation": found.explanation,
        "options": found.options,
        "fixed_order": True,
    }
