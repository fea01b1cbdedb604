"""What a comparison says: no more than its interval, whatever became of the runs."""

import re
from math import nan

import numpy as np
import pytest
import torch
from scipy import stats

from regdemo.lab import findings, metrics
from regdemo.lab.data import Task
from regdemo.lab.findings import conclude, verdict
from regdemo.lab.recipe import Recipe
from regdemo.lab.statistics import holm
from regdemo.lab.techniques import TECHNIQUES
from regdemo.lab.training import Evaluation, PairedTraining
from regdemo.report import Curves, Table, Text

ACCURACY = metrics.TEST_ACCURACY
RECIPES = [Recipe("none"), *(Recipe(f"dropout {p}", (TECHNIQUES["dropout"](p=p),)) for p in (0.2, 0.5))]
RISE = [4.2, 4.9, 4.4, 4.8, 4.6, 4.7, 4.5, 4.7]
NOTHING = [0.4, -0.3, 0.1, 0.6, -0.5, 0.2, -0.1, 0.3]


def scores(test, train, loss, calibration):
    return {
        metrics.TEST_ACCURACY: test,
        metrics.TRAINING_ACCURACY: train,
        metrics.GAP: [a - b for a, b in zip(train, test, strict=True)],
        metrics.TEST_LOSS: loss,
        metrics.CALIBRATION: calibration,
    }


WITHOUT = scores(
    [65.2, 66.0, 64.8, 65.9, 65.1, 66.4, 66.2, 64.9],
    [100.0] * 8,
    [1.5, 1.6, 1.4, 1.5, 1.5, 1.6, 1.7, 1.4],
    [19.0, 20.0] * 4,
)
WITH = scores(
    [69.1, 70.4, 68.8, 69.9, 70.0, 69.5, 71.2, 68.9],
    [98.0, 98.5] * 4,
    [0.9, 0.8, 0.9, 0.9, 1.0, 0.9, 0.8, 0.9],
    [18.0, 21.0, 20.0, 19.0] * 2,
)
OTHER = scores(
    [a + d for a, d in zip(WITHOUT[metrics.TEST_ACCURACY], NOTHING, strict=True)],
    [97.0, 98.5] * 4,
    [1.5, 1.7, 1.4, 1.4, 1.5, 1.7, 1.7, 1.4],
    [21.0, 22.5] * 4,
)


def concluded(*evaluations):
    arms = len(evaluations[0].scores)
    x, y = torch.zeros(4, 1), torch.zeros(4, dtype=torch.int64)
    training = PairedTraining(
        Task("a task", "From nowhere.", x, y, x, y, 2), RECIPES[:arms], range(8), seed=0, epochs=2
    )
    return conclude(training, RECIPES[:arms], evaluations, [], {"seed": 0})


def blocks(report, kind):
    return [block for block in report.blocks if isinstance(block, kind)]


def test_a_clear_rise_is_said_with_its_interval():
    low, high = stats.ttest_1samp(RISE, 0).confidence_interval(0.95)
    assert verdict("dropout 0.2", RISE, ACCURACY).startswith(
        f"Dropout 0.2 raises test accuracy by 4.6 points [{low:.1f}, {high:.1f}] (95% interval, 8 paired seeds, p-value"
    )


def test_a_clear_fall_is_said_as_a_positive_number_of_points():
    text = verdict("dropout 0.9", [-d for d in RISE], ACCURACY)
    assert text.startswith("Dropout 0.9 lowers test accuracy by 4.6 points [4.4, 4.8]")


def test_an_interval_around_0_shows_no_difference():
    text = verdict("dropout 0.2", NOTHING, ACCURACY)
    assert re.match(r"No difference shown: dropout 0.2 changes test accuracy by \+0.087 points \[-0.22, 0.4\]", text)


def test_a_difference_that_does_not_survive_the_correction_is_not_shown():
    text = verdict("dropout 0.2", RISE, ACCURACY, 0.06, 5)
    assert text.startswith("No difference shown: dropout 0.2 changes test accuracy by +4.6 points [4.4, 4.8]")
    assert "p-value 0.06, corrected for 5 comparisons" in text


