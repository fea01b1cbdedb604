"""New rows for each seed: random quarters, groups kept together, folds; and what a verdict speaks of."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn import datasets

from regdemo.errors import ArgumentError
from regdemo.lab import arms, from_arrays
from regdemo.lab.compare import compare
from regdemo.lab.splits import Split, strata

N = 120
LABELS = np.repeat([0, 1, 2], [80, 30, 10])


def test_every_seed_tests_on_another_quarter_with_the_classes_in_proportion():
    split = Split(N, LABELS)
    tests = []
    for member in range(4):
        train, test = split.rows(member, 0)
        assert sorted([*train.tolist(), *test.tolist()]) == list(range(N))
        assert np.bincount(LABELS[test]).tolist() in ([20, 8, 2], [20, 7, 3], [19, 8, 3])
        tests.append(tuple(test.tolist()))
    assert len(set(tests)) == 4
    assert not torch.equal(split.rows(0, 0)[1], split.rows(0, 1)[1])


def test_a_group_is_in_one_part_of_a_split():
    groups = np.arange(N) % 17
    for folds in (0, 4):
        split = Split(N, LABELS, groups, folds)
        for member in range(4):
            train, test = split.rows(member, 0)
            assert not set(groups[train]) & set(groups[test])


def test_the_folds_of_a_repeat_test_every_row_once_and_another_repeat_has_others():
    split = Split(N, LABELS, folds=5)
    tests = [split.rows(member, 0)[1] for member in range(10)]
    for repeat in (tests[:5], tests[5:]):
        assert sorted(torch.cat(repeat).tolist()) == list(range(N))
    assert not torch.equal(tests[0], tests[5])


def test_fewer_training_rows_leave_the_test_rows_as_they_are():
    split = Split(N, LABELS)
    few = replace(split, train_size=30)
    assert torch.equal(few.rows(3, 0)[0], split.rows(3, 0)[0][:30])
    assert torch.equal(few.rows(3, 0)[1], split.rows(3, 0)[1])


def test_rare_classes_are_stratified_together():
    assert strata(np.array([0] * 6 + [1, 2]), 2).tolist() == [0] * 6 + [3, 3]


def test_more_folds_than_groups_are_refused():
    with pytest.raises(ArgumentError, match="there are 3 groups, and a split needs at least 5"):
        Split(N, None, np.arange(N) % 3, 5)


@pytest.fixture(scope="module")
def iris():
    data = datasets.load_iris()
    return data.data, data.target


def quick(task, words=("dropout",), **options):
    return compare(list(words), **{"own": task, "seeds": 8, "epochs": 2} | options)


def test_a_verdict_on_a_table_speaks_of_new_rows_and_its_interval_is_corrected_for_overlap(iris):
    report = quick(from_arrays(*iris, width=8), ["dropout:0.9"], epochs=6)
    assert "on new rows like these (95% interval, 8 random splits" in report.blocks[0].text
    change = report.results.change(1, "test accuracy, %")
    assert report.results.overlap == pytest.approx(38 / 112)
    differences = report.results.differences(1, "test accuracy, %")
    assert change.error == pytest.approx(np.std(differences, ddof=1) * np.sqrt(1 / 8 + 38 / 112))


def test_folds_have_as_many_seeds_as_folds_times_repeats(iris):
    report = quick(from_arrays(*iris, folds=4, width=8), seeds=8)
    assert "2 x 4 folds" in report.blocks[0].text
    assert {(row["repeat"], row["fold"]) for row in report.results.records()} == {
        (repeat, fold) for repeat in range(2) for fold in range(4)
    }
    with pytest.raises(ArgumentError, match="seeds = 9 is not allowed with folds = 4"):
        quick(from_arrays(*iris, folds=4), seeds=9)


def test_a_fixed_test_set_is_said_with_its_standard_error(iris):
    x, y = iris
    order = np.random.default_rng(0).permutation(150)
    x, y = x[order], y[order]
    report = quick(from_arrays(x[:100], y[:100], test=(x[100:], y[100:]), width=8), ["dropout:0.9"], epochs=6)
    assert "on this test set" in report.blocks[0].text
    results = report.results
    right = [
        torch.stack([run.per_example()[0] for run in results.runs[arm]]).flatten(0, 1).mean(0).numpy() for arm in (0, 1)
    ]
    expected = 100 * np.std(right[1] - right[0], ddof=1) / np.sqrt(50)
    assert results.test_set_error(1) == pytest.approx(expected)
    assert expected > 0


def test_members_are_trained_and_tested_on_rows_of_their_own_prepared_by_their_training_rows(iris):
    task = from_arrays(*iris)
    examples = task.examples([0, 1], 0)
    for member in range(2):
        train, test = task.split.rows(member, 0)
        own = iris[0][train]
        expected = (iris[0][test] - own.mean(0)) / own.std(0)
        np.testing.assert_allclose(examples.test_x[member], expected, atol=1e-5)
        np.testing.assert_allclose(examples.x[examples.train[member]].mean(0), 0, atol=1e-5)
        assert examples.test_y[member].tolist() == iris[1][test].tolist()


def test_the_same_arms_in_the_same_order_of_rows_give_the_same_report(iris):
    first, second = (quick(from_arrays(*iris, width=8)) for _ in range(2))
    assert first == second


def test_words_are_checked_against_the_task(iris):
    with pytest.raises(ArgumentError, match="word-dropout does not fit the task your data"):
        arms("none", "word-dropout", task=from_arrays(*iris))
