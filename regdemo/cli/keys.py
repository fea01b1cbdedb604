"""Single keys from a terminal, without Enter and without waiting longer than asked."""

from __future__ import annotations

import os
import select
import sys
import time
from typing import Any

if sys.platform == "win32":
    import msvcrt
else:
    import termios
    import tty


class KeyReader:
    """Reads keys while its block lasts, then leaves the terminal as it was. Without a terminal there are no keys."""

    def __init__(self) -> None:
        self._terminal = sys.stdin.isatty()
        self._saved: list[Any] | None = None

    def __enter__(self) -> KeyReader:
        """Note how the terminal is set."""
        if self._terminal and sys.platform != "win32":
            self._saved = termios.tcgetattr(sys.stdin)
        return self

    def __exit__(self, *error: object) -> None:
        """Set it so again."""
        if self._saved and sys.platform != "win32":
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._saved)

    def read(self, seconds: float) -> str:
        """The key that is pressed within so many seconds, or an empty text."""
        if not self._terminal:
            time.sleep(seconds)
            return ""
        if sys.platform == "win32":
            time.sleep(0 if msvcrt.kbhit() else seconds)
            return msvcrt.getwch() if msvcrt.kbhit() else ""
        if termios.tcgetattr(sys.stdin)[3] & termios.ICANON:  # at first, and when the program was suspended and resumed
            tty.setcbreak(sys.stdin, termios.TCSADRAIN)
        if not select.select([sys.stdin], [], [], seconds)[0]:
            return ""
        data = os.read(sys.stdin.fileno(), 64)
        if not data:  # the terminal is gone
            raise KeyboardInterrupt
        return data.decode("utf-8", "replace")[:1]
