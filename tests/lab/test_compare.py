"""What a comparison does: which arms it trains, that it is fair, and that it can end early."""

import itertools
import json
import random
import threading
import time
from dataclasses import replace
from math import nan
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from helpers import texts
from regdemo import catalog
from regdemo.errors import ArgumentError
from regdemo.lab import data, fused, memory, training
from regdemo.lab.choices import arms, fitting
from regdemo.lab.compare import Stopped, compare
from regdemo.lab.recipe import Recipe
from regdemo.lab.source import Source
from regdemo.lab.store import clock_on, words_of
from regdemo.lab.task import CLASSIFIER, LINEAR_MODEL
from regdemo.lab.techniques import TECHNIQUES
from regdemo.report import Table


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """The digits, but 60 training and 40 test examples of them, and a small network."""
    whole = data.load("digits")
    few = replace(whole.first(60), test_x=whole.test_x[:40], test_y=whole.test_y[:40], hidden=(16, 8), batch_size=20)
    few = replace(few, epochs=4)
    monkeypatch.setitem(data.TASKS, "digits", lambda: few)


def quick(techniques="dropout", **options):
    return compare(techniques, **{"task": "digits", "seeds": 8, "epochs": 2} | options)


def block(report, kind):
    return next(block for block in report.blocks if isinstance(block, kind))


def names(techniques, against="none", **values):
    recipes = arms(techniques, values, against=against, offers=CLASSIFIER, task="digits")
    return [recipe.name for recipe in recipes]


def test_a_technique_is_compared_with_none_at_its_default():
    assert names(["dropout"]) == ["none", "dropout 0.2"]


def test_several_values_are_several_arms():
    assert names(["dropout"], p=[0.1, 0.5]) == ["none", "dropout 0.1", "dropout 0.5"]


def test_several_parameters_are_tried_in_every_combination():
    assert names(["r-drop"], p=[0.1, 0.2], alpha=[1, 4]) == [
        "none",
        "r-drop 0.1",
        "r-drop 0.1, alpha 4",
        "r-drop 0.2",
        "r-drop 0.2, alpha 4",
    ]


def test_a_value_goes_to_every_technique_that_takes_it():
    assert names(["sam", "dropout", "r-drop"], p=[0.3]) == ["none", "sam 0.2", "dropout 0.3", "r-drop 0.3"]


def test_another_technique_can_stand_in_the_place_of_none():
    assert names(["mc-dropout"], against="dropout", p=[0.3]) == ["dropout 0.3", "mc-dropout 0.3"]


def test_an_arm_in_words_has_its_own_values_and_may_be_several_techniques():
    words = ["none", "dropout:p=0.1", "dropout:p=0.2+weight-decay:strength=0.1", "sam"]
    assert names(words, p=[0.5], rho=[0.3]) == [
        "none",
        "dropout 0.1",
        "dropout 0.2 + weight-decay 0.1",
        "sam 0.3",
    ]


def test_a_number_alone_is_the_first_parameter_and_others_are_named():
    assert names(["dropout:0.3", "late-dropout:0.3,part=0.5"]) == ["none", "dropout 0.3", "late-dropout 0.3, part 0.5"]


def test_the_words_of_a_recipe_make_it_again():
    recipes = arms(["late-dropout:0.3+sam", "dropout"], {}, against="none", offers=CLASSIFIER, task="digits")
    again = arms([words_of(r) for r in recipes[1:]], {}, against="none", offers=CLASSIFIER, task="digits")
    assert [r.name for r in again] == [r.name for r in recipes]
    assert words_of(recipes[1]) == "late-dropout:p=0.3,part=0.2+sam:rho=0.2"


def test_a_report_shows_of_its_source_the_file_or_the_task_and_what_is_not_at_its_default():
    assert Source("digits").display_values == {"task": "digits"}
    assert Source("digits", label_noise=0.1, device="cuda:1", precision="bfloat16").display_values == {
        "task": "digits",
        "label_noise": 0.1,
        "device": "cuda:1",
        "precision": "bfloat16",
    }
    assert Source("mnist1d", Path("somewhere/t.csv")).display_values == {"data": "t.csv"}


