"""What can go wrong, each kind with the exit code it ends a command with."""


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
