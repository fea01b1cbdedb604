"""One card, read from its section of a page: its kind follows from what it holds."""

from __future__ import annotations

import keyword
import re
import textwrap
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from regdemo.quiz.arithmetic import ArithmeticFault, evaluate
from regdemo.quiz.blocks import Block, Page
from regdemo.quiz.cards import LETTERS, Card, CodeBlock, Fault, Kind, Numeric, Option, Value, WrongAnswer, draws
from regdemo.quiz.text import clean, printable

if TYPE_CHECKING:
    from regdemo.quiz.answers import Split

GAP = "▁▁▁▁"  # how a blank is shown: it means nothing in markdown, neither in prose nor in code

PARTS = ("answer", "key points", "hints", "wrong answers", "follow-ups", "see it", "sources", "tags")
ROLES = ("check", "starter", "judge", "solution", "mutant")
_MOST_DRAWS = 256  # of the parameters, on which an expression is tried when its card is loaded
_LINE = 66  # columns: a line that had room for the next word and yet ends there ends a thought

_ID = re.compile(r"\W*+([A-Za-z][\w-]*+(?:\.[\w-]++)*+)", re.ASCII)
_BOX = re.compile(r"\[([ xX]?)\](?:[^\S\n]+|$)", re.MULTILINE)
_NESTED = re.compile(r"[ \t]*+(?:[-*+>]|\d+[.)]|```|~~~)")
_TOGETHER = re.compile(r"\b(?:all|none|both|neither|either|any) of (?:the|these|them|those)\b|\babove\b", re.IGNORECASE)
_NUMERIC = re.compile(r"\s*=(?![=>])")
_TOLERANCE = re.compile(r"±|\+/?-|= *\[")
_SHOW = re.compile(r"\S+ show\b")
_OUTPUT = re.compile(r"\S+ output\b")
# In code, `{{ x }}` is a template's own: a blank there has no space after its braces.
_BLANK = re.compile(r"(?P<template>`[^`\n]*\{\{ [^`\n]*+`)|\{\{(?P<blank>(?:[^{}\n]|\{\w+\})*+)\}\}")


class Section(NamedTuple):
    """A heading with an id and the blocks of its card. It covers the page's blocks from start up to end."""

    id: str
    series: str
    question: str
    heading: Block
    start: int
    end: int
    blocks: Sequence[Block] = ()


def read_card(page: Page, section: Section, file: Path, tags: tuple[str, ...]) -> tuple[Card | None, list[Fault]]:
    """The card of a section, or its faults. A heading that says nothing more is neither."""
    if not section.blocks and "{{" not in section.question:
        return None, []
    reader = _Reader(page, section, file)
    fields = reader.fields()
    if reader.faults:
        return None, sorted(reader.faults, key=lambda fault: fault.line)
    topic = tags[-1] if tags else ""
    line = section.heading.start + 1
    tags = tuple(dict.fromkeys([*tags, *reader.tags()]))
    return Card(id=section.id, file=file, line=line, topic=topic, tags=tags, **fields), []


def has_card_parts(page: Page, blocks: Sequence[Block]) -> bool:
    """Whether blocks hold a form that is the format's own: a named part, a block with a role, a blank."""
    return any(
        _part(block)
        or _role(block)[0]
        or _SHOW.match(block.info)
        or (block.kind in ("heading", "paragraph") and "{{" in page.source([block]))
        for block in blocks
    )


def _part(heading: Block) -> str:
    """The part of a card that a heading names, or nothing."""
    name = heading.text.strip(" *_:").casefold() if heading.kind == "heading" else ""
    return name if name in PARTS else ""


def _role(fence: Block) -> tuple[str, str]:
    """The role and the name in an info string like `python mutant: forgets to rescale`, or nothing."""
    language, _, rest = fence.info.partition(" ")
    role, _, name = rest.partition(":")
    role = role.strip()
    known = (language == "python" and role in ROLES) or (language == "toml" and role == "vary")
    return (role, name.strip()) if known else ("", "")


def is_option_list(page: Page, block: Block) -> bool:
    """Whether a block is a task list."""
    return any(_BOX.match(page.item(start, start + 1)) for start, _ in block.items)


