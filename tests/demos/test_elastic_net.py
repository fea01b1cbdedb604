"""The elastic net demo: its claims hold over the range of its parameters, and its fit is scikit-learn's."""

import pytest
import torch

from helpers import broken, tables
from regdemo.demos import elastic_net as demo
from regdemo.demos.elastic_net import elastic_net
from regdemo.report import Curves


@pytest.mark.parametrize("rho", [0.0, 0.95, 0.99])
@pytest.mark.parametrize(("l1", "l2"), [(0.05, 0.05), (0.3, 0.1), (0.5, 1.0), (0.05, 1.0)])
def test_every_claim_holds_at_any_strength_and_correlation(l1, l2, rho):
    assert broken(elastic_net(l1=l1, l2=l2, rho=rho, seed=1)) == []


def test_the_fit_is_that_of_scikit_learn():
    linear_model = pytest.importorskip("sklearn.linear_model")
    generator = torch.Generator().manual_seed(0)
    x = demo._features(0.9, generator)
    y = x[:, 2] + torch.randn(len(x), generator=generator, dtype=torch.float64)
    ours = demo._fit(x, y, 0.1, 0.2, torch.zeros(x.shape[1], dtype=torch.float64), 2_000)
    theirs = linear_model.ElasticNet(alpha=0.5, l1_ratio=0.2, fit_intercept=False, tol=1e-12, max_iter=100_000)
    assert ours.tolist() == pytest.approx(theirs.fit(x.numpy(), y.numpy()).coef_.tolist(), abs=1e-6)


def test_the_two_features_have_the_correlation_asked_for():
    x = demo._features(0.7, torch.Generator().manual_seed(3))
    assert (x[:, 2] @ x[:, 3]).item() / len(x) == pytest.approx(0.7)


def test_the_weights_in_the_picture_come_together_as_l2_grows():
    one, other = (block.y for block in elastic_net(seed=2).picture[0].series)
    assert isinstance(elastic_net(seed=2).picture[0], Curves)
    assert abs(one[0] - other[0]) < abs(one[-1] - other[-1])


def test_the_table_shows_two_lassos_that_split_the_copies_in_two_ways_and_one_net():
    (table,) = tables(elastic_net())
    (_, a, b, *_), (_, c, d, *_), (_, e, f, *_), (_, g, h, *_) = table.rows
    assert (a, b) == pytest.approx((d, c), abs=1e-6)
    assert a - b == pytest.approx(1)
    assert (e, g) == pytest.approx((f, h), abs=1e-6)
