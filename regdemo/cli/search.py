"""`regdemo search`: find a card, a demo, a pitfall, a kata or a section of the guide by words."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from regdemo import search as index
from regdemo.cli.as_json import AsJson, print_json
from regdemo.cli.hints import typed
from regdemo.cli.learner import BankPath, Home, home_folder, load_bank
from regdemo.text import printable
from regdemo.words import pluralize

Words = Annotated[list[str], typer.Argument(metavar="WORDS", help="What to look for; quotes aren't needed.")]
Kind = Annotated[
    list[str] | None,
    typer.Option(
        "--kind",
        metavar="KIND",
        autocompletion=lambda incomplete: [kind for kind in index.KINDS if kind.startswith(incomplete)],
        help=f"{', '.join(index.KINDS[:-1])} or {index.KINDS[-1]}; may be repeated.",
    ),
]


def search(
    words: Words,
    kind: Kind = None,
    most: Annotated[int, typer.Option("--most", min=1, max=1000, help="How many hits, from 1 to 1,000.")] = 10,
    as_json: AsJson = False,
    bank: BankPath = None,
    home: Home = None,
) -> None:
    """Find cards, demos, pitfalls, katas, runs to diagnose and sections of the guide, each with the command to type."""
    loaded = load_bank(bank, home_folder(home))
    documents = index.documents(loaded, None if bank else index.guide())
    found = index.find(" ".join(words), documents, kinds=kind or (), most=most)
    hits = [hit._replace(command=typed(hit.command)) for hit in found]
    if as_json:
        print_json([hit._asdict() for hit in hits])
    elif not hits:
        print(f"Nothing has {printable(' '.join(words))!r}: try fewer or other words, or `regdemo list`.")
    else:
        console = Console(highlight=False)
        indent = max(len(hit.kind) for hit in hits) + 2
        for hit in hits:
            # No command is broken, so that it can be copied.
            console.print(Text.assemble((f"{hit.kind:{indent}}", "dim"), (hit.command, "cyan")), soft_wrap=True)
            for line in Text(_shortened(hit.title)).wrap(console, max(20, console.width - indent - 2)):
                console.print(Text(f"{'':{indent}}{line.plain.rstrip()}"), soft_wrap=True)
        if any(hit.kind == "card" for hit in hits):
            show = typed("`regdemo bank show ID` shows a card with its answer.")
            console.print(Text(f"\n{pluralize(len(hits), 'hit')}. {show}", "dim"), soft_wrap=not console.is_terminal)


def _shortened(title: str) -> str:
    text = " ".join(title.replace("`", "").split())
    return text if len(text) <= 140 else f"{text[:139].rsplit(' ', 1)[0]} …"
