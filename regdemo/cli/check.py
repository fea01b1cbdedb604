"""`regdemo bank verify` and `bank lint`: what a deck claims, and how it is written."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from regdemo.bank import lint as linter
from regdemo.bank import verify as verifier
from regdemo.cli import see
from regdemo.cli.as_json import AsJson, print_json
from regdemo.cli.learner import BankPath
from regdemo.quiz import decks
from regdemo.quiz.cards import Skipped
from regdemo.text import printable
from regdemo.words import pluralize

if TYPE_CHECKING:
    from regdemo.bank.lint import Remark
    from regdemo.quiz.cards import Fault

DeckPath = Annotated[
    Path | None, typer.Argument(metavar="[PATH]", help="A deck, or a folder of decks; without it, the bundled ones.")
]


def verify(
    path: DeckPath = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Child processes side by side; without it, one for each core.")
    ] = None,
    time_limit: Annotated[float, typer.Option(min=0.1, help="Seconds that one check or program may take.")] = 20.0,
    as_json: AsJson = False,
    bank: BankPath = None,
) -> None:
    """Run what the cards claim: checks for every draw of their parameters, programs whose output is asked for, judges.

    Of a code card the starter must fail, each solution pass, and each mutant fail the test that is named for it.

    This runs code from the deck, in child processes with all your rights: do it with decks that you trust.
    """
    cards = decks.load(path or bank or decks.bundled()).cards
    shown = sys.stderr.isatty() and not as_json

    def progress(done: int, total: int) -> None:
        if shown:
            print(f"\r{done} of {total} ", end="", file=sys.stderr, flush=True)

    result = verifier.verify(cards, jobs=jobs, time_limit=time_limit, progress=progress)
    if shown:
        print("\r\033[K", end="", file=sys.stderr)
    if as_json:
        report = {
            "ok": not result.faults,
            "cards": result.cards,
            "checks": result.checks,
            "programs": result.programs,
            "katas": result.katas,
            "mutants": result.mutants,
            "runs": result.runs,
            "seconds": round(result.seconds, 1),
            "faults": [_as_json(fault) for fault in result.faults],
            "passed_over": [_as_json(fault) for fault in result.passed_over],
        }
        print_json(report)
    else:
        for fault in (*result.passed_over, *result.faults):
            print(f"{place(fault.file, fault.line)}: {fault.message}")
        ran = [pluralize(result.checks, "check"), pluralize(result.programs, "program")]
        if result.katas:
            ran.append(f"{pluralize(result.katas, 'kata')} with {pluralize(result.mutants, 'mutant')}")
        cards_and_runs = f"{pluralize(len(cards), 'card')}, {pluralize(result.runs, 'run')} in {result.seconds:.1f} s"
        wrong = pluralize(len(result.faults), "fault") if result.faults else "all hold"
        print(f"{', '.join(ran[:-1])} and {ran[-1]} of {cards_and_runs}: {wrong}.")
    if result.faults:
        raise typer.Exit(1)


def _as_json(fault: Fault) -> dict[str, Any]:
    return {**fault._asdict(), "file": str(fault.file)}


def lint(
    path: DeckPath = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 for a warning too.")] = False,
    format: Annotated[
        Literal["text", "github"], typer.Option(help="github: annotations on the changed lines of a pull request.")
    ] = "text",
    as_json: AsJson = False,
    bank: BankPath = None,
) -> None:
    """Read decks strictly: every fault with its place and its remedy, and what makes a card weak. Runs nothing."""
    remarks = linter.lint(path or bank or decks.bundled(), see.why_not)
    levels = Counter(remark.level for remark in remarks)
    if as_json:
        print_json([{**r._asdict(), "file": str(r.file)} for r in remarks])
    elif format == "github":
        for remark in remarks:
            print(_annotation(remark))
    else:
        for remark in remarks:
            print(f"{place(remark.file, remark.line)}:{remark.column}: {remark.level}: {remark.message}")
        print(f"{pluralize(levels['error'], 'error')}, {pluralize(levels['warning'], 'warning')}.")
    if levels["error"] or (strict and remarks):
        raise typer.Exit(1)


def said_of(one: Skipped) -> str:
    """What was left out of a deck, where, and why, on one line."""
    return f"{place(one.file, one.line)}: {one.reason}: {printable(one.text)}".removesuffix(": ")


def place(file: Path, line: int) -> str:
    """`file:line`, from the working folder where the file is below it."""
    return f"{_shown(file)}:{line}"


def _shown(file: Path) -> str:
    return printable(os.path.relpath(file) if Path.cwd() in file.absolute().parents else str(file))


def _annotation(remark: Remark) -> str:
    """A workflow command of GitHub's, in which a percent sign, a line end, and in a property : and , are escaped."""
    file = re.sub(r"[%\r\n:,]", lambda found: f"%{ord(found[0]):02X}", _shown(remark.file))
    message = remark.message.replace("%", "%25")
    return f"::{remark.level} file={file},line={remark.line},col={remark.column}::{message}"
