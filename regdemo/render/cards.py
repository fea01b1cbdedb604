"""The look of a question card: markdown rendered on a terminal, its source in a pipe. Decks are shown, never obeyed."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import IO

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.style import Style
from rich.text import Text as Line
from rich.theme import Theme

from regdemo.render import WIDEST_PROSE, markup
from regdemo.render.colors import BAD, CODE, GOOD, QUIET, SERIES
from regdemo.render.prose import ADDRESS
from regdemo.text import clean

BAR = 24  # columns of the longest bar

_THEME = Theme(
    {
        "markdown.code": CODE,
        "markdown.code_block": CODE,
        "markdown.link": "none",
        "markdown.link_url": QUIET,
        "markdown.block_quote": QUIET,
        "markdown.item.number": CODE,
        "markdown.item.bullet": CODE,
        "markdown.table.border": QUIET,
        "markdown.table.header": "bold",
        "markdown.h1": "bold",
        "markdown.h2": "bold",
        "markdown.h3": "bold",
        "markdown.h4": "bold",
    }
)


# What begins a block: a blank line, an indent of code, a heading, a quote, a table, HTML, a list item, a fence, a rule.
_BLOCK = re.compile(r"\s*$|    |\t|#|[>|<]|\s*(?:[-*+]|\d+[.)])\s|\s*(?:```|~~~|[-=*_]{3,}\s*$)")
_WHOLE = re.compile(r"\s*$|    |\t|#|[|<]|\s*[-=*_]{3,}\s*$|.*(?:\$\$|\\\[|\\begin\b)")  # what is never filled
_FENCE = re.compile(r"\s*(?:[-*+]\s+)?(```+|~~~+)")
_NUMBER = re.compile(r"\s*(\d+)[.)]\s")
_MARK = re.compile(r"\s*(?:(?:[-*+]|\d+[.)])\s+(?:\[[ xX]\]\s+)?|>\s*)?")
_SPAN = re.compile(r"`[^`]+`")


def wrapped(markdown: str, width: int) -> str:
    """Markdown whose paragraphs fill lines of at most so many characters; code, tables, formulas stay as they are.

    >>> print(wrapped("- an item of a list,\\nand `a span` of code", 24))
    - an item of a list, and
      `a span` of code
    >>> print(wrapped("A paragraph of (May\\n2025) words.\\n1. one\\n2. two", 24))
    A paragraph of (May
    2025) words.
    1. one
    2. two
    """
    blocks: list[tuple[list[str], bool]] = []  # the lines of each, and whether they stay as they are
    fence, grows = "", False
    for line in markdown.split("\n"):
        mark = _FENCE.match(line)
        number = _NUMBER.match(line)
        # A number other than 1 continues a numbered list, but begins none within a paragraph.
        if grows and (not _BLOCK.match(line) or (number and number[1] != "1" and not _NUMBER.match(blocks[-1][0][0]))):
            blocks[-1][0].append(line)
        else:
            blocks.append(([line], bool(fence or mark)))
        grows = not (fence or mark or line[:1] in ("#", "|") or line.endswith(("  ", "\\")) or not line.strip())
        if mark and line.strip().startswith(fence):
            fence = "" if fence else mark[1]
    return "\n".join("\n".join(lines) if whole else _filled(lines, width) for lines, whole in blocks)


def _filled(lines: list[str], width: int) -> str:
    """A block in lines, under the mark that it begins with. A span of code is not broken."""
    if any(map(_WHOLE.match, lines)):
        return "\n".join(lines)
    joined = " ".join([lines[0].rstrip(), *map(str.strip, lines[1:])])
    under = " " * len(_MARK.match(joined)[0])  # type: ignore[index]  # it matches nothing, too
    spans = _SPAN.sub(lambda span: span[0].replace(" ", "\0"), joined)
    filled = textwrap.fill(
        spans, max(width, 20), subsequent_indent=under, break_long_words=False, break_on_hyphens=False
    )
    return filled.replace("\0", " ")


class Page:
    """A console to write cards on. Every string is shown as it is: nothing in it is rich markup or a control.

    On a terminal, markdown is rendered in at most 100 columns; elsewhere its source is printed, wrapped to the width.
    """

    def __init__(self, console: Console) -> None:
        console.push_theme(_THEME)
        self._console = console
        self._plain = not console.is_terminal
        self._colored = console.color_system is not None and not console.no_color

    @property
    def _width(self) -> int:
        return min(self._console.width, WIDEST_PROSE)  # read each time: a terminal may be resized

    @property
    def file(self) -> IO[str]:
        """What the page is printed on."""
        return self._console.file

    @property
    def moves(self) -> bool:
        """Whether it is a terminal whose cursor can be moved."""
        return self._console.is_terminal and not self._console.is_dumb_terminal

    def fresh(self) -> None:
        """On a terminal, an empty screen; what was on it scrolls up and stays there to be read."""
        if self.moves:
            self._console.file.write("\n" * self._console.height + "\x1b[H")

    def rule(self, title: str, note: str = "") -> None:
        """A line across the page, which begins a card; the note at its end, where there is room for it."""
        begin, end = f"── {title} ", f" {note} ──" if note else ""
        room = self._width - cell_len(begin) - cell_len(end)
        self.quiet("\n" + (f"{begin}{'─' * room}{end}" if room > 0 else begin.ljust(self._width, "─")))

    def quiet(self, text: str) -> None:
        """A line in a faint color, of less importance."""
        self._print(Line(clean(text), style=QUIET))

    def verdict(self, right: bool, text: str) -> None:
        """Right or wrong, by mark and by word; the colour only repeats it."""
        self._print(Line(f"\n{'✓' if right else '✗'} {clean(text)}", style=f"bold {GOOD if right else BAD}"))

    def text(self, markdown: str, title: str = "") -> None:
        """Markdown, after a blank line; nothing where there is none."""
        if markdown:
            self._print(Line(f"\n{title}" if title else "", style="bold"))
            plain = Line(wrapped(clean(markdown), self._width)) if self._plain else None
            self._print(plain or markup.rendered(markdown, colored=self._colored))

    def listed(self, items: Sequence[tuple[str, str]], title: str = "") -> None:
        """Pairs of a mark and its markdown under each other, after a blank line; nothing where there are none."""
        if not items:
            return
        self._print(Line(f"\n{title}" if title else "", style="bold"))
        if self._plain:
            for mark, markdown in items:
                text = wrapped(clean(markdown), self._width - len(mark) - 1)
                self._print(Line(f"{clean(mark)} {text}".replace("\n", "\n" + " " * (len(mark) + 1))))
            return
        grid = markup.Table.grid(padding=(0, 1, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for mark, markdown in items:
            grid.add_row(Line(mark, style=CODE), markup.rendered(markdown, colored=self._colored))
        self._print(grid)

    def sources(self, items: Sequence[str]) -> None:
        """Where more can be read. On a terminal each address has a line of its own, which is never broken."""
        if self._plain or not items:
            self.listed([("·", item) for item in items])
            return
        self._print(Line())
        for item in items:
            for number, part in enumerate(re.split(f"({ADDRESS})", clean(item))):
                if number % 2:
                    # A terminal that knows OSC 8 opens it; on others it can be copied as a whole.
                    style = Style.parse(CODE if self._colored else "none") + Style(link=part)
                    self._console.print(Line(f"  {part}", style=style), soft_wrap=True, highlight=False)
                elif text := part.strip(" ,;\n"):
                    self.listed([("·", text)])

    def bars(self, title: str, counts: Mapping[str, int]) -> None:
        """Counts by name, each with a bar in proportion."""
        grid = markup.Table.grid(padding=(0, 2, 0, 0))
        for name, count in counts.items():
            bar = "█" * round(BAR * count / max(1, *counts.values()))
            grid.add_row(f"  {name}", Line(f"{count:,}", justify="right"), Line(bar, style=SERIES[0]))
        self._print(Line(f"\n{title}", style="bold"), grid)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Rows of one line each; the last column is cut where it does not fit. Nothing where there are no rows."""
        if not rows:
            return
        grid = markup.Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, expand=True, header_style=QUIET)
        for name in columns[:-1]:
            grid.add_column(name, no_wrap=True)
        grid.add_column(columns[-1], no_wrap=True, overflow="ellipsis", ratio=1)
        for row in rows:
            grid.add_row(*(Line(clean(cell)) for cell in row))
        self._print(Line(f"\n{title}", style="bold"), grid)

    def _print(self, *parts: RenderableType) -> None:
        for part in parts:
            if not self._plain:
                self._console.print(part, width=self._width, highlight=False)
                continue
            with self._console.capture() as captured:
                # What is to be wrapped in a pipe was: a command that is said in one line can be copied as one.
                self._console.print(part, width=self._width, soft_wrap=isinstance(part, Line), highlight=False)
            print("\n".join(map(str.rstrip, captured.get().splitlines())), file=self._console.file, flush=True)
