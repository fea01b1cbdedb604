"""A Report as values for a template: charts by the report writer, prose and code by the markdown renderer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Any

from markupsafe import Markup

from regdemo import catalog
from regdemo.render import charts
from regdemo.render.format import about, cells, claims_summary, expectation, parameters, xml
from regdemo.report import Block, Boxes, Code, Curves, HeatMap, Report, Table, Text
from regdemo.web import markdown


@dataclass(frozen=True)
class Drawn:
    """A report as it is shown: what to say, the first picture, the rest, the claims."""

    title: str
    parameters: str
    say: str
    wrong_answer: str
    first: list[dict[str, Any]]
    rest: list[dict[str, Any]]
    claims: list[dict[str, Any]]
    verdict: str
    holds: bool


def drawn(report: Report) -> Drawn:
    """The report with each block as plain values and HTML; the picture comes first."""
    pictures = report.picture or [block for block in report.blocks if isinstance(block, HeatMap | Curves | Boxes)][:1]
    return Drawn(
        title=report.title,
        parameters=parameters(report),
        say=report.say,
        wrong_answer=report.wrong_answer,
        first=[template_block(block) for block in pictures],
        rest=[template_block(block) for block in report.blocks if not any(block is picture for picture in pictures)],
        claims=[claim_shown(claim) for claim in report.claims],
        verdict=claims_summary(report.claims),
        holds=report.holds,
    )


def claim_shown(claim: Any) -> dict[str, Any]:
    """A claim's statement, and what was expected and measured in the digits that decide."""
    expected, measured = expectation(claim)
    return {
        "statement": about(claim),
        "expected": expected,
        "measured": measured,
        "reason": claim.reason,
        "holds": claim.holds,
    }


def template_block(block: Block) -> dict[str, Any]:
    """A block as a template shows it."""
    if isinstance(block, Text):
        return {"kind": "text", "title": "", "note": "", "text": block.text}
    common: dict[str, Any] = {"title": block.title, "note": block.note}
    if isinstance(block, Table):
        return {"kind": "table", **common, **table(block)}
    if isinstance(block, Code):
        source = diff(block.source) if block.language == "diff" else Markup(markdown.code(block.source))
        return {"kind": "code", **common, "source": source}
    chart = charts.draw(block)
    kind = "map" if isinstance(block, HeatMap) else "curves"
    svg = (
        f'<svg viewBox="0 0 {chart.width} {chart.height}" width="{chart.width}" height="{chart.height}" role="img" '
        f'aria-label="{xml(block.title)}">{chart.body}</svg>'
    )
    return {"kind": kind, **common, "svg": Markup(svg)}


def table(block: Table) -> dict[str, Any]:
    """A table's cells as text, and which of its columns are numbers."""
    columns = [[row[i] for row in block.rows] for i in range(len(block.columns))]
    return {
        "columns": block.columns,
        "numbers": [any(not isinstance(cell, str) for cell in column) for column in columns],
        "rows": list(zip(*map(cells, columns), strict=True)),
    }


def diff(source: str) -> Markup:
    """The lines of a diff, coloured; those that go and come marked by sign, word and colour."""
    return _marked(_coloured(source))


def sides(source: str) -> tuple[Markup, Markup]:
    """The program before a diff and the one after it, for two columns, the lines marked that only one of them has."""
    lines = list(_coloured(source))
    return _marked(line for line in lines if line[0] != "ins"), _marked(line for line in lines if line[0] != "del")


def _marked(lines: Iterable[tuple[str, str]]) -> Markup:
    return Markup(
        "\n".join(f"<{tag}>{text}</{tag}>" if tag else f'<span class="same">{text}</span>' for tag, text in lines)
    )


def _coloured(source: str) -> Iterator[tuple[str, str]]:
    """The lines of a diff, each with its tag. Each program is coloured as a whole: a string may span lines."""
    lines = source.splitlines()
    old, new = (
        iter(markdown.code("\n".join(line[1:] for line in lines if line[:1] != other)).split("\n")) for other in "+-"
    )
    for line in lines:
        if line[:1] == "-":
            yield "del", next(old, "")
        else:
            text = next(new, "")
            yield ("ins", text) if line[:1] == "+" else ("", text)
            if line[:1] != "+":
                next(old, "")


def command(stem: str, values: Mapping[str, Any]) -> str:
    """What to type in a terminal to see the same."""
    demo = catalog.demo(stem)
    words = [demo.command]
    for name, value in values.items():
        if value != demo.parameters[name][2]:
            option = f"--{name.replace('_', '-')}"
            words += [option] if value is True else [option, quote(str(value))]
    return " ".join(words)
