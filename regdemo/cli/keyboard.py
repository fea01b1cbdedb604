"""What the learner enters: key by key at a terminal, line by line from a pipe.

At a terminal a line is edited here, with echo and line mode off only while it is read: a key can count without Enter,
a paste of several lines is one text (bracketed paste), a clock before the prompt moves on, and what was typed before
the prompt was shown is dropped. However reading ends (a signal, Ctrl-Z, an exception), the terminal is as it was.
"""

from __future__ import annotations

import codecs
import os
import re
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

from regdemo.text import clean

if TYPE_CHECKING:
    from regdemo.render.cards import Page

if sys.platform == "win32":
    import msvcrt
else:
    import termios

MARK = " > "
PASTE_ON, PASTE_OFF = "\x1b[?2004h", "\x1b[?2004l"
_PASTE = re.compile("\x1b\\[200~(.*?)(?:\x1b\\[201~|\\Z)", re.DOTALL)
_SEQUENCE = re.compile("\x1b(?:\\[[0-9;?]*[ -/]*[@-~]|O.)?")
_BURST = re.compile("[\r\n](?=[^\r\n\x1b])")  # a line that ends within one read: a paste at a terminal without brackets
_LEFT, _RIGHT, _DELETE = ("\x1b[D", "\x1bOD"), ("\x1b[C", "\x1bOC"), ("\x1b[3~",)
_HOME, _END = ("\x1b[H", "\x1b[1~", "\x1bOH"), ("\x1b[F", "\x1b[4~", "\x1bOF")
_ENDS = (signal.SIGTERM, *(getattr(signal, name) for name in ("SIGHUP",) if hasattr(signal, name)))


