"""Text from strangers, fit to print."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regdemo.quiz.text import clean, printable, slug


@pytest.mark.parametrize(
    "evil", ["\x1b[31m", "\x1b]0;title\x07", "\x9b2J", "\x00", "\x7f", "\u2028", "\u202e", "\u2066", "\x08", "\x85"]
)
def test_what_a_terminal_would_obey_becomes_visible(evil):
    assert clean(f"a{evil}b\tc") == f"a\ufffd{evil[1:].replace(chr(7), chr(0xFFFD))}b\tc"


def test_lines_may_end_in_any_of_three_ways():
    assert clean("a\r\nb\rc\n") == "a\nb\nc\n"


@given(st.text())
def test_cleaned_text_has_no_control_character_and_cleaning_it_again_changes_nothing(text):
    cleaned = clean(text)
    assert all(char in "\n\t" or char.isprintable() or char.isspace() or ord(char) > 0x9F for char in cleaned)
    assert clean(cleaned) == cleaned
    assert printable(text).isprintable()


@pytest.mark.parametrize(("text", "begins"), [("Deep Learning", "deep-learning"), ("été_2", "été-2"), ("--", "card")])
def test_a_slug_is_words_with_hyphens_between(text, begins):
    assert slug(text) == begins
