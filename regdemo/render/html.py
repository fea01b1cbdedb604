"""A Report as one HTML page that needs nothing else: no script, no font, no style sheet, no image file."""

from __future__ import annotations

import re
from functools import cache

import latex2mathml.converter

from regdemo.render.charts import draw
from regdemo.render.format import (
    about,
    cells,
    claims_summary,
    expectation,
    parameters,
    quiz_command,
    xml,
)
from regdemo.render.prose import inline, plain_prose
from regdemo.report import Block, Claim, Code, HeatMap, Report, Table, Text

STYLE = """
.regdemo { color-scheme: light dark; --ink: #1d2127; --paper: #fdfdfc; --quiet: #60666f; --rule: #d9dce0;
  --tint: #f1f2f4; --good: #17702f; --bad: #b3202c; --link: #1a62a8;
  background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; overflow-wrap: break-word;
  @media (prefers-color-scheme: dark) { --ink: #e4e6e9; --paper: #15181c; --quiet: #a2a8b0; --rule: #3a3f46;
    --tint: #22262c; --good: #5cc47a; --bad: #ff7b82; --link: #7db8f0 }
  @media print { --ink: #000; --paper: #fff; --quiet: #444 }
  h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 }
  h2 { font-size: 1.1rem; margin: 2.2rem 0 .5rem }
  p { margin: .5rem 0; white-space: pre-line }
  > p { margin: 1.2rem 0 }
  > .quiet { margin-top: .4rem }
  a { color: var(--link) }
  code { font: .9em ui-monospace, monospace; background: var(--tint); border-radius: .25em; padding: .1em .3em;
    overflow-wrap: anywhere }
  pre { margin: .5rem 0; padding: .7rem .9rem; background: var(--tint); border-radius: .4em; overflow-x: auto }
  pre code { background: none; padding: 0; overflow-wrap: normal }
  ins, del { text-decoration: none } ins { color: var(--good) } del { color: var(--bad) }
  .quiet { color: var(--quiet); font-size: .92rem }
  figure { margin: 0 }
  .map { display: inline-block; vertical-align: top; width: min-content; min-width: min(20rem, 100%);
    max-width: 100%; margin-right: 2rem }
  .map svg { width: auto; min-width: 0 }
  .wide { overflow-x: auto }
  svg { display: block; width: 100%; min-width: 26rem; max-width: 35rem; height: auto }
  table { border-collapse: collapse; font-variant-numeric: tabular-nums }
  th, td { padding: .3rem .9rem .3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule) }
  th { font-weight: 600; border-bottom-color: var(--quiet) }
  .number { text-align: right } .number span { white-space: nowrap }
  ol { list-style: none; margin: 0; padding: 0 }
  li { position: relative; padding: .4rem 0 .4rem 1.7rem; border-bottom: 1px solid var(--rule) }
  li p { margin: 0 }
  .mark { position: absolute; left: .1rem }
  .holds .mark, .all { color: var(--good) }
  .fails .mark, .some { color: var(--bad) }
  .mark, .all, .some { font-weight: 700 }
  @media print { figure, table, li { break-inside: avoid } h2 { break-after: avoid } .wide { overflow: visible }
    svg { min-width: 0 } }
}
"""
PAGE = """
body { margin: 0; background: #fdfdfc } @media (prefers-color-scheme: dark) { body { background: #15181c } }
.regdemo { max-width: 46rem; margin: 0 auto; padding: 2rem 1.2rem 3rem }
@media print { body { background: #fff } .regdemo { max-width: none; padding: 0 } }
"""


