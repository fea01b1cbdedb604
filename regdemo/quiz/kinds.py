"""One card, read from its section of a page: its kind follows from what it holds."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regdemo.quiz.arithmetic import ArithmeticFault, evaluate
from regdemo.quiz.blocks import Block, Page
from regdemo.quiz.cards import LETTERS, Card, Fault, Kind, Numeric, Option, Value, WrongAnswer, at, draws
from regdemo.quiz.parts import SHOW, Parts, Section, short

if TYPE_CHECKING:
    from regdemo.quiz.answers import Split

GAP = "▁▁▁▁"  # how a blank is shown: it means nothing in markdown, neither in prose nor in code

_MOST_DRAWS = 256  # of the parameters, on which an expression is tried when its card is loaded
_LINE = 66  # columns: a line that had room for the next word and yet ends there ends a thought

_ID = re.compile(r"\W*+([A-Za-z][\w-]*+(?:\.[\w-]++)*+)", re.ASCII)
_BOX = re.compile(r"\[([ xX]?)\](?:[^\S\n]+|$)", re.MULTILINE)
_NESTED = re.compile(r"[ \t]*+(?:[-*+>]|\d+[.)]|```|~~~)")
_TOGETHER = re.compile(r"\b(?:all|none|both|neither|either|any) of (?:the|these|them|those)\b|\babove\b", re.IGNORECASE)
_NUMERIC = re.compile(r"\s*=(?![=>])")
_TOLERANCE = re.compile(r"±|\+/?-|= *\[")
_OUTPUT = re.compile(r"\S+ output\b")
# In code, `{{ x }}` is a template's own: a blank there has no space after its braces.
_BLANK = re.compile(r"(?P<template>`[^`\n]*\{\{ [^`\n]*+`)|\{\{(?P<blank>(?:[^{}\n]|\{\w+\})*+)\}\}")


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


def is_option_list(page: Page, block: Block) -> bool:
    """Whether a block is a task list."""
    return any(_BOX.match(page.item(start, start + 1)) for start, _ in block.items)


class _Reader(Parts):
    """Reads one section: its fields, of which some hang on the card's kind."""

    def fields(self) -> dict[str, Any]:
        """The card's fields, as far as its section says them."""
        if not self.section.question:
            self.fault(self.section.heading, "has no question: write it after the colon")
        follow_ups = map(_ID.match, self.points("follow-ups"))
        return {
            **self._kind(*self._question_and_answer()),
            "key_points": self.points("key points"),
            "hints": self.points("hints"),
            "follow_ups": tuple(match[1] for match in follow_ups if match),
            "see_it": self._commands(),
            "sources": self.points("sources"),
            "vary": self.vary,
            "code": tuple(self.code),
        }

    def tags(self) -> list[str]:
        """The tags of its own: separated by commas, or a list, in lower case."""
        words = ",".join(self.points("tags")).replace("`", "").split(",")
        return [tag for word in words if (tag := " ".join(word.casefold().split()))]

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
            shown = shown or bool(SHOW.match(block.info))
        if shown or self._is_kata() or any(True for _ in self._blanks(body)):
            return body, []
        return [], body

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
        if any(SHOW.match(block.info) for block in question):
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
                self.fault(place, f"has a numeric answer without a value{at(values)}: {fault}")
                break
            if lowest > highest:
                self.fault(place, f"has the range {lowest:g} to {highest:g}{at(values)}: write the smaller end first")
                break
        return numeric

    def _tolerance(self, place: Block, text: str) -> float:
        try:
            tolerance = evaluate(text)
        except ArithmeticFault:
            tolerance = -1
        if tolerance < 0:
            self.fault(place, f"has the tolerance {short(text)}: write ± 0.01 or ± 1%")
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
                        self.fault(line, f"has a wrong answer without a value{at(values)}: {fault}")
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
            shown = next(block for block in question if SHOW.match(block.info))
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
