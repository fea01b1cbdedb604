"""Markdown by its tokens: a title as text, and a page with its code hidden from patterns."""

from __future__ import annotations

import re
import textwrap
from collections import defaultdict, deque
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from markdown_it import MarkdownIt

from regdemo.quiz.blocks import MarkdownPage

_INLINE = MarkdownIt("commonmark").disable("text_join")
_MARKED = re.compile(r"[*_\[\]<>\\&!`\n]")
_CODE_TAG = re.compile(r"<code>([^<>`\n]{1,400})</code>", re.IGNORECASE)
_FORMULA = re.compile(r"\$\$[^$]{1,2000}\$\$|\$(?=[^\s$])[^$\n]{0,400}(?<=[^\s\\])\$(?!\d)")
_TAG_NAME = re.compile(r"</?([A-Za-z][A-Za-z0-9]*)")
# Tags of HTML; anything else between < and > is text, as in vector<int>.
_HTML = """
    a abbr b big blockquote br center dd del details div dl dt em font h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p
    picture pre q s samp small source span strike strong sub summary sup table tbody td th thead tr tt u ul var
"""
_TAGS = frozenset(_HTML.split())
_CITATION = re.compile(r"(?:\[\[?(?:src|source|ref|link)\]\]?\s{0,3})++$", re.IGNORECASE)
_SIGNS = re.compile(r"[^\w`(\[{<\"'“‘¿$\\-]+")
_TAG = re.compile(r"</?[A-Za-z][^<>\n]{0,300}>")
_LINK = re.compile(r"!?\[((?:[^\[\]\n]|\[[^\[\]\n]{0,100}\]){0,400})\]\([^()\n]{0,400}\)")
_FOLD_TAG = re.compile(
    r"(?:<details\b[^>\n]{0,200}>\s*)?<summary\b[^>\n]{0,200}>(?P<summary>[^<]{0,400}+(?:<(?!/summary)[^<]{0,400}+){0,20}+)"
    r"</summary\s{0,9}>|</?details\b[^>\n]{0,200}>",
    re.IGNORECASE,
)
_INDENT = re.compile(r"[ \t]*")
_SPACES = re.compile(r"\s*\n|[ \t]*")
_LAYOUT = re.compile(
    r"[ \t]*+(?:</?(?:p|div|br|hr|center|blockquote|summary|details|b|a)\b[^<>\n]{0,300}>[ \t]*+)++", re.IGNORECASE
)
# `[⬆ Back to top](#top)`, with other links on the line, or in HTML
_TAGS_AROUND = r"[ \t]*+(?:</?(?:div|p|b|br|sup|h\d)\b[^<>\n]{0,100}>[ \t]*)*+"
_BACK_LINK = re.compile(
    r"(?=[^\n]{0,300}\]\(#)[ \t>*_|⬆↥/-]*+(?:\[[^\]\n]{0,80}\]\([^)\n]{0,200}\)[ \t*_|/]*+)++"
    rf"|{_TAGS_AROUND}<a href=\"#[^\"\n]{{0,200}}\"[^<>\n]{{0,100}}>[^<>\n]{{0,80}}</a>{_TAGS_AROUND}"
)
_TICKS_OR_END = re.compile(r"`+|\n[ \t]*(?=\n|(?:[-*+|>#]|\d{1,9}[.)])[ \t])")  # a code span ends with its block
_SIGN = re.compile(r"[^\w\s]|_")


class MaskedText(NamedTuple):
    """A stretch of a page. masked is as long as raw: patterns look there.

    In masked there are spaces for the lines of code blocks; in inline code and formulas, an x for each sign.
    """

    raw: str
    masked: str

    def cut(self, start: int, end: int | None = None) -> MaskedText:
        """The part from start up to end."""
        return MaskedText(self.raw[start:end], self.masked[start:end])


def text_of(page: MarkdownPage, start: int = 0, end: int | None = None) -> MaskedText:
    """The lines of a page from start up to end."""
    raw = page.lines[start:end]
    masked = [" " * len(line) if number in page.code else line for number, line in enumerate(raw, start)]
    return MaskedText("\n".join(raw), _masked("\n".join(masked)))


def as_text(raw: str) -> MaskedText:
    """A text without code blocks.

    >>> as_text("`a*b` is $x_1$").masked
    '`axb` is $xx1$'
    """
    return MaskedText(raw, _masked(raw))


def _masked(text: str) -> str:
    """The text with an x for each sign inside inline code and formulas."""
    for spans in (_code_spans, _formulas):
        parts: list[str] = []
        end = 0
        for first, last in spans(text):
            parts += [text[end:first], _SIGN.sub("x", text[first:last])]
            end = last
        text = "".join([*parts, text[end:]]) if parts else text
    return text


def _code_spans(text: str) -> Iterator[tuple[int, int]]:
    """What is between backticks: from a run of them to the next run of the same length in the same paragraph."""
    if "`" not in text:
        return
    runs: list[tuple[int, int]] = []
    for found in _TICKS_OR_END.finditer(text):
        if found[0][0] == "`":
            runs.append(found.span())
        else:
            yield from _pairs_of_runs(runs)
            runs = []
    yield from _pairs_of_runs(runs)


