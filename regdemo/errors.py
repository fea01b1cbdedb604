"""What can go wrong, each kind with the exit code it ends a command with."""

from collections.abc import Iterable
from difflib import get_close_matches


class RegdemoError(Exception):
    """A fault said in one line: the fact, the offending value, what is allowed, the remedy."""

    exit_code = 1


class ArgumentError(RegdemoError, ValueError):
    """A value outside what is allowed."""

    exit_code = 2


class ProbabilityError(ArgumentError):
    """A drop probability outside [0, 1)."""


class FileError(RegdemoError):
    """A file that cannot be read, written or understood."""

    exit_code = 3


class FileTakenError(FileError):
    """A new file whose name is taken."""


def unknown_name(kind: str, name: str, names: Iterable[str], command: str) -> ArgumentError:
    """The error for a name that is not among these: the nearest ones, and the command that lists them all."""
    near = " or ".join(map(repr, get_close_matches(name.replace("_", "-"), names)))
    meant = f"did you mean {near}? " if near else ""
    return ArgumentError(f"there is no {kind} {name!r}: {meant}`regdemo {command}` lists them all")
