"""Reading decks as a strict editor would: every fault, and what makes a card weaker than it could be."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

from regdemo.quiz.blocks import MarkdownPage
from regdemo.quiz.blocks import read as read_page
from regdemo.quiz.cards import Card, Reason, draws, fill_parameters
from regdemo.quiz.decks import Bank, read
from regdemo.quiz.kinds import find_kind
from regdemo.quiz.parts import PARTS, ROLES
from regdemo.text import clean, printable, quoted

LONGEST_JUDGE = 60  # lines of code that a reader may take in at once
MOST_DRAWS = 1_000  # of the parameters, on which a text or an expression is tried
# What to do about what is left out; nothing about a translation, whose original is asked.
REMEDIES = {
    Reason.NO_ANSWER: "write its answer below it",
    Reason.UNDECIDED: "let its marks agree",
    Reason.HEADING: "end it with a question mark if it asks",
    Reason.FOLD: "let its summary ask",
    Reason.NO_CARD: "write a card in it, or move it elsewhere",
    Reason.EMPTY: "write a card in it, or remove it",
    Reason.LINK: "put the file itself here",
}

_LINK = re.compile(r"\]\(<?([^)<>\s#]+)")
_SCHEME = re.compile(r"[a-zA-Z][\w+.-]*:|//")
_UNFILLED = re.compile(r"(?<![\w\\^}{])\{([A-Za-z]\w*)\}(?!\})")


class Remark(NamedTuple):
    """What could be better, and where: an error makes a card unusable or wrong, a warning makes it weak."""

    file: Path
    line: int
    column: int
    level: Literal["error", "warning"]
    message: str


def lint(path: Path, command_fault: Callable[[str], str] = lambda command: "") -> list[Remark]:
    """Every remark on the decks of a path, in the order of their places. Nothing in them is run.

    command_fault: what is wrong with a command that a card names, or nothing.
    """
    bank, faults = read(path)
    remarks = [Remark(one.file, one.line, one.column, "error", one.message) for one in (*faults, *bank.remarks)]
    known = {(one.file, one.line) for one in faults}
    for one in bank.skipped:
        if one.reason in REMEDIES and (one.file, one.line) not in known:
            said = f"{quoted(one.text) if one.text else 'this file'} is left out ({one.reason}): {REMEDIES[one.reason]}"
            remarks.append(Remark(one.file, one.line, 1, "warning", said))
    by_file: dict[Path, list[Card]] = {}
    for card in bank.cards:
        by_file.setdefault(card.file, []).append(card)
    asked: dict[str, Card] = {}
    for file, cards in by_file.items():
        source = _Source(file, cards)
        for card in cards:
            first = asked.setdefault(" ".join(card.question.split()).casefold(), card)
            if first is not card:
                place = f"{printable(str(first.file))}:{first.line}"
                remarks.append(source.at(card, "", f"asks what {first.id} asks at {place} too: leave one of them"))
            if file not in bank.made_ids:
                remarks += _Reader(card, source, bank, command_fault).remarks()
        if file not in bank.made_ids:
            remarks += source.slips()
    for file in {*by_file, *(skipped.file for skipped in bank.skipped)}:
        remarks += _links(file, path)
    return sorted(set(remarks))


class _Source:
    """A deck's lines, to say where in them a card's words are."""

    def __init__(self, file: Path, cards: Sequence[Card]) -> None:
        self.file = file
        self.page: MarkdownPage = read_page(clean(file.read_text("utf-8-sig")))
        starts = sorted(card.line for card in cards)
        self._ends = dict(pairwise([*starts, len(self.page.lines) + 1]))
        self._cards = {card.line: card for card in cards}

    def at(
        self, card: Card, words: str, message: str, level: Literal["error", "warning"] = "warning", line: int = 0
    ) -> Remark:
        """A remark on a card, at the line that begins with these words, or has them, or is given; else its heading."""
        place = (line or card.line, 1)
        needle = re.escape(words.split("\n")[0].strip()[:40])
        for pattern in (rf"^[ \t>*+=\[\]xX-]*({needle})", f"({needle})") if needle else ():
            lines = range(card.line, self._ends[card.line])
            found = ((number, re.search(pattern, self.page.lines[number - 1])) for number in lines)
            if first := next(((number, match.start(1) + 1) for number, match in found if match), None):
                place = first
                break
        return Remark(self.file, *place, level, f"{card.id} {message}")

    def slips(self) -> Iterator[Remark]:
        """Names of parts and roles that are nearly those of the format, and so mean nothing."""
        covered = {number for card in self._cards for number in range(card, self._ends[card])}
        for block in self.page.blocks:
            if block.start + 1 not in covered or block.start + 1 in self._cards:
                continue
            if block.kind == "heading":
                name = block.text.strip(" *_:").casefold()
                near = [] if name in PARTS else get_close_matches(name, PARTS, n=1, cutoff=0.8)
                joined = [part for part in PARTS if name.startswith(f"{part} ")]
                said = f"{printable(block.text)!r} names no part of a card"
                remedy = f"did you mean {near[0].capitalize()}?" if near else ""
                if joined:
                    remedy = f"leave {joined[0].capitalize()} alone on its line"
            else:
                language, _, rest = block.info.partition(" ")
                role = rest.partition(":")[0].strip()
                roles = [*ROLES, "show"] if language == "python" else ["vary"] if language == "toml" else []
                near = [] if role in roles or not role else get_close_matches(role, roles, n=1, cutoff=0.7)
                said = f"{printable(block.info)!r} isn't a role of a block"
                remedy = f"did you mean {language} {near[0]}?" if near else ""
            if remedy:
                yield Remark(self.file, block.start + 1, 1, "warning", f"{said}: {remedy}")


class _Reader:
    """Remarks on one card."""

    def __init__(self, card: Card, source: _Source, bank: Bank, command_fault: Callable[[str], str]) -> None:
        self.card = card
        self.bank = bank
        self.command_fault = command_fault
        self.draws = list(draws(card.vary, MOST_DRAWS))
        self._at = source.at

    def remarks(self) -> Iterator[Remark]:
        """All of them."""
        yield from self._answer()
        yield from self._checks()
        yield from self._leads()
        yield from self._parameters()

    def warn(self, words: str, message: str, line: int = 0) -> Remark:
        """A warning at the words."""
        return self._at(self.card, words, message, "warning", line)

    def error(self, words: str, message: str, line: int = 0) -> Remark:
        """An error at the words."""
        return self._at(self.card, words, message, "error", line)

    def _answer(self) -> Iterator[Remark]:
        """What the kind of card wants."""
        kind = find_kind(self.card.kind)
        for flaw in kind.lint(self.card, self.draws):
            yield self._at(self.card, flaw.words, flaw.message, flaw.level, flaw.line)
        if kind.needs_hints and not self.card.hints:
            yield self.warn("", "has no hint: ask under a heading Hints what would lead to the answer")

    def _checks(self) -> Iterator[Remark]:
        """Programs can be read, and a check looks at the answer."""
        for block in self.card.code:
            try:
                tree = ast.parse(block.text)
            except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
                if block.role in ("check", "judge", "solution"):
                    line = block.line + (getattr(error, "lineno", 0) or 0)
                    yield self.error("", f"has a {block.role} that is not Python: {printable(str(error))}", line)
                continue
            names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
            if block.role == "judge" and (length := _length(tree, block.text)) >= LONGEST_JUDGE:
                said = f"has a judge of {length} lines of code, where fewer than {LONGEST_JUDGE} are to be read at once"
                yield self.warn("", f"{said}: put what its tests repeat into a function", block.line)
            if block.role == "check" and "answer" not in names and self.card.kind == "numeric":
                yield self.warn(
                    "", "has a check that never looks at `answer`: it cannot notice a wrong one", block.line
                )

    def _leads(self) -> Iterator[Remark]:
        """Where the card leads: other cards, commands, sources."""
        card = self.card
        ids = [one.id for one in self.bank.cards]
        for id in card.follow_ups:
            if id == card.id:
                yield self.warn(id, "is its own follow-up: name another card")
            elif id not in ids:
                near = ", ".join(get_close_matches(id, ids, cutoff=0)) or "none"
                yield self.warn(id, f"leads to {quoted(id)}, and there is no such card: the nearest are {near}")
        for command in card.see_it:
            for filled in dict.fromkeys(fill_parameters(command, values) for values in self.draws):
                if fault := self.command_fault(filled):
                    yield self.warn(command, f"shows itself by {quoted(filled)}, which would not run: {fault}")
                    break
        if find_kind(card.kind).needs_sources and not card.sources:
            yield self.warn("", "has no source: name under Sources, with a link, who says so")
        for source in card.sources:
            if not re.search(r"https?://\S", source):
                yield self.warn(source, f"has a source without a link, {quoted(source)}: add its https:// address")

    def _parameters(self) -> Iterator[Remark]:
        """Each parameter is used, and each name in braces is a parameter."""
        card = self.card
        if not card.vary:
            return
        options = [text for option in card.options for text in (option.text, option.feedback)]
        wrong = [wrong.why for wrong in card.wrong_answers]
        texts = [card.question, card.answer, card.output, *options, *wrong, *card.hints, *card.see_it, *card.key_points]
        for text in texts:
            for name in _UNFILLED.findall(text):
                if name not in card.vary:
                    known = ", ".join(card.vary)
                    yield self.warn(f"{{{name}}}", f"leaves {{{name}}} as it is: its parameters are {known}")
        for name in card.vary:
            if not any(f"{{{name}}}" in text for text in texts):
                yield self.warn(
                    f"{name} =", f"varies {name}, which its text never says: write {{{name}}} in the question"
                )


def _links(file: Path, root: Path) -> Iterator[Remark]:
    """Links to files that are not there. What leads out of the folder is not looked at."""
    try:
        page = read_page(clean(file.read_text("utf-8-sig")))
        folder = (root if root.is_dir() else root.parent).resolve()
        for number, line in enumerate(page.lines):
            if number in page.code:
                continue
            for found in _LINK.finditer(line):
                target = found[1]
                if _SCHEME.match(target) or target.startswith("/"):
                    continue
                place = (file.parent.resolve() / target).resolve()
                if place.is_relative_to(folder) and not place.exists():
                    message = f"links to {quoted(target)}, and there is no such file: correct the link"
                    yield Remark(file, number + 1, found.start(1) + 1, "warning", message)
    except (OSError, ValueError):
        return  # said where the file was read


def _length(tree: ast.Module, source: str) -> int:
    """The lines of a judge that are code: neither blank, nor a docstring, which is a message."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and ast.get_docstring(node)]
    said = {line for one in functions for line in range(one.body[0].lineno, (one.body[0].end_lineno or 0) + 1)}
    return sum(bool(line.strip()) and number not in said for number, line in enumerate(source.splitlines(), 1))
