"""Small pictures of a learner's numbers as SVG, coloured by the style sheet: no style and no script in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from markupsafe import Markup

from regdemo.quiz import days as practice_days
from regdemo.render.format import xml
from regdemo.words import pluralize

CELL, GAP = 14, 3
CALENDAR_WEEKS = 53


def calendar(days: Mapping[date, int], today: date) -> Markup:
    """The answers of each day of a year, a column for each week, darker for more."""
    rows = practice_days.calendar(days, today, CALENDAR_WEEKS)
    most = max((count or 0 for row in rows for count in row), default=0)
    step = CELL + GAP
    left, top = 32, 20
    parts = []
    mondays = [
        today - timedelta(days=today.weekday(), weeks=CALENDAR_WEEKS - 1 - week) for week in range(CALENDAR_WEEKS)
    ]
    for week, monday in enumerate(mondays):
        if monday.day <= 7 and week < CALENDAR_WEEKS - 1:
            parts.append(f'<text x="{left + week * step}" y="12">{monday:%b}</text>')
    for day, name in ((0, "Mon"), (2, "Wed"), (4, "Fri")):
        parts.append(f'<text x="0" y="{top + day * step + 11}">{name}</text>')
    for day, row in enumerate(rows):
        for week, count in enumerate(row):
            if count is None:
                continue
            shade = -(-4 * count // most) if count else 0
            when = mondays[week] + timedelta(days=day)
            parts.append(
                f'<rect class="heat-{shade}" x="{left + week * step}" y="{top + day * step}" width="{CELL}" '
                f'height="{CELL}" rx="2"><title>{when:%d %b %Y}: {count}</title></rect>'
            )
    width, height = left + CALENDAR_WEEKS * step, top + 7 * step
    total, active = sum(days.values()), len(days)
    label = f"Practice by day: {pluralize(total, 'answer')} on {pluralize(active, 'day')}"
    return Markup(
        f'<svg class="calendar" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
    )


def week(days: Mapping[date, int], today: date) -> Markup:
    """The last seven days as bars."""
    counts = [days.get(today - timedelta(days=back), 0) for back in range(6, -1, -1)]
    most = max(1, *counts)
    bars = []
    for place, count in enumerate(counts):
        height = round(30 * count / most) if count else 1
        bars.append(f'<rect x="{place * 17}" y="{32 - height}" width="13" height="{height}" rx="2"/>')
    label = f"Answers in the last seven days: {', '.join(map(str, counts))}"
    return Markup(f'<svg class="week" viewBox="0 0 116 32" role="img" aria-label="{label}">{"".join(bars)}</svg>')


def meter(fraction: float) -> Markup:
    """A bar of which a fraction is filled."""
    width = round(96 * min(1.0, max(0.0, fraction)))
    return Markup(
        '<span class="meter" aria-hidden="true"><svg viewBox="0 0 96 8" width="96" height="8">'
        f'<rect width="{width}" height="8"/></svg></span>'
    )


def plot(points: Sequence[tuple[float, float, float, float]], x_label: str, y_label: str, title: str) -> Markup:
    """Fractions from 0 to 1: (x, y, low, high), each a dot with its interval, over the diagonal where the two agree."""
    left, top, side, wide = 48, 12, 240, 360
    parts = []

    def at(x: float, y: float) -> tuple[float, float]:
        return round(left + wide * x, 1), round(top + side * (1 - y), 1)

    for tick in (0, 0.25, 0.5, 0.75, 1):
        x, y = at(tick, tick)
        parts.append(f'<path class="axis" d="M{left},{y}H{left + wide}"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{tick:.0%}</text>')
        parts.append(f'<text x="{x}" y="{top + side + 18}" text-anchor="middle">{tick:.0%}</text>')
    (x0, y0), (x1, y1) = at(0, 0), at(1, 1)
    parts.append(f'<path class="ideal" d="M{x0},{y0}L{x1},{y1}"/>')
    parts.append(f'<text x="{left + wide}" y="{top + side + 36}" text-anchor="end">{xml(x_label)}</text>')
    parts.append(f'<text x="{left + 6}" y="{top + 10}">{xml(y_label)}</text>')
    for x, y, low, high in points:
        (px, py), (_, a), (_, b) = at(x, y), at(x, low), at(x, high)
        parts.append(f'<path class="whisker" d="M{px},{a}V{b}"/><circle class="dot" cx="{px}" cy="{py}" r="4"/>')
    return _svg(left + wide + 24, top + side + 44, title, parts)


def curve(
    series: Sequence[tuple[str, Sequence[float], bool]], labels: Sequence[str], title: str, *, low: float = 0.0
) -> Markup:
    """Fractions over time: (name, values, dashed), with a label under the first, the middle and the last of them."""
    left, top, side, wide = 48, 12, 160, 480
    count = max(2, max(len(values) for _, values, _ in series))
    parts = []

    def at(place: int, y: float) -> str:
        return f"{left + wide * place / (count - 1):.1f},{top + side * (1 - (y - low) / (1 - low)):.1f}"

    for tick in (low, (1 + low) / 2, 1.0):
        _, y = at(0, tick).split(",")
        parts.append(f'<path class="axis" d="M{left},{y}H{left + wide}"/>')
        parts.append(f'<text x="{left - 6}" y="{float(y) + 4:.1f}" text-anchor="end">{tick:.0%}</text>')
    for number, (name, values, dashed) in enumerate(series):
        path = "L".join(at(place, max(low, value)) for place, value in enumerate(values))
        parts.append(f'<path class="line{" ideal" if dashed else ""}" d="M{path}"/>')
        parts.append(
            f'<text x="{left + 6 + 200 * number}" y="{top + side + 36}">{"- - " if dashed else "— "}{xml(name)}</text>'
        )
    for place, anchor in ((0, "start"), (len(labels) // 2, "middle"), (len(labels) - 1, "end")):
        if labels:
            x, _ = at(place, 1).split(",")
            parts.append(f'<text x="{x}" y="{top + side + 18}" text-anchor="{anchor}">{xml(labels[place])}</text>')
    return _svg(left + wide + 16, top + side + 44, title, parts)


def _svg(width: int, height: int, title: str, parts: Sequence[str]) -> Markup:
    return Markup(
        f'<svg class="plot" viewBox="0 0 {width} {height}" role="img" aria-label="{xml(title)}">{"".join(parts)}</svg>'
    )
