"""What a comparison says: no more than its interval, whatever became of the runs."""

import re
from math import nan

import pytest
import torch
from scipy import stats

from regdemo.lab import arms, findings, metrics
from regdemo.lab.compare import report_of
from regdemo.lab.experiment import Experiment
from regdemo.lab.findings import Scope, conclusion
from regdemo.lab.results import Evaluation, Pilot
from regdemo.lab.statistics import change
from regdemo.lab.task import Task
from regdemo.report import Curves, Table, Text

ACCURACY = metrics.TEST_ACCURACY
RISE = [4.2, 4.9, 4.4, 4.8, 4.6, 4.7, 4.5, 4.7]
NOTHING = [0.4, -0.3, 0.1, 0.6, -0.5, 0.2, -0.1, 0.3]
HERE = Scope(" on this test set", "8 paired seeds", "")


def said(values, metric=ACCURACY, comparisons=1, **options):
    return conclusion("dropout 0.2", change(values, comparisons=comparisons), metric, HERE, comparisons, **options)


def test_a_clear_rise_is_said_with_its_interval_and_where_it_holds():
    low, high = stats.ttest_1samp(RISE, 0).confidence_interval(0.95)
    assert said(RISE).startswith(
        f"Dropout 0.2 raises test accuracy by 4.6 points [{low:.1f}, {high:.1f}] on this test set (95% interval, "
        "8 paired seeds, p-value"
    )


def test_a_clear_fall_is_said_as_a_positive_number_of_points():
    assert said([-d for d in RISE]).startswith("Dropout 0.2 lowers test accuracy by 4.6 points [4.4, 4.8]")


def test_an_interval_around_0_shows_no_difference_and_says_what_it_could_have_shown():
    text = said(NOTHING)
    assert text.startswith("No difference shown: dropout 0.2 changes test accuracy by +0.087 points [-0.22, 0.4]")
    smallest = findings.digits(change(NOTHING).smallest)
    assert text.endswith(f"The smallest difference that this comparison would show in 4 of 5 cases: {smallest} points.")


def test_of_several_arms_the_interval_is_simultaneous_and_said_to_be():
    close = [d + 0.35 for d in NOTHING]
    assert said(close).startswith("Dropout 0.2 raises")
    text = said(close, comparisons=5)
    assert text.startswith("No difference shown")
    low = float(re.search(r"\[(-?[\d.]+),", text)[1])
    assert low < 0
    assert "simultaneous 95% interval" in text
    assert "corrected for 5 comparisons" in text


def test_what_holds_over_these_splits_alone_is_said_apart():
    text = said(NOTHING, plain=change(RISE))
    assert "Over random splits of these rows alone it is +4.6 [4.4, 4.8]; that says nothing of new rows." in text


def test_an_end_of_the_interval_that_is_not_0_is_never_written_as_0():
    text = said([0.02, 0.03, 0.02, 0.04, 0.03, 0.02, 0.03, 0.02])
    assert re.search(r"raises test accuracy by 0\.026 points \[0\.02, 0\.032\]", text)


@pytest.mark.parametrize(("values", "moved"), [([0.0] * 8, "leaves test accuracy as it is"), ([0.5] * 8, "changes")])
def test_pairs_that_all_differ_alike_leave_nothing_to_judge_by(values, moved):
    assert said(values).startswith(f"No difference shown: dropout 0.2 {moved}")


def test_a_verdict_on_a_loss_has_its_unit():
    text = said([-0.5, -0.4, -0.6, -0.5, -0.45, -0.55, -0.5, -0.5], metrics.TEST_LOSS)
    assert text.startswith("Dropout 0.2 lowers test loss by 0.5 nats [")


def test_a_verb_is_said_once_for_all_that_it_is_true_of_and_secondary_metrics_are_called_so():
    fall, rise = change([-d for d in RISE]), change(RISE)
    text = findings.secondary_findings(
        {metrics.TEST_LOSS: fall, metrics.CALIBRATION: fall, ACCURACY: rise, metrics.F1: change(NOTHING)}
    )
    assert re.sub(r" by 4\.6 (nats|points) \[4\.4, 4\.8\]", "", text) == (
        "Secondary metrics, not corrected for their number: It lowers test loss and calibration error and raises test "
        "accuracy. No difference shown in F1."
    )


