"""A Report in its four forms: terminal, HTML, SVG, JSON."""

WIDEST_PROSE = 100  # columns; longer lines of prose are hard to read