class Keyboard:
    """Standard input. person: whether it is a terminal.  at_once: whether a key can count without Enter."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.person = sys.stdin.isatty()
        self.at_once = self.person and page.moves
        if hasattr(sys.stdin, "reconfigure"):
            sys.stdin.reconfigure(errors="replace")  # bytes that aren't text make a wrong answer, not a crash

    def read(
        self,
        prompt: str,
        counts: Callable[[str], bool] = lambda text: False,
        clock: Callable[[], str] | None = None,
    ) -> str:
        """What is entered, without the space around it; of several pasted lines, all. Raises EOFError at the end.

        counts: whether a text counts without Enter, where keys can.  clock: a text before the prompt, renewed each
        second.
        """
        if self.at_once:
            return _Line(self._page.file, prompt, counts, clock).read().strip()
        if self.person:
            print(f"{clock() if clock else ''}{prompt}{MARK}", end="", file=self._page.file, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        if not self.person:
            self._page.quiet(f"> {line.rstrip()}")
        return line.strip()


class _Line:
    """One line while it is edited; long lines wrap."""

    def __init__(
        self, screen: Any, prompt: str, counts: Callable[[str], bool], clock: Callable[[], str] | None
    ) -> None:
        self._screen = screen
        self._prompt = prompt
        self._counts = counts
        self._clock = clock
        self._text = ""
        self._place = 0  # of the cursor in the text
        self._row = 0  # of the cursor, below the row where the prompt begins
        self._shown = ""  # the prompt as it was drawn last
        self._width = 0
        self._drawn = ""
        self._at_end = False
        self._stops = self._drawn_stops = 0  # how often the process was stopped, now and when it was drawn last
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""  # an escape sequence or a paste that has not come to its end

    def read(self) -> str:
        """The text, when Enter ends it or it counts at once."""
        with character_mode(self._screen, self._again):
            try:
                self._draw()
                while True:
                    chunk = characters(1.0 if self._clock else None, self._decode)
                    if not chunk:
                        self._tick()
                    elif self._take(chunk):
                        return self._text
            finally:
                self._place = len(self._text)
                self._draw()
                self._screen.write("\n")
                self._screen.flush()

    def _again(self) -> None:
        """After a stop, on a screen of which nothing is known. In the middle of a write, the next `_tick` draws it."""
        self._stops += 1
        self._draw()

    def _take(self, chunk: str) -> bool:
        """Edit the line as a chunk of input says; whether that ends it."""
        chunk, self._rest = self._rest + chunk, ""
        if "\x1b" not in chunk and _BURST.search(chunk):
            self._insert(chunk.rstrip("\r\n"))
            return False
        burst = len(chunk.rstrip("\r\n")) > 1  # also a paste, of one line: its first character isn't a key
        place = 0
        while place < len(chunk):
            if paste := _PASTE.match(chunk, place):
                if not paste[0].endswith("\x1b[201~"):
                    self._rest = chunk[place:]
                    break
                self._insert(paste[1])
                place = paste.end()
                continue
            if chunk[place] == "\x1b":
                sequence = _SEQUENCE.match(chunk, place)
                assert sequence
                if sequence.end() == len(chunk) and sequence[0] in ("\x1b", "\x1b["):
                    self._rest = sequence[0] if sequence[0] == "\x1b[" else ""
                    break
                self._move(sequence[0])
                place = sequence.end()
                continue
            if self._key(chunk[place], burst):
                return True
            place += 1
        self._draw()
        return False

    def _key(self, key: str, burst: bool) -> bool:
        if key in "\r\n":
            return True
        if key == "\x04":
            if not self._text:
                raise EOFError
        elif key in "\x7f\x08":
            self._text = self._text[: max(0, self._place - 1)] + self._text[self._place :]
            self._place = max(0, self._place - 1)
        elif key == "\x15":
            self._text, self._place = self._text[self._place :], 0
        elif key == "\x17":
            kept = re.sub(r"\S*\s*$", "", self._text[: self._place])
            self._text, self._place = kept + self._text[self._place :], len(kept)
        elif key in "\x01\x05":
            self._place = 0 if key == "\x01" else len(self._text)
        elif key.isprintable():
            self._insert(key)
            return not burst and self._counts(self._text)
        return False

    def _insert(self, text: str) -> None:
        text = clean(text).replace("\t", "    ")
        self._text = self._text[: self._place] + text + self._text[self._place :]
        self._place += len(text)
        self._draw()

    def _move(self, sequence: str) -> None:
        if sequence in _LEFT:
            self._place = max(0, self._place - 1)
        elif sequence in _RIGHT:
            self._place = min(len(self._text), self._place + 1)
        elif sequence in (*_HOME, *_END):
            self._place = 0 if sequence in _HOME else len(self._text)
        elif sequence in _DELETE:
            self._text = self._text[: self._place] + self._text[self._place + 1 :]

    def _tick(self) -> None:
        late = self._clock and f"{self._clock()}{self._prompt}{MARK}" != self._shown
        if late or self._drawn_stops != self._stops:
            self._draw()

    def _draw(self) -> None:
        """The prompt and the text, the cursor at its place: what was added to the end, or all of it again."""
        stops = self._stops
        if self._drawn_stops != stops:
            self._row, self._at_end = 0, False
        width = max(2, get_terminal_size().columns)
        self._shown = f"{self._clock() if self._clock else ''}{self._prompt}{MARK}"
        whole = self._shown + self._text
        before = self._shown + self._text[: self._place]
        row, column = _position(before, width)
        last, end = _position(whole, width)
        at_the_edge = end == 0 and whole[-1:] not in ("", "\n")  # where a terminal waits for the next character
        if self._at_end and width == self._width and before == whole and whole.startswith(self._drawn):
            added = whole[len(self._drawn) :]
            self._screen.write(added.replace("\n", "\r\n") + ("\r\n" if added and at_the_edge else ""))
        else:
            # A terminal that was made wider or narrower has moved its rows: begin in the row of the cursor.
            up = f"\x1b[{self._row}A" if self._row and width == self._width else ""
            self._screen.write(f"{up}\r\x1b[J{whole}".replace("\n", "\r\n") + ("\r\n" if at_the_edge else ""))
            self._screen.write(f"\x1b[{last - row}A" if last > row else "")
            self._screen.write(f"\r\x1b[{column}C" if column else "\r")
        self._screen.flush()
        self._row, self._width, self._drawn, self._at_end = row, width, whole, before == whole
        self._drawn_stops = stops


def _position(text: str, width: int) -> tuple[int, int]:
    """The row and the column that the cursor has after a text, from the first row and column 0."""
    row = column = 0
    for line in text.split("\n"):
        row, column = row + 1, 0
        for character in line:
            size = cell_len(character)
            if column + size > width:
                row, column = row + 1, 0
            column += size
        if column == width:
            row, column = row + 1, 0
    return row - 1, column


def drop_typed() -> None:
    """Forget what was typed and not read."""
    if sys.platform == "win32":
        while msvcrt.kbhit():
            msvcrt.getwch()
    else:
        with suppress(termios.error, OSError, ValueError):
            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


_wakeup: list[int] = []  # where a signal writes while characters are read


def characters(
    patience: float | None, decode: Callable[[bytes], str] = lambda data: data.decode("utf-8", "replace")
) -> str:
    """What was typed, or nothing after so many seconds or a signal. Raises EOFError."""
    if sys.platform == "win32":
        if patience is not None and not msvcrt.kbhit():
            time.sleep(min(patience, 0.1))
            return ""
        text = msvcrt.getwch()
        while msvcrt.kbhit():
            text += msvcrt.getwch()
        if "\x03" in text:
            raise KeyboardInterrupt
        return "\x04" if text == "\x1a" else text
    woken = _wakeup[-1:]
    ready, _, _ = select.select([sys.stdin.fileno(), *woken], [], [], patience)
    if ready and ready == woken:
        os.read(woken[0], 1 << 10)  # what the signal does is done by now, but for a prompt that could not be drawn
    if sys.stdin.fileno() not in ready:
        return ""
    data = os.read(sys.stdin.fileno(), 1 << 16)
    if not data:
        raise EOFError
    return decode(data)


@contextmanager
def character_mode(screen: Any = None, again: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Characters come one by one and are not echoed.

    screen: where a paste is asked to come in brackets.  again: draws the prompt after the process was stopped.
    """
    if sys.platform == "win32":
        drop_typed()
        yield
        return
    device = sys.stdin.fileno()
    before = termios.tcgetattr(device)
    settings = termios.tcgetattr(device)
    settings[0] &= ~termios.ICRNL  # else the two characters that end a line of DOS would be two ends
    settings[3] &= ~(termios.ICANON | termios.ECHO)
    settings[6][termios.VMIN], settings[6][termios.VTIME] = 1, 0

    def put(text: str) -> None:
        # Past the stream's buffer: a signal may come in the middle of a write, and another one is refused there.
        if screen:
            os.write(screen.fileno(), text.encode())

    def enter() -> None:
        termios.tcsetattr(device, termios.TCSAFLUSH, settings)  # which drops what was typed before
        put(PASTE_ON)

    def leave() -> None:
        with suppress(OSError, ValueError):
            put(PASTE_OFF)
        with suppress(termios.error):
            termios.tcsetattr(device, termios.TCSADRAIN, before)

    def stop(number: int, frame: object) -> None:
        leave()
        put("\r\n")
        os.kill(os.getpid(), signal.SIGSTOP)

    def go_on(number: int, frame: object) -> None:
        enter()
        with suppress(RuntimeError):  # in the middle of a write; this signal also ends the wait for a key, which draws
            again()

    def end(number: int, frame: object) -> None:
        leave()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    handlers = {}
    if threading.current_thread() is threading.main_thread():
        wanted = {signal.SIGTSTP: stop, signal.SIGCONT: go_on, **dict.fromkeys(_ENDS, end)}
        handlers = {
            number: signal.signal(number, handler)
            for number, handler in wanted.items()
            if signal.getsignal(number) is signal.SIG_DFL
        }
    try:
        with _woken_by_signals():
            enter()
            yield
    finally:
        leave()
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextmanager
def _woken_by_signals() -> Iterator[None]:
    """Within it a signal ends the wait for a key, even one that comes between Python's last look and that wait."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    _wakeup.append(reader)
    try:
        yield
    finally:
        _wakeup.remove(reader)
        signal.set_wakeup_fd(before)
        os.close(reader)
        os.close(writer)