def test_time_is_the_processors_or_on_a_gpu_what_passes_until_it_is_done(monkeypatch):
    assert clock_on("cpu") is time.thread_time
    waited = []
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    monkeypatch.setattr(time, "perf_counter", lambda: len(waited))
    assert clock_on("cuda:1")() == 1
    assert waited == ["cuda:1"]


def test_a_comparison_checks_that_it_is_fair():
    report = quick()
    assert [claim.measured for claim in report.claims] == [0, 0, 0]
    assert report.holds


def test_test_examples_that_were_trained_on_fail_the_report(monkeypatch):
    few = data.load("digits")
    leaking = replace(few, test_x=torch.cat([few.x[:5], few.test_x[5:]]))
    monkeypatch.setitem(data.TASKS, "digits", lambda: leaking)
    report = quick()
    assert [claim.measured for claim in report.claims] == [5, 0, 0]
    assert not report.holds


def test_arms_that_see_different_batches_fail_the_report(monkeypatch):
    fair = training.TrainingRun.steps_on

    def steps_on(self, batches):
        fair(self, batches if self.recipe.name == "none" else [batch.flip(1) for batch in batches])

    monkeypatch.setattr(training.TrainingRun, "steps_on", steps_on)
    assert [claim.measured for claim in quick().claims] == [0, 0, 8]


def test_at_p_0_both_arms_are_the_same_run():
    report = quick(p=0.0)
    assert report.blocks[0].text.startswith("No difference shown: dropout 0 leaves test accuracy as it is in all")
    assert {(row[3].low, row[3].high, row[4]) for row in block(report, Table).rows} == {(0, 0, "–")}


def test_the_same_seed_gives_the_same_json_and_another_seed_another():
    first, second, other = (
        json.dumps(quick(["sam", "dropout"], seed=seed).as_dict(), allow_nan=False) for seed in (1, 1, 2)
    )
    assert first == second
    assert first.replace('"seed": 1', '"seed": 2') != other


def test_with_a_clock_each_arm_has_its_time():
    ticks = itertools.count()
    report = quick(clock=lambda: float(next(ticks)))
    costs = next(b for b in report.blocks if getattr(b, "title", "").startswith("What each cost"))
    assert costs.columns[1:3] == ["training, s", "time ratio"]
    # Of every two readings of this clock one second has passed: 2 epochs of a group of 8 are 2/8 s a network or more.
    assert all(row[1] >= 0.25 for row in costs.rows)


def test_an_arm_that_validates_holds_out_its_own_examples_and_the_report_says_what_each_was_trained_on():
    report = quick("early-stopping")
    assert "Trained on 60 examples (none); 48 examples (early-stopping 5)" in texts(report)
    assert [claim.measured for claim in report.claims] == [0, 0, 0]
    assert {row["arm"]: row["trained_on"] for row in report.results.records()} == {"none": 60, "early-stopping 5": 48}


def test_the_report_says_where_the_reference_was_best_on_validation_data():
    report = quick(epochs=20)
    best = report.results.pilot.best
    assert f"none had its lowest loss at epoch {best} of 20" in texts(report)
    assert (f"--epochs {best}" in texts(report)) == (best <= 10)


def test_tuning_gives_every_arm_the_same_tries_and_its_networks_the_best_of_them():
    report = quick(epochs=4, tune=3, techniques=["dropout", "early-stopping"])
    rates = {network.learning_rate for some in report.results.networks for network in some.values()}
    assert 1 < len(rates) <= 3
    assert all(network.epochs <= 4 for some in report.results.networks for network in some.values())
    table = next(b for b in report.blocks if getattr(b, "title", "") == "What tuning chose")
    assert [row[0] for row in table.rows] == ["none", "dropout 0.2", "early-stopping 5"]
    assert report.holds


