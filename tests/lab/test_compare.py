"""What a comparison says: no more than its interval, whatever became of the runs."""

import json
import random
import re
from math import nan

import numpy as np
import pytest
import torch
from scipy import stats

from regdemo.errors import ArgumentError
from regdemo.lab import compare as lab
from regdemo.lab import data, training
from regdemo.lab.compare import Stopped, compare, conclude, verdict
from regdemo.lab.training import Arm, Evaluation, Scores
from regdemo.report import Curves, Table, Text

ARMS = [Arm("without", None), Arm("dropout 0.2", 0.2)]
WITHOUT = Scores(
    [100.0] * 8, [65.2, 66.0, 64.8, 65.9, 65.1, 66.4, 66.2, 64.9], [1.5, 1.6, 1.4, 1.5, 1.5, 1.6, 1.7, 1.4]
)
WITH = Scores(
    [98.0, 98.5] * 4, [69.1, 70.4, 68.8, 69.9, 70.0, 69.5, 71.2, 68.9], [0.9, 0.8, 0.9, 0.9, 1.0, 0.9, 0.8, 0.9]
)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """The digits, but 60 training and 40 test examples of them, and a small network."""

    def few():
        task = digits()
        return data.Task(task.title, "", task.x[:60], task.y[:60], task.test_x[:40], task.test_y[:40], task.classes)

    digits = data.TASKS["digits"]
    monkeypatch.setitem(data.TASKS, "digits", few)
    monkeypatch.setattr(training, "HIDDEN", (16, 8))
    monkeypatch.setattr(training, "BATCH", 20)


def concluded(*evaluations, epochs=2):
    task = data.Task("a task", "From nowhere.", *torch.zeros(4, 1, 1), classes=2)
    return conclude(task, ARMS, evaluations, [], {"epochs": epochs, "seed": 0})


def block(report, kind):
    return next(block for block in report.blocks if isinstance(block, kind))


def test_a_clear_rise_is_said_with_its_interval():
    text = verdict("dropout 0.2", [4.2, 4.9, 4.4, 4.8, 4.6, 4.7, 4.5, 4.7])
    low, high = stats.ttest_1samp([4.2, 4.9, 4.4, 4.8, 4.6, 4.7, 4.5, 4.7], 0).confidence_interval(0.95)
    assert text.startswith(
        f"Dropout 0.2 raises test accuracy by 4.6 points [{low:.1f}, {high:.1f}] (95% interval, 8 pair"
    )


def test_a_clear_fall_is_said_as_a_positive_number_of_points():
    text = verdict("dropout 0.9", [-4.2, -4.9, -4.4, -4.8, -4.6, -4.7, -4.5, -4.7])
    assert text.startswith("Dropout 0.9 lowers test accuracy by 4.6 points [4.4, 4.8]")


def test_an_interval_around_0_shows_no_difference():
    text = verdict("dropout 0.2", [0.4, -0.3, 0.1, 0.6, -0.5, 0.2, -0.1, 0.3])
    assert text.startswith("No difference shown: dropout 0.2 changes test accuracy by +0.1 points [-0.2, 0.4]")


def test_an_end_of_the_interval_that_is_not_0_is_never_written_as_0():
    text = verdict("dropout 0.2", [0.02, 0.03, 0.02, 0.04, 0.03, 0.02, 0.03, 0.02])
    assert re.search(r"raises test accuracy by 0\.03 points \[0\.02, 0\.03\]", text)


def test_pairs_that_do_not_differ_show_no_difference():
    text = verdict("dropout 0.2", [0.0] * 8)
    assert text.startswith("No difference shown: test accuracy is the same in all 8 pairs")


def test_pairs_that_all_differ_alike_leave_nothing_to_judge_by():
    text = verdict("dropout 0.2", [0.5] * 8)
    assert text.startswith("No difference shown: test accuracy differs by +0.5 points in all 8 pairs")


@pytest.mark.parametrize(("left", "said"), [([], "0 pairs left"), ([4.0], "1 pair left")])
def test_fewer_than_two_pairs_have_no_verdict(left, said):
    assert verdict("dropout 0.2", left).startswith(f"No verdict: {said}")


def test_the_table_has_each_metric_with_the_paired_difference_and_its_p_value():
    table = block(concluded(Evaluation(2, [WITHOUT, WITH])), Table)
    rows = {name: cells for name, *cells in table.rows}
    expected = {
        "test accuracy, %": (WITHOUT.test_accuracy, WITH.test_accuracy),
        "training accuracy, %": (WITHOUT.train_accuracy, WITH.train_accuracy),
        "gap, points": tuple(np.subtract(s.train_accuracy, s.test_accuracy) for s in (WITHOUT, WITH)),
        "test loss, nats": (WITHOUT.test_loss, WITH.test_loss),
    }
    assert list(rows) == list(expected)
    for name, (before, after) in expected.items():
        assert [cell.value for cell in rows[name][:3]] == pytest.approx(
            [np.mean(before), np.mean(after), np.mean(after) - np.mean(before)]
        )
        paired = stats.ttest_rel(after, before)
        assert (rows[name][2].low, rows[name][2].high) == pytest.approx(tuple(paired.confidence_interval(0.95)))
        assert rows[name][3] == pytest.approx(paired.pvalue, rel=0.05)


