"""A Report as a file: its ending chooses the form, and it is written whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path

from regdemo import storage
from regdemo.errors import ArgumentError, FileError
from regdemo.report import Report


def check(path: Path) -> None:
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

    Raises ArgumentError and FileError as `check` does, and FileError when the disk is full or fails.
    """
    check(path)
    data = FORMS[path.suffix.lower()](report).encode("utf-8", errors="replace")
    try:
        storage.atomic_write(path, data)
    except OSError as error:
        raise FileError(f"cannot save as {path}: {error.strerror or error}") from error


def to_json(report: Report) -> str:
    """The report as JSON in UTF-8, ended by a newline; NaN and inf are null."""
    return json.dumps(report.as_dict(), ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def to_text(report: Report) -> str:
    """The report as it stands in a terminal of 80 columns without colour."""
    from io import StringIO

    from rich.console import Console

    from regdemo.render.terminal import show

    file = StringIO()
    show(report, Console(file=file, width=80, force_terminal=False, color_system=None, legacy_windows=False))
    return file.getvalue()


def _html(report: Report) -> str:
    from regdemo.render.html import to_html

    return to_html(report)


def _svg(report: Report) -> str:
    from regdemo.render.svg import to_svg

    return to_svg(report)


FORMS = {".html": _html, ".svg": _svg, ".json": to_json, ".txt": to_text}
