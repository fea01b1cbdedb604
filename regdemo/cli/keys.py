"""Single keys from a terminal, without Enter and without waiting longer than asked."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack

from regdemo.cli import keyboard


class KeyReader(ExitStack):
    """Reads keys while its block lasts, then leaves the terminal as it was. Without a terminal there are no keys."""

    def __enter__(self) -> KeyReader:
        """Let keys come one by one."""
        self._terminal = sys.stdin.isatty()
        if self._terminal:
            self.enter_context(keyboard.character_mode())
        return self

    def read(self, seconds: float) -> str:
        """The key that is pressed within so many seconds, or an empty text."""
        if not self._terminal:
            time.sleep(seconds)
            return ""
        try:
            return keyboard.characters(seconds)[:1]
        except EOFError:  # the terminal is gone
            raise KeyboardInterrupt from None
