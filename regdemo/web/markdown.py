r"""Markdown from strangers as safe HTML: no raw HTML, no address but http(s), formulas as MathML, code in colour.

The browser obeys three things only: our own tags, MathML's from a list, and links that are marked as strangers'.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from html import escape, unescape
from typing import Any
from xml.etree.ElementTree import Element

import latex2mathml.converter as latex2mathml
import pygments
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from pygments.formatter import Formatter
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Literal, Name
from pygments.util import ClassNotFound

from regdemo.quiz.text import slug
from regdemo.render.formulas import find_formulas
from regdemo.render.mathematics import nesting
from regdemo.render.prose import ADDRESS

LONGEST_FORMULA = 2_000  # characters; a longer one is shown as it is written, as is one with
DEEPEST_FORMULA = 40  # braces in braces
LONGEST_CODE = 20_000  # characters that are coloured
LONGEST_TEXT = (
    10_000  # characters of a stranger's text; a longer one is shown as it is written, since some take very long
)
TAGS = frozenset(
    re.findall(
        r"\w+",
        """math mrow mi mo mn mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover mtable mtr mtd
        mfenced menclose mstyle mpadded mphantom merror ms mmultiscripts mprescripts none""",
    )
)
ATTRIBUTES = frozenset(
    re.findall(
        r"\w+",
        """display mathvariant stretchy fence separator form lspace rspace minsize maxsize largeop movablelimits
        symmetric accent accentunder linethickness columnalign rowspacing columnspacing displaystyle scriptlevel width
        height depth notation open close separators""",
    )
)
COLORS = ((Comment, "c"), (Keyword, "k"), (Literal.String, "s"), (Literal.Number, "n"), (Name.Function, "f"))

Resolve = Callable[[str], str | None]  # what a relative address in a text becomes here; None for nothing


@lru_cache(4_096)
def mathml(latex: str, *, block: bool = False) -> str:
    """A formula as MathML; as code where it cannot be read, so that nothing it says is lost."""
    found = None
    if len(latex) <= LONGEST_FORMULA and nesting(latex) <= DEEPEST_FORMULA:
        try:
            element = latex2mathml.convert_to_element(latex, display="block" if block else "inline")
            found = f'<math display="{"block" if block else "inline"}">{_inside(element)}</math>'
        except Exception:  # the library raises what it comes across
            found = None
    found = found or f"<code>{escape(latex.strip())}</code>"
    return f'<div class="formula" tabindex="0">{found}</div>' if block else found


def _inside(element: Element) -> str:
    """An element's content as HTML. The library writes characters as entities, and unescapes all of it: we do not."""
    parts = [escape(unescape(element.text or ""))]
    for child in element:
        inner = _inside(child)
        if child.tag in TAGS:
            kept = "".join(f' {name}="{escape(value)}"' for name, value in child.attrib.items() if name in ATTRIBUTES)
            inner = f"<{child.tag}{kept}>{inner}</{child.tag}>"
        parts += [inner, escape(unescape(child.tail or ""))]
    return "".join(parts)


class _Classes(Formatter):  # type: ignore[misc]  # Pygments has no types
    """Spans with one of the five classes that the style sheet colours."""

    def format(self, tokensource: Any, outfile: Any) -> None:
        for kind, text in tokensource:
            name = next((name for token, name in COLORS if kind in token), "")
            lines = escape(text).split("\n")
            outfile.write("\n".join(f'<span class="{name}">{line}</span>' if name and line else line for line in lines))


@lru_cache(1_024)
def code(source: str, language: str = "python") -> str:
    """The lines of a program, coloured, each by itself, without the `<pre>` around them."""
    source = source.rstrip("\n")
    if len(source) > LONGEST_CODE or not language:
        return escape(source)
    try:
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return escape(source)
    return str(pygments.highlight(source, lexer, _Classes()))


def block(source: str, language: str = "python") -> str:
    """A program as a block that can be scrolled by keyboard."""
    return f'<pre class="code" tabindex="0"><code>{code(source, language)}</code></pre>'


@lru_cache(4_096)
def html(text: str, resolve: Resolve | None = None) -> str:
    """A text as HTML blocks. resolve: what relative links and pictures lead to; without it they lead nowhere."""
    return _render(text, resolve, inline=False)


@lru_cache(8_192)
def inline(text: str) -> str:
    """A text of one line as HTML, without the paragraph around it."""
    return _render(text, None, inline=True)


def with_links(text: str) -> str:
    """A text whose bare addresses are links."""
    return re.sub(rf"(?<![(<]){ADDRESS}", r"<\g<0>>", text)


