"""The cross-validation demo: its claims hold over the range of its parameters, and scikit-learn agrees."""

import pytest
import torch

from helpers import broken, tables
from regdemo.demos import cross_validation as demo
from regdemo.demos.cross_validation import cross_validation


@pytest.mark.parametrize("folds", [2, 10])
@pytest.mark.parametrize(("features", "selected"), [(200, 5), (200, 50), (2_000, 5), (2_000, 50)])
def test_every_claim_holds_at_any_size(features, selected, folds):
    assert broken(cross_validation(features=features, selected=selected, folds=folds, seed=1)) == []


def test_the_features_selected_are_those_that_numpy_finds():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 30, 50, generator=generator), torch.randn(2, 30, generator=generator).sign()
    best, weights = demo._select(x, y, torch.arange(20), 3)
    for one in range(2):
        sums = y[one, :20].numpy() @ x[one, :20].numpy()
        assert sorted(best[one].tolist()) == sorted(abs(sums).argsort()[-3:].tolist())
        assert weights[one].tolist() == [1.0 if sums[place] > 0 else -1.0 for place in best[one].tolist()]


def test_without_a_choice_of_features_nothing_leaks():
    (table,) = tables(cross_validation(seed=2))
    _, inside, outside = table.rows[0]
    assert inside == outside


def test_each_data_set_is_in_one_bar_of_each_kind():
    for series in cross_validation(seed=3).picture[0].series:
        assert sum(series.y) == demo.SETS
