"""How values are written, the same in every form: digits, intervals, claims, ticks."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from decimal import Decimal
from html import escape
from itertools import groupby
from math import ceil, floor, isfinite, log10

from regdemo.report import Cell, Claim, HeatMap, Interval, Report, Series
from regdemo.text import clean


def xml(text: str) -> str:
    """Text for HTML and SVG."""
    return escape(clean(text))


def number(value: float) -> str:
    """A number alone: integers with thousands separators, others to 4 significant digits.

    >>> number(60_000), number(0.123456), number(1234.5), number(1.25e-7)
    ('60,000', '0.1235', '1,234', '1.25e-07')
    """
    if isinstance(value, int):
        return f"{value:,}"
    if 1000 <= abs(value) < 1e9:
        return f"{value:,.0f}"
    return f"{value:z.4g}"


def cells(column: Sequence[Cell]) -> list[str]:
    """A column's cells as text: its numbers have equally many decimals, so that the points are under each other.

    Where 5 digits would not leave each of them 3, or intervals differ by more than one decimal, each keeps its own.

    >>> cells([0.5, 0.25, 60])
    ['0.50', '0.25', '60']
    >>> cells([0.09943, 0.4982]), cells([0.5, 0.00025])
    (['0.0994', '0.4982'], ['0.5', '0.00025'])
    >>> cells([Interval(69.62, 69.2, 70.0)])
    ['69.6 [69.2, 70.0]']
    """
    floats = [cell for cell in column if isinstance(cell, float) and isfinite(cell)]
    largest = max(map(abs, floats), default=0)
    places = min(max(map(_places, floats), default=0), max(0, 5 - len(str(int(largest)))))
    aligned = all(_places(value) <= places or abs(value) >= 10 ** (2 - places) for value in floats)
    decimals = [_interval_places(cell) for cell in column if isinstance(cell, Interval)]
    shared = max(decimals) if decimals and max(decimals) - min(decimals) <= 1 else None

    def write(cell: Cell) -> str:
        if isinstance(cell, str):
            return cell
        if isinstance(cell, Interval):
            digits = _interval_places(cell) if shared is None else shared
            value, low, high = (_fixed(part, digits) for part in (cell.value, cell.low, cell.high))
            return f"{value} [{low}, {high}]"
        if isinstance(cell, int) or not cell or not aligned or "e" in number(cell):
            return number(cell)
        return _fixed(cell, places)

    return [write(cell) for cell in column]


def expectation(claim: Claim) -> tuple[str, str]:
    """What was expected, as `formula = value ± tolerance`, and what was measured, in the digits the verdict hangs on.

    >>> expectation(Claim("", 0.1, "p", 0.10034, 0.00123, ""))
    ('p = 0.1000 ± 0.0012', '0.1003')
    >>> expectation(Claim("", 1, "training / eval = 1", 1.0000001, 0, "exact"))
    ('training / eval = 1 ± 0', '1.0000001')
    """
    numbers = claim.expected, claim.measured, claim.tolerance
    if isfinite(claim.tolerance) and claim.tolerance > 0:
        places = max(0, 1 - floor(log10(claim.tolerance)))
    else:
        places = max(_places(claim.expected), _places(claim.measured))
    # Rounding must not turn the verdict round: 1.0000001 against an exact 1 is shown with all its digits.
    while places < 15 and all(map(isfinite, numbers)) and _seems_to_hold(*numbers, places) != claim.holds:
        places += 1
    expected, measured, tolerance = (
        f"{value:.4g}" if not value or (abs(value) < 1e-4 and claim.tolerance < 1e-4) else _fixed(value, places)
        for value in numbers
    )
    # A formula may end in its value.
    said = claim.formula.rpartition("=")[2].strip() == number(claim.expected)
    return f"{claim.formula} ± {tolerance}" if said else f"{claim.formula} = {expected} ± {tolerance}", measured


def about(claim: Claim) -> str:
    """The statement; of a pitfall, behind the code that it is about."""
    return f"{claim.code.capitalize()}: {claim.statement}" if claim.code else claim.statement


def claims_summary(claims: Sequence[Claim]) -> str:
    """How many claims hold."""
    held = sum(claim.holds for claim in claims)
    return f"{held} of {len(claims)} {'claim holds' if len(claims) == 1 else 'claims hold'}"


def parameters(report: Report) -> str:
    """What the demo ran with, in one line; a text that was not given is left out."""
    return " · ".join(
        f"{name.replace('_', ' ')} {_given(value) if type(value) in (int, float) else value}"
        for name, value in report.parameters.items()
        if value != ""
    )


def axes(block: HeatMap) -> str:
    """What a heat map's rows and columns are, with the way each counts."""
    return "   ".join(f"{name} {arrow}" for name, arrow in ((block.row_label, "↓"), (block.column_label, "→")) if name)


