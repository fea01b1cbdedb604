"""The colours of every form, chosen to read on light and on dark backgrounds, and for colour-blind readers."""

from __future__ import annotations

from math import isfinite, isnan

# Contrast with white and with black is at least 4 to 1 for each of these (WCAG 2.2's formula).
QUIET = "#767676"
GOOD = "#1f8a3b"
BAD = "#d6323f"
CODE = "#8a63b8"
SERIES = ("#2a7fc9", "#c5620a", "#12876a", "#a5569a", "#857a1a")

# Of a program's words; Pygments' kinds of token are tuples of these names.
SYNTAX = {
    ("Comment",): QUIET,
    ("Keyword",): SERIES[0],
    ("Literal", "Number"): SERIES[1],
    ("Literal", "String"): SERIES[2],
    ("Name", "Function"): CODE,
}

# Lightness rises in even steps in OKLCH (Ottosson 2020, https://bottosson.github.io/posts/oklab/) while the hue turns
# from blue to yellow, so the order survives in grey and for colour-blind readers; no end is as dark or light as a page.
SCALE = ("#3b1e7e", "#24419a", "#006398", "#007f99", "#06999a", "#00b690", "#68ca78", "#b4d762", "#f5e05d")


def fraction(value: float, low: float, high: float) -> float | None:
    """Where value lies from low to high, as a number from 0 to 1 (the end for what is beyond it); None for NaN."""
    if isnan(value) or not isfinite(high - low):
        return None
    if value <= low:
        return 0.0
    return 1.0 if value >= high else (value - low) / (high - low)


def scale_color(at: float) -> str:
    """The colour at a place from 0 to 1 on the scale, as #rrggbb."""
    index = min(int(at * (len(SCALE) - 1)), len(SCALE) - 2)
    weight = at * (len(SCALE) - 1) - index
    pair = SCALE[index], SCALE[index + 1]
    mixed = (
        round(int(pair[0][i : i + 2], 16) * (1 - weight) + int(pair[1][i : i + 2], 16) * weight) for i in (1, 3, 5)
    )
    return "#" + "".join(f"{channel:02x}" for channel in mixed)
