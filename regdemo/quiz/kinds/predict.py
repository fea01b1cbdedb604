"""Predict: a program is shown, and its output is asked for."""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Any

from regdemo.quiz.blocks import MarkdownBlock
from regdemo.quiz.cards import Asked, Card, Value
from regdemo.quiz.kinds.base import CardKind, Flaw, Grade, UnreadableAnswer, reason_for, texts, wrong_answers
from regdemo.quiz.parts import SHOW, Parts

_OUTPUT = re.compile(r"\S+ output\b")
_NUMBER = r"(?<![\w)\]])[-+]?(?:[0-9][0-9_]*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?(?![\w.])"
_TOKEN = re.compile(rf"(?P<number>{_NUMBER})|(?P<word>\w+(?:\.\w*)*)|(?P<sign>[^\w\s,;`'\"])")
_SIZE = re.compile(r"(?:torch\.)?Size\(\[([0-9, ]*)\]\)")
_CONSTANTS = {"true", "false", "none", "nan", "inf"}  # read with capitals or without
# Python's own library, and the others that readers know.
_LIBRARIES = sys.stdlib_module_names | {"numpy", "pandas", "scipy", "sklearn", "torch"}
_SHOWN = re.compile(r"^(?:```|~~~)\S+ show\b[^\n]*\n(.*?)^(?:```|~~~)", re.MULTILINE | re.DOTALL)


class PredictKind(CardKind):
    """The output is predicted."""

    name = "predict"
    precedence = 60
    prompt = "output"
    allowed = (
        "What the program prints. Space, commas and quotes don't count; several lines may be typed as one, "
        "and a list without its brackets."
    )
    skeleton = """\
## {id}: What is printed?

```python show
print(1 + 1)
```

### Answer

```text output
2
```

Why it is printed.
"""

    def split_body(self, parts: Parts, body: Sequence[MarkdownBlock]) -> int | None:
        """Behind the program, its output begins the answer."""
        shown = next((index for index, block in enumerate(body) if SHOW.match(block.info)), None)
        if shown is None:
            return None
        return next((i for i in range(shown, len(body)) if _OUTPUT.match(body[i].info)), len(body))

    def detects(self, parts: Parts) -> bool:
        """Whether the question shows a program."""
        return any(SHOW.match(block.info) for block in parts.question)

    def build(self, parts: Parts) -> dict[str, Any]:
        """The program's output."""
        output = next((block for block in parts.answer if _OUTPUT.match(block.info)), None)
        if not output or not output.text.strip():
            shown = next(block for block in parts.question if SHOW.match(block.info))
            parts.fault(shown, "shows a program, but no output: add a block `text output` to its answer")
        explanation = parts.page.source([block for block in parts.answer if block is not output])
        return {
            **texts(self.name, parts, parts.question, parts.page.source(parts.answer), explanation),
            "output": output.text.strip("\n") if output else "",
            "wrong_answers": wrong_answers(parts),
        }

    def grade(self, asked: Asked, response: str) -> Grade:
        """Numbers by value, the rest by its words and signs; space does not count. See `same_output`."""
        if not response:
            raise UnreadableAnswer("an empty answer: type what the program prints, a space for each new line")
        if same_output(response, asked.output):
            return Grade(True, 1.0)
        said = [difference(response, asked.output), reason_for(asked, response, same_output)]
        return Grade(False, 0.0, "\n\n".join(filter(None, said)))

    def lint(self, card: Card, drawn: Sequence[Mapping[str, Value]]) -> Iterator[Flaw]:
        """A reader can follow the program: what it calls is defined, imported from torch, or explained."""
        prose = _SHOWN.sub("", card.question)
        for program in _SHOWN.findall(card.question):
            for name in unknown_calls(program):
                if f"`{name}(" not in prose:
                    message = f"calls {name}, which it neither defines nor imports from torch"
                    yield Flaw(f"{message}: say in the question what `{name}(...)` does", name)


KIND = PredictKind()


