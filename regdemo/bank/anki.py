"""Cards as a package for Anki. Identifiers come from names, so that importing again updates and keeps a schedule."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import markdown_it
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from regdemo.errors import ArgumentError
from regdemo.quiz import kinds
from regdemo.quiz.cards import LETTERS, Asked, Card
from regdemo.quiz.kinds.cloze import GAPS

_MODEL, _CLOZE_MODEL = 1_764_028_800, 1_764_028_801  # never to be changed: Anki knows the two kinds of note by them
_OBEYED = re.compile(r"\[(?=sound:|anki:|/?latex|/?\$)", re.IGNORECASE)
_CSS = """\
.card { font-family: system-ui, sans-serif; font-size: 18px; line-height: 1.5; max-width: 42em; margin: auto; }
.card pre { overflow-x: auto; padding: .6em .8em; background: #8882; border-radius: 4px; font-size: 15px; }
.card table { border-collapse: collapse; } .card td, .card th { border: 1px solid #8888; padding: .2em .6em; }
.quiet { opacity: .65; font-size: 14px; }
"""


def write(cards: Sequence[Card], file: Path, name: str) -> None:
    """Write the cards as a package: a deck `name` with one below it for each topic, one note for each card.

    A card with parameters is asked with values drawn from its id, the same in every export. A cloze is Anki's own.
    Raises ArgumentError where the extra is not installed.
    """
    genanki = _library()
    models = _models(genanki)
    decks: dict[str, Any] = {}
    for card in cards:
        full = f"{name}::{card.topic}" if card.topic and card.topic != name else name
        deck = decks.setdefault(full, genanki.Deck(_number(full), full))
        asked = card.ask(Random(card.id))
        is_cloze = card.kind == "cloze"
        deck.add_note(
            genanki.Note(
                model=models[is_cloze],
                fields=[card.id, _cloze(asked) if is_cloze else _front(asked), _back(asked)],
                tags=[re.sub(r"\s+", "-", tag) for tag in card.tags],
                guid=genanki.guid_for(name, card.id),
            )
        )
    genanki.Package(list(decks.values())).write_to_file(file)


def _library() -> Any:
    try:
        import genanki
    except ImportError:
        raise ArgumentError("packages for Anki need an extra: pip install 'regdemo[anki]'") from None
    return genanki


def _models(genanki: Any) -> tuple[Any, Any]:
    """The two kinds of note: with a front and a back, and with gaps."""
    fields = [{"name": name} for name in ("Id", "Front", "Back")]
    foot = '<hr id="answer">{{Back}}<div class="quiet">{{Id}}</div>'
    front_back = [{"name": "Card", "qfmt": "{{Front}}", "afmt": "{{Front}}" + foot}]
    gaps = [{"name": "Cloze", "qfmt": "{{cloze:Front}}", "afmt": "{{cloze:Front}}" + foot}]
    css = _CSS + _highlighting()
    return (
        genanki.Model(_MODEL, "regdemo", fields=fields, templates=front_back, css=css),
        genanki.Model(
            _CLOZE_MODEL, "regdemo cloze", fields=fields, templates=gaps, css=css, model_type=genanki.Model.CLOZE
        ),
    )


def _number(name: str) -> int:
    """An identifier as Anki wants it, made from a name."""
    return 1 << 30 | int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") >> 2


def _front(asked: Asked) -> str:
    """The question with its options."""
    options = "".join(f"<li>{_html(option.text)}</li>" for option in asked.options)
    return _html(kinds.question(asked)) + (f'<ol type="a">{options}</ol>' if options else "")


def _cloze(asked: Asked) -> str:
    """The question with Anki's gaps. All of them are one card, as they are here."""
    # Two braces would end the gap, two colons begin its hint: a space between them says the same.
    texts = (_html(blank[0], inline=True).replace("}}", "} }").replace("::", ": :") for blank in asked.blanks)
    gaps = (f"{{{{c1::{text}}}}}" for text in texts)
    return GAPS.sub(lambda found: next(gaps, found[0]), _html(asked.question))


def _back(asked: Asked) -> str:
    """The answer, and all that helps to know it."""
    parts = [_html(asked.explanation if asked.blanks else asked.answer)]
    lettered = zip(LETTERS, asked.options, strict=False)
    why = [f"**{letter})** {option.feedback}" for letter, option in lettered if option.feedback]
    lists = [
        ("", why),
        ("Key points", asked.key_points),
        ("Often answered, and wrong", [f"{wrong.answer}: {wrong.why}" for wrong in asked.wrong_answers]),
        ("See it", [f"`{command}`" for command in asked.see_it]),
        ("Sources", asked.card.sources),
    ]
    for title, texts in lists:
        if texts:
            items = "".join(f"<li>{_html(text, len(text.splitlines()) == 1)}</li>" for text in texts)
            parts.append(f"<p><b>{title}</b></p><ul>{items}</ul>" if title else f"<ul>{items}</ul>")
    return "".join(parts)


@cache
def _parser() -> Any:
    """Markdown in which tags are shown, formulas are MathJax's, and code has the classes of a highlighter."""
    parser = markdown_it.MarkdownIt("js-default", {"html": False, "highlight": _highlight})
    parser.use(dollarmath_plugin, allow_digits=False, double_inline=True)
    for rule, begin, end in (("inline", "(", ")"), ("inline_double", "[", "]"), ("block", "[", "]")):

        def formula(self: Any, tokens: Any, index: int, *_: Any, begin: str = begin, end: str = end) -> str:
            return f"\\{begin}{html.escape(tokens[index].content)}\\{end}"

        parser.add_render_rule(f"math_{rule}", formula)
    return parser


def _html(markdown: str, inline: bool = False) -> str:
    """Markdown as HTML, without what Anki itself would obey: sounds to play, LaTeX to run."""
    rendered = _parser().renderInline(markdown) if inline else _parser().render(markdown)
    return _OBEYED.sub("&#91;", rendered)


def _highlight(code: str, language: str, _: str) -> str:
    try:
        lexer = get_lexer_by_name(language)
    except ClassNotFound:
        return ""  # the parser escapes it
    return str(highlight(code, lexer, HtmlFormatter(nowrap=True)))


def _highlighting() -> str:
    """The colours of code, by day and by night."""
    day, night = (HtmlFormatter(style=style) for style in ("default", "native"))
    return f"{day.get_style_defs('.card pre')}\n{night.get_style_defs('.nightMode .card pre, .card.nightMode pre')}\n"