def test_an_end_of_the_interval_that_is_not_0_is_never_written_as_0():
    text = verdict("dropout 0.2", [0.02, 0.03, 0.02, 0.04, 0.03, 0.02, 0.03, 0.02], ACCURACY)
    assert re.search(r"raises test accuracy by 0\.026 points \[0\.02, 0\.032\]", text)


def test_pairs_that_do_not_differ_show_no_difference():
    text = verdict("dropout 0.2", [0.0] * 8, ACCURACY)
    assert text.startswith("No difference shown: dropout 0.2 leaves test accuracy as it is in all 8 pairs")


def test_pairs_that_all_differ_alike_leave_nothing_to_judge_by():
    text = verdict("dropout 0.2", [0.5] * 8, ACCURACY)
    assert text.startswith("No difference shown: dropout 0.2 changes test accuracy by +0.5 points in all 8 pairs")


def test_a_verdict_on_a_loss_has_its_unit():
    text = verdict("dropout 0.2", [-0.5, -0.4, -0.6, -0.5, -0.45, -0.55, -0.5, -0.5], metrics.TEST_LOSS)
    assert text.startswith("Dropout 0.2 lowers test loss by 0.5 nats [")


def test_a_verb_is_said_once_for_all_that_it_is_true_of():
    falls = {metrics.TEST_LOSS: [-d for d in RISE], metrics.CALIBRATION: [-d for d in RISE]}
    said = findings.beside(falls | {metrics.TEST_ACCURACY: RISE}, dict.fromkeys([*falls, metrics.TEST_ACCURACY], 0.01))
    assert re.sub(r" by 4\.6 (nats|points) \[4\.4, 4\.8\]", "", said) == (
        "It lowers test loss and calibration error and raises test accuracy."
    )


def test_several_arms_are_listed_with_commas():
    assert [findings.listed("abc"[:n]) for n in (1, 2, 3)] == ["a", "a and b", "a, b and c"]


@pytest.mark.parametrize(("p", "shown"), [(0.97431, 0.9743), (0.0129, 0.0129), (0.000457, 0.00046), (nan, "–")])
def test_a_p_value_in_a_table_has_no_digits_that_it_has_not(p, shown):
    assert findings.p_cell(p) == shown


@pytest.mark.parametrize(("left", "said"), [([], "0 pairs left"), ([4.0], "1 pair left")])
def test_fewer_than_two_pairs_have_no_verdict(left, said):
    assert verdict("dropout 0.2", left, ACCURACY).startswith(f"No verdict on dropout 0.2: {said}")


def test_beside_the_verdict_stands_what_the_other_metrics_show():
    text = blocks(concluded(Evaluation(2, [WITHOUT, WITH])), Text)[0].text
    assert "It lowers test loss by 0.64 nats [0.51, 0.76]. No difference shown in calibration error." in text


def test_the_table_of_one_arm_has_each_metric_with_the_paired_difference_and_its_p_value():
    table = blocks(concluded(Evaluation(2, [WITHOUT, WITH])), Table)[0]
    rows = {name: cells for name, *cells in table.rows}
    assert list(rows) == list(WITHOUT)
    for name, (before, after, change, p) in rows.items():
        assert [before.value, after.value] == pytest.approx([np.mean(WITHOUT[name]), np.mean(WITH[name])])
        paired = stats.ttest_rel(WITH[name], WITHOUT[name])
        assert (change.low, change.high) == pytest.approx(tuple(paired.confidence_interval(0.95)))
        assert p == pytest.approx(paired.pvalue, rel=0.05)


def test_the_tables_of_several_arms_have_a_row_an_arm_and_corrected_p_values():
    levels, changes, pairs, _ = blocks(concluded(Evaluation(2, [WITHOUT, WITH, OTHER])), Table)
    assert [row[0] for row in levels.rows] == ["none", "dropout 0.2", "dropout 0.5"]
    assert [row[0] for row in changes.rows] == ["dropout 0.2", "dropout 0.5"]
    for column, name in ((1, metrics.TEST_ACCURACY), (3, metrics.TEST_LOSS), (5, metrics.CALIBRATION)):
        plain = [stats.ttest_rel(arm[name], WITHOUT[name]).pvalue for arm in (WITH, OTHER)]
        assert changes.columns[column] == name.replace("%", "points")
        assert [row[column + 1] for row in changes.rows] == pytest.approx(holm(plain), rel=0.05)
    ((second, first, difference, _),) = pairs.rows
    assert (second, first) == ("dropout 0.5", "dropout 0.2")
    assert difference.value == pytest.approx(
        np.mean(OTHER[metrics.TEST_ACCURACY]) - np.mean(WITH[metrics.TEST_ACCURACY])
    )


