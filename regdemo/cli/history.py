"""`regdemo history`: carry it elsewhere, merge two, check one for damage, save what a damaged one still holds."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from regdemo import storage
from regdemo.cli.as_json import AsJson, print_json
from regdemo.cli.hints import typed
from regdemo.cli.learner import Home, clock, home_folder
from regdemo.errors import FileError
from regdemo.quiz import checkup
from regdemo.quiz.database import HISTORY_FILE
from regdemo.quiz.exchange import lines, parse, salvage, unite
from regdemo.quiz.history import History, read_rows
from regdemo.quiz.schedule import moment
from regdemo.words import pluralize

history = typer.Typer(
    help="Your answers: carry them to another machine and back, check them, save what a damaged file still holds.",
    rich_markup_mode=None,
)


@history.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """Without a command, its help."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@history.command(
    "export", short_help="Every answer, as a line of JSON.", epilog="Example: regdemo history export answers.jsonl"
)
def export_history(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where to; without it, or as -, standard output.")
    ] = None,
    home: Home = None,
) -> None:
    """Write every answer as a line of JSON, those undone and the rows that undo them too: `import` takes it back."""

    reviews, marks = read_rows(home_folder(home))
    _write(lines(reviews, marks), file)
    print(f"{_rows(len(reviews), len(marks))} written.", file=sys.stderr)


@history.command(
    "import",
    short_help="Add the answers that your history lacks.",
    epilog="Example: regdemo history import answers.jsonl",
)
def import_history(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `export` wrote; - for standard input.")],
    home: Home = None,
) -> None:
    """Add the answers that your history lacks. To import twice, or in another order, changes nothing more.

    All are added or, where one line is wrong, none.
    """

    name = "standard input" if str(file) == "-" else str(file)
    try:
        data = _standard_input() if str(file) == "-" else storage.read_file(file)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise FileError(f"{name}:{line}: this isn't a text in UTF-8: nothing was imported") from error
    reviews, marks = parse(text.split("\n"), name)
    with History(home_folder(home)) as kept:
        if kept.notice:
            print(typed(kept.notice))
        added, known = unite(kept, reviews, marks, name)
    print(f"{pluralize(added, 'row')} added, {known:,} known already.")


def _standard_input() -> bytes:
    data = sys.stdin.buffer.read(storage.LARGEST_FILE + 1)
    if len(data) > storage.LARGEST_FILE:
        raise FileError(f"standard input has more than {storage.LARGEST_FILE:,} bytes: nothing was imported")
    return data


@history.command(short_help="Check the history for damage.", epilog="Example: regdemo history check")
def check(
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Check the history for damage: the file, its guards against change, every row. Exit code 3 if there is any."""
    folder = home_folder(home)
    found = checkup.check(folder, clock())
    if as_json:
        print_json({"ok": not found.faults, **asdict(found)})
    elif not found.answers and not found.faults:
        print(f"No answer yet in {folder}.")
    else:
        print(
            f"{pluralize(found.answers, 'answer')} to {pluralize(found.cards, 'card')}, {found.undone:,} undone; "
            f"{pluralize(found.flagged, 'card')} flagged."
        )
        if found.first is not None and found.last is not None:
            first, last = (moment(at).astimezone() for at in (found.first, found.last))
            print(f"From {first:%Y-%m-%d} to {last:%Y-%m-%d}, in {folder / HISTORY_FILE}.")
        for line in (*found.notes, *found.faults):
            print(f"- {line}")
        if not found.faults:
            print("No damage found.")
    if found.faults:
        raise FileError(
            f"{folder / HISTORY_FILE} is damaged ({pluralize(len(found.faults), 'fault')}): "
            "`regdemo history recover` writes what can be read of it"
        )


@history.command(
    short_help="Write what can still be read of a damaged history.",
    epilog="Example: regdemo history recover history.db.damaged-20260301T090000Z answers.jsonl",
)
def recover(
    damaged: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DAMAGED]", help="The file; without it, your history. A bare name is sought there too."
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where to; without it, standard output.")
    ] = None,
    home: Home = None,
) -> None:
    """Write what can still be read of a damaged history, as `export` would: `import` takes it in. It is only read."""
    folder = home_folder(home)
    path = folder / HISTORY_FILE if damaged is None else damaged
    if not path.exists() and (folder / path).exists():
        path = folder / path
    reviews, marks = salvage(path)
    _write(lines(reviews, marks), file)
    print(f"{_rows(len(reviews), len(marks))} could be read of {path}.", file=sys.stderr)


def _rows(reviews: int, marks: int) -> str:
    return f"{pluralize(reviews, 'answer')} and {pluralize(marks, 'mark')}"


def _write(rows: Iterable[str], file: Path | None) -> None:
    text = "".join(f"{line}\n" for line in rows)
    if file is None or str(file) == "-":
        sys.stdout.write(text)
        return
    storage.write_file(file, text, replace=False, remedy="name another file")
