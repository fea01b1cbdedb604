"""`regdemo bank export` and `bank import`: to other tools and back."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from regdemo import storage
from regdemo.bank import anki as package
from regdemo.bank import apkg, deck, rewrite, tables
from regdemo.cli.check import place, said_of
from regdemo.cli.learner import BankPath, Home, Kinds, Tags, Topics, home_folder, load_bank, narrowed
from regdemo.errors import ArgumentError, FileError
from regdemo.quiz.cards import Card
from regdemo.text import printable
from regdemo.words import pluralize

Target = Path | None


def export_cards(
    anki: Annotated[Target, typer.Option(metavar="FILE", help="A package for Anki, .apkg.")] = None,
    csv: Annotated[Target, typer.Option(metavar="FILE", help="A table; - is standard output.")] = None,
    as_json: Annotated[
        Target, typer.Option("--json", metavar="FILE", help="All that the cards hold; - is standard output.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the deck in Anki; without it, regdemo or the bank's name.")
    ] = None,
    bank: BankPath = None,
    topic: Topics = None,
    kind: Kinds = None,
    tag: Tags = None,
    home: Home = None,
) -> None:
    """Carry cards to Anki, to a spreadsheet, or to a program of your own.

    A second import into Anki updates the notes and keeps what you learned, as long as ids and the deck's name stay.
    """

    if not (anki or csv or as_json):
        raise ArgumentError("there is nothing to write: give --anki, --csv or --json with a file")
    loaded = load_bank(bank, home_folder(home))
    cards = narrowed(loaded, topic=topic, kind=kind, tag=tag)
    if csv or as_json:
        for target, text in ((csv, tables.as_csv), (as_json, tables.as_json)):
            if target and str(target) == "-":
                print(text(cards), end="")
            elif target:
                storage.write_file(target, text(cards), remedy="name another file")
                print(f"{pluralize(len(cards), 'card')} in {printable(str(target))}.")
    if anki:
        with tempfile.TemporaryDirectory(prefix="regdemo-") as folder:
            file = Path(folder) / "deck.apkg"
            package.write(cards, file, name or (bank.resolve().stem if bank else "regdemo"))
            storage.write_file(anki, file.read_bytes(), remedy="name another file")
        print(f"{pluralize(len(cards), 'card')} in {printable(str(anki))}.")


def import_cards(
    source: Annotated[
        Path,
        typer.Argument(metavar="SOURCE", help="A deck that Anki exported, .apkg or .colpkg; or markdown."),
    ],
    out: Annotated[
        Target,
        typer.Option("--out", "-o", metavar="PATH", help="The deck or the folder to write; else standard output."),
    ] = None,
    home: Home = None,
) -> None:
    """Write notes of Anki, or markdown in another style, as decks in regdemo's format, with ids that stay.

    Of Anki's notes it takes fronts, backs and gaps; pictures and sounds stay behind. Markdown is read in the style that
    it has, one deck is written for each file, and what was not taken is listed. A question that you were asked keeps
    the id that your history knows, though you have edited it since.
    """
    if source.is_dir() or source.suffix.lower() not in (".apkg", ".colpkg"):
        _import_markdown(source, out, home_folder(home))
    else:
        _import_package(source, out)


def _import_package(package: Path, out: Target) -> None:
    found = apkg.read(package)
    texts = deck.decks(found.notes, package.stem)
    if not texts:
        raise FileError(f"{printable(str(package))} has no note with a front and a back: there is nothing to import")
    cards = sum(text.count("\n## ") for text in texts)
    left = [
        f"{pluralize(len(found.notes) - cards, 'note')} without both left out" if cards < len(found.notes) else "",
        f"{pluralize(found.media, 'picture or sound')} left behind" if found.media else "",
    ]
    for number, text in enumerate(texts, 1):
        if out is None:
            print(text, end="" if number == len(texts) else "\n")
            continue
        target = out if number == 1 else out.with_stem(f"{out.stem}-{number}")
        storage.write_file(target, text, replace=False, remedy="name another file with --out")
    said = f"{pluralize(cards, 'card')} in {pluralize(len(texts), 'deck')}"
    print("; ".join(filter(None, [said, *left])) + ".", file=sys.stderr if out is None else sys.stdout)


def _import_markdown(source: Path, out: Target, home: Path) -> None:
    loaded = load_bank(source, home)
    by_file: dict[Path, list[Card]] = {}
    for card in loaded.cards:
        by_file.setdefault(card.file, []).append(card)
    if len(by_file) > 1 and out is None:
        raise ArgumentError(f"{pluralize(len(by_file), 'file')} of {source} hold cards: name a folder for them with -o")
    written = 0
    lines = [*map(said_of, loaded.skipped), *map(str, loaded.remarks)]
    for file, cards in by_file.items():
        if file in loaded.made_ids:
            made = rewrite.rewrite(cards, cards[0].topic)
            written += len(made.cards)
            lines += [f"{place(card.file, card.line)}: {card.id} is not taken: {why}" for card, why in made.left_out]
            text = made.text
        else:
            written += len(cards)
            text = file.read_text("utf-8-sig")  # it has ids already
        if out is None:
            print(text, end="")
            continue
        target = out / file.relative_to(source).with_suffix(".md") if source.is_dir() else out
        storage.write_file(target, text, replace=False, parents=True, remedy="name another file with --out")
    for line in sorted(lines):
        print(line, file=sys.stderr)
    said = f"{pluralize(written, 'card')} in {pluralize(len(by_file), 'deck')}"
    left = f"; {pluralize(len(lines), 'line')} above on what was not taken" if lines else ""
    print(f"{said}{left}.", file=sys.stderr if out is None else sys.stdout)