def test_every_networks_values_give_the_interval_again(tmp_path):
    pd = pytest.importorskip("pandas", reason="needs the extra tables: pip install 'regdemo[tables]'")
    report = quick(["dropout", "sam"])
    frame = report.results.to_pandas()
    wide = frame.pivot(index="seed", columns="arm", values="test accuracy, %")
    difference = wide["dropout 0.2"] - wide["none"]
    found = stats.ttest_1samp(difference, 0)
    table = [b for b in report.blocks if isinstance(b, Table)][1]
    interval = found.confidence_interval(1 - 0.05 / 2)  # two arms
    assert (table.rows[0][1].low, table.rows[0][1].high) == pytest.approx(tuple(interval))
    assert table.rows[0][2] == pytest.approx(min(1, 2 * found.pvalue), abs=1e-4)
    for ending in (".csv", ".json", ".parquet"):
        report.results.save(tmp_path / f"r{ending}")
    assert pd.read_csv(tmp_path / "r.csv")["test loss, nats"].tolist() == frame["test loss, nats"].tolist()
    assert pd.read_parquet(tmp_path / "r.parquet").shape == frame.shape
    saved = json.loads((tmp_path / "r.json").read_text())
    assert len(saved["networks"]) == len(frame) == 24
    assert saved["settings"]["learning_rate"] == 0.003
    assert saved["settings"]["versions"]["torch"] == torch.__version__


def test_no_column_of_a_table_comes_twice_and_no_number_is_text():
    for name in ("dropout", "early-stopping"):
        for block in quick([name, "sam"], clock=time.thread_time).blocks:
            if isinstance(block, Table):
                assert len(set(block.columns)) == len(block.columns)
                for row in block.rows:
                    assert not any(isinstance(cell, str) and cell.replace(".", "").isdigit() for cell in row)


def test_a_caller_can_cancel():
    cancel = threading.Event()

    def progress(done, total):
        if done > total / 2:
            cancel.set()

    with pytest.raises(Stopped) as caught:
        quick(epochs=8, progress=progress, cancel=cancel)
    assert "stopped at epoch" in caught.value.report.title


def test_label_noise_and_size_are_part_of_what_it_ran_with():
    report = quick(label_noise=0.5, train_size=30)
    assert (report.parameters["label_noise"], report.parameters["train_size"]) == (0.5, 30)
    assert report.holds


def test_fewer_examples_make_smaller_batches_and_so_fewer_steps_in_the_same_epochs():
    report = compare("dropout", task="digits", seeds=8, train_size=51)
    assert report.parameters["epochs"] == data.load("digits").epochs
    assert report.results.task.batch_size == 17


def test_the_global_random_state_is_left_as_found():
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    quick()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert np.random.get_state()[1].tolist() == before[2]


def stop_at(calls):
    def progress(done, total):
        if done == calls:
            raise KeyboardInterrupt

    return progress


def half_way(done, total):
    if done > total / 2:
        raise KeyboardInterrupt


def test_ctrl_c_leaves_the_report_of_the_last_evaluated_epoch():
    whole = quick()
    with pytest.raises(Stopped) as caught:
        quick(epochs=5, progress=half_way)
    report = caught.value.report
    assert report.title.endswith("8 paired seeds (stopped at epoch 2 of 5)")
    assert report.parameters["stopped_at_epoch"] == 2
    assert block(report, Table) == block(whole, Table)


def test_ctrl_c_before_the_first_evaluation_leaves_no_report():
    with pytest.raises(KeyboardInterrupt) as caught:
        quick(progress=stop_at(24))
    assert caught.type is KeyboardInterrupt


def test_more_seeds_than_memory_are_refused_with_what_would_fit(monkeypatch):
    recipes = [Recipe("none"), Recipe("dropout 0.2", (TECHNIQUES["dropout"](),))]
    held, _ = zip(*(memory.footprint(data.load("digits"), recipe) for recipe in recipes), strict=True)
    monkeypatch.setattr(memory, "available_bytes", lambda _: 1000 * memory.SAFETY_FACTOR * sum(held))
    with pytest.raises(ArgumentError, match=r"seeds = 1,000 would take about .* are free: 9\d\d seeds fit"):
        quick(seeds=1000)
    quick(seeds=9)


