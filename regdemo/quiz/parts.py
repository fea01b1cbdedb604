"""A card's section in parts: what its headings name, its blocks with a role, its parameters."""

from __future__ import annotations

import keyword
import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from regdemo.quiz.blocks import MarkdownBlock, MarkdownPage
from regdemo.quiz.cards import CodeBlock, Fault, Reason, Value
from regdemo.text import clean, printable, shortened

PARTS = ("answer", "key points", "hints", "wrong answers", "follow-ups", "see it", "sources", "tags")
ROLES = ("check", "starter", "judge", "solution", "mutant")
_ID = re.compile(r"\W*+([A-Za-z][\w-]*+(?:\.[\w-]++)*+)", re.ASCII)
SHOW = re.compile(r"\S+ show\b")


class Section(NamedTuple):
    """A heading with an id and the blocks of its card. It covers the page's blocks from start up to end."""

    id: str
    series: str
    question: str
    heading: MarkdownBlock
    start: int
    end: int
    blocks: Sequence[MarkdownBlock] = ()


def has_card_parts(page: MarkdownPage, blocks: Sequence[MarkdownBlock]) -> bool:
    """Whether blocks hold a form that is the format's own: a named part, a block with a role, a blank."""
    return any(
        _part(block)
        or _role(block)[0]
        or SHOW.match(block.info)
        or (block.kind in ("heading", "paragraph") and "{{" in page.source([block]))
        for block in blocks
    )


def is_written_here(blocks: Sequence[MarkdownBlock]) -> bool:
    """Whether blocks hold what other formats rarely have: parts such as Key points, and blocks with a role."""
    return any(_part(block) not in ("", "answer", "sources") or _role(block)[0] for block in blocks)


def _part(heading: MarkdownBlock) -> str:
    """The part of a card that a heading names, or nothing."""
    name = heading.text.strip(" *_:").casefold() if heading.kind == "heading" else ""
    return name if name in PARTS else ""


def _role(fence: MarkdownBlock) -> tuple[str, str]:
    """The role and the name in an info string like `python mutant: forgets to rescale`, or nothing."""
    language, _, rest = fence.info.partition(" ")
    role, _, name = rest.partition(":")
    role = role.strip()
    known = (language == "python" and role in ROLES) or (language == "toml" and role == "vary")
    return (role, name.strip()) if known else ("", "")


class Parts:
    """A section's blocks by part. Every fault is collected, so that an author sees them all at once.

    named: the parts that have a heading.  code: the blocks with a role.  vary: the values of each parameter.
    left_out: why the section is not asked although nothing is broken in it.
    question, answer: the blocks of either; without a part Answer, the kinds of card tell where the body turns.
    """

    def __init__(self, page: MarkdownPage, section: Section, file: Path) -> None:
        self.page = page
        self.section = section
        self.file = file
        self.faults: list[Fault] = []
        self.left_out: tuple[Reason, str] | None = None
        self.parts: dict[str, list[MarkdownBlock]] = {part: [] for part in ("question", *PARTS)}
        self.named: set[str] = set()
        self.code: list[CodeBlock] = []
        self.vary: dict[str, tuple[Value, ...]] = {}
        self._sort_blocks()
        self.question: list[MarkdownBlock] = self.parts["question"]
        self.answer: list[MarkdownBlock] = self.parts["answer"]

    def fault(self, place: MarkdownBlock | int, message: str) -> None:
        """Note a fault where the text of a block begins, or of a line counted from 0."""
        line = place if isinstance(place, int) else place.start
        written = self.page.lines[line]
        column = len(written) - len(written.lstrip())
        self.faults.append(Fault(self.file, line + 1, f"{self.section.id} {message}", column + 1))

    def points(self, part: str) -> tuple[str, ...]:
        """The points of a part: its list's items, or its paragraphs."""
        return tuple(text for _, text in self.page.points(self.parts[part]))

    def split_body(self, *turns: Callable[[Parts, Sequence[MarkdownBlock]], int | None]) -> None:
        """Without a part Answer, split the body where the first of the kinds says, or let all of it answer."""
        if "answer" not in self.named:
            body = self.parts["question"] + self.parts["answer"]
            split = min((place for turn in turns if (place := turn(self, body)) is not None), default=0)
            self.question, self.answer = body[:split], body[split:]

    def tags(self) -> list[str]:
        """The tags of its own: separated by commas, or a list, in lower case."""
        words = ",".join(self.points("tags")).replace("`", "").split(",")
        return [tag for word in words if (tag := " ".join(word.casefold().split()))]

    def follow_ups(self) -> tuple[str, ...]:
        """The ids under Follow-ups."""
        return tuple(match[1] for match in map(_ID.match, self.points("follow-ups")) if match)

    def commands(self) -> tuple[str, ...]:
        """The commands under See it: code spans, and the lines of code blocks."""
        commands: list[str] = []
        for block in self.parts["see it"]:
            if block.kind == "fence":
                commands += filter(None, map(str.strip, block.text.split("\n")))
            else:
                commands += re.findall(r"`([^`\n]+)`", self.page.source([block]))
        return tuple(commands)

    def _sort_blocks(self) -> None:
        """Sort the blocks by the part that they are in. Blocks with a role do not belong to a text."""
        part, level = "question", 0
        for block in self.section.blocks:
            if not block.closed:
                self.fault(block, "opens a code block that is never closed: end it with a line of ```")
            if name := _part(block):
                if name in self.named:
                    self.fault(block, f"has a second part {name!r}: join the two")
                self.named.add(name)
                part, level = name, block.level
                continue
            if block.kind == "heading" and part != "question" and block.level <= level:
                part = "answer"  # a heading of another name ends a part; what follows is more of the answer
            role, name = _role(block)
            if role == "vary":
                self._vary(block)
            elif role:
                self.code.append(CodeBlock(role, name, block.text, block.start + 1))
            else:
                self.parts[part].append(block)

    def _vary(self, block: MarkdownBlock) -> None:
        """Note the values that each parameter may take."""
        try:
            table = tomllib.loads(block.text)
        except (ValueError, RecursionError) as error:
            self.fault(block, f"varies by a block that is not TOML, {printable(str(error))}: write p = [0.1, 0.2]")
            return
        for name, values in table.items():
            if name in self.vary:
                self.fault(block, f"varies {name} twice: join the two lists")
            elif not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) or keyword.iskeyword(name):
                self.fault(block, f"varies {name!r}: name a parameter by a letter, then letters, digits and _")
            elif not isinstance(values, list) or not values or not all(map(_is_value, values)):
                self.fault(
                    block, f"varies {name} over {shortened(repr(values))}: list numbers or texts, {name} = [0.1, 0.2]"
                )
            else:
                self.vary[name] = tuple(clean(value) if isinstance(value, str) else value for value in values)


def _is_value(value: object) -> bool:
    """Whether a parameter may take the value: a text, or a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    return isinstance(value, str) or (abs(value) <= 1e300)
