"""`regdemo bank export` and `bank import`: to other tools and back."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from regdemo import storage
from regdemo.cli.learner import BankPath, Home, Kinds, Tags, Topics, counted, home_folder, listed, load_bank
from regdemo.errors import ArgumentError, FileError
from regdemo.text import printable

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
    from regdemo.quiz.selection import narrow

    if not (anki or csv or as_json):
        raise ArgumentError("there is nothing to write: give --anki, --csv or --json with a file")
    loaded = load_bank(bank, home_folder(home))
    cards = narrow(loaded, topics=listed(topic), kinds=listed(kind), tags=listed(tag))
    if csv or as_json:
        from regdemo.bank import tables

        for target, text in ((csv, tables.as_csv), (as_json, tables.as_json)):
            if target and str(target) == "-":
                print(text(cards), end="")
            elif target:
                _write(target, text(cards).encode())
                print(f"{counted(len(cards), 'card')} in {printable(str(target))}.")
    if anki:
        from regdemo.bank import anki as package

        with tempfile.TemporaryDirectory(prefix="regdemo-") as folder:
            file = Path(folder) / "deck.apkg"
            package.write(cards, file, name or (bank.resolve().stem if bank else "regdemo"))
            _write(anki, file.read_bytes())
        print(f"{counted(len(cards), 'card')} in {printable(str(anki))}.")


def import_cards(
    package: Annotated[Path, typer.Argument(metavar="PACKAGE", help="A deck that Anki exported, .apkg or .colpkg.")],
    out: Annotated[Target, typer.Option(metavar="FILE", help="The deck to write; without it, standard output.")] = None,
) -> None:
    """Read the notes of an Anki package as a deck: fronts and backs, and gaps. Pictures and sounds stay behind."""
    from regdemo.bank import apkg, deck

    found = apkg.read(package)
    texts = deck.decks(found.notes, package.stem)
    if not texts:
        raise FileError(f"{printable(str(package))} has no note with a front and a back: there is nothing to import")
    cards = sum(text.count("\n## ") for text in texts)
    left = [
        f"{counted(len(found.notes) - cards, 'note')} without both left out" if cards < len(found.notes) else "",
        f"{counted(found.media, 'picture or sound')} left behind" if found.media else "",
    ]
    for number, text in enumerate(texts, 1):
        if out is None:
            print(text, end="" if number == len(texts) else "\n")
            continue
        target = out if number == 1 else out.with_stem(f"{out.stem}-{number}")
        if target.exists():
            raise FileError(f"{printable(str(target))} is there already: name a new file with --out")
        _write(target, text.encode())
    said = f"{counted(cards, 'card')} in {counted(len(texts), 'deck')}"
    print("; ".join(filter(None, [said, *left])) + ".", file=sys.stderr if out is None else sys.stdout)


def _write(target: Path, data: bytes) -> None:
    """Replace a file as a whole, once the new one is on the disk."""
    try:
        storage.atomic_write(target, data)
    except OSError as error:
        raise FileError(f"{printable(str(target))} cannot be written, {error.strerror}: name another file") from None
