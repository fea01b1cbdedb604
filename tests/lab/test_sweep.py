"""A grid: what is in it, what a rerun does, what is in its file, and what it says."""

import json
from concurrent.futures import Executor, Future
from dataclasses import replace
from math import nan

import pytest
import torch

from helpers import texts
from paired import PairedTraining
from regdemo.errors import ArgumentError, FileError, RegdemoError
from regdemo.lab import data, executors, memory, store
from regdemo.lab.compare import Stopped
from regdemo.lab.metrics import TEST_ACCURACY
from regdemo.lab.recipe import Recipe
from regdemo.lab.statistics import change, mean_interval
from regdemo.lab.store import BEGINNING, Store, train_job
from regdemo.lab.sweep import sweep
from regdemo.lab.techniques import TECHNIQUES
from regdemo.lab.training import GROUP
from regdemo.report import Boxes, Curves, Table

pytestmark = pytest.mark.usefixtures("small")


class Here(Executor):
    """An executor that does each call at once, where it is, and notes what it was of."""

    def __init__(self, jobs, fail=lambda job: None):
        self.jobs, self.fail = jobs, fail

    def submit(self, call, job):
        self.jobs.append(job)
        future = Future()
        try:
            self.fail(job)
            future.set_result(call(job))
        except Exception as error:
            future.set_exception(error)
        return future


def quick(out, jobs=None, fail=lambda job: None, **options):
    jobs = [] if jobs is None else jobs
    options = {"task": "digits", "seeds": 8, "epochs": 2, "executor": lambda workers: Here(jobs, fail)} | options
    return sweep(options.pop("techniques", "dropout"), out / "s.jsonl", **options)


def test_the_grid_is_none_and_every_technique_at_every_value_and_size_the_first_seeds_first(tmp_path):
    jobs = []
    quick(tmp_path, jobs, techniques=["dropout", "sam"], p=[0.1, 0.5], train_sizes=[30, 60], seeds=GROUP + 2)
    arms = ["none", "dropout 0.1", "dropout 0.5", "sam 0.2"]
    assert [(c.members[0], c.members[-1] + 1, c.setting.train_size, c.recipe.name) for c in jobs] == [
        (*block, size, arm) for block in [(0, GROUP), (GROUP, GROUP + 2)] for size in (60, 30) for arm in arms
    ]


def test_each_member_has_the_result_that_compare_has_for_it(tmp_path):
    jobs = []
    quick(tmp_path, jobs, seeds=10)
    recipes = [Recipe("none"), Recipe("dropout 0.2", (TECHNIQUES["dropout"](),))]
    training = PairedTraining(data.load("digits"), recipes, range(10), seed=0, epochs=2)
    *_, last = training.run()
    with Store(tmp_path / "s.jsonl") as results:
        for job, scores in zip(jobs[:2], last.scores, strict=True):
            found = results.done[job.setting.key]
            for name, values in scores.items():
                assert [found[k].scores[name] for k in range(10)] == pytest.approx(values, abs=1e-5)


def test_a_rerun_trains_nothing_and_gives_the_same_report(tmp_path):
    first, jobs = quick(tmp_path, p=[0.1, 0.5]), []
    kept = (tmp_path / "s.jsonl").read_bytes()
    assert quick(tmp_path, jobs, p=[0.1, 0.5]) == first
    assert jobs == []
    assert (tmp_path / "s.jsonl").read_bytes() == kept


def test_more_seeds_values_and_sizes_train_only_what_is_missing(tmp_path):
    quick(tmp_path, seeds=10)
    jobs = []
    report = quick(tmp_path, jobs, seeds=13, p=[0.2, 0.4], train_sizes=[60, 30])
    new = [(c.recipe.name, c.setting.train_size, c.members[0], c.members[-1] + 1) for c in jobs]
    assert sorted(job for job in new if job[1] == 60) == [
        ("dropout 0.2", 60, 10, 13),
        ("dropout 0.4", 60, 0, 8),
        ("dropout 0.4", 60, 8, 13),
        ("none", 60, 10, 13),
    ]
    assert report.holds


