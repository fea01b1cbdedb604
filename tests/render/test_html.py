from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from regdemo.render.html import to_html
from regdemo.report import Block, Claim, Code, Report

SVG = "{http://www.w3.org/2000/svg}svg"


def page(report: Report) -> ElementTree.Element:
    return ElementTree.fromstring(to_html(report))


def words(element: ElementTree.Element) -> str:
    return "".join(element.itertext())


def test_every_block_is_on_the_page(report: Report) -> None:
    root = page(report)
    headings = [words(heading) for heading in root.iter("h2")]
    assert headings == [
        "Weights before",
        "With and without",
        "Learning curves",
        "Claims",
        "Say in the interview",
        "The usual wrong answer",
        "Try next",
    ]
    assert (len(list(root.iter("table"))), len(list(root.iter(SVG)))) == (1, 2)
    assert "Dropout scales survivors by 1/(1-p)" in words(root)


def test_the_page_is_well_formed_whatever_it_holds(odd: Report) -> None:
    assert page(odd).tag == "html"


def test_a_statement_is_text_even_where_it_looks_like_a_script(report: Report) -> None:
    source = to_html(report)
    assert "<script" not in source
    assert all(claim.statement.replace("`", "") in words(page(report)) for claim in report.claims)


def test_a_claim_says_its_verdict_in_words_too(report: Report) -> None:
    marks = [(m.text, m.get("aria-label")) for m in page(report).iter("span") if m.get("class") == "mark"]
    assert marks == [("✓", "holds"), ("✓", "holds"), ("✗", "fails")]
    assert "2 of 3 claims hold" in to_html(report)


def test_the_page_needs_nothing_from_outside(report: Report) -> None:
    source = to_html(report)
    assert not re.search(r"\ssrc=|<link|@import|@font-face|url\(", source)
    assert re.findall(r'href="([^"]*)"', source) == ["https://jmlr.org/papers/v15/srivastava14a.html"]


def test_numbers_are_marked_for_the_right_edge(report: Report) -> None:
    cells = [(words(cell), cell.get("class")) for cell in page(report).iter("td")]
    assert cells[:3] == [("test accuracy, %", None), ("65.0 [64.6, 65.4]", "number"), ("69.6 [69.2, 70.0]", "number")]


def test_an_interval_may_break_before_its_bracket_only(report: Report) -> None:
    cell = next(cell for cell in page(report).iter("td") if cell.get("class") == "number")
    assert [(words(part), part.tail) for part in cell.iter("span")] == [("65.0", " "), ("[64.6, 65.4]", None)]
    assert ".number span { white-space: nowrap }" in to_html(report)


def test_code_is_marked_as_code(report: Report) -> None:
    assert [words(code) for code in page(report).iter("code")] == ["1/(1-p)", "p", "regdemo quiz --ids Q18.1,Q18.2"]


@pytest.mark.parametrize("absent", ["Claims", "Say in the interview", "The usual wrong answer", "Try next"])
def test_what_a_report_does_not_have_has_no_heading(absent: str) -> None:
    assert absent not in to_html(Report("T", {}, [], [], "", "", []))


def test_the_same_report_gives_the_same_page(report: Report) -> None:
    assert to_html(report) == to_html(report)


def test_a_claim_without_a_reason_leaves_no_empty_paragraph() -> None:
    source = to_html(Report("T", {}, [Claim("s", 1, "f", 1, 0, "")], [], "", "", []))
    assert 'class="quiet"></p></li>' not in source


def test_a_program_keeps_its_lines_and_a_diff_marks_what_goes_and_comes() -> None:
    blocks: list[Block] = [Code("Snippet", "if a < b:\n    pass", note="Why."), Code("Diff", " x\n-y\n+z", "diff")]
    root = page(Report("T", {}, [], blocks, "", "", []))
    assert [words(pre) for pre in root.iter("pre")] == ["if a < b:\n    pass", " x\n-y\n+z"]
    assert [(mark.tag, words(mark)) for mark in root.iter() if mark.tag in ("ins", "del")] == [
        ("del", "-y"),
        ("ins", "+z"),
    ]
    assert "Why." in words(root)
