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
    assert {
        "The fraction of ordinary tokens that shows [MASK]",
        "The fraction of ordinary tokens that shows another token",
        "The fraction of ordinary tokens that is predicted, but shown as it is",
    } <= {*broken(token_masking())}


def test_labels_of_what_is_seen_break_their_claim(monkeypatch):
    def seen(*arguments, **kw):
        inputs, labels = RIGHT(*arguments, **kw)
        return inputs, torch.where(labels != -100, inputs, -100)

    monkeypatch.setattr(regularizers, "token_masking", seen)
    assert "A label is the token itself where chosen, -100 elsewhere" in broken(token_masking())