def to_html(report: Report) -> str:
    """The report as a page for light and dark screens, phones and paper. It is well-formed XML as well."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"/>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        f"<title>{xml(plain_prose(report.title))}</title><style>{PAGE}</style></head>\n<body>\n{article(report)}\n"
        "</body>\n</html>\n"
    )


def article(report: Report) -> str:
    """The report as an element with its own style, which touches nothing around it: for a page, or a notebook."""
    parts = [f'<h1>{_prose(report.title)}</h1><p class="quiet">{xml(parameters(report))}</p>']
    advice = [("Say in the interview", report.say), ("The usual wrong answer", report.wrong_answer)]
    said = [_section(title, f"<p>{_prose(text)}</p>") for title, text in advice if text]
    parts += [*(said if report.picture else ()), *map(_block, report.picture), *map(_block, report.blocks)]
    if report.claims:
        state = "all" if report.holds else "some"
        claims = "\n".join(map(_claim, report.claims))
        summary = f'<p class="{state}">{claims_summary(report.claims)}</p>'
        parts.append(_section("Claims", f"<ol>\n{claims}\n</ol>{summary}"))
    parts += () if report.picture else said
    if report.cards:
        parts.append(_section("Try next", f"<p><code>{xml(quiz_command(report))}</code></p>"))
    return f'<style>{STYLE}</style>\n<main class="regdemo">\n' + "\n".join(parts) + "\n</main>"


def _block(block: Block) -> str:
    if isinstance(block, Text):
        return f"<p>{_prose(block.text)}</p>"
    if isinstance(block, Table):
        note = f'<p class="quiet">{_prose(block.note)}</p>' if block.note else ""
        return _section(block.title, _table(block) + note)
    if isinstance(block, Code):
        note = f'<p class="quiet">{_prose(block.note)}</p>' if block.note else ""
        return _section(block.title, f"<pre><code>{_code(block)}</code></pre>{note}")
    chart, kind = draw(block), ' class="map"' if isinstance(block, HeatMap) else ""
    size = f'viewBox="0 0 {chart.width} {chart.height}" width="{chart.width}" height="{chart.height}"'
    picture = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{xml(block.title)}">{chart.body}</svg>'
    )
    note = f'<figcaption class="quiet">{_prose(block.note)}</figcaption>' if block.note else ""
    return _section(block.title, f'<figure><div class="wide">{picture}</div>{note}</figure>', kind)


def _section(title: str, body: str, kind: str = "") -> str:
    return f"<section{kind}><h2>{_prose(title)}</h2>{body}</section>"


def _table(table: Table) -> str:
    columns = [[row[i] for row in table.rows] for i in range(len(table.columns))]
    kinds = [' class="number"' if any(not isinstance(cell, str) for cell in column) else "" for column in columns]
    head = "".join(
        f'<th scope="col"{kind}>{_prose(name)}</th>' for kind, name in zip(kinds, table.columns, strict=True)
    )
    rows = (
        "<tr>"
        + "".join(f"<td{kind}>{_entry(text, kind)}</td>" for kind, text in zip(kinds, row, strict=True))
        + "</tr>"
        for row in zip(*map(cells, columns), strict=True)
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _entry(text: str, kind: str) -> str:
    """A cell; where there is no room, an interval of numbers breaks before its bracket and nowhere else."""
    return " ".join(f"<span>{_prose(part)}</span>" for part in re.split(r" (?=\[)", text)) if kind else _prose(text)


def _code(block: Code) -> str:
    """The lines of a program; those that a diff takes out and puts in are marked as such."""
    marks = {"-": "del", "+": "ins"} if block.language == "diff" else {}
    lines = (
        f"<{marks[line[0]]}>{xml(line)}</{marks[line[0]]}>" if line[:1] in marks else xml(line)
        for line in block.source.splitlines()
    )
    return "\n".join(lines)


def _claim(claim: Claim) -> str:
    state, mark = ("holds", "✓") if claim.holds else ("fails", "✗")
    expected, measured = expectation(claim)
    return (
        f'<li class="{state}"><span class="mark" role="img" aria-label="{state}">{mark}</span>'
        f"<p>{_prose(about(claim))}</p><p>measured <b>{measured}</b>, expected {_prose(expected)}</p>"
        + (f'<p class="quiet">{_prose(claim.reason)}</p>' if claim.reason else "")
        + "</li>"
    )


@cache
def mathml(latex: str) -> str:
    r"""The formula as MathML, which browsers typeset; what cannot be read stays as it was written.

    >>> mathml("p^2").count("<msup>")
    1
    >>> mathml(r"\frac")
    '<code>\\frac</code>'
    """
    try:
        return str(latex2mathml.converter.convert(latex))
    except Exception:  # the library's errors have no common class
        return f"<code>{xml(latex)}</code>"


def _prose(text: str) -> str:
    parts = []
    for kind, piece, target in inline(text):
        words = xml(piece)
        if kind == "code":
            words = f"<code>{words}</code>"
        elif kind == "math":
            words = mathml(piece)
        elif kind == "link":
            words = f'<a href="{xml(target)}">{words}</a>'
        parts.append(words)
    return "".join(parts)
