"""The beginnings of ids."""

import pytest

from regdemo.quiz.text import slug


@pytest.mark.parametrize(("text", "begins"), [("Deep Learning", "deep-learning"), ("été_2", "été-2"), ("--", "card")])
def test_a_slug_is_words_with_hyphens_between(text, begins):
    assert slug(text) == begins