def _pairs_of_runs(runs: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    places: defaultdict[int, deque[int]] = defaultdict(deque)
    for number, (start, end) in enumerate(runs):
        places[end - start].append(number)
    number = 0
    while number < len(runs):
        start, end = runs[number]
        same = places[end - start]
        while same and same[0] <= number:
            same.popleft()
        if same:
            yield end, runs[same[0]][0]
            number = same[0]
        number += 1


def _formulas(text: str) -> Iterator[tuple[int, int]]:
    if "$" in text:
        for found in _FORMULA.finditer(text):
            sign = 2 if found[0].startswith("$$") else 1
            yield found.start() + sign, found.end() - sign


@lru_cache(maxsize=65536)
def title_text(title: str) -> str:
    """A title as words: without emphasis, links, tags, and signs in front; code and formulas stay as they are.

    >>> title_text("**What** is [`__init__`](#a) in $a_1 * b_1 * c$? <a name='b'></a>")
    'What is `__init__` in $a_1 * b_1 * c$?'
    """
    text = title.strip()
    if _MARKED.search(text):
        text = _without_marks(text)
    text = _CITATION.sub("", text) if "[" in text else text
    text = text.strip()
    signs = _SIGNS.match(text)
    return text[signs.end() :] if signs else text


def _without_marks(text: str) -> str:
    formulas: list[str] = []

    def keep(found: re.Match[str]) -> str:
        formulas.append(found[0])
        return f"\ue000{len(formulas) - 1}\ue001"

    text = _FORMULA.sub(keep, text) if "$" in text else text
    text = _CODE_TAG.sub(r"`\1`", text) if "<" in text else text
    parts: list[str] = []
    for token in _INLINE.parseInline(text.removesuffix("**") if text.count("**") % 2 else text)[0].children or ():
        if token.type == "text_special":
            parts.append(token.markup)
        elif token.type == "code_inline":
            gap = " " if token.content[:1] == "`" or token.content[-1:] == "`" else ""
            parts.append(f"{token.markup}{gap}{token.content}{gap}{token.markup}")
        elif token.type == "html_inline":
            name = _TAG_NAME.match(token.content)
            if not name or name[1].lower() not in _TAGS:
                parts.append("" if token.content.startswith("<!--") else token.content)
            elif name[1].lower() == "br":
                parts.append(" ")
        elif token.type in ("softbreak", "hardbreak"):
            parts.append(" ")
        elif token.type in ("text", "image"):
            parts.append(token.content)
    return re.sub("\ue000(\\d+)\ue001", lambda found: formulas[int(found[1])], "".join(parts))


def is_only_links(text: str) -> bool:
    """Whether a text leads elsewhere and says nothing: a table of contents, a list of translations."""
    return not re.search(r"\w", _TAG.sub("", _LINK.sub("", text)))


def tidied(text: MaskedText) -> str:
    """The text without lines that only lay out or link back, and without rules at its end; folds are open."""
    if "<!--" in text.masked:
        text = _without_comments(text)
    if "<summary" in text.masked.lower():
        text = _unfolded(text)
    kept = text.raw.split("\n")
    if "<" in text.masked or "](#" in text.masked:
        lines = zip(kept, text.masked.split("\n"), strict=True)
        kept = [raw for raw, masked in lines if not (_LAYOUT.fullmatch(masked) or _BACK_LINK.fullmatch(masked))]
    while kept and not kept[-1].strip(" \t*_-"):
        kept.pop()
    if not kept:
        return ""
    first, rest = kept[0], "\n".join(kept[1:])  # the first line may begin in the middle of one
    rest = textwrap.dedent(rest) if rest.lstrip("\n")[:1] in (" ", "\t") else rest
    return f"{first}\n{rest}".strip() if first.strip() else rest.strip("\n").rstrip()


def _unfolded(text: MaskedText) -> MaskedText:
    """The text with each summary as a bold line, and without the tags around it."""
    raw: list[str] = []
    masked: list[str] = []
    end = 0
    for tag in _FOLD_TAG.finditer(text.masked):
        indent = _INDENT.match(text.raw, text.raw.rfind("\n", 0, tag.start()) + 1)[0]  # type: ignore[index]
        spaces = _SPACES.match(text.raw, tag.end())[0]  # type: ignore[index]
        title = title_text(text.raw[slice(*tag.span("summary"))]) if tag["summary"] else ""
        put = f"\n\n{indent}**{title}**\n\n" if title else "\n\n"
        put += "" if "\n" in spaces else indent
        before = end + len(text.raw[end : tag.start()].rstrip())
        raw += [text.raw[end:before], put]
        masked += [text.masked[end:before], put]
        end = tag.end() + len(spaces)
    return MaskedText("".join([*raw, text.raw[end:]]), "".join([*masked, text.masked[end:]]))


def _without_comments(text: MaskedText) -> MaskedText:
    """The text without HTML comments. One that is never closed stays."""
    kept: list[tuple[int, int]] = []
    start = 0
    while (opening := text.masked.find("<!--", start)) >= 0:
        closing = text.masked.find("-->", opening)
        if closing < 0:
            break
        kept.append((start, opening))
        start = closing + len("-->")
    kept.append((start, len(text.raw)))
    return MaskedText(
        "".join(text.raw[slice(*part)] for part in kept), "".join(text.masked[slice(*part)] for part in kept)
    )
