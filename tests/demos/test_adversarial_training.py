"""The adversarial training demo: its claims hold over the ranges, and each wrong training breaks one."""

import pytest

from helpers import broken
from regdemo import regularizers
from regdemo.demos.adversarial_training import adversarial_training


@pytest.mark.parametrize("epsilon", [0.05, 0.5])
@pytest.mark.parametrize("clean", [0.0, 0.9])
def test_every_claim_holds_over_the_ranges(epsilon, clean):
    assert broken(adversarial_training(epsilon=epsilon, clean=clean)) == []


def test_training_on_the_clean_inputs_alone_breaks_every_claim(monkeypatch):
    monkeypatch.setattr(regularizers, "adversarial_training", lambda x, loss, epsilon, clean: loss(x))
    report = adversarial_training()
    assert broken(report) == [claim.statement for claim in report.claims]


def test_the_shares_exchanged_break_the_loss_and_its_gradient(monkeypatch):
    right = regularizers.adversarial_training
    monkeypatch.setattr(
        regularizers, "adversarial_training", lambda x, loss, epsilon, clean: right(x, loss, epsilon, clean=1 - clean)
    )
    assert len(broken(adversarial_training(clean=0.2))) >= 2


def test_the_table_shows_that_it_leans_less_on_what_an_attack_can_turn():
    shares = {row[0]: row[-1] for row in adversarial_training().blocks[1].rows}
    assert shares["FGSM's inputs"] < min(shares["clean inputs"], shares["random signs"])
