import pytest
import torch
from torch import nn

from helpers import blocks_of
from regdemo import regularizers
from regdemo.demos.early_stopping import early_stopping
from regdemo.report import Curves, Table


@pytest.mark.parametrize(
    "parameters",
    [
        {"noise": 0.0, "patience": 1},
        {"noise": 0.4, "patience": 3, "epochs": 20},
        {"noise": 1.0, "patience": 100, "epochs": 10},
        {"epochs": 2},
        {"seed": 3, "epochs": 200},
    ],
)
def test_every_claim_holds(parameters):
    report = early_stopping(**parameters)
    assert [claim for claim in report.claims if not claim.holds] == []


class WithoutACopy(regularizers.EarlyStopping):
    def step(self, loss):
        stop = super().step(loss)
        self._state = dict(self.model.state_dict())
        return stop


class NeverStopping(regularizers.EarlyStopping):
    def step(self, loss):
        super().step(loss)
        return False


class OneStepTooLate(regularizers.EarlyStopping):
    def __init__(self, model, *, patience):
        super().__init__(model, patience=patience + 1)


class KeepingTheFirst(regularizers.EarlyStopping):
    def step(self, loss):
        return super().step(max(loss, 1 + self.best) if self.best_step else loss)


@pytest.mark.parametrize("wrong", [WithoutACopy, NeverStopping, OneStepTooLate, KeepingTheFirst])
def test_a_wrong_early_stopping_fails_a_claim(monkeypatch, wrong):
    monkeypatch.setattr(regularizers, "EarlyStopping", wrong)
    assert not early_stopping(epochs=30).holds


def test_the_uncopied_best_has_the_last_scores_and_the_restored_one_better():
    (table,) = [block for block in blocks_of(early_stopping()) if isinstance(block, Table)]
    (_, *last), (_, *uncopied), (_, *restored) = table.rows
    assert uncopied == last
    assert restored[0] < last[0]


def test_the_curves_have_a_point_for_each_epoch():
    (curves,) = [block for block in early_stopping(epochs=7).blocks if isinstance(block, Curves)]
    assert [series.x for series in curves.series] == [[1, 2, 3, 4, 5, 6, 7]] * 2


def test_a_state_dict_of_torch_is_indeed_no_copy():
    layer = nn.Linear(1, 1)
    kept = layer.state_dict()
    with torch.no_grad():
        layer.weight.add_(1)
    assert torch.equal(kept["weight"], layer.weight)