class _Reader:
    """Reads one section. Every fault is collected, so that an author sees them all at once."""

    def __init__(self, page: Page, section: Section, file: Path) -> None:
        self.page = page
        self.section = section
        self.file = file
        self.faults: list[Fault] = []
        self.parts: dict[str, list[Block]] = {part: [] for part in ("question", *PARTS)}
        self.named: set[str] = set()
        self.code: list[CodeBlock] = []
        self.vary: dict[str, tuple[Value, ...]] = {}
        self._sort_blocks()

    def fault(self, place: Block | int, message: str, at: str = "") -> None:
        """Note a fault at a block, or at a line counted from 0: where `at` stands in it, or where its text begins."""
        line = place if isinstance(place, int) else place.start
        written = self.page.lines[line]
        column = max(written.find(at) if at else -1, len(written) - len(written.lstrip()))
        self.faults.append(Fault(self.file, line + 1, f"{self.section.id} {message}", column + 1))

    def fields(self) -> dict[str, Any]:
        """The card's fields, as far as its section says them."""
        if not self.section.question:
            self.fault(self.section.heading, "has no question: write it after the colon")
        follow_ups = map(_ID.match, self._points("follow-ups"))
        return {
            **self._kind(*self._question_and_answer()),
            "key_points": self._points("key points"),
            "hints": self._points("hints"),
            "follow_ups": tuple(match[1] for match in follow_ups if match),
            "see_it": self._commands(),
            "sources": self._points("sources"),
            "vary": self.vary,
            "code": tuple(self.code),
        }

    def tags(self) -> list[str]:
        """The tags of its own: separated by commas, or a list, in lower case."""
        words = ",".join(self._points("tags")).replace("`", "").split(",")
        return [tag for word in words if (tag := " ".join(word.casefold().split()))]

    # The section in parts

    def _sort_blocks(self) -> None:
        """Sort the blocks by the part they stand in. Blocks with a role are no part of any text."""
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

    def _vary(self, block: Block) -> None:
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
                self.fault(block, f"varies {name} over {_short(values)}: list numbers or texts, {name} = [0.1, 0.2]")
            else:
                self.vary[name] = tuple(clean(value) if isinstance(value, str) else value for value in values)

    def _question_and_answer(self) -> tuple[list[Block], list[Block]]:
        """The blocks of either. Without a part named Answer the body is the answer, but for what has to be asked."""
        body, answer = self.parts["question"], self.parts["answer"]
        if "answer" in self.named:
            return body, answer
        body = body + answer
        shown = False
        for index, block in enumerate(body):
            if is_option_list(self.page, block):
                return body[: index + 1], body[index + 1 :]
            if self._is_numeric(block, in_prose=index > 0) or (shown and _OUTPUT.match(block.info)):
                return body[:index], body[index:]
            shown = shown or bool(_SHOW.match(block.info))
        if shown or self._is_kata() or any(True for _ in self._blanks(body)):
            return body, []
        return [], body

    def _points(self, part: str) -> tuple[str, ...]:
        return tuple(text for _, text in self.page.points(self.parts[part]))

    def _commands(self) -> tuple[str, ...]:
        """The commands under `See it`: code spans, and the lines of code blocks."""
        commands: list[str] = []
        for block in self.parts["see it"]:
            if block.kind == "fence":
                commands += filter(None, map(str.strip, block.text.split("\n")))
            else:
                commands += re.findall(r"`([^`\n]+)`", self.page.source([block]))
        return tuple(commands)

    # The kinds

    def _kind(self, question: list[Block], answer: list[Block]) -> dict[str, Any]:
        """The fields that depend on the kind, which is the first of these that the card holds."""
        options = [block for block in question if is_option_list(self.page, block)]
        numeric = bool(answer) and self._is_numeric(answer[0])
        if options and numeric:
            self.fault(options[0], "has an option list and a numeric answer: leave one of them")
        if self._is_kata():
            return self._kata(question, answer)
        if options:
            return self._choice(question, answer, options)
        if numeric:
            return self._numeric(question, answer)
        if any(True for _ in self._blanks(question)):
            return self._cloze(question, answer)
        if any(_SHOW.match(block.info) for block in question):
            return self._predict(question, answer)
        return self._recall(question, answer)

    def _texts(self, kind: Kind, question: list[Block], answer: str, explanation: str) -> dict[str, Any]:
        asked = "\n\n".join(filter(None, [self.section.question, self.page.source(question)]))
        return {"kind": kind, "question": asked, "answer": answer, "explanation": explanation}

    def _recall(self, question: list[Block], answer: list[Block]) -> dict[str, Any]:
        if "answer" not in self.named and (found := self._split(answer)):
            return {
                "kind": found.kind,
                "question": found.question,
                "answer": found.answer,
                "explanation": found.explanation,
                "options": found.options,
                "fixed_order": True,
                "wrong_answers": self._wrong_answers(),
            }
        text = self.page.source(answer) or self.page.source(self.parts["key points"])
        if not text:
            self.fault(self.section.heading, "has no answer: write it below the heading, or under a heading Answer")
        return {**self._texts("recall", question, text, text), "wrong_answers": self._wrong_answers()}

    def _split(self, body: list[Block]) -> Split | None:
        """A body that tells its answer in a style of its own. Most cards need none of this, so it is imported late."""
        from regdemo.quiz.answers import split_blocks

        return split_blocks(self.section.question, self.page, body)

    def _choice(self, question: list[Block], answer: list[Block], lists: list[Block]) -> dict[str, Any]:
        if len(lists) > 1:
            self.fault(lists[1], "has a second option list: join the two")
        options = [self._option(start, end) for start, end in lists[0].items]
        right = [option.text for option in options if option.correct]
        if not right:
            self.fault(lists[0], "has an option list without a tick: mark each right option with [x]")
        if not 2 <= len(options) <= len(LETTERS):
            self.fault(lists[0], f"has {len(options)} options: a list of options has from 2 to {len(LETTERS)}")
        explanation = self.page.source(answer)
        full = "\n\n".join(filter(None, ["\n".join(f"- {text}" for text in right), explanation]))
        prose = [block for block in question if block not in lists]
        return {
            **self._texts("choice" if len(right) == 1 else "multi", prose, full, explanation),
            "options": tuple(options),
            "fixed_order": any(_TOGETHER.search(option.text) for option in options),
        }

    def _option(self, start: int, end: int) -> Option:
        """The option's text, and as its feedback what is nested under it or follows a line that had room for more."""
        item = self.page.item(start, end)
        box = _BOX.match(item)
        if not box:
            self.fault(start, "has an option without a box: begin it with [ ] or [x]")
            return Option(item, False)
        text, *rest = item[box.end() :].split("\n")
        last = text
        while rest and rest[0].strip() and not _NESTED.match(rest[0]):
            if len(last) + len(rest[0].split()[0]) < _LINE:
                break
            last = rest.pop(0)
            text += " " + last.strip()
        if not text:
            self.fault(start, "has an option without text: write it after the box")
        return Option(text.strip(), box[1] in ("x", "X"), _unmarked(textwrap.dedent("\n".join(rest)).strip()))

    def _is_numeric(self, block: Block, in_prose: bool = False) -> bool:
        """Whether a block begins with a numeric answer. Prose may go on with `=` too: there it needs a tolerance."""
        line = self.page.lines[block.start]
        begins = block.kind == "paragraph" and _NUMERIC.match(line)
        return bool(begins and (not in_prose or _TOLERANCE.search(line)))

    def _numeric(self, question: list[Block], answer: list[Block]) -> dict[str, Any]:
        text = self.page.source(answer)
        first, _, explanation = text.partition("\n")
        numeric = self._right_values(answer[0], first.strip()[1:])
        return {
            **self._texts("numeric", question, text, explanation.strip()),
            "numeric": numeric,
            "wrong_answers": self._wrong_answers(numeric=True),
        }

    def _right_values(self, place: Block, text: str) -> Numeric:
        """The value and tolerance, or the range, after the `=` of a numeric answer."""
        text = _expression(text)
        if text.startswith("["):
            low, _, high = text.strip("[]").partition(",")
            numeric = Numeric(low=low.strip(), high=high.strip())
        else:
            sign = next((sign for sign in ("±", "+/-", "+-") if sign in text), "")
            value, _, margin = text.rpartition(sign) if sign else (text, "", "")
            numeric = Numeric(value.strip())
            if sign:
                numeric = replace(numeric, tolerance=self._tolerance(place, margin.strip()), relative="%" in margin)
        for values in self._draws():
            try:
                lowest, highest = numeric.bounds(values)
            except ArithmeticFault as fault:
                self.fault(place, f"has a numeric answer without a value{_at(values)}: {fault}")
                break
            if lowest > highest:
                self.fault(place, f"has the range {lowest:g} to {highest:g}{_at(values)}: write the smaller end first")
                break
        return numeric

    def _tolerance(self, place: Block, text: str) -> float:
        try:
            tolerance = evaluate(text)
        except ArithmeticFault:
            tolerance = -1
        if tolerance < 0:
            self.fault(place, f"has the tolerance {_short(text)}: write ± 0.01 or ± 1%")
        return max(tolerance, 0.0)

    def _draws(self) -> Iterator[dict[str, Value]]:
        """The combinations of the parameters' values, up to a bound."""
        return draws(self.vary, _MOST_DRAWS)

    def _wrong_answers(self, numeric: bool = False) -> tuple[WrongAnswer, ...]:
        """The items `answer: why`. Those of a numeric card begin with an expression, `= 1-p: why`."""
        found: list[WrongAnswer] = []
        for line, point in self.page.points(self.parts["wrong answers"]):
            answer, _, why = point.partition(":")
            if numeric:
                answer = _expression(answer.strip().removeprefix("="))
                for values in self._draws():
                    try:
                        evaluate(answer, values)
                    except ArithmeticFault as fault:
                        self.fault(line, f"has a wrong answer without a value{_at(values)}: {fault}")
                        break
            found.append(WrongAnswer(answer.strip(), why.strip()))
        return tuple(found)

    def _blanks(self, question: list[Block]) -> Iterator[re.Match[str]]:
        """The blanks in the question, outside code blocks."""
        for text, is_prose in self._pieces(question):
            if is_prose:
                yield from (match for match in _BLANK.finditer(text) if match["template"] is None)

    def _pieces(self, question: list[Block]) -> Iterator[tuple[str, bool]]:
        """The texts of the question, and whether each is prose."""
        yield self.section.question, True
        for block in question:
            yield self.page.source([block]), block.kind not in ("fence", "code")

    def _cloze(self, question: list[Block], answer: list[Block]) -> dict[str, Any]:
        blanks = tuple(tuple(map(str.strip, re.split(r"\\?\|", match["blank"]))) for match in self._blanks(question))
        if not all(map(all, blanks)):
            self.fault(self.section.heading, "has an empty blank: write {{answer}}, or {{answer|alternative}}")
        gaps = [GAP] if len(blanks) == 1 else [f"▁{number}▁▁" for number in range(1, len(blanks) + 1)]
        explanation = self.page.source(answer)
        full = self._with_blanks(question, [blank[0] for blank in blanks])
        return {
            **self._texts("cloze", question, f"{full}\n\n{explanation}".strip(), explanation),
            "question": self._with_blanks(question, gaps),
            "blanks": blanks,
            "wrong_answers": self._wrong_answers(),
        }

    def _with_blanks(self, question: list[Block], texts: list[str]) -> str:
        """The question with a text in the place of each blank."""
        rest = iter(texts)

        def put(match: re.Match[str]) -> str:
            return match[0] if match["template"] else next(rest)

        return "\n\n".join(_BLANK.sub(put, text) if is_prose else text for text, is_prose in self._pieces(question))

    def _predict(self, question: list[Block], answer: list[Block]) -> dict[str, Any]:
        output = next((block for block in answer if _OUTPUT.match(block.info)), None)
        if not output or not output.text.strip():
            shown = next(block for block in question if _SHOW.match(block.info))
            self.fault(shown, "shows a program, but no output: add a block `text output` to its answer")
        explanation = self.page.source([block for block in answer if block is not output])
        return {
            **self._texts("predict", question, self.page.source(answer), explanation),
            "output": output.text.strip("\n") if output else "",
            "wrong_answers": self._wrong_answers(),
        }

    def _is_kata(self) -> bool:
        return any(block.role != "check" for block in self.code)

    def _kata(self, question: list[Block], answer: list[Block]) -> dict[str, Any]:
        roles = [block.role for block in self.code]
        for role in ("starter", "judge", "solution"):
            if (number := roles.count(role)) != 1 and not (number and role == "solution"):
                self.fault(self.section.heading, f"has {number} blocks `python {role}`: a code card has one")
        solution = next((block.text for block in self.code if block.role == "solution"), "")
        explanation = self.page.source(answer)
        full = f"```python\n{solution}```\n\n{explanation}".strip()
        return self._texts("code", question, full, explanation)


def _is_value(value: object) -> bool:
    """Whether a parameter may take the value: a text, or a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    return isinstance(value, str) or (abs(value) <= 1e300)


def _expression(text: str) -> str:
    """Arithmetic as an author writes it: in backticks, or with `{p}` for p."""
    return re.sub(r"\{(\w+)\}", r"\1", text.replace("`", "")).strip()


def _unmarked(text: str) -> str:
    """A feedback without the bullet or the quotation marks by which it was nested."""
    lines = text.split("\n")
    if all(line.startswith(">") for line in lines):
        return "\n".join(line[1:].removeprefix(" ") for line in lines)
    if text[:2] in ("- ", "* ", "+ ") and not any(line.startswith(text[:2]) for line in lines[1:]):
        return "\n".join(line[2:] if number == 0 else line.removeprefix("  ") for number, line in enumerate(lines))
    return text


def _short(value: object) -> str:
    """A value as a message quotes it."""
    text = printable(repr(value))
    return text if len(text) <= 60 else f"{text[:50]} ..."


def _at(values: Mapping[str, Value]) -> str:
    """For which parameters a fault shows itself."""
    return f" at {', '.join(f'{name} = {value}' for name, value in values.items())}" if values else ""