def test_what_is_missing_within_a_block_is_filled(tmp_path):
    jobs = []
    quick(tmp_path, jobs)
    path = tmp_path / "s.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for i, line in enumerate(lines) if i not in (1, 4, 5, 10)))
    jobs = []
    assert quick(tmp_path, jobs).holds
    assert [(job.recipe.name, job.members) for job in jobs] == [("none", (1, 4, 5)), ("dropout 0.2", (2,))]


def test_each_network_is_a_line_of_its_own(tmp_path):
    quick(tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert [line["seed"] for line in lines] == [*range(8), *range(8)]
    assert {line["setting"]["arm"] for line in lines} == {"none", "dropout:p=0.2"}


def test_networks_that_take_long_are_trained_in_smaller_jobs_the_longest_first(tmp_path, monkeypatch):
    monkeypatch.setattr("regdemo.lab.store.QUICK_JOB_SECONDS", 5 * store.cost(data.load("digits"), 2))
    jobs = []
    quick(tmp_path, jobs, train_sizes=[30, 60])
    assert [(job.setting.train_size, len(job.members)) for job in jobs[:3]] == [(60, 5), (30, 8), (60, 5)] or [
        (job.setting.train_size, len(job.members)) for job in jobs[:2]
    ] == [(60, 5), (60, 5)]


def test_the_order_in_which_jobs_ended_changes_nothing(tmp_path):
    first, path = quick(tmp_path, p=[0.1, 0.5]), tmp_path / "s.jsonl"
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    assert quick(tmp_path, p=[0.1, 0.5]) == first


@pytest.mark.parametrize("left", [1, len(BEGINNING) - 3, len(BEGINNING) + 20])
def test_a_line_cut_short_is_passed_over_and_its_job_trained_again_on_a_new_line(tmp_path, left):
    quick(tmp_path)
    path = tmp_path / "s.jsonl"
    *most, second = path.read_text().splitlines(keepends=True)
    first = "".join(most)
    path.write_text(first + second[:left])
    jobs = []
    report = quick(tmp_path, jobs)
    assert [(job.recipe.name, job.members) for job in jobs] == [("dropout 0.2", (7,))]
    assert "1 line cut short" in texts(report)
    assert path.read_text().startswith(first + second[:left] + "\n" + BEGINNING)
    assert quick(tmp_path, executor=None) == report


def test_a_whole_last_line_without_its_end_counts(tmp_path):
    first, path, jobs = quick(tmp_path), tmp_path / "s.jsonl", []
    path.write_text(path.read_text().removesuffix("\n"))
    assert quick(tmp_path, jobs) == first
    assert jobs == []
    assert quick(tmp_path, jobs, seeds=9).holds
    assert len(path.read_text().splitlines()) == 18


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b"technique,accuracy\n", 1),
        (b'{"loss": 1}\n', 1),
        (b"\xff\xfe\n", 1),
        (b"\n[]\n", 2),
        (BEGINNING.encode() + b'"setting": 3}\n', 1),
        ("same", 17),
    ],
)
def test_a_line_of_something_else_is_named_by_file_and_line_and_nothing_is_written(tmp_path, content, where):
    path = tmp_path / "s.jsonl"
    if content == "same":
        quick(tmp_path)
        content = path.read_bytes() + path.read_bytes()
    path.write_bytes(content)
    with pytest.raises(FileError, match=rf"s\.jsonl:{where}: this line is not from a sweep of this version"):
        quick(tmp_path)
    assert path.read_bytes() == content


def test_a_file_in_use_is_refused(tmp_path):
    with Store(tmp_path / "s.jsonl"), pytest.raises(FileError, match="in use by another sweep"):
        quick(tmp_path)


def test_a_file_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "s.jsonl").mkdir()
    with pytest.raises(FileError, match=r"cannot keep results in .*: Is a directory"):
        quick(tmp_path)
    with pytest.raises(FileError, match="No such file or directory"):
        quick(tmp_path / "nowhere")
    with pytest.raises(FileError, match="isn't a regular file"):
        sweep("dropout", "/dev/null")


