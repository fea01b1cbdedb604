"""Markdown as blocks with their lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regdemo.quiz.blocks import read, section_ends
from regdemo.text import clean


def kinds(text):
    return [(block.kind, block.start, block.end) for block in read(text).blocks]


def test_each_block_knows_its_lines():
    text = "# a\n\nb\nc\n\n- d\n- e\n\n```py\nf\n```\n> g\n\n---\n<p>\n\n    h\n"
    assert kinds(text) == [
        *(("heading", 0, 1), ("paragraph", 2, 4), ("list", 5, 8), ("fence", 8, 11)),
        *(("quote", 11, 12), ("rule", 13, 14), ("html", 14, 15), ("code", 16, 17)),
    ]


def test_a_heading_in_a_code_block_is_none():
    assert kinds("````markdown\n## Q1: a?\n```python\n# b\n```\n````\n") == [("fence", 0, 6)]
    assert kinds("    ## Q1: a?\n") == [("code", 0, 1)]


def test_the_lines_inside_code_are_known_at_any_depth():
    assert read("a\n\n- b\n\n  ```\n  c\n  ```\n").code == {4, 5, 6}


def test_an_underlined_heading_is_one_unless_it_is_a_sentence():
    assert kinds("What is it\n---\n") == [("heading", 0, 2)]
    assert kinds("It is this.\n---\n") == [("paragraph", 0, 1), ("rule", 1, 2)]
    assert kinds("It is\nthis\n---\n") == [("paragraph", 0, 2), ("rule", 2, 3)]


def test_a_front_matter_is_passed_over_and_lines_keep_their_numbers():
    page = read("---\ntitle: a\ntags: b\n---\n# c\n")
    assert [(block.text, block.start) for block in page.blocks] == [("c", 4)]


def test_a_rule_at_the_top_is_no_front_matter():
    assert ("heading", 2, 3) in kinds("---\n\n## Q1: a?\n\nb\n\n---\n")
    assert ("heading", 2, 3) in kinds("---\nso\n## Q1: a?\n\nb\n\n---\n")


@pytest.mark.parametrize("end", ["\n```\n", "\n~~~\n", "\n"])
def test_a_code_block_that_runs_to_the_end_is_not_closed(end):
    (fence,) = read(f"~~~py\nf{end}").blocks
    assert fence.closed == (end == "\n~~~\n")


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ("- a\n  b\n\n  c", "a\nb\n\nc"),
        ("1.  a\n    - b\n      - c", "a\n- b\n  - c"),
        ("* a\nb", "a\nb"),
        ("-\ta\n\tb", "a\nb"),
        ("-", ""),
    ],
)
def test_an_item_is_read_without_marker_and_indentation(item, text):
    page = read(item)
    assert page.item(*page.blocks[0].items[0]) == text


def test_points_are_the_items_of_lists_and_the_paragraphs_between():
    page = read("a\nb\n\n- c\n- d\n\n  e\n-\n\n---\n")
    assert list(page.points(page.blocks)) == [(0, "a\nb"), (3, "c"), (4, "d\n\ne")]


def test_a_section_ends_at_the_next_heading_of_its_level_or_higher():
    blocks = read("# a\n## b\n### c\n## d\n# e\n").blocks
    assert section_ends(blocks) == {0: 4, 1: 3, 2: 3, 3: 4, 4: 5}


MARKDOWN = st.text("#-*+>`~|[]()<>!_:=.1aA? \n\t", max_size=300)


@given(MARKDOWN | st.text())
def test_blocks_follow_each_other_within_the_text(text):
    page = read(clean(text))
    edges = [0, *(line for block in page.blocks for line in (block.start, block.end)), len(page.lines)]
    assert edges == sorted(edges)
    assert all(block.start <= start <= end <= block.end for block in page.blocks for start, end in block.items)
