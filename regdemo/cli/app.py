"""The command line: its commands, its help, and how every fault ends it."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from regdemo import __version__
from regdemo.cli import hints, start
from regdemo.cli.commands import Commands
from regdemo.errors import FileError, RegdemoError
from regdemo.text import clean

app = typer.Typer(
    cls=Commands,
    help="Prepare for machine-learning interviews on regularization. Every claim is measured in front of you.",
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"regdemo {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error; may be anywhere.")] = False,
) -> None:
    """Options before the command. `main` itself takes `--debug` out, in any place."""


def run(arguments: Sequence[str]) -> int:
    """Run one command line; return its exit code.

    0 done, 1 a claim that failed, 2 a usage error, 3 a bad file, 130 Ctrl-C, 141 a pipe that closed.
    A fault is one line on standard error.
    """
    debug = "--debug" in arguments
    rest = [argument for argument in arguments if argument != "--debug"]
    hints.begin()
    try:
        if not rest and "_REGDEMO_COMPLETE" not in os.environ:  # how a shell asks what may be typed next
            start.start()
            return 0
        return app(rest, prog_name="regdemo", standalone_mode=False) or 0
    except TyperException as error:
        if debug:
            raise
        return _say(_with_help(error, rest), error.exit_code)
    except RegdemoError as error:
        if debug:
            raise
        return _say(hints.typed(str(error)), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except SystemExit as error:
        # Rich and Typer leave like this when the reader of a pipe has gone, and Typer when completion is installed.
        if isinstance(error.__context__, BrokenPipeError):
            return 141
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except Exception as error:
        if debug:
            raise
        if isinstance(error, BrokenPipeError):
            return 141
        return _say(f"an error inside regdemo ({type(error).__name__}: {error}); --debug shows where", 70)


def _with_help(error: TyperException, arguments: Sequence[str]) -> str:
    """What is wrong with the words typed, which word it is, and where the right ones are listed."""
    message = error.format_message().rstrip(".")
    for option in getattr(getattr(error, "param", None), "opts", ()):
        # Typer does not always say what the value was.
        values = [value for name, value in pairwise(arguments) if name == option]
        values += [word.partition("=")[2] for word in arguments if word.startswith(f"{option}=")]
        message += "".join(f", got {value!r}" for value in values[-1:] if repr(value) not in message)
    context = getattr(error, "ctx", None)
    return (
        f"{message}{' ' if message.endswith('?') else '; '}see {context.command_path if context else 'regdemo'} --help"
    )


def _say(message: str, code: int) -> int:
    print(f"regdemo: {clean(message)}", file=sys.stderr)
    return code


class _Output(io.FileIO):
    """Standard output whose faults are reported as its own, and not taken for those of another file."""

    def write(self, data: Any, /) -> int:
        """Write, and raise FileError where the system refuses."""
        try:
            return super().write(data) or 0
        except BrokenPipeError:
            raise
        except OSError as error:
            raise FileError(
                f"standard output could not be written ({error.strerror}): free some space, or send it elsewhere"
            ) from error


def _complete_streams() -> bool:
    """Put something in the place of each standard stream that is closed; whether the output was."""
    closed = sys.stdout is None
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115  # for as long as the process lives
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    return closed


def main() -> None:
    """What the console script runs."""
    closed = _complete_streams()
    if not closed and not sys.stdout.isatty():
        raw = _Output(sys.stdout.fileno(), "w", closefd=False)
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(raw), sys.stdout.encoding, "replace")
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets a question mark, not a traceback.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except (BrokenPipeError, FileError) as error:
        # Hand the interpreter's own last flush a stream that still takes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, FileError) and code == 0:
            code = _say(str(error), error.exit_code)
    if closed and code == 0:
        code = _say("standard output is closed, so nothing could be printed: send it somewhere", 3)
    # Ctrl-C once more, while threads and libraries end, ends the rest at once, without a traceback of theirs.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(code)