def test_several_arms_are_listed_with_commas():
    assert [findings.joined(names) for names in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]


@pytest.fixture
def results():
    """Two arms against none on 24 points, trained for two epochs."""
    x = torch.randn(48, 3, generator=torch.Generator().manual_seed(0))
    y = (x[:, 0] > 0).long()
    task = Task("a task", "From nowhere.", x[:24], y[:24], x[24:], y[24:], 2, hidden=(4,), batch_size=8)
    return Experiment(task, arms("none", "dropout:0.2", "dropout:0.5"), seeds=8, epochs=2).run()


def scored(results, place, member, metric, value):
    results.networks[place][member].scores[metric] = value


def tables(report):
    return [block for block in report.blocks if isinstance(block, Table)]


def test_a_seed_that_diverged_is_named_and_left_out_of_every_arm(results):
    scored(results, 1, 3, metrics.TEST_LOSS, nan)
    report = report_of(results, {})
    text = " ".join(block.text for block in report.blocks if isinstance(block, Text))
    assert "1 of 8 runs of 'dropout 0.2' diverged (a metric is not finite): seed 3. They are left out of every" in text
    assert tables(report)[0].title == "After epoch 2, over 7 pairs, with 95% intervals"


def test_an_arm_that_diverged_everywhere_is_left_out_alone(results):
    for member in range(8):
        scored(results, 1, member, metrics.TEST_LOSS, nan)
    report = report_of(results, {})
    assert [row[0] for row in tables(report)[0].rows] == ["none", "dropout 0.5"]
    assert any("0 left: no verdict on it" in block.text for block in report.blocks if isinstance(block, Text))


def test_where_the_reference_diverged_there_is_no_verdict_but_a_report(results):
    for member in range(8):
        scored(results, 0, member, metrics.TEST_LOSS, nan)
    report = report_of(results, {})
    assert report.blocks[0].text == "No verdict on dropout 0.2: 0 pairs left, and an interval needs 2."


def test_a_curve_is_the_mean_over_seeds_with_its_interval(results):
    report = report_of(results, {})
    curve = next(block for block in report.blocks if isinstance(block, Curves))
    assert curve.title == "Test accuracy, epoch by epoch"
    assert [series.name for series in curve.series] == ["none", "dropout 0.2", "dropout 0.5"]
    last = [results.evaluations[-1].scores[1][k][ACCURACY] for k in range(8)]
    assert curve.series[1].y[-1] == pytest.approx(sum(last) / 8)


def test_a_reference_that_was_best_early_is_said_to_be_trained_past_its_best(results):
    results.pilot = Pilot([(1, 0.5), (2, 0.9)], 4, True)
    text = " ".join(b.text for b in findings.training_blocks(results) if isinstance(b, Text))
    assert "none had its lowest loss at epoch 1 of 2. It was trained past its best" in text
    assert "compare at --epochs 1 too, or let every arm choose with --tune 4" in text
    results.pilot = Pilot([(1, 0.9), (2, 0.5)], 4, True)
    text = " ".join(b.text for b in findings.training_blocks(results) if isinstance(b, Text))
    assert "past its best" not in text


def test_more_arms_than_a_plot_can_tell_apart_have_no_curves(results, monkeypatch):
    monkeypatch.setattr(findings, "MOST_CURVES", 2)
    titles = [block.title for block in report_of(results, {}).blocks if isinstance(block, Curves)]
    assert not any("epoch by epoch" in title for title in titles)


def test_a_report_of_what_was_stopped_says_when(results):
    results.stopped = True
    results.evaluations = results.evaluations[:1]
    assert isinstance(results.evaluations[0], Evaluation)
    report = report_of(results, {})
    assert report.title.endswith("(stopped at epoch 1 of 2)")
    assert len(report.claims) == 2