def test_a_job_that_raises_is_reported_and_tried_again_by_the_next_run(tmp_path):
    def fail(job):
        if job.setting.arm == "dropout:p=0.5":
            raise OSError("disk on fire\nwith more lines")

    report = quick(tmp_path, fail=fail, p=[0.1, 0.5])
    assert "Lost, OSError: disk on fire: dropout 0.5 at 60 examples, seeds 0 to 7." in texts(report)
    assert "No verdict on dropout 0.5: fewer than the 2 pairs that an interval needs." in texts(report)
    shown = [
        row for block in report.blocks if isinstance(block, Table) for row in block.rows if row[0] == "dropout 0.5"
    ]
    assert {cell for row in shown for cell in row[1:]} == {0, "–"}
    assert [claim.holds for claim in report.claims] == [True, True, True, False]
    jobs = []
    assert quick(tmp_path, jobs, p=[0.1, 0.5]).holds
    assert [job.setting.arm for job in jobs] == ["dropout:p=0.5"]


def test_where_all_is_lost_there_is_no_report_but_the_reason(tmp_path):
    def fail(job):
        raise OSError("disk on fire")

    with pytest.raises(RegdemoError, match="all were lost, the first by OSError: disk on fire"):
        quick(tmp_path, fail=fail)


def test_ctrl_c_keeps_and_reports_the_finished_jobs(tmp_path):
    def press(done, total):
        if done == 16:
            raise KeyboardInterrupt

    with pytest.raises(Stopped) as caught:
        quick(tmp_path, p=[0.1, 0.5], progress=press)
    assert caught.value.report.title.endswith("(stopped)")
    assert "16 of the grid's 24 networks" in texts(caught.value.report)
    jobs = []
    quick(tmp_path, jobs, p=[0.1, 0.5])
    assert len(jobs) == 1


def test_ctrl_c_before_the_first_job_has_nothing_to_report(tmp_path):
    def press(done, total):
        if done == 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        quick(tmp_path, progress=press)
    assert not isinstance(caught.value, Stopped)


def test_differences_are_paired_by_seed_and_corrected_over_the_whole_grid(tmp_path):
    report = quick(tmp_path, p=[0.1, 0.9], train_sizes=[30, 60], epochs=4)
    lines = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    levels = {
        (arm, size): [
            line["scores"][TEST_ACCURACY]
            for line in lines
            if (line["setting"]["arm"], line["setting"]["train_size"]) == (arm, size)
        ]
        for arm in ("none", "dropout:p=0.1", "dropout:p=0.9")
        for size in (30, 60)
    }
    arms = [(f"dropout:p={p}", size) for size in (30, 60) for p in (0.1, 0.9)]
    changes = [[b - a for a, b in zip(levels["none", n], levels[p, n], strict=True)] for p, n in arms]
    table = next(block for block in report.blocks if isinstance(block, Table))
    assert [row[4].value for row in table.rows] == pytest.approx([sum(d) / 8 for d in changes])
    assert [row[5] for row in table.rows] == [round(change(d, comparisons=4).p, 4) for d in changes]
    (boxes,) = (block for block in report.blocks if isinstance(block, Boxes))
    assert [box.name for box in boxes.boxes] == [f"dropout {p} at {n} examples" for n in (30, 60) for p in (0.1, 0.9)]
    assert [box.values for box in boxes.boxes] == [pytest.approx(d) for d in changes]


def test_curves_are_drawn_over_what_has_several_values(tmp_path):
    def titles(**options):
        return [block.title for block in quick(tmp_path, **options).blocks if isinstance(block, Curves)]

    assert titles() == []
    assert titles(p=[0.1, 0.5]) == ["Test accuracy over dropout's p"]
    assert titles(train_sizes=[30, 60]) == ["Test accuracy over the number of examples"]
    assert len(titles(p=[0.1, 0.5], train_sizes=[30, 60])) == 2


