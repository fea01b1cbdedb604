"""The linear model on the diabetes data: its penalties are scikit-learn's, whose fits are the oracle."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from paired import PairedTraining
from regdemo.lab import data, metrics
from regdemo.lab.compare import compare
from regdemo.lab.recipe import Recipe
from regdemo.report import Table


@pytest.fixture(autouse=True)
def well_conditioned(monkeypatch):
    """Five of the ten features, on which gradient descent ends early."""
    task = data.load("diabetes")
    few = replace(
        task, x=task.x[:, [0, 1, 2, 3, 9]], test_x=task.test_x[:, [0, 1, 2, 3, 9]], epochs=200, features=tuple("abcde")
    )
    monkeypatch.setitem(data.TASKS, "diabetes", lambda: few)


def test_without_a_penalty_the_coefficients_and_errors_are_those_of_least_squares():
    task = data.load("diabetes")
    run = PairedTraining(task, [Recipe("none")], range(3), seed=0, epochs=200)
    *_, last = run.run()
    run = run.arms[0][0]
    for member, (x, y) in enumerate(zip(*run.training_examples(1000), strict=True)):
        fit = LinearRegression().fit(x.numpy(), y.numpy())
        assert run.parameters[0][member, :, 0].tolist() == pytest.approx(fit.coef_, abs=1e-9)
        errors = (fit.predict(task.test_x.numpy()) - task.test_y.numpy()) * task.scale
        assert last.scores[0][metrics.TEST_ERROR][member] == pytest.approx(np.sqrt(np.mean(errors**2)))


def test_l1_agrees_with_lasso_and_l2_with_ridge_and_only_l1_leaves_zeros():
    report = compare(["l1-penalty", "l2-penalty"], task="diabetes", strength=0.2, seeds=8)
    agreements = [claim for claim in report.claims if "scikit-learn" in claim.statement]
    assert [("Lasso" in claim.statement, "Ridge" in claim.statement) for claim in agreements] == [
        (True, False),
        (False, True),
    ]
    assert report.holds
    table = next(b for b in report.blocks if isinstance(b, Table) and b.title == "Which coefficients survive")
    assert {row[2] for row in table.rows} == {row[6] for row in table.rows} == {100}
    assert any(row[4] < 100 for row in table.rows)


def test_a_training_that_was_cut_short_claims_no_agreement():
    report = compare("l1-penalty", task="diabetes", strength=0.2, seeds=8, epochs=20)
    assert len(report.claims) == 3


def test_a_penalty_that_makes_it_diverge_is_reported_and_the_others_are_kept():
    report = compare(["l2-penalty"], task="diabetes", strength=[100.0, 0.1], seeds=8)
    assert any("8 of 8 runs of 'l2-penalty 100' diverged" in getattr(b, "text", "") for b in report.blocks)
    assert sum("scikit-learn" in claim.statement for claim in report.claims) == 1
    assert report.holds
