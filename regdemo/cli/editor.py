"""The learner's editor."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from regdemo.errors import ArgumentError


def editor() -> str | None:
    """The command in $VISUAL or $EDITOR, else an editor that is installed, if there is one."""
    chosen = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    return chosen or next(filter(shutil.which, ("nano", "vim", "vi", "notepad")), None)


def edit(text: str = "") -> str:
    """A text as it is after the editor has ended. Raises ArgumentError where there is no editor, or it fails."""
    command = editor()
    if not command:
        raise ArgumentError("there is no editor: set the variable EDITOR to the command that opens yours")
    with tempfile.TemporaryDirectory(prefix="regdemo-") as folder:
        file = Path(folder) / "draft.md"
        file.write_text(text, "utf-8")
        try:
            code = subprocess.call([*shlex.split(command), str(file)])
            written = file.read_text("utf-8", "replace")
        except (OSError, ValueError) as error:
            said = f"the editor {command!r} failed ({error}): set the variable EDITOR to another one"
            raise ArgumentError(said) from error
    if code:
        raise ArgumentError(f"the editor {command!r} ended with exit code {code}: what you wrote is not used")
    return written