def test_each_of_several_arms_has_its_verdict():
    first, second, *_ = blocks(concluded(Evaluation(2, [WITHOUT, WITH, OTHER])), Text)
    assert first.text.startswith("Dropout 0.2 raises test accuracy")
    assert second.text.startswith("No difference shown: dropout 0.5 changes test accuracy")


def test_the_curves_go_through_every_evaluation_with_their_bands():
    curves, _ = blocks(concluded(Evaluation(1, [WITH, WITHOUT]), Evaluation(2, [WITHOUT, WITH])), Curves)
    name = metrics.TEST_ACCURACY
    assert [series.name for series in curves.series] == ["none", "dropout 0.2"]
    assert curves.series[0].x == [1, 2]
    assert curves.series[0].y == pytest.approx([np.mean(WITH[name]), np.mean(WITHOUT[name])])
    low, high = stats.ttest_1samp(WITHOUT[name], 0).confidence_interval(0.95)
    assert (curves.series[0].low[1], curves.series[0].high[1]) == pytest.approx((low, high))


def test_what_each_arm_cost_stands_beside_what_it_gained():
    costs = blocks(concluded(Evaluation(2, [WITHOUT, WITH])), Table)[-1]
    assert costs.columns == ["", "memory, MB", "x", "test accuracy, points"]
    assert [row[-1] for row in costs.rows] == ["–", "+4.2"]
    assert costs.rows[0][2] == "1.00"


def broken(n):
    """The second arm with its last n losses not a number."""
    return WITH | {metrics.TEST_LOSS: [*WITH[metrics.TEST_LOSS][: 8 - n], *[nan] * n]}


def test_a_diverged_run_is_named_and_its_seed_left_out_of_every_arm():
    report = concluded(Evaluation(2, [WITHOUT, broken(1)]))
    texts = [block.text for block in blocks(report, Text)]
    assert texts[1].startswith("1 of 8 runs of 'dropout 0.2' diverged")
    assert texts[1].endswith("seed 7. They are left out of every arm.")
    assert "7 paired seeds" in texts[0]
    assert blocks(report, Table)[0].rows[0][2].value == pytest.approx(np.mean(WITH[metrics.TEST_ACCURACY][:7]))


@pytest.mark.parametrize(
    ("lost", "said"),
    [(7, "1 left: no verdict on it, an interval needs 2."), (8, "0 left: no verdict on it, an interval needs 2.")],
)
def test_when_too_few_runs_are_left_the_report_says_so_and_no_more(lost, said):
    report = concluded(Evaluation(2, [WITHOUT, broken(lost)]))
    assert report.blocks[0].text.startswith(f"{lost} of 8 runs of 'dropout 0.2' diverged")
    assert report.blocks[0].text.endswith(said)
    assert [table.title for table in blocks(report, Table)] == ["What each cost beside what it gained"]
    assert not blocks(report, Curves)


def test_an_arm_that_diverged_whole_takes_no_other_with_it():
    with_one, alone = concluded(Evaluation(2, [WITHOUT, broken(8), OTHER])), concluded(Evaluation(2, [WITHOUT, OTHER]))
    assert with_one.blocks[0].text.replace("dropout 0.5", "dropout 0.2") == alone.blocks[0].text
    assert "8 of 8 runs of 'dropout 0.2' diverged" in with_one.blocks[1].text
    assert blocks(with_one, Table)[0].rows == blocks(alone, Table)[0].rows
    assert with_one.title.startswith("Dropout 0.2 and dropout 0.5 against none")


def test_more_arms_than_a_plot_can_tell_apart_are_not_drawn(monkeypatch):
    monkeypatch.setattr(findings, "MOST_CURVES", 2)
    assert not blocks(concluded(Evaluation(2, [WITHOUT, WITH, OTHER])), Curves)
