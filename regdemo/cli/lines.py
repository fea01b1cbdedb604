"""Answers, line by line: from a person who is prompted, or from a pipe."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from rich.cells import cell_len

if TYPE_CHECKING:
    from regdemo.render.cards import Page


class Lines:
    """Standard input. A person is prompted, a line from a pipe is printed where the prompt would stand."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.person = sys.stdin is not None and sys.stdin.isatty()
        if hasattr(sys.stdin, "reconfigure"):
            sys.stdin.reconfigure(errors="replace")  # bytes that are no text make a wrong answer, not a crash

    def read(self, prompt: str, clock: Callable[[], str] | None = None) -> str:
        """The next line, without the space around it. Raises EOFError at the end of the input.

        clock: what stands before the prompt, as long as it is now or shorter; on a terminal it is renewed each second.
        """
        if clock:
            prompt = f"{clock()}{prompt}"
        if sys.stdin is None:
            raise EOFError
        if self.person and sys.stdout.isatty():
            with suppress(ImportError):
                import readline  # noqa: F401  # gives `input` its arrow keys
            with _renewed(clock, f"{prompt} > ") if clock and self._page.moves else nullcontext():
                return input(f"{prompt} > ").strip()
        if self.person:
            print(f"{prompt} > ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        if not self.person:
            self._page.quiet(f"> {line.rstrip()}")
        return line.strip()


@contextmanager
def _renewed(clock: Callable[[], str], prompt: str) -> Iterator[None]:
    """While a line is typed, write the clock anew over itself, where the prompt begins, each second.

    The cursor goes there and back between two keys, never within what the line editor writes. A line that has grown
    over the edge is left alone: its beginning is no longer in the cursor's row.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return
    width = len(clock())

    def renew(number: int, frame: object) -> None:
        typed = getattr(sys.modules.get("readline"), "get_line_buffer", str)()
        if cell_len(prompt) + cell_len(typed) < get_terminal_size().columns:
            sys.stdout.write(f"\x1b7\r{clock():>{width}}\x1b8")
            sys.stdout.flush()

    before = signal.signal(signal.SIGALRM, renew)
    signal.setitimer(signal.ITIMER_REAL, 1, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
