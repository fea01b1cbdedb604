"""The word dropout demo: its claims hold at every rate and size, and each wrong word dropout breaks one."""

import pytest

from helpers import broken
from regdemo import regularizers
from regdemo.demos.word_dropout import SENTENCE, word_dropout

RIGHT = regularizers.word_dropout


# Each bound is missed by chance once in 10^9.
@pytest.mark.parametrize("p", [0.0, 1e-9, 0.1, 0.9, 1 - 1e-7])
@pytest.mark.parametrize(("vocabulary", "tokens"), [(2, 2), (1_000, 500), (50, 5_000)])
def test_every_claim_holds_at_any_rate_and_size(p, vocabulary, tokens):
    assert broken(word_dropout(p=p, vocabulary=vocabulary, tokens=tokens, seed=3)) == []


def by_token(ids, weight, p, *, training=True, generator=None):
    kept = regularizers.keep_mask(ids.shape, p if training else 0, generator=generator).unsqueeze(-1)
    return weight[ids] * kept / ((1 - p) if training else 1)


def by_number(ids, weight, p, *, training=True, generator=None):
    return regularizers.dropout(weight[ids], p, training=training, generator=generator)


@pytest.mark.parametrize("wrong", [by_token, by_number])
def test_a_coin_for_each_occurrence_breaks_the_sharing(monkeypatch, wrong):
    monkeypatch.setattr(regularizers, "word_dropout", wrong)
    assert "All occurrences of a word share its coin" in broken(word_dropout(p=0.3))


def test_forgetting_the_rescale_breaks_the_scale(monkeypatch):
    monkeypatch.setattr(regularizers, "word_dropout", lambda *a, **kw: RIGHT(*a, **kw) * (1 - a[2]))
    assert "A word is embedded as 0 or as row/(1-p)" in broken(word_dropout())


def test_dropping_in_eval_breaks_its_claim(monkeypatch):
    monkeypatch.setattr(regularizers, "word_dropout", lambda *a, training=True, **kw: RIGHT(*a, **kw))
    assert broken(word_dropout()) == ["In eval it is the plain embedding"]


def test_another_rate_breaks_the_share(monkeypatch):
    monkeypatch.setattr(regularizers, "word_dropout", lambda ids, w, p, **kw: RIGHT(ids, w, p / 2, **kw))
    assert "The share of words dropped is p" in broken(word_dropout())


def test_in_the_sentence_a_dropped_word_is_dropped_everywhere():
    (_, left), (_, scattered) = word_dropout(p=0.4).blocks[1].rows
    assert len(left) == len(scattered)
    words = SENTENCE
    fates = {(word, shown == word) for word, shown in zip(words, left.split(), strict=True)}
    assert len(fates) == len(set(words))


def test_shared_coins_vary_more_than_separate_ones():
    rows = {row[0]: row for row in word_dropout().blocks[2].rows}
    assert rows["word"][2] > 3 * rows["token"][2]
