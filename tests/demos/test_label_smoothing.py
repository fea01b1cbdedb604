"""The label smoothing demo: its claims hold at every smoothing and size, and a wrong loss breaks them."""

import pytest
import torch
import torch.nn.functional as F

from helpers import broken
from regdemo.demos.label_smoothing import label_smoothing

RIGHT = F.cross_entropy


@pytest.mark.parametrize("smoothing", [0.001, 0.1, 0.5, 0.9])
@pytest.mark.parametrize(("classes", "examples"), [(2, 1), (5, 500), (1_000, 20)])
def test_every_claim_holds_at_any_smoothing_and_size(smoothing, classes, examples):
    assert broken(label_smoothing(smoothing=smoothing, classes=classes, examples=examples, seed=3)) == []


def over_the_wrong_classes(logits, labels, *, label_smoothing, reduction="mean"):
    k = logits.shape[-1]
    return RIGHT(logits, labels, label_smoothing=label_smoothing * k / (k - 1), reduction=reduction)


def without_smoothing(logits, labels, *, label_smoothing, reduction="mean"):
    return RIGHT(logits, labels, reduction=reduction)


@pytest.mark.parametrize("wrong", [over_the_wrong_classes, without_smoothing])
def test_a_wrong_loss_fails_most_claims(monkeypatch, wrong):
    monkeypatch.setattr(F, "cross_entropy", wrong)
    assert {
        "The targets of torch's loss are $(1-e)\\,onehot + e/K$",
        "The loss is $(1-e)$ CE + $e$ times the mean of $-\\ln p$",
        "$e/(K-1)$ on the wrong classes gives another loss",
    } <= {*broken(label_smoothing())}


def test_the_table_shows_both_conventions():
    rows = {row[0]: row[1:] for row in label_smoothing().blocks[0].rows}
    assert rows["torch, e/K"] == pytest.approx([0.92, 0.02, 0.02, 0.02, 0.02])
    assert rows["fairseq, e/(K-1)"] == pytest.approx([0.9, 0.025, 0.025, 0.025, 0.025])


def test_the_best_gap_is_where_a_search_finds_the_least_loss():
    rows = {row[0]: row for row in label_smoothing(classes=10).blocks[1].rows}
    gaps = torch.linspace(0, 12, 12_001, dtype=torch.float64)
    logits = F.pad(gaps[:, None], (0, 9))
    loss = F.cross_entropy(logits, torch.zeros(12_001, dtype=torch.long), label_smoothing=0.1, reduction="none")
    assert rows["0.1"][1] == pytest.approx(gaps[loss.argmin()].item(), abs=1e-3)
    assert rows["0.1"][3] == pytest.approx(loss.min().item(), abs=1e-6)
