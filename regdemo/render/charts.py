"""Heat maps and curves as SVG: bodies for a page that gives them their text colour. No script, no outside resource."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from regdemo.render.colors import SERIES, fraction, scale_color
from regdemo.render.format import axes, limits, number, outline, quartiles, ticks, unbroken, xml
from regdemo.render.prose import plain_prose
from regdemo.report import Boxes, Curves, HeatMap

CHART_WIDTH = 560
PLOT_HEIGHT = 240
SIDE = 18  # of a cell, where they fit: two maps of 16 columns are side by side on a page
LINE = 20  # height of a line of text
LETTER = 8  # about the width of a digit
DASHES = ("none", "8 4", "2 4", "10 4 2 4", "4 2")


class Chart(NamedTuple):
    """What goes inside an `<svg>` of this size, in pixels."""

    width: int
    height: int
    body: str


def draw(block: HeatMap | Curves | Boxes) -> Chart:
    """The picture of a block that has one."""
    if isinstance(block, HeatMap):
        return heat_map(block)
    return boxes(block) if isinstance(block, Boxes) else curves(block)


def heat_map(block: HeatMap) -> Chart:
    """The matrix as coloured squares, each with its value as a tooltip, over the legend of the scale.

    A cell that is not a number is an open square.
    """
    longest = max(map(len, block.values), default=0)
    side = max(1, min(SIDE, CHART_WIDTH // max(longest, 1)))
    top = LINE if axes(block) else 0
    parts = [_text(0, 14, axes(block))]
    for i, row in enumerate(block.values):
        parts += [_cell(j * side, top + i * side, side, value, block) for j, value in enumerate(row)]
    y = top + len(block.values) * side + 12
    low, high = number(block.low), number(block.high)
    if any(fraction(value, block.low, block.high) is None for row in block.values for value in row):
        high += "   □ not a number"
    start, steps, step = LETTER * (len(low) + 1), 24, 6
    end = start + steps * step + LETTER
    parts += [_text(0, y + 14, low), _text(end, y + 14, high)]
    for i in range(steps):
        color = scale_color(i / (steps - 1))
        parts.append(f'<rect x="{start + i * step}" y="{y + 2}" width="{step}" height="14" fill="{color}"/>')
    width = max(longest * side, end + LETTER * len(high), LETTER * len(axes(block)))
    return _chart(width, y + LINE, parts)


def curves(block: Curves) -> Chart:
    """The series over one pair of axes, bands and bars as tints, each line with its own dashes; the legend below."""
    lines = [
        [outline(series)] if series.style == "bars" else unbroken(zip(series.x, series.y, strict=True))
        for series in block.series
    ]
    # Without a band the two lists are empty.
    bands = [unbroken(zip(series.x, series.low, series.high, strict=False)) for series in block.series]
    points = [(x, y) for runs in lines + bands for run in runs for x, *ys in run for y in ys]
    if not points:
        return _chart(CHART_WIDTH, LINE, [_text(0, 14, "no points to draw")])
    (x_low, x_high), (y_low, y_high) = (limits(values) for values in zip(*points, strict=True))
    x_ticks, y_ticks = ticks(x_low, x_high), ticks(y_low, y_high)
    left = LETTER * (1 + max(len(label) for _, label in y_ticks))
    right = CHART_WIDTH - max(16, LETTER * len(x_ticks[-1][1]) / 2)  # half of the last label may be beyond the axis
    top, bottom = LINE + 8, LINE + 8 + PLOT_HEIGHT

    def across(x: float) -> float:
        return round(left + (x - x_low) / (x_high - x_low) * (right - left), 1)

    def down(y: float) -> float:
        return round(bottom - (y - y_low) / (y_high - y_low) * (bottom - top), 1)

    def path(points: Iterable[tuple[float, ...]]) -> str:
        return "M" + "L".join(f"{across(x)},{down(y)}" for x, y in points)

    parts = [
        _text(0, 14, plain_prose(block.y_label)),
        _text(right, bottom + 2 * LINE, plain_prose(block.x_label), "end"),
    ]
    for y, label in y_ticks:
        parts.append(f'<path d="M{left},{down(y)}H{right}" stroke="currentColor" stroke-opacity=".15"/>')
        parts.append(_text(left - 8, down(y) + 4, label, "end"))
    parts += [_text(across(x), bottom + 18, label, "middle") for x, label in x_ticks]
    parts.append(f'<path d="M{left},{top}V{bottom}H{right}" fill="none" stroke="currentColor" stroke-opacity=".6"/>')
    colors = [SERIES[i % len(SERIES)] for i in range(len(lines))]
    for color, runs in zip(colors, bands, strict=True):
        for run in runs:
            if len(run) == 1:  # an error bar
                ((x, low, high),) = run
                parts.append(f'<path d="M{across(x)},{down(low)}V{down(high)}" stroke="{color}" stroke-width="2"/>')
                continue
            edge = [(x, high) for x, _, high in run] + [(x, low) for x, low, _ in reversed(run)]
            parts.append(f'<path d="{path(edge)}Z" fill="{color}" fill-opacity=".18"/>')
    line = bottom + 2 * LINE
    for i, (series, color, runs) in enumerate(zip(block.series, colors, lines, strict=True)):
        stroke = f'fill="none" stroke="{color}" stroke-width="2" stroke-dasharray="{DASHES[i % len(DASHES)]}"'
        for run in runs:
            if series.style == "bars":
                parts.append(f'<path d="{path(run)}Z" fill="{color}" fill-opacity=".3" stroke="{color}"/>')
            elif len(run) > 1 and series.style == "line":
                parts.append(f'<path d="{path(run)}" {stroke} stroke-linejoin="round"/>')
            else:
                parts += [f'<circle cx="{across(x)}" cy="{down(y)}" r="3" fill="{color}"/>' for x, y in run]
        line += LINE
        if series.style == "line":
            parts.append(f'<path d="M{left},{line - 4}h36" {stroke}/>')
        else:
            parts.append(f'<circle cx="{left + 18}" cy="{line - 4}" r="4" fill="{color}"/>')
        parts.append(_text(left + 44, line, plain_prose(series.name)))
    return _chart(CHART_WIDTH, line + 6, parts)


def boxes(block: Boxes) -> Chart:
    """A box plot a row, the mean in its interval under it, over one axis with a line at 0."""
    rows = [box for box in block.boxes if box.values]
    if not rows:
        return _chart(CHART_WIDTH, LINE, [_text(0, 14, "no points to draw")])
    ends = [end for box in rows for end in (*box.values, box.mean.low, box.mean.high) if math.isfinite(end)]
    low, high = limits([*ends, 0.0])
    marks = ticks(low, high)
    left, right, row_height = 8, CHART_WIDTH - 24, 3 * LINE

    def across(value: float) -> float:
        return round(left + (value - low) / (high - low) * (right - left), 1)

    bottom = row_height * len(rows) + 8
    parts = []
    for at, label in marks:
        strong = ".6" if at == 0 else ".15"
        parts.append(f'<path d="M{across(at)},4V{bottom}" stroke="currentColor" stroke-opacity="{strong}"/>')
        parts.append(_text(across(at), bottom + 18, label, "middle"))
    parts.append(_text(right, bottom + 2 * LINE, block.unit, "end"))
    for i, box in enumerate(rows):
        color, top = SERIES[i % len(SERIES)], i * row_height
        least, first, median, third, most = map(across, quartiles(box.values))
        middle, stroke = top + LINE + 12, f'stroke="{color}" stroke-width="2" fill="none"'
        parts.append(_text(left, top + 14, box.name))
        parts.append(f'<path d="M{least},{middle}H{first}M{third},{middle}H{most}" {stroke}/>')
        parts.append(
            f'<rect x="{first}" y="{middle - 8}" width="{round(third - first, 1)}" height="16" fill="{color}" '
            f'fill-opacity=".18" stroke="{color}"/><path d="M{median},{middle - 8}v16" {stroke}/>'
        )
        if math.isfinite(box.mean.low):
            at, ends_at = middle + 16, (across(box.mean.low), across(box.mean.high))
            parts.append(
                f'<path d="M{ends_at[0]},{at - 4}v8M{ends_at[0]},{at}H{ends_at[1]}M{ends_at[1]},{at - 4}v8" {stroke}/>'
            )
            parts.append(f'<circle cx="{across(box.mean.value)}" cy="{at}" r="4" fill="{color}"/>')
    return _chart(CHART_WIDTH, bottom + 2 * LINE + 6, parts)


def _cell(x: int, y: int, side: int, value: float, block: HeatMap) -> str:
    at = fraction(value, block.low, block.high)
    paint = f'fill="{scale_color(at)}"' if at is not None else 'fill="none" stroke="currentColor" stroke-opacity=".5"'
    return f'<rect x="{x}" y="{y}" width="{side}" height="{side}" {paint}><title>{number(value)}</title></rect>'


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}">{xml(text)}</text>'


def _chart(width: int, height: int, parts: list[str]) -> Chart:
    font = 'font-family="system-ui, sans-serif" font-size="13" fill="currentColor"'
    return Chart(width, height, f"<g {font}>{''.join(parts)}</g>")