def quiz_command(report: Report) -> str:
    """What to type to be asked about the report's cards."""
    return f"regdemo quiz --ids {','.join(report.cards)}"


def unbroken(points: Iterable[tuple[float, ...]]) -> list[list[tuple[float, ...]]]:
    """The points of a curve or band, cut where one is not finite: what may be joined by a line.

    >>> unbroken([(1, 5.0), (2, float("nan")), (3, 6.0), (4, 7.0)])
    [[(1, 5.0)], [(3, 6.0), (4, 7.0)]]
    """
    return [list(run) for finite, run in groupby(points, lambda point: all(map(isfinite, point))) if finite]


def limits(values: Sequence[float]) -> tuple[float, float]:
    """The ends of an axis that shows all the values; they differ even where the values do not.

    >>> limits([1.0, 3.0]), limits([4.0]), limits([0.0, 0.0])
    ((1.0, 3.0), (2.0, 6.0), (0.0, 1.0))
    """
    low, high = min(values), max(values)
    margin = max(abs(low), abs(high)) / 2
    if margin < 1e-12:  # 0, but for rounding
        return min(low, 0.0), 1.0
    return (low, high) if high - low > 1e-9 * margin else (low - margin, high + margin)


def outline(series: Series) -> list[tuple[float, ...]]:
    """The edge of bars, as one line that begins and ends on 0.

    >>> outline(Series("s", [0.0, 1.0], [2.0, 0.5], style="bars"))
    [(-0.5, 0.0), (-0.5, 2.0), (0.5, 2.0), (0.5, 0.0), (0.5, 0.0), (0.5, 0.5), (1.5, 0.5), (1.5, 0.0)]
    """
    half = (series.x[1] - series.x[0]) / 2 if len(series.x) > 1 else 0.5
    bars = zip(series.x, series.y, strict=True)
    return [point for x, y in bars for point in ((x - half, 0.0), (x - half, y), (x + half, y), (x + half, 0.0))]


def quartiles(values: Sequence[float]) -> tuple[float, float, float, float, float]:
    """The least, the quartiles, and the largest of some values, linear between two.

    >>> quartiles([1.0, 2.0, 3.0, 4.0])
    (1.0, 1.75, 2.5, 3.25, 4.0)
    """
    ordered = sorted(values)
    if len(ordered) == 1:
        return (ordered[0],) * 5
    return (ordered[0], *statistics.quantiles(ordered, n=4, method="inclusive"), ordered[-1])  # type: ignore[return-value]


def ticks(low: float, high: float, most: int = 6) -> list[tuple[float, str]]:
    """At most `most` + 1 round positions from low to high > low, with labels: steps of 1, 2 or 5 times a power of ten.

    >>> ticks(0.33, 0.71, 4)
    [(0.4, '0.4'), (0.5, '0.5'), (0.6, '0.6'), (0.7, '0.7')]
    """
    power = 10.0 ** floor(log10((high - low) / most))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor * most >= (high - low) * (1 - 1e-9))
    places = max(0, -floor(log10(step) + 1e-9))
    positions = [round(i * step, places + 1) for i in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]
    plain = places <= 4 and max(abs(low), abs(high)) < 1e6
    return [(at, _fixed(at, places) if plain else f"{at:z.4g}") for at in positions]


def _seems_to_hold(expected: float, measured: float, tolerance: float, places: int) -> bool:
    """The verdict of a reader who sees this many decimals."""
    e, m, t = (Decimal(f"{value:.{places}f}") for value in (expected, measured, tolerance))
    return abs(m - e) <= t


def _fixed(value: float, places: int) -> str:
    return f"{value:z,.{places}f}" if abs(value) < 1e15 and places <= 15 else f"{value:.4g}"


def _given(value: float) -> str:
    """A parameter as number() writes it, or whole where that would be another number: 0.999999, not 1."""
    text = number(value)
    return text if float(text.replace(",", "")) == value else str(value)


def _places(value: float) -> int:
    """Decimals of a number written alone; those of a power of ten's factor, as in 4.9e+10, are none."""
    if isfinite(value) and value == int(value):
        return 0
    return len(number(float(value)).partition("e")[0].partition(".")[2])


def _interval_places(cell: Interval) -> int:
    """Decimals that give the half-width one or two digits: 0.4 -> 1, 0.12 -> 2."""
    half = (cell.high - cell.low) / 2
    return min(10, max(0, -floor(log10(half / 3)))) if isfinite(half) and half > 0 else _places(cell.value)
