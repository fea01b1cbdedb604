"""The token masking demo: its claims hold at every rate and vocabulary, and each wrong masking breaks one."""

import pytest
import torch

from helpers import broken
from regdemo import regularizers
from regdemo.demos.token_masking import token_masking

RIGHT = regularizers.token_masking


# Each bound is missed by chance once in 10^9.
@pytest.mark.parametrize("p", [0.0, 1e-6, 0.15, 0.9, 1 - 1e-7])
@pytest.mark.parametrize(("vocabulary", "sequences"), [(4, 1), (1_000, 2_000), (200_000, 100)])
def test_every_claim_holds_at_any_rate_and_size(p, vocabulary, sequences):
    assert broken(token_masking(p=p, vocabulary=vocabulary, sequences=sequences, seed=3)) == []


def test_masking_all_that_is_chosen_breaks_the_shares(monkeypatch):
    def always(ids, vocabulary, mask_id, p, **kw):
        _, labels = RIGHT(ids, vocabulary, mask_id, p, **kw)
        return torch.where(labels != -100, mask_id, ids), labels

    monkeypatch.setattr(regularizers, "token_masking", always)
    assert {"Of these 80% show [MASK]", "10% show another token", "10% stay, and are predicted all the same"} <= {
        *broken(token_masking())
    }


def test_labels_at_every_token_break_their_claim(monkeypatch):
    monkeypatch.setattr(regularizers, "token_masking", lambda ids, *a, **kw: (RIGHT(ids, *a, **kw)[0], ids))
    assert "The share chosen is p" in broken(token_masking())


def test_labels_of_what_is_seen_break_their_claim(monkeypatch):
    def seen(*arguments, **kw):
        inputs, labels = RIGHT(*arguments, **kw)
        return inputs, torch.where(labels != -100, inputs, -100)

    monkeypatch.setattr(regularizers, "token_masking", seen)
    assert "A label is the token itself where chosen, -100 elsewhere" in broken(token_masking())


def test_choosing_special_tokens_breaks_their_claim(monkeypatch):
    monkeypatch.setattr(regularizers, "token_masking", lambda *a, special=None, **kw: RIGHT(*a, **kw))
    assert "Special tokens are never chosen" in broken(token_masking())


def test_the_sentence_keeps_its_ends_and_labels_what_it_hides():
    rows = token_masking().blocks[1].rows
    assert (rows[0], rows[-1]) == (["[CLS]", "[CLS]", "-100"], ["[SEP]", "[SEP]", "-100"])
    assert [row for row in rows if row[1] != row[0] and row[2] != row[0]] == []
    assert any(row[1] == "[MASK]" for row in rows)


def test_two_right_coins_agree_with_one():
    rows = {row[0]: row[1:] for row in token_masking().blocks[2].rows}
    assert rows["two coins, 0.8 then 0.5"] == pytest.approx(rows["by formula"], abs=0.01)
