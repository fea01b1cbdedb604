"""Notes of Anki's as a deck of cards. Their HTML becomes markdown that means nothing but what it shows."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Sequence
from html.parser import HTMLParser

from regdemo.bank.apkg import AnkiNote
from regdemo.text import clean

MOST_CARDS = 2_000  # cards in one deck
LONGEST_FIELD = 50_000  # characters in a field

_CLOZE = re.compile(r"\{\{c\d+::((?:(?!\{\{|\}\})[\s\S]){1,2000}?)(?:::(?:(?!\{\{|\}\})[\s\S]){0,500})?\}\}")
_MATH = re.compile(r"\\\((?P<inline>(?:(?!\\\))[\s\S]){1,2000})\\\)|\\\[(?P<block>(?:(?!\\\])[\s\S]){1,2000})\\\]")
_SPECIAL = re.compile(r"([\\`*_\[\]<>$|~#])")
_LINE = re.compile(r"^([ \t]*)([=+-])", re.MULTILINE)
_BRACES = re.compile(r"\{(?=\{)")
_MARKS = {"b": "**", "strong": "**", "i": "*", "em": "*"}
_BLOCKS = frozenset(
    ["address", "article", "blockquote", "dd", "div", "dl", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "ol", "p"]
) | {"section", "table", "tr", "ul"}
_DEEPEST = 20  # tags in tags; what lies deeper is text
_OPEN, _CLOSE, _FENCE, _BULLET = "\ue000\ue001\ue002\ue003"  # placeholders for what must not be escaped


def decks(notes: Sequence[AnkiNote], title: str) -> list[str]:
    """The texts of as many decks as the notes fill. Notes without a front or a back are left out."""
    cards = list(filter(None, map(_card, notes)))
    parts = [cards[first : first + MOST_CARDS] for first in range(0, len(cards), MOST_CARDS)]
    return [f"# {_heading(title)}\n\n" + "\n".join(part) for part in parts]


def _card(note: AnkiNote) -> str:
    """One card, or nothing."""
    fields = [
        (name, text) for name, text in note.fields.items() if name != "Id" or not note.model.startswith("regdemo")
    ]
    texts = [markdown(text) for _, text in fields if len(text) <= LONGEST_FIELD]
    if note.is_cloze:
        question, answer = _gaps(fields[0][1] if fields else ""), "\n\n".join(filter(None, texts[1:]))
        if "{{" not in question:
            question, answer = "", ""
    else:
        question, answer = texts[0] if texts else "", "\n\n".join(filter(None, texts[1:]))
        if not answer:
            question = ""
    if not question:
        return ""
    first, _, rest = question.partition("\n")
    body = f"\n{rest.strip()}\n" if rest.strip() else ""
    said = f"\n### Answer\n{answer}\n" if answer else ""
    names = ", ".join(re.sub(r"[^\w.:-]", "-", tag) for tag in note.tags)
    tags = f"\n### Tags\n{names}\n" if names else ""
    return f"## {_id(note)}: {first.strip()}\n{body}{said}{tags}"


def _id(note: AnkiNote) -> str:
    """The id the note had here before, or one made from the identity that it has in Anki."""
    own = note.fields.get("Id", "")
    if (
        note.model.startswith("regdemo")
        and re.fullmatch(r"[A-Za-z][\w.-]{0,60}", own, re.ASCII)
        and re.search(r"\d", own)
    ):
        return own.strip("_.-")
    return f"A{int.from_bytes(hashlib.sha256(note.guid.encode()).digest()[:6], 'big')}"


def _gaps(text: str) -> str:
    """A text with gaps as the format has them: on one line, without braces or bars of their own."""
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        answer = " ".join(clean(html.unescape(re.sub(r"<[^<>]*>", " ", found[1]))).split())
        if not answer or set(answer) & set("{}|"):
            return found[1]
        kept.append(answer)
        return f"{_OPEN}{len(kept) - 1}{_CLOSE}"

    rest = _markdown(_CLOZE.sub(keep, clean(text)))
    return re.sub(f"{_OPEN}(\\d+){_CLOSE}", lambda found: f"{{{{{kept[int(found[1])]}}}}}", rest)


def markdown(text: str) -> str:
    """HTML as markdown: what is bold, code, a list or a formula stays so; scripts, styles and pictures go."""
    return _markdown(clean(text))


def _markdown(text: str) -> str:
    """The same of a text that is clean already, and may hold the marks of gaps."""
    writer = _Writer()
    writer.feed(text)
    writer.close()
    return writer.text()


def _plain(text: str) -> str:
    """Text of which no character means anything in markdown or in the format."""
    return _BRACES.sub("{ ", _SPECIAL.sub(r"\\\1", text))


class _Writer(HTMLParser):
    """Writes markdown as tags come. Each open inline tag has a buffer of its own, since marks hug their text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._buffers: list[tuple[str, list[str]]] = [("", [])]
        self._fences: list[str] = []
        self._hidden = 0
        self._links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a tag."""
        values = dict(attrs)
        if tag in ("script", "style"):
            self._hidden += 1
        elif tag == "br":
            self._write("\n")
        elif tag == "li":
            self._write(f"\n{_BULLET}")
        elif tag == "img":
            self._write(_plain(f"(picture {values.get('src') or ''})"))
        elif tag in ("sup", "sub"):
            self._write("^" if tag == "sup" else "\\_")
        elif tag in _BLOCKS:
            self._write("\n\n")
        elif (tag in _MARKS or tag in ("code", "pre", "a")) and len(self._buffers) < _DEEPEST:
            self._buffers.append((tag, []))
            if tag == "a":
                self._links.append(values.get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        """End a tag, and those in it that were never ended."""
        if tag in ("script", "style"):
            self._hidden = max(0, self._hidden - 1)
        elif tag in ("td", "th"):
            self._write(" ")
        elif tag in _BLOCKS:
            self._write("\n\n")
        elif any(tag == name for name, _ in self._buffers):
            while self._end() != tag:
                pass

    def handle_data(self, data: str) -> None:
        """Write text: formulas as they are, everything else escaped."""
        if self._hidden:
            return
        if any(tag in ("code", "pre") for tag, _ in self._buffers):
            self._write(data)
            return
        start = 0
        for formula in _MATH.finditer(data):
            self._write(_plain(re.sub(r"\s+", " ", data[start : formula.start()])))
            sign, inside = ("$", formula["inline"]) if formula["inline"] is not None else ("$$", formula["block"])
            # No brace may meet another: two of them are a blank.
            self._write(sign + _BRACES.sub("{ ", " ".join(inside.split())).replace("}}", "} }") + sign)
            start = formula.end()
        self._write(_plain(re.sub(r"\s+", " ", data[start:])))

    def text(self) -> str:
        """All that was written."""
        while len(self._buffers) > 1:
            self._end()
        lines = [line.strip() for line in "".join(self._buffers[0][1]).split("\n")]
        text = _LINE.sub(r"\1\\\2", re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip())
        text = re.sub(rf"{_BULLET}\s*", "- ", text)
        return re.sub(f"{_FENCE}(\\d+){_FENCE}", lambda found: self._fences[int(found[1])], text)

    def _write(self, text: str) -> None:
        self._buffers[-1][1].append(text)

    def _end(self) -> str:
        """Close the innermost tag: what is in it goes to the one around it, with its marks. Returns the tag."""
        tag, parts = self._buffers.pop()
        inside = "".join(parts)
        words = inside.strip()
        link = self._links.pop() if tag == "a" else ""
        if tag == "pre":
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", inside)), default=0))
            self._fences.append(f"{fence}\n{inside.strip(chr(10))}\n{fence}")
            inside = f"\n\n{_FENCE}{len(self._fences) - 1}{_FENCE}\n\n" if words else ""
        elif tag == "code" and words and not any(name == "pre" for name, _ in self._buffers):
            ticks = "`" * (1 + max(map(len, re.findall("`+", words)), default=0))
            gap = " " if "`" in words else ""
            # A template's braces aren't a blank: in code, a space behind them says so.
            words = _BRACES.sub("{ ", " ".join(words.split()))
            inside = f"{ticks}{gap}{words}{gap}{ticks}"
        elif tag in _MARKS and words and "\n" not in words:
            inside = inside.replace(words, f"{_MARKS[tag]}{words}{_MARKS[tag]}", 1)
        elif tag == "a" and re.match(r"https?://[^\s<>]+$", link) and words and "\n" not in words:
            inside = f"[{words}](<{_BRACES.sub('', link)}>)"
        self._write(inside)
        return tag


def _heading(text: str) -> str:
    return _plain(" ".join(clean(text).split()))