def test_a_footprint_counts_weights_gradients_both_moments_and_what_backward_needs():
    task = data.load("digits")
    held, within = memory.footprint(task, Recipe("none"))
    numbers = 64 * 16 + 16 + 16 * 8 + 8 + 8 * 10 + 10
    gaps = 6 * (fused.ALIGNED - 1)  # behind each parameter, so that the next begins on a line of the cache
    assert 4 * 4 * numbers <= held <= 4 * 4 * (numbers + gaps) + 4  # and the optimizer's step count
    assert within >= 4 * 20 * (64 + 16 + 8)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"techniques": "cutout"}, "'cutout' cannot be compared: choose input-noise, mixup"),
        ({"techniques": []}, "nothing to compare"),
        ({"techniques": ["sam", "sam"]}, "'sam 0.2' would be compared with itself"),
        ({"against": "dropout"}, "'dropout 0.2' would be compared with itself"),
        ({"against": "sam", "rho": [0.1, 0.2]}, "sam is what the others are compared with: give it one value, not 2"),
        ({"task": "cifar"}, "no task 'cifar': choose mnist1d or digits or diabetes"),
        ({"rho": 0.1}, "rho isn't a parameter of dropout: it belongs to sam"),
        ({"gamma": 0.1}, "no parameter gamma"),
        ({"p": 1.0}, "p = 1.0 .* below 1"),
        ({"p": [0.1, -0.1]}, "p = -0.1 "),
        ({"p": nan}, "p = nan "),
        ({"techniques": "lookahead", "k": 2.5}, "k = 2.5 .* whole number"),
        ({"label_noise": 0.95}, "label_noise = 0.95 .* from 0 to 0.9"),
        ({"train_size": 1}, "train_size = 1 .* from 2"),
        ({"train_size": 5000}, "train_size = 5,000 .* from 2 to 60"),
        ({"seeds": 7}, "seeds = 7 .* from 8 to 10,000"),
        ({"seeds": 10_001}, "seeds = 10,001 "),
        ({"epochs": 0}, "epochs = 0 .* from 1 to 100,000"),
        ({"epochs": 10**9}, "epochs = 1,000,000,000 "),
        ({"seed": -1}, "seed = -1 "),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_with_what_is(arguments, said):
    with pytest.raises(ArgumentError, match=said):
        quick(**arguments)


def test_a_technique_that_does_not_fit_a_task_is_refused_with_those_that_do():
    with pytest.raises(ArgumentError, match="label-smoothing does not fit the task t: those that fit are input-noise,"):
        arms(["label-smoothing"], {}, against="none", offers=LINEAR_MODEL, task="t")


@pytest.mark.parametrize("technique", fitting(CLASSIFIER | {"images"}))
def test_every_technique_that_can_be_trained_with_can_be_compared(technique):
    assert quick(technique, epochs=1).parameters["technique"] == technique


def test_every_demo_is_an_arm_but_those_that_no_task_can_be_trained_with():
    no_arm = {
        "augmentation",  # of labelled texts: the text task's labels are the text, and would be edited with it
        "batch-norm-noise",  # this and the next three measure an effect or an evaluation, and are no remedy
        "cross-validation",
        "double-descent",
        "learning-curves",
        "drop-block",  # on feature maps, which none of the networks has
        "dropout-batch-norm",  # this and the next two are on whole models
        "dropout-sites",
        "gpt2",
        "elastic-net",  # the arm l1-penalty+l2-penalty is it
        "ensembles",  # of several networks, and an arm judges one at a time
        "locked-dropout",  # on the text task the arm spatial-dropout is it: one mask for all steps of a sequence
        "lora-dropout",  # on an update of a frozen layer, and no task freezes one
        "zoneout",  # for recurrent networks, which none of the tasks trains
    }
    assert {demo.name for demo in catalog.demos()} - set(TECHNIQUES) == no_arm


def test_two_that_set_the_same_thing_cannot_be_in_one_recipe():
    with pytest.raises(ArgumentError, match="cannot have dropout and r-drop: both set the drop rate"):
        Recipe("both", (TECHNIQUES["dropout"](), TECHNIQUES["r-drop"]()))
