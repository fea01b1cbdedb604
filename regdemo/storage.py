"""Files on the disk: written whole or not at all, read within bounds, locked by one kind of lock.

`write_file` is for what must not be lost, `write_cache` for what can be made again, `read_file` for files that others
wrote, `file_lock` for a read that is followed by a write. The history is a database and a sweep's file is appended to.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from regdemo.errors import FileError, FileTakenError
from regdemo.text import printable

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

DISK_RESERVE = 16 * 2**20  # bytes that a cache leaves free on the disk, so that answers and files of the user still fit
LARGEST_FILE = 256 * 2**20  # bytes that are read from one file, unless the caller allows less


def atomic_write(path: Path, data: bytes | str, *, replace: bool = True, mode: int | None = None) -> None:
    """Write a file as a whole: afterwards it holds all of `data`, or, if this raises, what it held before.

    The data is on the disk before the name points to it. A link is followed, the permissions of an existing file are
    kept, and no temporary file is left behind. Text is written as UTF-8 with the line ends that it has. A pipe or a
    device is written to and stays what it is, unless replace is false.

    replace: whether a file that exists is replaced; if not, FileExistsError is raised, also when another process takes
    the name at the same moment. mode: the permissions, in place of those that the file has or would get; until it has
    them, only its owner can read it. Raises OSError when the disk is full, the folder is missing or not writable.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "notes.txt"
    >>> atomic_write(file, "first")
    >>> atomic_write(file, "second")
    >>> file.read_text()
    'second'
    >>> [entry.name for entry in file.parent.iterdir()]
    ['notes.txt']
    """
    data = data.encode("utf-8") if isinstance(data, str) else data
    if replace and _is_special(path):
        with open(path, "wb") as stream:
            stream.write(data)
        return
    target = Path(os.path.realpath(path))
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, _mode(target) if mode is None else mode)
        if replace:
            os.replace(name, target)
        elif sys.platform == "win32":
            os.rename(name, target)  # which there fails where the name is taken
        else:
            os.link(name, target)
    finally:
        with suppress(OSError):
            os.unlink(name)
    _sync_folder(target.parent)


def write_file(path: Path, data: bytes | str, *, remedy: str, replace: bool = True, parents: bool = False) -> None:
    """Write a file as `atomic_write` does, or raise a FileError that names the file, the reason and the remedy.

    parents: whether to make its folder. If the file exists and is not to be replaced, it is a FileTakenError.
    """
    try:
        if parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, data, replace=replace)
    except OSError as error:
        if isinstance(error, FileExistsError) and path.parent.is_dir():
            raise FileTakenError(f"{printable(str(path))} exists already: {remedy}") from error
        raise FileError(f"{printable(str(path))} cannot be written ({error.strerror or error}): {remedy}") from error


def write_cache(path: Path, data: bytes | str) -> bool:
    """Keep something that can be computed again: only if at least DISK_RESERVE bytes stay free. Raises nothing.

    Returns whether the file was written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(path.parent).free < len(data) + DISK_RESERVE:
            return False
        atomic_write(path, data)
    except OSError:
        return False
    return True


def read_file(path: Path, most: int = LARGEST_FILE) -> bytes:
    """The bytes of a regular file of at most `most` bytes.

    A pipe, a device or a folder is refused at once, where reading would wait or not end. Raises FileError that says
    so, or what the system refused.
    """
    try:
        # Without O_NONBLOCK, opening a pipe without a writer would wait.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise FileError(f"{path} isn't a regular file: name one that is")
            if status.st_size <= most:
                data = stream.read(status.st_size + 1)  # to ask for `most` would allocate them
                if len(data) > status.st_size:  # it has grown, or it is one of /proc, whose sizes are 0
                    data += stream.read(most)
                if len(data) <= most:
                    return data
            raise FileError(f"{path} has {status.st_size:,} bytes: at most {most:,} are allowed, shorten or split it")
    except (OSError, ValueError) as error:  # a ValueError is about the name, such as one with a null character
        reason = getattr(error, "strerror", None) or error
        raise FileError(f"{path} cannot be read ({reason}): check its name and permissions") from error


@contextmanager
def file_lock(path: Path, patience: float = 10.0) -> Iterator[None]:
    """Hold a lock that one process, and one thread, has at a time; it is let go when the block or the process ends.

    path: a file that is there for the lock alone; it is made if it is not there, and stays. patience: how many seconds
    to wait for another holder. Raises FileError when it still holds the lock then, or where no lock can be made.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    except OSError as error:
        raise FileError(f"{path} cannot be opened ({error.strerror}): check the permissions of its folder") from error
    try:
        end = time.monotonic() + patience
        while not try_lock(handle):
            if time.monotonic() >= end:
                raise FileError(f"{path} has been held by another program for {patience:.0f} s: close that, try again")
            time.sleep(0.005)
        yield
    finally:
        os.close(handle)  # which lets go of the lock


def try_lock(handle: int) -> bool:
    """Lock an open file unless another process, or another handle, holds the lock; to close the file lets go of it."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_special(path: Path) -> bool:
    """Whether it is a pipe, a terminal or another device."""
    with suppress(OSError, ValueError):
        mode = path.stat().st_mode
        return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
    return False


def _mode(target: Path) -> int:
    """The permissions of an existing file, else those that a new file gets."""
    with suppress(OSError):
        return stat.S_IMODE(target.stat().st_mode)
    mask = os.umask(0o022)
    os.umask(mask)
    return 0o666 & ~mask


def _sync_folder(folder: Path) -> None:
    """Put the new name on the disk too, where the platform can."""
    if sys.platform == "win32":
        return
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
