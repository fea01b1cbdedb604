"""The confidence penalty demo: its claims hold for every beta, and its picture shows where the minimum is."""

from math import log

import pytest

from helpers import broken, tables
from regdemo.demos.confidence_penalty import best_difference, confidence_penalty, label_probability


@pytest.mark.parametrize("beta", [0.01, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("classes", [2, 10, 1_000])
def test_every_claim_holds_at_any_beta_and_number_of_classes(beta, classes):
    assert broken(confidence_penalty(beta=beta, classes=classes, seed=1)) == []


@pytest.mark.parametrize(("beta", "classes"), [(0.01, 1_000), (0.5, 10), (10.0, 2)])
def test_the_minimum_is_inside_the_interval_that_is_searched(beta, classes):
    assert 0 < best_difference(beta, classes) < 1 / beta + log(classes)


@pytest.mark.parametrize("beta", [0.01, 0.5, 4.0])
def test_the_picture_shows_the_measured_minimum_on_a_curve_that_falls_with_beta(beta):
    (picture,) = confidence_penalty(beta=beta, seed=2).picture
    formula, measured = picture.series
    assert formula.x == sorted(formula.x)
    assert formula.y == sorted(formula.y, reverse=True)
    assert formula.x[0] < beta < formula.x[-1]
    assert measured.x == [beta]
    assert measured.y == [label_probability(best_difference(beta, 10), 10)]
    near = min(range(len(formula.x)), key=lambda n: abs(formula.x[n] - beta))
    assert measured.y[0] == pytest.approx(formula.y[near], abs=0.03)


def test_the_table_says_that_a_larger_beta_leaves_a_smaller_lead_and_a_smaller_probability():
    (table,) = tables(confidence_penalty(seed=2))
    betas, leads, probabilities = zip(*table.rows, strict=True)
    assert list(betas) == sorted(betas)
    assert list(leads) == sorted(leads, reverse=True)
    assert list(probabilities) == sorted(probabilities, reverse=True)
