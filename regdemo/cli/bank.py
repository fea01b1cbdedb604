"""`regdemo bank`: what is in decks, and a new card."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import console

from regdemo.bank import skeletons
from regdemo.cli import check, exchange, keyboard, learner
from regdemo.cli.as_json import AsJson, print_json
from regdemo.cli.check import place, said_of
from regdemo.cli.editor import edit, editor
from regdemo.cli.hints import typed
from regdemo.cli.learner import (
    BankPath,
    Home,
    Kinds,
    Tags,
    Topics,
    clock,
    home_folder,
    load_bank,
    narrowed,
)
from regdemo.errors import ArgumentError, FileError
from regdemo.quiz import cards as card_types
from regdemo.quiz import history, kinds, schedule
from regdemo.render import cards as render
from regdemo.text import printable
from regdemo.words import from_now, pluralize

if TYPE_CHECKING:
    from regdemo.quiz.cards import Asked, Card
    from regdemo.quiz.decks import Bank
    from regdemo.render.cards import Page

bank = typer.Typer(
    help="Decks: look into them, check them, write them, carry them to other tools and back.",
    rich_markup_mode=None,
)


@bank.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """Without a command, its help."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@bank.command(
    "list",
    short_help="The cards by kind, and what was left out.",
    epilog="Example: regdemo bank list --kind numeric",
)
def list_cards(
    bank: BankPath = None,
    topic: Topics = None,
    kind: Kinds = None,
    tag: Tags = None,
    left_out: Annotated[
        bool, typer.Option("--skipped", help="What was left out instead, each with its place and why.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """The cards, how many there are of each kind, and how much was left out: questions without an answer, headings.

    Ids that are duplicated in foreign files get a number, which is said.
    """
    loaded = load_bank(bank, home_folder(home))
    chosen = bool(topic or kind or tag)
    cards = narrowed(loaded, topic=topic, kind=kind, tag=tag)
    if as_json:
        print_json({"cards": list(map(_row, cards)), "skipped": _skipped_rows(loaded)})
        return
    if left_out:
        for one in loaded.skipped:
            print(said_of(one))
        print("\n".join(_counts(loaded)) or "Nothing was left out.")
        return
    width = os.get_terminal_size().columns if sys.stdout.isatty() else 0
    wide = min(max((len(card.id) for card in cards), default=0), 24)
    lines = [f"{card.id:{wide}}  {card.kind:7}  {printable(card.first_line)}" for card in cards]
    lines = [f"{line[: width - 1]}…" if 0 < width < len(line) else line for line in lines]
    by_kind = Counter(card.kind for card in cards)
    kinds = ", ".join(f"{number:,} {name}" for name, number in by_kind.most_common())
    lines += ["", f"{pluralize(len(cards), 'card')}: {kinds or 'none'}."]
    if not chosen:
        lines += [f"{place(one.file, one.line)}: {one.message}" for one in loaded.remarks]
        lines += _counts(loaded)
    print("\n".join(lines))


def _row(card: Card) -> dict[str, Any]:
    """A card as `bank list --json` prints it."""
    return {
        "id": card.id,
        "kind": card.kind,
        "question": card.question,
        "answer": card.answer,
        "options": [{"text": option.text, "correct": option.correct} for option in card.options],
        "blanks": card.blanks,
        "tags": card.tags,
        "file": str(card.file),
        "line": card.line,
    }


def _skipped_rows(loaded: Bank) -> list[dict[str, Any]]:
    """What was left out as `bank list --json` prints it."""
    return [{"file": str(one.file), "line": one.line, "reason": one.reason, "text": one.text} for one in loaded.skipped]


def _counts(loaded: Bank) -> list[str]:
    """A line for each reason for which something was left out."""
    counts = Counter(one.reason for one in loaded.skipped)
    lines = [f"Left out: {_counted_reason(number, reason)}." for reason, number in counts.most_common()]
    return [*lines, typed("`regdemo bank list --skipped` lists them.")] if lines else []


def _counted_reason(number: int, reason: str) -> str:
    """`2 questions without an answer`: the first word of a reason is its noun."""
    noun, _, rest = reason.partition(" ")
    if reason in ("empty file", "symbolic link"):
        noun, rest = reason, ""
    return f"{pluralize(number, noun)} {rest}".strip()


@bank.command(short_help="One card, its place and its history.", epilog="Example: regdemo bank show Q18.2")
def show(
    id: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            autocompletion=learner.complete_id,
            help="The id of a card, as `regdemo bank list` prints it.",
        ),
    ],
    bank: BankPath = None,
    seed: Annotated[int, typer.Option(min=0, help="Fixes the values drawn and the order of options.")] = 0,
    home: Home = None,
) -> None:
    """One card with its answer, its place, and what you answered so far."""
    folder = home_folder(home)
    card = load_bank(bank, folder).find(id)
    page = render.Page(console.Console())
    page.rule(f"{card.id} · {card.kind} · {card.topic}")
    _show(card.ask(Random(seed)), page)
    page.quiet(f"\n{place(card.file, card.line)}")
    _history(card.id, folder, page)


def _show(asked: Asked, page: Page) -> None:
    """All that a card holds."""
    page.text(kinds.question(asked))
    page.listed(
        [(f"{letter})", option.text) for letter, option in zip(card_types.LETTERS, asked.options, strict=False)]
    )
    page.text(asked.answer, "The answer")
    feedback = zip(card_types.LETTERS, asked.options, strict=False)
    page.listed([(f"{letter})", option.feedback) for letter, option in feedback if option.feedback], "Why")
    page.listed([("-", point) for point in asked.key_points], "Key points")
    page.listed([("-", hint) for hint in asked.hints], "Hints")
    page.listed([("-", f"{wrong.answer}: {wrong.why}") for wrong in asked.wrong_answers], "Wrong answers")
    page.listed([("-", f"`{command}`") for command in asked.see_it], "See it")
    page.listed([("-", source) for source in asked.card.sources], "Sources")
    page.listed([("-", id) for id in asked.card.follow_ups], "Follow-ups")
    page.listed(
        [("-", f"{name} = {', '.join(map(str, all_))}") for name, all_ in asked.card.vary.items()], "Drawn from"
    )


def _history(id: str, folder: Path, page: Page) -> None:
    """How often a card was answered, and when it is due."""
    reviews = [review for review in history.read(folder) if review.card == id]
    if not reviews:
        page.quiet("Never answered.")
        return
    right = sum(schedule.Rating(review.rating).right for review in reviews)
    memory = schedule.replay(reviews).get(id)
    due = f" It is due {from_now(memory.due - clock())}." if memory else ""
    page.quiet(f"Answered {pluralize(len(reviews), 'time')}, {right} right.{due}")


@bank.command(
    short_help="A new card, written in your editor.", epilog="Example: regdemo bank new my_deck.md --kind numeric"
)
def new(
    deck: Annotated[
        Path | None, typer.Argument(metavar="[DECK]", help="The deck to append the card to; it need not exist.")
    ] = None,
    kind: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            autocompletion=learner.complete_kind,
            help="recall, choice, multi, numeric, cloze, predict or code.",
        ),
    ] = "recall",
    id: Annotated[str | None, typer.Option(metavar="ID", help="Its id; without it, the next that is free.")] = None,
) -> None:
    """A new card: its skeleton opens in your editor ($VISUAL, $EDITOR) and is appended to the deck once it is sound.

    Without a deck, an editor or a terminal the skeleton is printed.
    """
    text = skeletons.skeleton(kind, id or skeletons.next_id(deck))
    if deck is None or not editor() or not (sys.stdin.isatty() and sys.stdout.isatty()):
        print(text, end="")
        return
    written, keys = text, keyboard.Keyboard(render.Page(console.Console()))
    try:
        while (written := edit(written)).strip() and written != text:
            try:
                print(f"Added as {place(deck, skeletons.append(deck, written))}.")
                return
            except FileError as error:
                print(error, file=sys.stderr)
            if keys.read("Enter opens it again, q leaves it") == "q":
                raise EOFError
        print("Nothing was written, and nothing is added.")
    except (EOFError, KeyboardInterrupt, ArgumentError) as error:
        if written != text:
            print(written)  # or the draft would be lost
        if not isinstance(error, EOFError):
            raise
        raise typer.Exit(1) from None


bank.command(short_help="Run what the cards claim.", epilog="Example: regdemo bank verify my_deck.md")(check.verify)
bank.command(short_help="Every fault, its place, its remedy.", epilog="Example: regdemo bank lint --strict my_deck.md")(
    check.lint
)
bank.command("export", short_help="To Anki, CSV or JSON.", epilog="Example: regdemo bank export --anki regdemo.apkg")(
    exchange.export_cards
)
bank.command("import", short_help="From Anki, or from markdown.", epilog="Example: regdemo bank import notes -o decks")(
    exchange.import_cards
)
