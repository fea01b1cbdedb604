"""A page that answers the question which is its file's name: `what-is-a-mask.md`."""

from __future__ import annotations

from regdemo.quiz.styles.base import ABOUT_QUESTIONS, ForeignPage, Start
from regdemo.quiz.styles.titles import Title, read_title


class FileName:
    """The name asks, the page answers."""

    name = "a question as the file's name"
    example = "what-is-a-mask.md"

    def certainty(self, document: ForeignPage) -> float:
        """Sure if the name asks and the headings do not."""
        title = _asked(document)
        words = title.text.lower().split()
        if not title.asks or len(words) < 3 or words[:2] == ["how", "to"] or ABOUT_QUESTIONS.search(document.name):
            return 0.0
        first = 1 if document.blocks[:1] and document.blocks[0].kind == "heading" else 0
        headings = [read_title(block.text) for block in document.blocks[first:] if block.kind == "heading"]
        return float(sum(heading.marked or heading.ends_as_question for heading in headings) <= 1)

    def starts(self, document: ForeignPage, index: int, current: Start | None) -> list[Start]:
        """The whole page, from its first block."""
        if index:
            return []
        title, end = _asked(document), len(document.text.raw)
        if document.blocks[0].kind != "heading":
            return [Start(0, title.text, 0, end)]
        head = read_title(document.blocks[0].text)
        at, body = document.span(document.blocks[0])
        return [Start(at, head.text if head.asks else title.text, body, end)]


STYLE = FileName()


def _asked(document: ForeignPage) -> Title:
    return read_title(document.name.replace("-", " ").replace("_", " "))
