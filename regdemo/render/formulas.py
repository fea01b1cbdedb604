r"""What is a formula in markdown, for every face: `$x$`, `$$x$$`, `\(x\)`, `\[x\]` and `\begin{align}`."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.texmath import texmath_plugin


def find_formulas(parser: MarkdownIt) -> None:
    """Let a parser find formulas.

    `$5 and $10` isn't one: a formula has no space inside its dollars, and no digit next to them.
    """
    parser.use(texmath_plugin, delimiters="brackets").use(amsmath_plugin)
    parser.use(dollarmath_plugin, allow_space=False, allow_digits=False, double_inline=True)
    parser.core.ruler.before("inline", "end_in_space", _end_in_space)


def _end_in_space(state: StateCore) -> None:
    """Otherwise the plugin takes a digit that ends a paragraph for one before the dollar that begins it: a price."""
    for token in state.tokens:
        if token.type == "inline":
            token.content += " "
