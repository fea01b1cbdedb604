import pytest

from helpers import blocks_of
from regdemo import regularizers
from regdemo.demos.annealed_dropout import annealed_dropout
from regdemo.report import Curves, Table


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("epochs", "steps"), [(2, 2), (3, 5), (5, 20)])
@pytest.mark.parametrize("p", [0.0, 5e-324, 1e-6, 0.1, 0.3, 0.5, 0.999, 1 - 2**-53])
def test_every_claim_holds_at_every_rate_and_length(p, epochs, steps, seed):
    # Each statistical claim is missed by chance once in 10^9.
    report = annealed_dropout(p=p, epochs=epochs, steps=steps, seed=seed)
    assert [claim for claim in report.claims if not claim.holds] == []


def almost_to_0(step, steps, p):
    return p * max(0, 1 - step / (steps + 1))


def never(step, steps, p):
    return p


def at_the_end(step, steps, p):
    return p * (step < steps)


@pytest.mark.parametrize("wrong", [almost_to_0, never, at_the_end])
def test_a_wrong_annealing_fails_a_claim(monkeypatch, wrong):
    monkeypatch.setattr(regularizers, "annealed_dropout", wrong)
    assert not annealed_dropout().holds


def test_late_dropout_a_step_too_soon_fails_a_claim(monkeypatch):
    monkeypatch.setattr(regularizers, "late_dropout", lambda step, start, p: p * (step >= start - 1))
    assert not annealed_dropout().holds


def test_the_curves_go_from_p_to_0_and_from_0_to_p():
    (curves,) = [
        block
        for block in (
            annealed_dropout(p=0.4, epochs=3, steps=4).picture + annealed_dropout(p=0.4, epochs=3, steps=4).blocks
        )
        if isinstance(block, Curves)
    ]
    ends = {series.name: (series.y[0], series.y[-1]) for series in curves.series}
    assert ends == {
        "annealed": (0.4, 0),
        "early, linear": (0.4, 0),
        "early, constant": (0.4, 0),
        "late": (0, 0.4),
    }


def test_by_the_epoch_the_last_step_of_three_epochs_still_has_a_third_of_the_rate():
    rows = [block for block in blocks_of(annealed_dropout(p=0.3, epochs=3)) if isinstance(block, Table)][1].rows
    assert rows[1][1:] == pytest.approx([0.3, 0.1, 0.2])
