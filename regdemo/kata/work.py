"""The learner's files, `katas/NAME.py`. Nothing of theirs is ever overwritten."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from shlex import quote

from regdemo.errors import ArgumentError, FileError
from regdemo.kata.katas import Kata

FOLDER = Path("katas")  # where they are unless another one is named
LARGEST = 1_000_000  # bytes in a file


def begin(kata: Kata, folder: Path, *, reset: bool = False) -> tuple[bool, Path | None]:
    """Write the starter, unless the file is there. reset: write it even so, and keep the file by another name.

    Returns whether the starter was written, and where the file that stood in its place is now.
    """
    file = folder / f"{kata.name}.py"
    kept = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if reset and file.exists():
            kept = _free(file)
            os.link(file, kept)  # fails, as open("x") does, where another process took the name just now
            file.unlink()
        with file.open("x", encoding="utf-8") as stream:
            stream.write(kata.starter)
    except FileExistsError:
        if not file.is_file():
            raise FileError(f"{file} is no ordinary file: move it aside") from None
        return False, kept
    except OSError as error:
        raise FileError(f"{file} cannot be written, {error.strerror}: choose another folder with --dir") from error
    return True, kept


def read(kata: Kata, folder: Path) -> str:
    """What stands in the learner's file. Raises FileError, which says how to begin."""
    file = folder / f"{kata.name}.py"
    try:
        if file.stat().st_size > LARGEST:
            raise FileError(f"{file} has {file.stat().st_size:,} bytes: a kata has at most {LARGEST:,}")
        return file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        option = "" if folder == FOLDER else f" --dir {quote(str(folder))}"
        raise FileError(f"{file} is not there: `regdemo kata {kata.name}{option}` writes its starter") from None
    except UnicodeDecodeError as error:
        raise FileError(f"{file} is not UTF-8, at byte {error.start:,}: save it as UTF-8") from None
    except OSError as error:
        raise FileError(f"{file} cannot be read, {error.strerror}: name another folder with --dir") from error


def latest(katas: Mapping[str, Kata], folder: Path) -> Kata:
    """The kata whose file was saved last. Raises ArgumentError if there is none."""
    saved = {name: time for name in katas if (time := saved_at(folder / f"{name}.py"))}
    if not saved:
        raise ArgumentError(
            f"there is no kata in {folder}{os.sep}: `regdemo kata` lists them, `regdemo kata NAME` begins one"
        )
    return katas[max(saved, key=saved.__getitem__)]


def saved_at(file: Path) -> int:
    """When a file was last saved, in nanoseconds; 0 if it is not there."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def _free(file: Path) -> Path:
    """A name beside the file that is not taken: dropout.1.py, dropout.2.py, ..."""
    number = 1
    while (kept := file.with_suffix(f".{number}.py")).exists():
        number += 1
    return kept
