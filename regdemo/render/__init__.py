"""A Report in its four forms: terminal, HTML, SVG, JSON."""
