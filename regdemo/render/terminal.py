"""A Report in the terminal: clean at 60 columns, in a pipe and without colour, on light and dark backgrounds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import Literal

import plotext
from rich import box
from rich.align import Align
from rich.cells import cell_len
from rich.columns import Columns
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.padding import Padding
from rich.segment import Segment, Segments
from rich.table import Column
from rich.table import Table as Grid
from rich.text import Text as Line

from regdemo.render import WIDEST_PROSE, mathematics
from regdemo.render.colors import BAD, CODE, GOOD, QUIET, SERIES, SYNTAX, fraction, scale_color
from regdemo.render.format import (
    about,
    axes,
    cells,
    claims_summary,
    expectation,
    limits,
    number,
    outline,
    parameters,
    quartiles,
    quiz_command,
    ticks,
    unbroken,
)
from regdemo.render.prose import inline
from regdemo.report import Block, Boxes, Claim, Code, Curves, HeatMap, Report, Series, Table, Text
from regdemo.text import clean
from regdemo.words import pluralize

SCREEN = 40  # lines of a short report at 80 columns
SHADES = " ░▒▓█"
MARKERS = "●▲■◆▼"
LONG_WORD = 20  # a longer one in a table may be cut
PLOT_ROWS = 17
FLAT, NARROW = 8, 38  # plots of fewer rows are drawn side by side, if each has so many columns
PLOT_MARKS = 6


def show(report: Report, console: Console, *, short: bool = False, claims: bool = False) -> None:
    """Draw the report, in at most 100 columns.

    short: what to say, the usual wrong answer, the picture, and how many claims hold; at 80 columns in SCREEN lines,
    unless a claim fails, which is shown in full. A report without a picture is drawn whole.  claims: show each claim.
    Without colour, heat maps are drawn in shades and `code` keeps its backticks.
    Every string of the report is shown as it is: nothing in it is markup.
    """
    parts = _short(report, console, claims) if short and report.picture else _whole(report, console)
    for i, lines in enumerate(parts):
        if i:
            console.print()
        for line in lines:
            console.print(Segments([*_trimmed(line), Segment.line()]))


def _whole(report: Report, console: Console) -> list[list[list[Segment]]]:
    said = advice(report, console) if report.picture else []
    blocks = (draw(block, console) for block in (*report.picture, *report.blocks))
    parts = [head(report, console), *said, *blocks, *tail(report, console)]
    return [_lines(part, console) for part in parts]


def _short(report: Report, console: Console, unfold: bool) -> list[list[list[Segment]]]:
    """The parts of a short report: the picture gets the lines of the screen that the words leave."""
    failed = [claim for claim in report.claims if not claim.holds]
    listed = report.claims if unfold else failed
    coded = [] if unfold or not any(claim.code for claim in report.claims) else report.claims
    foot: list[RenderableType] = [_verdict(report.claims)]
    if coded:
        foot[:0] = [_one_line(claim, console) for claim in coded if claim.holds]
    if listed:
        foot.insert(0, _claims(listed, console, counted=False))
    hidden = sum(isinstance(block, Table) for block in report.blocks)
    more = ["--claims shows each claim"] if not unfold and not coded else []
    more.append(f"--full adds {pluralize(hidden, 'table')}" if hidden else "--full shows everything")
    foot += [prose(", ".join(more), console, QUIET), prose(quiz_command(report), console, CODE)]
    top = [_lines(part, console) for part in (head(report, console), *advice(report, console))]
    end = _lines(Group(*foot), console)
    room = SCREEN - len(end) - sum(len(part) + 1 for part in top) - 1
    return [*top, *_picture(report.picture, console, room), end]


def _picture(blocks: list[Block], console: Console, room: int) -> list[list[list[Segment]]]:
    """The picture's blocks in about so many lines: narrow heat maps side by side, and plots that would be flat."""
    maps = [block for block in blocks if isinstance(block, HeatMap)]
    curves = [block for block in blocks if isinstance(block, Curves)]
    width = max((2 * len(row) + 2 for block in maps for row in block.values), default=0)
    abreast = min((_width(console) + 3) // (width + 3) if width else 1, len(blocks))
    if len(maps) == len(blocks) and abreast > 1:
        rows = [_abreast(blocks[i : i + abreast], abreast, console) for i in range(0, len(blocks), abreast)]
        return [_lines(row, console) for row in rows]
    others = sum(len(_lines(draw(block, console), console)) + 1 for block in blocks if block not in curves)
    left = room - others - sum(len(_lines(draw(block, console, 3), console)) - 3 + 1 for block in curves)
    rows_left = left // max(1, len(curves))
    if len(curves) == len(blocks) > 1 and rows_left < FLAT and _width(console) >= len(curves) * NARROW:
        frame = len(_lines(_abreast(blocks, len(blocks), console, 3), console)) - 3
        plot = max(5, min(PLOT_ROWS, room - frame - 1))
        return [_lines(_abreast(blocks, len(blocks), console, plot), console)]
    plot = max(5, min(PLOT_ROWS, rows_left))
    return [_lines(draw(block, console, plot), console) for block in blocks]


def _abreast(blocks: Sequence[Block], places: int, console: Console, plot_rows: int = 0) -> Grid:
    """Blocks next to one another, each as wide as if there were so many."""
    width = (_width(console) - 3 * (places - 1)) // places
    grid = Grid.grid(*(Column(width=width) for _ in blocks), padding=(0, 3, 0, 0))
    grid.add_row(*(draw(block, console, plot_rows, width) for block in blocks))
    return grid


def head(report: Report, console: Console) -> RenderableType:
    """The title, and one quiet line of what the demo ran with."""
    return Group(prose(report.title, console, "bold"), prose(parameters(report), console, QUIET))


def advice(report: Report, console: Console) -> list[RenderableType]:
    """What to take to the interview."""
    parts = [("Say in the interview", report.say), ("The usual wrong answer", report.wrong_answer)]
    return [Group(Line(title, "bold"), prose(text, console)) for title, text in parts if text]


def draw(block: Block, console: Console, plot_rows: int = 0, width: int = 0) -> RenderableType:
    """One block: its title, what it shows, its note. plot_rows, width: of curves, if not the usual ones."""
    if isinstance(block, Text):
        return prose(block.text, console)
    body: RenderableType
    if isinstance(block, Table):
        body = _table(block, console)
    elif isinstance(block, HeatMap):
        body = _heat_map(block, console)
    elif isinstance(block, Code):
        body = _code(block, console)
    elif isinstance(block, Boxes):
        body = _boxes(block, console)
    else:
        body = _curves(block, console, plot_rows or PLOT_ROWS, width or _width(console))
    note = [prose(block.note, console, QUIET)] if block.note else []
    return Group(prose(block.title, console, "bold"), body, *note)


def tail(report: Report, console: Console) -> list[RenderableType]:
    """The claims with their verdict, the advice unless it came before a picture, and what to do next."""
    parts: list[RenderableType] = []
    if report.claims:
        parts.append(Group(Line("Claims", "bold"), _claims(report.claims, console)))
    if not report.picture:
        parts += advice(report, console)
    if report.cards:
        parts.append(Group(Line("Try next", "bold"), prose(quiz_command(report), console, CODE)))
    return parts


def prose(text: str, console: Console, style: str = "") -> Line:
    """Words to be wrapped: `code` coloured, formulas in Unicode, links that can be followed.

    Where there is no colour, the backticks stay, and the address of a link follows on a line of its own.
    """
    line = Line(style=style)
    addresses = []
    for kind, piece, target in inline(text):
        if kind == "math":
            line.append(mathematics.plain(piece))
        elif kind == "link" and not _plain(console):
            line.append(piece, f"link {target}")
        elif kind == "link" and piece == target:
            line.append(f"\n{target}\n")
        elif kind == "code" and not _plain(console):
            line.append(piece, CODE)
        else:
            line.append(f"`{piece}`" if kind == "code" else piece)
            addresses += [target] * (kind == "link")
    for address in addresses:
        line.append(f"\n{address}")
    return line


def _lines(part: RenderableType, console: Console) -> list[list[Segment]]:
    return console.render_lines(part, _options(console), pad=False)


def _width(console: Console) -> int:
    return min(console.width, WIDEST_PROSE)


def _options(console: Console) -> ConsoleOptions:
    return console.options.update(width=_width(console))


def _plain(console: Console) -> bool:
    return console.no_color or console.color_system is None


def _trimmed(line: list[Segment]) -> list[Segment]:
    """The line without the blanks that pad a table's last column; coloured blanks are cells of a heat map."""
    while line and not (line[-1].style and line[-1].style.bgcolor):
        text, style, _ = line.pop()
        if text.rstrip():
            return [*line, Segment(text.rstrip(), style)]
    return line


def _claims(claims: list[Claim], console: Console, *, counted: bool = True) -> RenderableType:
    """Each claim behind its mark: the statement, the numbers, the reason for the tolerance; last how many hold."""
    grid = Grid.grid("mark", Column(overflow="fold"), padding=(0, 1, 0, 0))
    for claim in claims:
        expected, measured = expectation(claim)
        text = prose(about(claim), console)
        numbers = prose(f"measured {measured}, expected {expected}", console)
        text.append("\n").append_text(numbers)
        if claim.reason:
            reason = prose(f"({claim.reason})", console, QUIET)
            apart = " " if numbers.cell_len + reason.cell_len + 1 <= _width(console) - 2 else "\n"
            text.append(apart).append_text(reason)
        grid.add_row(_mark(claim), text)
    return Group(grid, _verdict(claims)) if counted else grid


def _one_line(claim: Claim, console: Console) -> Line:
    """A claim in one line: its mark, the statement, what was measured."""
    line = _mark(claim).append(" ").append_text(prose(f"{about(claim)}: {expectation(claim)[1]}", console))
    line.stylize("not bold", 1)
    return line


def _mark(claim: Claim) -> Line:
    return Line("✓", f"bold {GOOD}") if claim.holds else Line("✗", f"bold {BAD}")


def _verdict(claims: list[Claim]) -> Line:
    return Line(claims_summary(claims), f"bold {GOOD if all(claim.holds for claim in claims) else BAD}")


def _table(table: Table, console: Console) -> RenderableType:
    """Columns side by side, those of numbers narrowed if that saves lines; what still does not fit becomes a list."""
    columns = [[row[i] for row in table.rows] for i in range(len(table.columns))]
    numeric = [any(not isinstance(cell, str) for cell in column) for column in columns]
    texts = [[name, *cells(column)] for name, column in zip(table.columns, columns, strict=True)]
    narrow = [_narrowed(column) if numbers else column for column, numbers in zip(texts, numeric, strict=True)]
    grids = [_grid(t, numeric, console) for t in (texts, narrow) if _least_width(t, numeric) <= _width(console)]
    if grids:
        return min(grids, key=lambda grid: len(console.render_lines(grid, _options(console))))
    records = Grid.grid(Column(overflow="fold"), Column(overflow="fold"), padding=(0, 2, 0, 0))
    names, *rows = zip(*texts, strict=True)
    for i, row in enumerate(rows):
        if i:
            records.add_row()
        for name, text in zip(names, row, strict=True):
            records.add_row(prose(name, console, "bold"), prose(text, console))
    return records


def _narrowed(texts: list[str]) -> list[str]:
    """A column of numbers, its intervals broken before their bracket, its name broken to be no wider."""
    name, *numbers = (text.replace(" [", "\n[") for text in texts)
    width = max((cell_len(line) for text in numbers for line in text.split("\n")), default=1)
    return ["\n".join(wrap(name, width, break_long_words=False, break_on_hyphens=False)), *numbers]


def _grid(texts: list[list[str]], numeric: list[bool], console: Console) -> Grid:
    grid = Grid(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="", border_style=QUIET
    )
    for (name, *_), numbers, width in zip(texts, numeric, _widths(texts, numeric, _width(console)), strict=True):
        justify: Literal["left", "right"] = "right" if numbers else "left"
        grid.add_column(prose(name, console), justify=justify, no_wrap=numbers, overflow="fold", width=width)
    for row in list(zip(*texts, strict=True))[1:]:
        grid.add_row(*(prose(text, console) for text in row))
    return grid


def _widths(texts: list[list[str]], numeric: list[bool], room: int) -> list[int]:
    """Each column's: all that it holds in one line, less what the widest of words must give for the grid to fit."""
    least = _least_widths(texts, numeric)
    widths = [max(cell_len(line) for text in column for line in text.split("\n")) for column in texts]
    while sum(widths) + _gaps(texts) > room:
        i = max(range(len(widths)), key=lambda i: (widths[i] > least[i], widths[i]))
        widths[i] -= 1
    return widths


def _least_width(texts: list[list[str]], numeric: list[bool]) -> int:
    """Columns a grid needs."""
    return sum(_least_widths(texts, numeric)) + _gaps(texts)


def _least_widths(texts: list[list[str]], numeric: list[bool]) -> list[int]:
    """What each column needs: numbers whole, words whole up to LONG_WORD."""
    unbreakable = [
        [part if numbers else part[:LONG_WORD] for text in column for part in text.split("\n" if numbers else None)]
        for column, numbers in zip(texts, numeric, strict=True)
    ]
    return [max(map(cell_len, parts), default=0) for parts in unbreakable]


def _gaps(texts: list[list[str]]) -> int:
    """The blanks between columns, two each."""
    return 2 * (len(texts) - 1)


def _code(block: Code, console: Console) -> RenderableType:
    """The lines, set in; a program's words coloured, or those that a diff takes out and puts in."""
    source = clean(block.source)
    if _plain(console):
        lines = Line(source)
    elif block.language == "diff":
        colors = {"-": BAD, "+": GOOD}
        lines = Line("\n").join(Line(line, colors.get(line[:1], "")) for line in source.splitlines())
    else:
        from rich.style import Style  # these two load at once, and few reports show code
        from rich.syntax import ANSISyntaxTheme, Syntax

        theme = ANSISyntaxTheme({token: Style(color=color) for token, color in SYNTAX.items()})
        lines = Syntax("", block.language, theme=theme, background_color="default").highlight(source)
        lines.rstrip()
    lines.no_wrap, lines.overflow = False, "fold"
    return Padding(lines, (0, 0, 0, 2))


def _heat_map(block: HeatMap, console: Console) -> RenderableType:
    """Two columns for each cell where they fit, else one; what still does not fit is left out, and said."""
    plain = _plain(console)
    longest = max(map(len, block.values), default=0)
    room = _width(console) - 2 * plain
    size = 2 if 2 * longest <= room else 1
    lines = [prose(axes(block), console, QUIET)] if axes(block) else []
    for row in block.values:
        places = [fraction(value, block.low, block.high) for value in row[: room // size]]
        lines.append(_strip(places, size, plain))
    steps = len(SHADES) if plain else 12
    scale = _strip([i / (steps - 1) for i in range(steps)], 2, plain)
    lines.append(Line())
    lines.append(Line(f"{number(block.low)} ").append_text(scale).append(f" {number(block.high)}"))
    if any(fraction(value, block.low, block.high) is None for row in block.values for value in row):
        lines[-1].append(f"   {'·' * size} not a number")
    if longest > room:
        lines.append(Line(f"the first {room} of {longest} columns", style=QUIET))
    return Group(*lines)


def _strip(places: Iterable[float | None], size: int, plain: bool) -> Line:
    """Places on the scale as blocks of colour, or as shades between two bars."""
    line = Line("│" if plain else "")
    for at in places:
        if at is None:
            line.append("·" * size)
        elif plain:
            shade = min(int(at * len(SHADES)), len(SHADES) - 1) or int(at > 0)  # blank is the low end, and no more
            line.append(SHADES[shade] * size)
        else:
            line.append(" " * size, f"on {scale_color(at)}")
    return line.append("│" if plain else "")


def _boxes(block: Boxes, console: Console) -> RenderableType:
    """A row of characters for each box plot, on one scale whose ends are named."""
    rows = [one for one in block.boxes if one.values]
    if not rows:
        return Line("no points to draw", QUIET)
    low, high = limits([0.0, *(value for one in rows for value in one.values)])
    width = _width(console) - 2

    def at(value: float) -> int:
        return min(width - 1, max(0, round((value - low) / (high - low) * (width - 1))))

    lines = []
    for i, one in enumerate(rows):
        least, first, median, third, most = map(at, quartiles(one.values))
        drawn = [" "] * width
        drawn[at(0.0)] = "┊"
        drawn[least : most + 1] = "─" * (most + 1 - least)
        drawn[first : third + 1] = "▒" * (third + 1 - first)
        drawn[median] = "█"
        lines += [prose(one.name, console), Line("".join(drawn).rstrip(), SERIES[i % len(SERIES)])]
    unit = f" {block.unit}" if block.unit else ""
    scale = f"{number(low)}{unit}"
    end = f"{number(high)}{unit}"
    lines.append(Line(scale + end.rjust(max(1, width - len(scale))), QUIET))
    return Group(*lines)


def _curves(block: Curves, console: Console, rows: int, width: int) -> RenderableType:
    """Braille lines with a marker for each series; the edges of a band are dotted."""
    names = [
        Line.assemble((MARKERS[i % len(MARKERS)], SERIES[i % len(SERIES)]), " ", prose(series.name, console))
        for i, series in enumerate(block.series)
    ]
    legend = Columns(names, padding=(0, 3))
    runs = [unbroken(zip(series.x, series.y, strict=True)) for series in block.series]
    if not any(runs):
        return Group(legend, Line("no points to draw", QUIET))
    return Group(
        legend,
        prose(block.y_label, console, QUIET),
        _plot(block.series, runs, width, rows),
        Align.right(prose(block.x_label, console, QUIET)),
    )


def _plot(block: list[Series], series: list[list[list[tuple[float, ...]]]], width: int, rows: int) -> Line:
    """Runs of points over their axes, drawn by plotext on a figure of our own: its shared one stays as it is."""
    figure = type(plotext.figure)(type(plotext.terminal)().limit(False, False))
    figure.plot_size(width, rows).theme("colorless").axes(False, side=1)
    edges = [_edges(each) for each in block]
    for axis, side in (("x", 0), ("y", 1)):
        values = [point[side] for runs in (*series, *edges) for run in runs for point in run]
        low, high = limits(values)
        marks = ticks(low, high, most=8 if side == 0 else max(3, rows // 2))
        figure.ruler(axis).lim(low, high).ticks([at for at, _ in marks], [label for _, label in marks])
    pixels = [plotext.pixel(foreground=tuple(bytes.fromhex(SERIES[i % len(SERIES)][1:]))) for i in range(len(series))]
    for pixel, runs, around, each in zip(pixels, series, edges, block, strict=True):
        for run in around:
            if each.style == "bars":
                figure.draw(figure.signal(*zip(*run, strict=True), marker=plotext.marker("braille", pixel)).lines())
            else:
                few = run[:: max(1, len(run) // width)]
                figure.draw(figure.signal(*zip(*few, strict=True), marker=plotext.marker("·", pixel)))
        for run in runs if each.style == "line" else ():
            figure.draw(figure.signal(*zip(*run, strict=True), marker=plotext.marker("braille", pixel)).lines())
    lines = [each.style == "line" for each in block]
    for i in sorted(range(len(block)), key=lambda i: not lines[i]):  # single points over the marks of lines
        points = [point for run in series[i] for point in run if point[1] or block[i].style != "bars"]
        every = max(1, min(sum(lines), len(points) // 2), len(points) // PLOT_MARKS) if lines[i] else 1
        few = points[every * i // len(block) :: every]  # each line at its own places, so that markers do not meet
        if few and (block[i].style != "bars" or len(block) > 1):
            marker = plotext.marker(MARKERS[i % len(MARKERS)], pixels[i])
            figure.draw(figure.signal(*zip(*few, strict=True), marker=marker))
    return Line.from_ansi(figure.build().string().rstrip())


def _edges(series: Series) -> list[list[tuple[float, ...]]]:
    """The outline of bars, or the two edges of a band, as runs of points."""
    if series.style == "bars":
        return [list(outline(series))]
    return [
        run for side in (series.low, series.high) for run in unbroken(zip(series.x, side, strict=False)) if series.low
    ]
