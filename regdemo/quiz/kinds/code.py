"""Code: a kata. A starter, a judge that tests it, solutions that pass, and mutants that fail."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from regdemo.quiz.cards import Card, Value
from regdemo.quiz.kinds.base import CardKind, Flaw, texts

if TYPE_CHECKING:
    from regdemo.quiz.blocks import MarkdownBlock
    from regdemo.quiz.parts import Parts


class CodeKind(CardKind):
    """A function is to be written; `regdemo kata` asks it."""

    name = "code"
    precedence = 10
    allowed = "Code is judged by `regdemo kata`."
    needs_hints = True
    skeleton = """\
## {id}: Write a function that doubles

```python starter
def double(x):
    ...
```

```python judge
def test_two_is_doubled_to_four():
    \"""Twice two is four.\"""
    assert double(2) == 4


def test_a_negative_number_is_doubled():
    \"""Twice minus three is minus six.\"""
    assert double(-3) == -6
```

```python solution
def double(x):
    return 2 * x
```

```python mutant: squares
def double(x):
    return x * x
```
"""

    def split_body(self, parts: Parts, body: Sequence[MarkdownBlock]) -> int | None:
        """All of a kata's body asks."""
        return len(body) if self.detects(parts) else None

    def detects(self, parts: Parts) -> bool:
        """Whether a block has a role other than check."""
        return any(block.role != "check" for block in parts.code)

    def build(self, parts: Parts) -> dict[str, Any]:
        """The task, and the first solution as its answer."""
        roles = [block.role for block in parts.code]
        for role in ("starter", "judge", "solution"):
            if (number := roles.count(role)) != 1 and not (number and role == "solution"):
                parts.fault(parts.section.heading, f"has {number} blocks `python {role}`: a code card has one")
        solution = next((block.text for block in parts.code if block.role == "solution"), "")
        explanation = parts.page.source(parts.answer)
        full = f"```python\n{solution}```\n\n{explanation}".strip()
        return texts(self.name, parts, parts.question, full, explanation)

    def given(self, card: Card) -> str:
        """The starter where it is code that works, as in a bug hunt, and not functions that are to be written."""
        starter = next((block.text for block in card.code if block.role == "starter"), "")
        try:
            functions = [node for node in ast.walk(ast.parse(starter)) if isinstance(node, ast.FunctionDef)]
        except SyntaxError:
            return ""
        return "" if all(map(_is_stub, functions)) else starter

    def lint(self, card: Card, drawn: Sequence[Mapping[str, Value]]) -> Iterator[Flaw]:
        """The judge was seen to fail."""
        if not any(block.role == "mutant" for block in card.code):
            yield Flaw("has a judge that was never seen to fail: add blocks `python mutant: what it forgets`")


def _is_stub(function: ast.FunctionDef) -> bool:
    """Whether it has nothing but a docstring, `...`, `pass` or `raise`."""
    return all(isinstance(node, ast.Raise | ast.Pass) or _is_constant(node) for node in function.body)


def _is_constant(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


KIND = CodeKind()
