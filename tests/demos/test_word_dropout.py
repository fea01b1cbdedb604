"""The word dropout demo: its claims hold at every rate and size, and each wrong word dropout breaks one."""

import pytest

from helpers import broken
from regdemo import regularizers
from regdemo.demos.word_dropout import word_dropout

RIGHT = regularizers.word_dropout


# Each bound is missed by chance once in 10^9.
@pytest.mark.parametrize("p", [0.0, 1e-9, 0.1, 0.9, 1 - 1e-7])
@pytest.mark.parametrize(("vocabulary", "tokens"), [(2, 2), (1_000, 500), (50, 5_000)])
def test_every_claim_holds_at_any_rate_and_size(p, vocabulary, tokens):
    assert broken(word_dropout(p=p, vocabulary=vocabulary, tokens=tokens, seed=3)) == []


def test_forgetting_the_rescale_breaks_the_scale(monkeypatch):
    monkeypatch.setattr(regularizers, "word_dropout", lambda *a, **kw: RIGHT(*a, **kw) * (1 - a[2]))
    assert "A word is embedded as 0 or as its row over $1-p$" in broken(word_dropout())


def test_shared_coins_vary_more_than_separate_ones():
    rows = {row[0]: row for row in word_dropout().blocks[1].rows}
    assert rows["word"][2] > 3 * rows["token"][2]
