r"""LaTeX as plain characters, so that `$\frac{1}{1-p}$` in a deck reads 1/(1-p) on a terminal."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

LONGEST_FORMULA = 5_000  # characters: a longer formula is shown as it was written
DEEPEST = 50  # braces in braces: the parser calls itself for each

_UP = str.maketrans(
    "0123456789+-=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVWαβγδεθ⊤",
    "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂᵅᵝᵞᵟᵋᶿᵀ",
)
_DOWN = str.maketrans("0123456789+-=()aehijklmnoprstuvxβγρφχ", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ")
_DOUBLE = str.maketrans("CEHNPQRZ1", "ℂ𝔼ℍℕℙℚℝℤ𝟙")
_ACCENTS = {
    "hat": "\u0302",
    "widehat": "\u0302",
    "bar": "\u0304",
    "overline": "\u0304",
    "tilde": "\u0303",
    "widetilde": "\u0303",
    "dot": "\u0307",
    "ddot": "\u0308",
    "vec": "\u20d7",
}
_FRACTIONS = ("frac", "dfrac", "tfrac", "cfrac")
_BINOMIALS = ("binom", "dbinom", "tbinom")
# Where a fraction ends or begins, an operator ends: turned into a space if a letter or a digit is there.
_AFTER, _BEFORE, _NAMED = "\ue000", "\ue001", "\ue002"

# What only says how its argument looks; the argument is what is read.
_STYLES = re.compile(
    "text(bf|it|rm|tt|normal)?|math(rm|bf|it|sf|tt|cal|scr|frak|normal)|boldsymbol|bm|operatorname|[mhf]box|underbrace|"
    "overbrace|underline|boxed"
)
_SILENT = re.compile("left|right|middle|[bB]igg?[lrm]?|displaystyle|textstyle|(no)?limits|!|label|tag|no(number|tag)")
_OPERATORS = re.compile("log|ln|exp|max|min|arg(max|min)?|sup|inf|lim|det|dim|sinh?|cosh?|tanh?|Pr|softmax|sign|tr")
# What the library's table lacks, or spells otherwise.
_SYMBOLS = {
    **dict.fromkeys((",", ";", ":", " ", "~", "thinspace"), " "),
    "{": "{",
    "}": "}",
    "|": "‖",
    "\\": "\n",
    "_": "_",
    "%": "%",
    "$": "$",
    "&": "&",
    "#": "#",
    "ne": "≠",
    "neq": "≠",
    "mid": "|",
    "vert": "|",
    "lvert": "|",
    "rvert": "|",
    "lVert": "‖",
    "rVert": "‖",
    "Vert": "‖",
    "top": "⊤",
    "quad": "  ",
    "qquad": "    ",
    "coloneqq": "≔",
    "ldots": "…",
    "dots": "…",
    "cdots": "⋯",
    "le": "≤",
    "leq": "≤",
    "ge": "≥",
    "geq": "≥",
    "to": "→",
    "colon": ":",
    "ast": "*",
}
_LINES = re.compile(r"(align(ed)?|gather(ed)?|split|equation|eqnarray|multline)\*?")


def plain(latex: str) -> str:
    r"""The formula in Unicode: fractions by /, scripts raised and lowered where there are characters for it.

    What is not known stays as it was written, so that nothing that it says is lost.

    >>> plain(r"\mathbb{E}[x_i^2] = \frac{\sigma^2}{1-p}")
    '𝔼[xᵢ²] = σ²/(1-p)'
    """
    if len(latex) > LONGEST_FORMULA or nesting(latex) > DEEPEST:
        return latex.strip()
    from pylatexenc.latexwalker import LatexWalker, LatexWalkerError  # here, since most texts have no formula

    source = latex.replace(r"\operatorname*", r"\operatorname")
    try:
        nodes, _, _ = LatexWalker(source, _known(), tolerant_parsing=False).get_latex_nodes()
    except LatexWalkerError:
        return latex.strip()
    text = re.sub("([∂∇]) ", r"\1", re.sub(r" +(?=[,.])", "", _text(nodes)))
    return "\n".join(filter(None, (" ".join(line.split()) for line in text.split("\n"))))


def nesting(latex: str) -> int:
    """An upper bound of how deep braces and environments are nested."""
    depth = deepest = 0
    for opening in re.findall(r"\\begin\b|\\left\b|[{}\[]|\\end\b|\\right\b|\]", latex):
        depth += 1 if opening in ("{", "[", r"\begin", r"\left") else -1
        deepest = max(deepest, depth)
    return deepest


def _text(nodes: Iterable[Any]) -> str:
    """Nodes one after the other; ^ and _ take the piece that follows them."""
    out: list[str] = []
    script = ""
    for piece, whole in _pieces(nodes):
        if whole and piece in ("^", "_"):
            script = piece
        elif script and not piece.strip():
            continue
        elif script:
            out.append(_script(script, piece.strip()))
            script = ""
        else:
            out.append(piece)
    text = "".join(out) + script
    text = re.sub(rf"{_AFTER}(?=[\w(√∑∏∫∂∇])|{_NAMED}(?=[\w√∑∏∫∂∇])|(?<=[\w)]){_BEFORE}", " ", text)
    return text.translate({ord(mark): None for mark in (_AFTER, _BEFORE, _NAMED)})


def _pieces(nodes: Iterable[Any]) -> Iterator[tuple[str, bool]]:
    """What the nodes read, piece by piece, and whether a piece is a character of the source."""
    for node in nodes:
        kind = type(node).__name__
        if kind == "LatexCharsNode":
            yield from ((char, True) for char in node.chars)
        elif kind == "LatexMacroNode":
            # The space after a name ends it, and is an author's way to set space around an operator.
            yield _macro(node), False
            if node.macro_post_space:
                yield " ", False
        elif kind == "LatexGroupNode":
            inside = _text(node.nodelist)
            yield (inside if node.delimiters[0] == "{" else f"{node.delimiters[0]}{inside}{node.delimiters[1]}"), False
        elif kind == "LatexEnvironmentNode":
            yield _environment(node), False
        elif kind == "LatexSpecialsNode":
            yield {"&": "\t", "~": " "}.get(node.specials_chars, node.specials_chars), False
        elif kind == "LatexCommentNode":
            yield f"%{node.comment}{node.comment_post_space}", False  # a % that was not meant as LaTeX means it
        elif kind == "LatexMathNode":
            yield _text(node.nodelist), False


def _macro(node: Any) -> str:
    name = node.macroname
    arguments = [argument for argument in (node.nodeargd.argnlist if node.nodeargd else ()) if argument is not None]
    texts = [_text([argument]).strip() for argument in arguments]
    if name in _FRACTIONS and len(texts) == 2:
        return f"{_BEFORE}{_bound(texts[0])}/{_bound(texts[1])}{_AFTER}"
    if name == "sqrt" and texts:
        root = _script("^", texts[0].strip("[]")) if len(texts) == 2 else ""
        return f"{root}√{_bound(texts[-1])}"
    if name in _ACCENTS and texts:
        return unicodedata.normalize("NFC", "".join(char + _ACCENTS[name] for char in texts[-1]))
    if name in _BINOMIALS and len(texts) == 2:
        return f"C({texts[0]}, {texts[1]})"
    if name == "mathbb":
        return "".join(texts).translate(_DOUBLE)
    if _STYLES.fullmatch(name):
        # Of a text, its spaces count.
        return "".join(_text([argument]) for argument in arguments)
    if _SILENT.fullmatch(name):
        return ""
    if _OPERATORS.fullmatch(name):
        return f"{_BEFORE}{name}{_NAMED}"
    symbol = _SYMBOLS.get(name) or _symbols(name)
    if symbol:
        return symbol + "".join(texts)
    return f"\\{name}" + "".join(f"{{{text}}}" for text in texts)


def _environment(node: Any) -> str:
    rows = [[cell.strip() for cell in row.split("\t")] for row in _text(node.nodelist).split("\n") if row.strip()]
    if _LINES.fullmatch(node.environmentname):
        return "\n" + "\n".join(" ".join(row) for row in rows) + "\n"
    if node.environmentname == "cases":
        return "{ " + "; ".join(", ".join(cell.rstrip(",") for cell in row) for row in rows)
    return f"[{'; '.join(' '.join(row) for row in rows)}]"


def _script(sign: str, text: str) -> str:
    """A superscript or a subscript: in small characters if there is one for each, else after ^ or _."""
    table = _UP if sign == "^" else _DOWN
    squeezed = text.replace(" ", "")
    if text and all(ord(char) in table for char in squeezed):
        return squeezed.translate(table)
    if text in ("*", "′", "∗"):
        return text
    return f"{sign}{text}" if len(text) == 1 else f"{sign}({text})"


def _bound(text: str) -> str:
    """The text in brackets, unless it is one thing already."""
    one = re.fullmatch(r"[∂∇√]? ?\w+[⁰-₟]*|[\w.]+(\([^()]*\))?|\([^()]*\)", text)
    return text if one else f"({text})"


@cache
def _known() -> Any:
    """The commands whose arguments the library reads, and those with two arguments that it lacks."""
    from pylatexenc.latexwalker import get_default_latex_context_db
    from pylatexenc.macrospec import std_macro

    commands = get_default_latex_context_db()
    commands.add_context_category(
        "two arguments", [std_macro(name, False, 2) for name in (*_FRACTIONS, *_BINOMIALS)], prepend=True
    )
    return commands


@cache
def _table() -> Any:
    from pylatexenc.latex2text import get_default_latex_context_db

    return get_default_latex_context_db()


def _symbols(name: str) -> str:
    """The library's character for a name; empty if it has none."""
    found = getattr(_table().get_macro_spec(name), "simplify_repl", None)
    return found if isinstance(found, str) and "%" not in found else ""