def test_a_member_that_diverged_is_null_in_the_file_named_and_left_out(tmp_path, monkeypatch):
    jobs = []
    quick(tmp_path, jobs)
    path = tmp_path / "s.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[11]["scores"][TEST_ACCURACY] = None
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    report = quick(tmp_path)
    assert "1 of 8 runs of 'dropout 0.2' diverged (a metric is not finite): seed 3" in texts(report)
    assert next(block for block in report.blocks if isinstance(block, Table)).rows[0][1] == 7
    monkeypatch.setattr("regdemo.lab.training.TrainingRun.scores", lambda self: {TEST_ACCURACY: [nan] * 8})
    assert [line["scores"] for line in train_job(jobs[0])] == [{TEST_ACCURACY: None}] * 8


def test_a_data_file_that_changed_is_another_setting_and_one_that_differs_on_a_worker_is_refused(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("a,b\n" + "".join(f"{i * 7 % 60},{'xy'[i % 2]}\n" for i in range(60)))
    jobs = []
    quick(tmp_path, jobs, data=table, epochs=1)
    quick(tmp_path, jobs, data=table, epochs=1)
    assert len(jobs) == 2
    table.write_text(table.read_text().replace("\n7,", "\n7.5,"))
    quick(tmp_path, jobs, data=table, epochs=1)
    assert len(jobs) == 4
    store._prepared.cache_clear()
    with pytest.raises(FileError, match="another file here than where the sweep was started"):
        train_job(jobs[0])


def test_of_a_text_the_loss_is_the_headline_and_the_accuracy_is_in_the_rest(tmp_path, monkeypatch):
    whole = data.load("text").first(32)
    small = replace(whole, test_x=whole.test_x[:20], test_y=whole.test_y[:20], width=8, heads=2)
    monkeypatch.setitem(data.TASKS, "text", lambda: small)
    report = quick(tmp_path, techniques=["word-dropout"], task="text", epochs=1)
    found = tables(report)
    assert found["The difference from none in test loss"].columns[2:4] == ["none, nats", "difference, nats"]
    rest = found["The differences from none in the rest"].columns
    assert rest == [
        "",
        "test accuracy, points",
        "p of test accuracy",
        "calibration error, points",
        "p of calibration error",
    ]


def tables(report):
    return {block.title: block for block in report.blocks if isinstance(block, Table)}


ATTACKED = "The difference from none in accuracy under FGSM 0.1"


def test_what_a_technique_measures_is_measured_in_every_arm_as_compare_does(tmp_path):
    report = quick(tmp_path, techniques=["fgsm", "dropout"])
    recipes = [Recipe("none"), *(Recipe(name, (TECHNIQUES[name](),)) for name in ("fgsm", "dropout"))]
    *_, last = PairedTraining(data.load("digits"), recipes, range(8), seed=0, epochs=2).run()
    none, *others = (scores["accuracy under FGSM 0.1, %"] for scores in last.scores)
    table = tables(report)[ATTACKED]
    assert table.columns == ["", "pairs", "none, %", "difference, points", "p"]
    for row, arm in zip(table.rows, others, strict=True):
        assert row[1:3] == [8, mean_interval(none)]
        assert row[3] == change([b - a for a, b in zip(none, arm, strict=True)], comparisons=2).interval
    assert "lack it" not in table.note


def test_networks_of_a_file_that_lack_a_measure_are_left_out_of_its_table_and_counted(tmp_path):
    quick(tmp_path)
    report = quick(tmp_path, techniques=["fgsm", "dropout"])
    assert ATTACKED not in tables(report)
    assert "No pair shows accuracy under FGSM 0.1: 16 of the networks" in texts(report)
    more = quick(tmp_path, techniques=["fgsm", "dropout"], seeds=12)
    table = tables(more)[ATTACKED]
    assert [row[1] for row in table.rows] == [4, 4]
    assert "16 of the networks were trained before this was asked for" in table.note
    assert all(row[1] == 12 for row in tables(more)["The difference from none in test accuracy"].rows)
    assert report.holds
    assert more.holds


def test_a_measure_that_was_not_asked_for_is_not_shown(tmp_path):
    quick(tmp_path, techniques=["fgsm", "dropout"])
    assert ATTACKED not in tables(quick(tmp_path))


def test_what_another_precision_has_trained_is_kept_apart(tmp_path):
    first, jobs = quick(tmp_path), []
    report = quick(tmp_path, jobs, precision="bfloat16")
    assert len(jobs) == 2
    assert report.parameters["precision"] == "bfloat16"
    assert report.blocks != first.blocks
    assert quick(tmp_path, jobs, precision="bfloat16") == report
    assert quick(tmp_path, jobs) == first
    assert len(jobs) == 2


def test_two_versions_that_trained_a_grid_are_named_but_not_what_trained_another(tmp_path):
    quick(tmp_path)
    quick(tmp_path, precision="bfloat16")
    path = tmp_path / "s.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[20]["by"] = "an old version"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert "trained by an old version and by regdemo" in texts(quick(tmp_path, precision="bfloat16"))
    assert "trained by regdemo" not in texts(quick(tmp_path))


def test_a_gpu_is_the_workers_and_one_without_it_says_so_in_a_line_with_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr("platform.node", lambda: "host-7")
    jobs = []
    with pytest.raises(RegdemoError, match=r"ArgumentError: on host-7, device = 'cuda:1' is not there: .*") as caught:
        quick(tmp_path, jobs, device="cuda:1", seeds=GROUP + 2)
    assert "\n" not in str(caught.value)
    assert [(job.setting.device, job.task.device, len(job.members)) for job in jobs] == [
        ("cuda", "cuda:1", GROUP + 2)
    ] * 2


def test_only_the_arm_that_validates_trains_on_fewer_examples(tmp_path):
    report = quick(tmp_path, techniques=["early-stopping"])
    assert {row["arm"]: row["trained_on"] for row in report.results.records()} == {"none": 60, "early-stopping 5": 48}


def test_more_workers_than_fit_in_memory_are_refused_with_how_many_do(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda _: 1.3e9)
    with pytest.raises(ArgumentError, match=r"workers = 9 would take about 3.* GB of memory.*: 3 fit"):
        quick(tmp_path, workers=9, executor=None)


def test_processes_share_out_the_gpus_unless_one_is_named(tmp_path, monkeypatch):
    shared, checked = [], []

    def processes(workers, gpus):
        shared.append((workers, gpus))
        return Here([], fail=lambda job: 1 / 0)

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(data.Task, "on", lambda self, device, precision: self)
    monkeypatch.setattr(memory, "check_workers", lambda task, footprints, workers: checked.append(workers))
    monkeypatch.setattr(executors, "Processes", processes)
    for device in ("cpu", "cuda", "cuda:1"):
        with pytest.raises(RegdemoError, match="ZeroDivisionError"):
            quick(tmp_path, device=device, executor=None, workers=3)
    assert shared == [(3, 0), (3, 2), (3, 0)]
    assert checked == [3, 2, 3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"techniques": ["cutout"]}, "'cutout' cannot be compared"),
        ({"techniques": ["none"]}, "'none' would be compared with itself"),
        ({"train_sizes": [30, 30]}, "train_size has the same value twice"),
        ({"train_sizes": [1]}, "train_size = 1 is not allowed"),
        ({"train_sizes": [61]}, "has from 2 to 60"),
        ({"workers": 0}, "workers = 0 is not allowed"),
        ({"device": "gpu"}, "device = 'gpu' is not allowed"),
        ({"device": "cuda:99", "executor": None}, "device = 'cuda:99' is not there"),
        ({"precision": "fp8"}, "precision = 'fp8' is not allowed"),
        ({"seeds": 3}, "seeds = 3 is not allowed"),
        ({"p": [0.1, 1.0]}, "p = 1.0 is not allowed"),
        ({"epochs": 0}, "epochs = 0 is not allowed"),
    ],
)
def test_bad_input_is_refused_before_a_file_is_made(tmp_path, options, message):
    with pytest.raises(ArgumentError, match=message):
        quick(tmp_path, **options)
    assert not (tmp_path / "s.jsonl").exists()


def test_torch_keeps_its_random_state(tmp_path):
    before = torch.get_rng_state()
    quick(tmp_path)
    assert torch.equal(torch.get_rng_state(), before)