def test_the_curves_go_through_every_evaluation_with_their_bands():
    curves = block(concluded(Evaluation(1, [WITH, WITHOUT]), Evaluation(2, [WITHOUT, WITH])), Curves)
    assert [series.name for series in curves.series] == ["without", "dropout 0.2"]
    assert curves.series[0].x == [1, 2]
    assert curves.series[0].y == pytest.approx([np.mean(WITH.test_accuracy), np.mean(WITHOUT.test_accuracy)])
    low, high = stats.ttest_1samp(WITHOUT.test_accuracy, 0).confidence_interval(0.95)
    assert (curves.series[0].low[1], curves.series[0].high[1]) == pytest.approx((low, high))


def test_a_diverged_run_is_named_and_its_pair_left_out():
    broken = Scores(WITH.train_accuracy, [*WITH.test_accuracy[:7], 10.0], [*WITH.test_loss[:7], nan])
    report = concluded(Evaluation(2, [WITHOUT, broken]))
    texts = [block.text for block in report.blocks if isinstance(block, Text)]
    assert "1 of 8 runs of 'dropout 0.2' diverged, their test loss is not finite: seed 7." in texts[1]
    assert "7 paired seeds" in texts[0]
    assert block(report, Table).rows[0][2].value == pytest.approx(np.mean(WITH.test_accuracy[:7]))


@pytest.mark.parametrize(("lost", "said"), [(7, "1 pair left"), (8, "0 pairs left")])
def test_when_too_few_runs_are_left_the_report_says_so_and_no_more(lost, said):
    broken = Scores(WITH.train_accuracy, WITH.test_accuracy, [nan] * lost + [0.9] * (8 - lost))
    report = concluded(Evaluation(2, [WITHOUT, broken]))
    assert report.blocks[0].text.startswith(f"No verdict: {said}")
    assert f"{lost} of 8 runs of 'dropout 0.2' diverged" in report.blocks[1].text
    assert {type(block) for block in report.blocks} == {Text}


def test_a_comparison_checks_that_it_is_fair():
    report = compare("dropout", task="digits", epochs=2)
    assert [claim.measured for claim in report.claims] == [0, 0, 0]
    assert report.holds


def test_test_examples_that_were_trained_on_fail_the_report(monkeypatch):
    monkeypatch.setitem(data.TASKS, "digits", lambda few=data.TASKS["digits"]: leaking(few()))
    report = compare("dropout", task="digits", epochs=1)
    assert [claim.measured for claim in report.claims] == [5, 0, 0]
    assert not report.holds


def leaking(task):
    test_x = torch.cat([task.x[:5], task.test_x[5:]])
    return data.Task(task.title, "", task.x, task.y, test_x, task.test_y, task.classes)


def test_arms_that_see_different_batches_fail_the_report(monkeypatch):
    fair = training.Learner.epoch
    monkeypatch.setattr(
        training.Learner, "epoch", lambda self, order: fair(self, order if self.arm.p is None else order.flip(1))
    )
    report = compare("dropout", task="digits", epochs=1)
    assert [claim.holds for claim in report.claims] == [True, True, False]


def test_at_p_0_both_arms_are_the_same_run():
    report = compare("dropout", p=0.0, task="digits", epochs=2)
    assert report.blocks[0].text.startswith("No difference shown: test accuracy is the same in all 8 pairs")
    assert [(row[3].low, row[3].high, row[4]) for row in block(report, Table).rows] == [(0, 0, "–")] * 4


def test_the_same_seed_gives_the_same_json_and_another_seed_another():
    first, second, other = (
        json.dumps(compare("dropout", task="digits", epochs=2, seed=seed).as_dict(), allow_nan=False)
        for seed in (1, 1, 2)
    )
    assert first == second
    assert first.replace('"seed": 1', '"seed": 2') != other


def test_the_global_random_state_is_left_as_found():
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    compare("dropout", task="digits", epochs=1)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert np.random.get_state()[1].tolist() == before[2]


def stop_at(epoch):
    def progress(done, total):
        if done == epoch:
            raise KeyboardInterrupt

    return progress


def test_ctrl_c_leaves_the_report_of_the_last_evaluated_epoch():
    whole = compare("dropout", task="digits", epochs=2)
    with pytest.raises(Stopped) as caught:
        compare("dropout", task="digits", epochs=5, progress=stop_at(3))
    report = caught.value.report
    assert report.title.endswith("8 paired seeds (stopped at epoch 2 of 5)")
    assert report.parameters["stopped_at_epoch"] == 2
    assert block(report, Table) == block(whole, Table)
    assert report.blocks[0] == whole.blocks[0]


def test_ctrl_c_before_the_first_evaluation_leaves_no_report():
    with pytest.raises(KeyboardInterrupt) as caught:
        compare("dropout", task="digits", epochs=5, progress=stop_at(1))
    assert caught.type is KeyboardInterrupt


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"technique": "mixup"}, "'mixup' cannot be compared: choose dropout"),
        ({"task": "cifar"}, "no task 'cifar': choose mnist1d or digits"),
        ({"p": 1.0}, "p = 1.0 .* below 1"),
        ({"p": -0.1}, "p = -0.1 "),
        ({"p": nan}, "p = nan "),
        ({"seeds": 7}, "seeds = 7 .* from 8 to 64"),
        ({"seeds": 65}, "seeds = 65 "),
        ({"epochs": 0}, "epochs = 0 .* from 1 to 1,000"),
        ({"epochs": 10**9}, "epochs = 1,000,000,000 "),
        ({"seed": -1}, "seed = -1 "),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_with_what_is(arguments, said):
    with pytest.raises(ArgumentError, match=said):
        compare(**arguments)


def test_every_technique_of_the_list_can_be_compared():
    for technique in lab.TECHNIQUES:
        assert compare(technique, task="digits", epochs=1).parameters["technique"] == technique