def _render(text: str, resolve: Resolve | None, *, inline: bool) -> str:
    if len(text) > LONGEST_TEXT and resolve is None:
        return escape(text) if inline else f'<pre tabindex="0">{escape(text)}</pre>'
    parser = _parser()
    env = {"resolve": resolve}
    return str(parser.renderInline(text, env)).strip() if inline else str(parser.render(text, env))


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("js-default", {"html": False, "linkify": False})
    find_formulas(parser)
    rules: dict[str, Any] = {
        "fence": lambda tokens, at, options, env: _fence(tokens[at]),
        "code_block": lambda tokens, at, options, env: block(tokens[at].content, ""),
        "table_open": lambda tokens, at, options, env: '<div class="wide" tabindex="0"><table>',
        "table_close": lambda tokens, at, options, env: "</table></div>",
        "th_open": lambda tokens, at, options, env: (
            f"<{_header(tokens[at + 1])}{_aligned(tokens[at], _header(tokens[at + 1]))}>"
        ),
        "th_close": lambda tokens, at, options, env: f"</{_header(tokens[at - 1])}>\n",
        "td_open": lambda tokens, at, options, env: f"<td{_aligned(tokens[at])}>",
        "link_open": _link_open,
        "link_close": lambda tokens, at, options, env: "</a>" if env["links"].pop() else "",
        "image": _image,
        "heading_open": _heading_open,
        "heading_close": lambda tokens, at, options, env: f"</{_heading(tokens[at], env)}>",
        "math_inline": lambda tokens, at, options, env: mathml(tokens[at].content),
        "math_inline_double": lambda tokens, at, options, env: mathml(tokens[at].content),
        "math_single": lambda tokens, at, options, env: mathml(tokens[at].content),
        "math_block": lambda tokens, at, options, env: mathml(tokens[at].content, block=True),
        "math_block_eqno": lambda tokens, at, options, env: mathml(tokens[at].content, block=True),
        "math_block_label": lambda tokens, at, options, env: mathml(tokens[at].content, block=True),
        "amsmath": lambda tokens, at, options, env: mathml(tokens[at].content, block=True),
    }
    assert isinstance(parser.renderer, RendererHTML)
    parser.renderer.rules |= rules
    return parser


def _fence(token: Token) -> str:
    words = token.info.split()
    return block(token.content, words[0].lower() if words and re.fullmatch(r"[\w+-]{1,20}", words[0]) else "")


def _header(inside: Token) -> str:
    """The tag of a table's head; an empty one isn't a header for a screen reader."""
    return "th" if inside.content.strip() else "td"


def _aligned(token: Token, header: str = "") -> str:
    """The alignment of a table's cell as a class: the page allows no style in a tag."""
    style = str(token.attrGet("style") or "")
    scope = ' scope="col"' if header == "th" else ""
    name = "number" if "right" in style else "middle" if "center" in style else ""
    return f'{scope} class="{name}"' if name else scope


def _heading(token: Token, env: Mapping[str, Any]) -> str:
    """A deck's headings come below the page's own; those of a whole page of ours stay what they are."""
    return token.tag if env.get("resolve") else "h3"


def _heading_open(tokens: Sequence[Token], at: int, options: Any, env: Mapping[str, Any]) -> str:
    """A heading of a page of ours can be linked to."""
    anchor = f' id="{slug(tokens[at + 1].content)}"' if env.get("resolve") else ""
    return f"<{_heading(tokens[at], env)}{anchor}>"


def _link_open(tokens: Sequence[Token], at: int, options: Any, env: dict[str, Any]) -> str:
    address = str(tokens[at].attrGet("href") or "")
    target = _address(address, env.get("resolve"))
    env.setdefault("links", []).append(target)
    if target is None:
        return ""
    elsewhere = "" if target.startswith(("/", "#")) else ' rel="noopener noreferrer nofollow ugc" target="_blank"'
    return f'<a href="{escape(target)}"{elsewhere}>'


def _address(address: str, resolve: Resolve | None) -> str | None:
    if re.match(r"https?://[^\s/]", address, re.IGNORECASE):
        return address
    if resolve and not re.match(r"[a-z][a-z0-9+.-]*:|//", address, re.IGNORECASE):
        return resolve(address)
    return None


def _image(tokens: Sequence[Token], at: int, options: Any, env: dict[str, Any]) -> str:
    """A picture of our own, else its description, with a link where it leads: nothing is loaded from elsewhere."""
    token = tokens[at]
    address, alt = str(token.attrGet("src") or ""), escape(token.content)
    resolve = env.get("resolve")
    if resolve and (found := _address(address, resolve)) and found.startswith("/"):
        return f'<img src="{escape(found)}" alt="{alt}" loading="lazy">'
    said = f"[picture: {alt or 'without a description'}]"
    if re.match(r"https?://", address, re.IGNORECASE):
        return f'<a href="{escape(address)}" rel="noopener noreferrer nofollow ugc" target="_blank">{said}</a>'
    return said
