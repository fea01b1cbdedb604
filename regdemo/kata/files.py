"""The learner's files, `katas/NAME.py`. A file that exists is not overwritten without a copy of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import count
from pathlib import Path

from regdemo import storage
from regdemo.errors import ArgumentError, FileError, FileTakenError
from regdemo.kata.katas import Kata

KATA_FOLDER = Path("katas")  # unless another one is named
LARGEST_CODE = 1_000_000  # bytes in a file
_REMEDY = "choose another folder with --dir"


def begin(kata: Kata, folder: Path, *, reset: bool = False) -> tuple[bool, Path | None]:
    """Write the starter unless the file exists. reset: write it even so, and keep the file under another name.

    Returns whether the starter was written, and where the former file is kept. On a full disk there is afterwards
    either the whole starter or no file.
    """
    file = folder / f"{kata.name}.py"
    kept = _keep(file) if reset and os.path.exists(file) else None
    try:
        storage.write_file(file, kata.file, replace=reset, parents=True, remedy=_REMEDY)
    except FileTakenError:
        if not file.is_file():
            raise FileError(f"{file} isn't a regular file: move it to another place") from None
        return False, kept
    return True, kept


def read(kata: Kata, folder: Path) -> str:
    """The text of the learner's file. Raises FileError, which says how to begin."""
    file = folder / f"{kata.name}.py"
    if not file.exists():
        raise FileError(f"{file} does not exist: `regdemo kata {kata.name}` writes its starter")
    try:
        return storage.read_file(file, LARGEST_CODE).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"{file} is not UTF-8, at byte {error.start:,}: save it as UTF-8") from None


def latest(katas: Mapping[str, Kata], folder: Path) -> Kata:
    """The kata whose file was saved last. Raises ArgumentError if there is none."""
    saved = {name: time for name in katas if (time := saved_at(folder / f"{name}.py"))}
    if not saved:
        raise ArgumentError(
            f"there is no kata in {folder}{os.sep}: `regdemo kata` lists them, `regdemo kata NAME` begins one"
        )
    return katas[max(saved, key=saved.__getitem__)]


def saved_at(file: Path) -> int:
    """When a file was last saved, in nanoseconds; 0 if it does not exist."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def absolute(folder: Path) -> Path:
    """The folder from the root on. Raises FileError if the current folder was deleted."""
    try:
        return folder.resolve()
    except FileNotFoundError:
        raise FileError("the current folder was deleted: change to another one, for example with `cd`") from None


def _keep(file: Path) -> Path:
    """Copy a file to the first free name of dropout.1.py, dropout.2.py, ..., and return that."""
    data = storage.read_file(file)
    for number in count(1):
        kept = file.with_suffix(f".{number}.py")
        try:
            storage.write_file(kept, data, replace=False, remedy=_REMEDY)
        except FileTakenError:
            continue
        return kept
    raise AssertionError
