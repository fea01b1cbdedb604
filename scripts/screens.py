"""Record the pictures of the documentation from the real program: each is a terminal of 80 x 24 (or taller) in which
the keys below were typed.

    python scripts/screens.py [NAME ...]

Writes `docs/pages/screens/NAME.svg`. Needs `pip install pyte` (the extra `docs`) and a system with pseudo-terminals.
"""

from __future__ import annotations

import os
import pty
import select
import struct
import sys
import tempfile
import time
from fcntl import ioctl
from html import escape
from pathlib import Path
from termios import TIOCSWINSZ
from typing import NamedTuple

import pyte

FOLDER = Path(__file__).parent.parent / "docs" / "pages" / "screens"
QUIET = 0.7  # seconds without output after which a program is taken to wait for a key
LETTER, LINE, MARGIN = 8.4, 19, 18
COLORS = {
    "default": "var(--ink)",
    "black": "var(--ink)",
    "red": "var(--red)",
    "green": "var(--green)",
    "brown": "var(--amber)",
    "blue": "var(--blue)",
    "magenta": "var(--violet)",
    "cyan": "var(--blue)",
    "white": "var(--ink)",
}
STYLE = """
.screen { --ink: #1d2127; --paper: #fdfdfc; --edge: #d5d8dc; --red: #b3261e; --green: #1a6b35; --amber: #7a5200;
  --blue: #0b5c8e; --violet: #6b3fa0; font: 14px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace }
@media (prefers-color-scheme: dark) { .screen { --ink: #e4e6e9; --paper: #15181c; --edge: #343a42; --red: #ff8a80;
  --green: #7fd49a; --amber: #e5b866; --blue: #7cc4f2; --violet: #c7a6f5 } }
"""


class Screen(NamedTuple):
    """What to run, what to type (each item once the program waits), and how tall the terminal is."""

    command: str
    keys: tuple[str, ...] = ()
    rows: int = 24


SCREENS = {
    "start": Screen("regdemo"),
    "quiz": Screen("regdemo quiz --ids Q18.1 --seed 0", ("a",)),
    "dropout": Screen("regdemo dropout --p 0.1", rows=42),
}


def record(screen: Screen) -> pyte.Screen:
    """Run the command in a pseudo-terminal with an empty history, type the keys, and return what it shows."""
    shown = pyte.Screen(80, screen.rows)
    stream = pyte.ByteStream(shown)
    with tempfile.TemporaryDirectory() as home:
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(home)
            os.environ |= {
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "REGDEMO_HOME": home,
                "TERM": "xterm-256color",
                "COLUMNS": "80",
                "LINES": str(screen.rows),
            }
            os.execvp("sh", ["sh", "-c", screen.command])
        ioctl(terminal, TIOCSWINSZ, struct.pack("HHHH", screen.rows, 80, 0, 0))
        _feed(terminal, stream, first=20.0)
        for key in screen.keys:
            os.write(terminal, key.encode())
            _feed(terminal, stream)
        os.close(terminal)
        os.waitpid(child, 0)
    return shown


def _feed(terminal: int, stream: pyte.ByteStream, first: float = 5.0) -> None:
    """Hand on what the program prints until it is quiet. first: how long to wait for it to begin."""
    patience = first
    end = time.monotonic() + 60
    while time.monotonic() < end and select.select([terminal], [], [], patience)[0]:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # the program has ended
            return
        if not data:
            return
        stream.feed(data)
        patience = QUIET


def to_svg(shown: pyte.Screen, title: str) -> str:
    """The screen as SVG with text that can be selected, dark on light or light on dark as the reader's system asks."""
    rows = [line.rstrip() for line in shown.display]
    while rows and not rows[-1]:
        rows.pop()
    width, height = 80 * LETTER + 2 * MARGIN, len(rows) * LINE + 2 * MARGIN
    lines = []
    for y in range(len(rows)):
        spans, x = [], 0
        while x < len(rows[y]):
            cell, start = shown.buffer[y][x], x
            look = (cell.fg, cell.bold)
            while x < len(rows[y]) and (shown.buffer[y][x].fg, shown.buffer[y][x].bold) == look:
                x += 1
            words = rows[y][start:x]
            if words.strip():
                color = COLORS.get(cell.fg, "var(--ink)")
                weight = ' font-weight="700"' if cell.bold else ""
                spans.append(
                    f'<text x="{MARGIN + start * LETTER:.1f}" y="{MARGIN + (y + 0.75) * LINE:.1f}" fill="{color}"'
                    f'{weight} textLength="{len(words) * LETTER:.1f}" xml:space="preserve">{escape(words)}</text>'
                )
        lines += spans
    body = "\n".join(lines)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="screen" role="img" viewBox="0 0 {width:.0f} {height}" '
        f'width="{width:.0f}" height="{height}">\n<title>{escape(title)}</title>\n<style>{STYLE}</style>\n'
        f'<rect width="{width - 1:.0f}" height="{height - 1}" x="0.5" y="0.5" rx="6" fill="var(--paper)" '
        f'stroke="var(--edge)"/>\n{body}\n</svg>\n'
    )


def main() -> None:
    """Record the screens that are named, or all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or SCREENS:
        screen = SCREENS[name]
        path = FOLDER / f"{name}.svg"
        path.write_text(to_svg(record(screen), f"The terminal after `{screen.command}`"), encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
