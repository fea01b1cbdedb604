"""Search across everything: cards, katas, demos, pitfalls and the study guide, ranked by SQLite's full-text index.

The index is made in memory for each search: a few hundred short texts take less time than a file that must be kept
in step with them. https://www.sqlite.org/fts5.html
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from regdemo import catalog, diagnoses
from regdemo.errors import ArgumentError
from regdemo.kata import katas
from regdemo.quiz.cards import fill_parameters
from regdemo.quiz.decks import Bank, bundled
from regdemo.render.prose import plain_prose

KINDS = ("demo", "card", "kata", "pitfall", "diagnosis", "guide")
# How much a word in each column counts: name, id, title, text, tags.
_WEIGHTS = (8.0, 8.0, 4.0, 1.0, 1.0)
_WORD = re.compile(r"[\w]+")
_HEADING = re.compile(r"^(#{1,4}) +(.+?)\s*#*$")
_LENGTH = 14  # words in an excerpt
# What marks up a line (a fence, a rule of a table, a list, a heading, a quote) or words in it; a link leaves its label.
_MARKS = re.compile(
    r"^[ \t]*(?:```.*|~~~.*|\|[-:| ]+|(?:[-*+>|]|#{1,6}|\d+[.)])[ \t]+)|[ \t]*\|$|\*\*|\$(?=\$)|<!--(?:.|\n)*?-->"
    r"|!?\[(?P<label>[^\]\[]*)\]\([^\s()]*\)",
    re.MULTILINE,
)


class SearchDocument(NamedTuple):
    """Something that can be found.

    command: what to type to open it.  id: of a kata, whose name is its file's.  tags: words that are not shown.
    """

    kind: str
    name: str
    title: str
    text: str
    command: str
    id: str = ""
    tags: str = ""


class Hit(NamedTuple):
    """A document that was found. excerpt: the place in its text, as plain prose, its words between « and »."""

    kind: str
    name: str
    title: str
    command: str
    excerpt: str


def documents(bank: Bank, guide: Path | None = None) -> Iterator[SearchDocument]:
    """All that there is to find in a bank, the demos, the pitfalls and the guide. Nothing of it imports torch.

    guide: a markdown file, one document for each of its sections.
    """
    for entry in catalog.demos():
        yield SearchDocument("demo", entry.name, entry.title, f"acts on {entry.acts_on}", entry.command)
    for pitfall in catalog.pitfalls():
        yield SearchDocument("pitfall", pitfall.name, pitfall.title, pitfall.technique.title, pitfall.command)
    for run, title in diagnoses.names().items():
        yield SearchDocument("diagnosis", run, title, "a run to diagnose", f"regdemo diagnose {run}")
    names = {kata.card.id: kata.name for kata in katas.katas(bank.cards).values()}
    for card in bank.cards:
        more = card.question.partition("\n")[2]
        text = fill_parameters("\n".join([more, card.answer, *card.key_points]), card.sample)
        tags = " ".join([*card.tags, card.topic])
        if name := names.get(card.id):
            yield SearchDocument("kata", name, card.first_line, text, f"regdemo kata {name}", card.id, tags)
        else:
            yield SearchDocument("card", card.id, card.first_line, text, f"regdemo quiz --ids {card.id}", tags=tags)
    if guide is not None:
        yield from _sections(guide)


def guide() -> Path:
    """The study guide that comes with the package."""
    return bundled() / "15_regularization" / "README.md"


def find(words: str, among: Iterable[SearchDocument], *, kinds: Iterable[str] = (), most: int = 10) -> list[Hit]:
    """The documents that have all of the words, best first; where none has, those that have any of them.

    A word also finds words with the same stem and, if it is the last one, those that begin with it. What has just these
    words as its name or id comes first. kinds: of these only, all without. Raises ArgumentError when there is no word
    in `words`, or a kind that does not exist.
    """
    wanted = set(kinds)
    if unknown := sorted(wanted - set(KINDS)):
        raise ArgumentError(f"there is nothing of kind {unknown[0]!r} to search: choose from {', '.join(KINDS)}")
    terms = _WORD.findall(words)
    if not terms:
        raise ArgumentError(
            f"{words[:40]!r} has no word to search for: type one or more, as in `regdemo search dropout`"
        )
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute(
            "CREATE VIRTUAL TABLE found USING fts5(name, id, title, text, tags, kind UNINDEXED, command UNINDEXED, "
            "other UNINDEXED, tokenize = 'porter unicode61')"
        )
        rows = [
            (*(one.name, one.id, one.title, one.text, one.tags, one.kind, one.command), not _is_named(one, terms))
            for one in among
            if one.kind in wanted or not wanted
        ]
        db.executemany("INSERT INTO found VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        quoted = [*(f'"{term}"' for term in terms[:-1]), f'("{terms[-1]}" OR "{terms[-1]}"*)']
        for joined in (" AND ".join(quoted), " OR ".join(quoted)):
            hits = db.execute(
                "SELECT rowid, kind, name, title, command, text FROM found "
                f"WHERE found MATCH ? ORDER BY other, bm25(found, {', '.join(map(str, _WEIGHTS))}), rowid LIMIT ?",
                (joined, most),
            ).fetchall()
            if hits:
                break
        return [
            Hit(kind, name, title, command, _excerpt(db, row, joined, text))
            for row, kind, name, title, command, text in hits
        ]


def _excerpt(db: sqlite3.Connection, row: int, query: str, text: str) -> str:
    """The place in a document's text where the words are, or its beginning: of what is shown of it, which is plain."""
    plain = plain_prose(" ".join(_MARKS.sub(lambda mark: mark["label"] or "", text).split()))
    db.execute("UPDATE found SET text = ? WHERE rowid = ?", (plain, row))
    there = db.execute(
        f"SELECT snippet(found, 3, '«', '»', ' … ', {_LENGTH}) FROM found WHERE found MATCH ? AND rowid = ?",
        (query, row),
    ).fetchone()
    if there:
        return str(there[0]).strip()
    words = plain.split()
    return " ".join(words[:_LENGTH]) + (" …" if len(words) > _LENGTH else "")


def _is_named(one: SearchDocument, terms: list[str]) -> bool:
    """Whether these words are its whole name or id."""
    return _key(" ".join(terms)) in (_key(one.name), _key(one.id))


def _key(text: str) -> list[str]:
    return _WORD.findall(text.casefold().replace("_", "-"))


def _sections(file: Path) -> Iterator[SearchDocument]:
    """A markdown file, heading by heading. Headings inside a block of code are code."""
    title, start, lines, fenced = "", 0, [""], False
    for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
        fenced ^= line.lstrip().startswith("```")
        heading = None if fenced else _HEADING.match(line)
        if heading and title:
            yield _section(file, start, title, lines)
        if heading:
            title, start, lines = heading[2], number, []
        else:
            lines.append(line)
    if title:
        yield _section(file, start, title, lines)


def _section(file: Path, line: int, title: str, lines: list[str]) -> SearchDocument:
    return SearchDocument("guide", title, title, "\n".join(lines), f"{_near(file)}:{line}")


def _near(file: Path) -> Path:
    """The path from here where the file is below this folder, else the whole one."""
    here = Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file
