"""Markdown and tables as rich shows them: slow to load, so only once one of them is shown."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.markdown import Markdown
from rich.style import Style
from rich.syntax import ANSISyntaxTheme
from rich.table import Table

from regdemo.render.colors import SYNTAX
from regdemo.render.formulas import find_formulas
from regdemo.render.mathematics import plain
from regdemo.text import clean

__all__ = ["Table", "rendered"]

_FORMULA = re.compile(r"\$|\\\(|\\\[|\\begin\b")  # what a formula begins with


def rendered(text: str, *, colored: bool) -> Markdown:
    """CommonMark with tables: links show where they lead, HTML its tags; without colour, `code` keeps its backticks.

    Formulas are shown in plain characters.
    """
    theme = ANSISyntaxTheme({token: Style(color=color) for token, color in SYNTAX.items()})
    page = Markdown("", code_theme=theme, hyperlinks=False)  # type: ignore[arg-type]  # rich takes a theme as well
    # Not rich's own parser: it takes HTML for HTML, and drops it.
    parser = MarkdownIt("js-default")
    page.parsed = _with_formulas(parser, text) if _FORMULA.search(text) else parser.parse(text)
    for block in page.parsed:
        for token in (block, *(block.children or ())):
            # Only now, since markdown may write a control as an entity: `&#x202e;`.
            token.content = clean(token.content)
            if token.type == "code_inline" and not colored:
                token.content = f"`{token.content}`"
    return page


def _with_formulas(parser: MarkdownIt, text: str) -> list[Token]:
    """The tokens of a text, its formulas turned to text."""
    find_formulas(parser)
    tokens = []
    for block in parser.parse(text):
        for token in block.children or ():
            if token.type.startswith("math_inline"):
                token.type, token.content = "text", plain(token.content).replace("\n", "  ")
        if block.type in ("math_block", "amsmath"):
            lines: list[Token] = []
            for line in plain(block.content).split("\n"):
                lines += [Token("text", "", 0, content=line), Token("hardbreak", "br", 0)]
            inline = Token("inline", "", 0, children=lines[:-1])
            tokens += [Token("paragraph_open", "p", 1), inline, Token("paragraph_close", "p", -1)]
        else:
            tokens.append(block)
    return tokens
