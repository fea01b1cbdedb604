"""Text from strangers, fit to print."""

import sys
from collections import defaultdict
from functools import cache
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regdemo.text import clean, printable

DANGEROUS = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")


@cache
def every():
    """The characters of each category."""
    found = defaultdict(list)
    for char in map(chr, range(sys.maxunicode + 1)):
        found[category(char)].append(char)
    return found


@pytest.mark.parametrize("kind", DANGEROUS)
def test_no_character_of_a_dangerous_category_passes(kind):
    text = "".join(every()[kind])
    assert text
    assert set(clean(text)) <= {"\ufffd", "\n", "\t"}
    assert set(printable(text)) <= {"\ufffd"}


def test_noncharacters_which_xml_cannot_carry_do_not_pass():
    text = "".join(
        chr(code) for code in range(sys.maxunicode + 1) if code & 0xFFFE == 0xFFFE or 0xFDD0 <= code < 0xFDF0
    )
    assert set(clean(text)) == {"\ufffd"}


@pytest.mark.parametrize("text", ["é", "漢字", "שלום", "नमस्ते", "😀", "a\u0301", "½ ≤ 1", "a\u00a0b", "\U0001fae9"])
def test_letters_marks_signs_and_spaces_of_every_script_pass(text):
    assert (clean(text), printable(text)) == (text, text)


@pytest.mark.parametrize(
    "evil", ["\x1b[31m", "\x1b]0;title\x07", "\x9b2J", "\x00", "\x7f", "\u2028", "\u202e", "\u2066"]
)
def test_what_a_terminal_would_obey_becomes_visible(evil):
    assert clean(f"a{evil}b\tc") == f"a\ufffd{evil[1:].replace(chr(7), chr(0xFFFD))}b\tc"


@pytest.mark.parametrize("hidden", ["\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\U000e0041"])
def test_what_shows_nothing_goes(hidden):
    assert clean(f"a{hidden}b") == "ab"


def test_lines_may_end_in_any_of_three_ways():
    assert clean("a\r\nb\rc\n") == "a\nb\nc\n"


@given(st.text())
def test_to_clean_twice_changes_nothing_more(text):
    assert clean(clean(text)) == clean(text)
    assert printable(printable(text)) == printable(text)