def same_output(response: str, output: str) -> bool:
    """Whether a response says what a program prints.

    Numbers are compared by value, all else by its words and signs. Space, commas, semicolons and quotes do not count,
    nor do the capitals of True, False, None, nan and inf. A size may be told as a tuple or a list, and the outer
    brackets of every list may be left out of the response.

    >>> same_output("[1.11,0,NaN]", "[1.11, 0.0, nan]"), same_output("x: 0.5", "x: 0.50"), same_output("a b", "ab")
    (True, True, False)
    >>> same_output("1 2; 3", "[1, 2]\\n[3]"), same_output("[1], [2]", "[[1], [2]]"), same_output("1, 2", "[[1], [2]]")
    (True, True, False)
    >>> same_output("(2, 3)", "torch.Size([2, 3])"), same_output("[2, 3]", "torch.Size([2, 3])")
    (True, True)
    """
    ours, theirs = ([_tokens(text) for text in _with_plain_sizes(each)] for each in (response, output))
    return any(one in theirs for one in ours) or ours[0] == _without_brackets(theirs[0]) != []


def _with_plain_sizes(text: str) -> list[str]:
    """The text, and the same with each size as a tuple and as a list."""
    return [text, _SIZE.sub(r"(\1)", text), _SIZE.sub(r"[\1]", text)] if _SIZE.search(text) else [text]


def _tokens(text: str) -> list[str | float]:
    """The numbers, words and signs of a text."""
    found: list[str | float] = []
    for token in _TOKEN.finditer(text):
        word = token[0].lower()
        if token["number"]:
            found.append(float(token[0].replace("_", "")))
        else:
            found.append(word if word in _CONSTANTS else token[0])
    return found


def _without_brackets(tokens: list[str | float]) -> list[str | float]:
    """The tokens without the outer brackets of every list."""
    found: list[str | float] = []
    depth = 0
    for token in tokens:
        depth += token == "["
        if depth != 1 or token not in ("[", "]"):
            found.append(token)
        depth -= token == "]"
    return found


def difference(response: str, output: str) -> str:
    """Both texts under each other as a code block, with a mark under what differs.

    >>> print(difference("[1, 2]", "[1, 3]"))
    ```text
    yours:  [1, 2]
    prints: [1, 3]
                ^
    ```
    """
    ours, theirs = response.split("\n"), output.split("\n")
    if len(ours) != len(theirs):
        ours, theirs = [" ".join(response.split())], [" ".join(output.split())]
    lines: list[str] = []
    for one, other in zip(ours, theirs, strict=True):
        if one == other:
            continue
        same = SequenceMatcher(None, one[:500], other[:500], autojunk=False).get_matching_blocks()
        marks = ["^"] * len(other[:500])
        for match in same:
            marks[match.b : match.b + match.size] = " " * match.size
        gaps = [one.b + one.size for one, after in pairwise(same) if one.a + one.size < after.a]
        for place in gaps:  # what only the response has
            marks[place : place + 1] = "^"
        lines += [f"yours:  {one[:500]}", f"prints: {other[:500]}", f"        {''.join(marks)}".rstrip()]
    return "\n".join(["```text", *lines[:30], "```"])


def unknown_calls(program: str) -> list[str]:
    """The names through which a program calls what a reader cannot know.

    Known is what the program defines, what Python brings along, and torch.

    >>> unknown_calls("import torch\\nx = torch.ones(2)\\nprint(dropout(x))")
    ['dropout']
    """
    try:
        tree = ast.parse(program)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return []
    known = {*dir(builtins), "torch"}
    foreign: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            known.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            known.add(node.name)
        elif isinstance(node, ast.arg):
            known.add(node.arg)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                module = (alias.name if isinstance(node, ast.Import) else node.module or "").partition(".")[0]
                name = alias.asname or alias.name.partition(".")[0]
                (known if module in _LIBRARIES else foreign).add(name)
    called = [_root(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return list(dict.fromkeys(name for name in called if name and (name in foreign or name not in known)))


def _root(function: ast.expr) -> str:
    """The name that a call begins with: x in `x.y.z()`; nothing for the result of another call."""
    while isinstance(function, ast.Attribute):
        function = function.value
    return function.id if isinstance(function, ast.Name) else ""
