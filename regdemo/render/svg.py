"""A Report as one picture: the terminal's words, with the charts drawn as shapes."""

from __future__ import annotations

from io import StringIO

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.segment import Segment

from regdemo.render import charts, terminal
from regdemo.render.colors import QUIET
from regdemo.render.format import xml
from regdemo.report import Boxes, Curves, HeatMap, Report

PAGE_COLUMNS = 80
FONT_SIZE, LETTER, LINE = 14, 8.4, 20  # pixels; a letter of a monospaced font is 0.6 of its size wide
PAGE_MARGIN = 28

STYLE = """
.report { color: #1d2127 } .paper { fill: #fdfdfc }
@media (prefers-color-scheme: dark) { .report { color: #e4e6e9 } .paper { fill: #15181c } }
"""


def to_svg(report: Report) -> str:
    """The report as SVG: dark on light, or light on dark where the reader's system asks for it.

    The same report gives the same bytes.
    """
    console = Console(
        file=StringIO(),
        width=PAGE_COLUMNS,
        force_terminal=True,
        color_system="truecolor",
        no_color=False,
        legacy_windows=False,
    )
    body: list[str] = []
    y = PAGE_MARGIN

    def write(part: RenderableType) -> None:
        nonlocal y
        for line in console.render_lines(part, pad=False):
            y += LINE
            body.append(_line(line, y))

    write(terminal.head(report, console))
    for part in terminal.advice(report, console) if report.picture else ():
        y += LINE
        write(part)
    for block in (*report.picture, *report.blocks):
        y += LINE
        if isinstance(block, HeatMap | Curves | Boxes):
            write(terminal.prose(block.title, console, "bold"))
            chart = charts.draw(block)
            body.append(f'<g transform="translate({PAGE_MARGIN} {y + 8})">{chart.body}</g>')
            y += chart.height + 8
            if block.note:
                write(terminal.prose(block.note, console, QUIET))
        else:
            write(terminal.draw(block, console))
    for part in terminal.tail(report, console):
        y += LINE
        write(part)
    width, height = round(2 * PAGE_MARGIN + PAGE_COLUMNS * LETTER), y + PAGE_MARGIN
    font = f'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="{FONT_SIZE}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'class="report" role="img" aria-label="{xml(report.title)}" fill="currentColor" {font}><style>{STYLE}</style>'
        '<rect class="paper" width="100%" height="100%"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def _line(segments: list[Segment], y: int) -> str:
    """A line of text; each of its pieces is held to its columns in every font."""
    pieces, column = [], 0
    for text, style, _ in segments:
        words = text.strip()
        if words:
            x = PAGE_MARGIN + LETTER * (column + cell_len(text) - cell_len(text.lstrip()))
            length = LETTER * cell_len(words)
            look = f' fill="{style.color.get_truecolor().hex}"' if style and style.color and style.color.triplet else ""
            look += ' font-weight="bold"' if style and style.bold else ""
            words = xml(words).replace(" ", "\N{NO-BREAK SPACE}")
            pieces.append(f'<text x="{x:.1f}" y="{y}" textLength="{length:.1f}"{look}>{words}</text>')
        column += cell_len(text)
    return "".join(pieces)
