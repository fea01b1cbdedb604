"""Answers, line by line: from a person who is prompted, or from a pipe."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regdemo.render.cards import Page


class Lines:
    """Standard input. A person is prompted, a line from a pipe is printed where the prompt would stand."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.person = sys.stdin is not None and sys.stdin.isatty()
        if hasattr(sys.stdin, "reconfigure"):
            sys.stdin.reconfigure(errors="replace")  # bytes that are no text make a wrong answer, not a crash

    def read(self, prompt: str) -> str:
        """The next line, without the space around it. Raises EOFError at the end of the input."""
        if sys.stdin is None:
            raise EOFError
        if self.person and sys.stdout.isatty():
            with suppress(ImportError):
                import readline  # noqa: F401  # gives `input` its arrow keys
            return input(f"{prompt} > ").strip()
        if self.person:
            print(f"{prompt} > ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        if not self.person:
            self._page.quiet(f"> {line.rstrip()}")
        return line.strip()
