"""A Report as a file: its ending chooses the form, and it is written whole or not at all."""

from __future__ import annotations

import json
import os
from io import StringIO
from pathlib import Path

import rich.console

from regdemo import storage
from regdemo.errors import ArgumentError, FileError
from regdemo.render import html, svg, terminal
from regdemo.report import Report


def refuse_unwritable(path: Path) -> None:
    """Refuse a file that could not be written, before the work whose result it would hold. Nothing is touched.

    Raises ArgumentError for an ending that names no form, FileError for a place where no file can be written.
    """
    if path.suffix.lower() not in FORMS:
        ending = f"the ending {path.suffix}" if path.suffix else "no ending"
        raise ArgumentError(f"cannot save as {path}: {ending} names no form, end it in {', '.join(FORMS)}")
    folder = path.parent
    try:
        if path.is_dir():
            raise FileError(f"cannot save as {path}: it is a folder, name a file in it")
        if not folder.is_dir():
            raise FileError(f"cannot save as {path}: there is no folder {folder}, create it first")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise FileError(f"cannot save as {path}: the folder {folder} is not writable")
        if path.exists() and not os.access(path, os.W_OK):
            raise FileError(f"cannot save as {path}: the file is read-only")
    except OSError as error:
        raise FileError(f"cannot save as {path}: {error.strerror or error}") from error


def save(report: Report, path: Path) -> None:
    """Write the report in the form of the path's ending: the whole file is there, or what was there before.

    Raises ArgumentError and FileError as `refuse_unwritable` does, and FileError when the disk is full or fails.
    """
    refuse_unwritable(path)
    data = FORMS[path.suffix.lower()](report).encode("utf-8", errors="replace")
    storage.write_file(path, data, remedy="name another file")


def to_json(report: Report) -> str:
    """The report as JSON in UTF-8, ended by a newline; NaN and inf are null."""
    return json.dumps(report.as_dict(), ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def to_text(report: Report) -> str:
    """The report as a terminal of 80 columns without colour shows it."""
    file = StringIO()
    console = rich.console.Console(file=file, width=80, force_terminal=False, color_system=None, legacy_windows=False)
    terminal.show(report, console)
    return file.getvalue()


# Functions, so that each form's module is loaded when it is needed.
FORMS = {
    ".html": lambda report: html.to_html(report),
    ".svg": lambda report: svg.to_svg(report),
    ".json": to_json,
    ".txt": to_text,
}
