"""Markdown from strangers as HTML: what is shown, and what must not come through."""

import re
import time
from html.parser import HTMLParser
from xml.etree.ElementTree import Element, SubElement

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from web.deck import ATTACKS

markdown = pytest.importorskip("regdemo.web.markdown", reason="the extra web is missing")

ALLOWED = frozenset(
    [
        *markdown.TAGS,
        *("p h3 ul ol li em strong code pre span a br hr blockquote table thead tbody tr th td div s".split()),  # noqa: SIM905
    ]
)


class Found(HTMLParser):
    """The tags and the attributes of a piece of HTML, as a browser reads them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]


def assert_harmless(html):
    found = Found(html)
    assert set(found.tags) <= ALLOWED
    for tag, name, value in found.attributes:
        assert not name.startswith("on")
        assert name not in ("style", "src", "srcset", "action", "id")
        if name == "href":
            assert tag == "a"
            assert re.match("https?://", value, re.IGNORECASE)


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_comes_through_as_text(attack):
    assert_harmless(markdown.html(attack))
    assert_harmless(markdown.inline(attack))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from([*ATTACKS, "$", "$$", "`", "\n\n", "\n- ", "| a | b |\n|---|---|\n", "<", '"', "\\[", "]("])
    )
)
def test_no_mixture_of_attacks_comes_through(parts):
    assert_harmless(markdown.html("".join(parts)))


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from("\\{}$^_&<>\"'/=abxtefrcqns123 "), max_size=60))
def test_no_formula_comes_through_as_anything_but_mathml(latex):
    assert_harmless(markdown.mathml(latex))


def test_a_formula_is_mathml():
    assert "<mfrac>" in markdown.inline(r"$\frac{1}{1-p}$")
    assert 'display="block"' in markdown.html(r"$$\frac{1}{1-p}$$")


@pytest.mark.parametrize("latex", ["{" * 100 + "x" + "}" * 100, "x" * 10_000, r"\left("])
def test_a_formula_that_cannot_be_read_is_shown_as_it_was_written(latex):
    assert latex.strip() in markdown.mathml(latex)


def test_a_tag_or_an_attribute_that_is_no_mathml_is_left_out():
    element = Element("math")
    SubElement(element, "script").text = "alert(1)"
    SubElement(element, "mi", {"onclick": "alert(1)", "mathvariant": "bold"}).text = "x"
    assert markdown._inside(element) == 'alert(1)<mi mathvariant="bold">x</mi>'


def test_a_price_is_no_formula():
    assert "math" not in markdown.inline("it costs $5 and $10")


def test_a_link_of_a_stranger_is_marked_as_one():
    assert 'rel="noopener noreferrer nofollow ugc"' in markdown.inline("[x](https://example.org)")


def test_a_relative_link_of_a_stranger_leads_nowhere():
    assert markdown.inline("[x](/quiz/undo) [y](../z.md)") == "x y"


def test_a_picture_of_a_stranger_is_its_description():
    assert markdown.inline("![a cat](https://example.org/cat.png)").startswith("<a ")
    assert "[picture: a cat]" in markdown.inline("![a cat](cat.png)")


def test_code_is_coloured_by_classes():
    assert '<span class="k">import</span>' in markdown.html("```python\nimport torch\n```")


@pytest.mark.parametrize("mark", ["[", "*", "`", "$", ">", "- ", "<", "![", "\\(", "{", "$$\n", "|", "&", "\\begin{a}"])
def test_many_marks_end_within_bounds(mark):
    start = time.process_time()
    markdown.html(mark * (markdown.LONGEST_TEXT // len(mark)))
    markdown.html(mark * 100_000)
    assert time.process_time() - start < 20


def test_a_text_beyond_all_cards_is_shown_as_it_was_written():
    assert markdown.html("# <b>" * 5_000).startswith('<pre tabindex="0"># &lt;b&gt;#')
