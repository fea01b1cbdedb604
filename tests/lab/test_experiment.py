"""From Python: your own arrays, module and metric; one runner's values are another's."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from sklearn import datasets
from sklearn import metrics as oracle
from torch import nn

from regdemo.errors import ArgumentError
from regdemo.lab import Experiment, Metric, arms, from_arrays, metrics
from regdemo.lab.choices import fitting
from regdemo.lab.compare import compare
from regdemo.lab.recipe import Recipe
from regdemo.lab.techniques import TECHNIQUES
from regdemo.lab.training import TrainingRun

X, Y = datasets.load_iris(return_X_y=True)
QUICK = {"width": 8, "depth": 1, "epochs": 2}


class Net(nn.Module):
    """A convolution, batch norm, dropout and a linear layer on four numbers."""

    def __init__(self, outputs=3):
        super().__init__()
        self.conv, self.norm, self.drop = nn.Conv1d(1, 4, 3, padding=1), nn.BatchNorm1d(4), nn.Dropout(0.5)
        self.out = nn.Linear(16, outputs)

    def forward(self, x):
        return self.out(self.drop(self.norm(self.conv(x[:, None]))).relu().flatten(1))


def test_every_network_is_a_row_with_its_split_and_metrics():
    results = Experiment(
        from_arrays(X, Y, **QUICK), arms("none", "dropout:p=0.1+weight-decay:strength=0.1"), seeds=8
    ).run()
    frame = results.to_pandas()
    assert len(frame) == 16
    assert frame["arm"].unique().tolist() == ["none", "dropout 0.1 + weight-decay 0.1"]
    assert frame.groupby("arm")["split"].apply(list).tolist() == [list(range(8))] * 2
    assert frame["trained_on"].unique().tolist() == [112]


def test_jobs_in_an_executor_give_the_networks_that_training_in_step_gives(tmp_path):
    task = from_arrays(X, Y, **QUICK)
    experiment = Experiment(task, arms("none", "dropout:0.3"), seeds=8)
    in_step = experiment.run()
    in_jobs = experiment.run(ThreadPoolExecutor, tmp_path / "s.jsonl")
    for one, other in zip(in_step.records(), in_jobs.records(), strict=True):
        assert one["test loss, nats"] == pytest.approx(other["test loss, nats"], abs=1e-6)
        assert (one["arm"], one["seed"], one["trained_on"]) == (other["arm"], other["seed"], other["trained_on"])
    again = experiment.run(ThreadPoolExecutor, tmp_path / "s.jsonl")
    assert again.records() == in_jobs.records()
    assert in_jobs.unequal_batches() == in_jobs.unequal_starts() == 0


def test_a_module_of_your_own_is_trained_and_compared():
    task = from_arrays(X, Y, model=Net, epochs=2)
    before = torch.get_rng_state()
    report = compare(["dropout:0.3", "sam", "label-smoothing"], own=task, seeds=8)
    assert torch.equal(torch.get_rng_state(), before)
    assert report.holds
    assert "Net of 75 parameters" in " ".join(getattr(b, "text", "") for b in report.blocks)
    assert len(report.results.records()) == 32


FIT = fitting(from_arrays(X, Y, model=Net).offers)


@pytest.mark.parametrize("name", [name for name in FIT if name != "layerwise-dropout"])  # whose first rate is 0
def test_a_technique_that_fits_a_module_changes_what_it_learns(name):
    task = from_arrays(X, Y, model=Net, learning_rate=0.05)
    strong = {"gradient-clipping": {"max_norm": 0.01}}.get(name, {})
    runs = [
        TrainingRun(task, recipe, [0], seed=0)
        for recipe in (Recipe("none"), Recipe(name, (TECHNIQUES[name](**strong),)))
    ]
    for run in runs:
        for _ in range(4):
            run.epoch()
    assert runs[0].scores()["test loss, nats"] != runs[1].scores()["test loss, nats"]


def test_a_technique_that_needs_a_site_that_the_module_lacks_says_so():
    assert {"dropout", "sam", "mixup", "weight-noise"} <= set(FIT)
    assert not {"max-norm", "dp-sgd", "attention-dropout", "word-dropout"} & set(FIT)
    with pytest.raises(ArgumentError, match="max-norm does not fit the task your data: those that fit are"):
        arms("none", "max-norm", task=from_arrays(X, Y, model=Net))
    without = from_arrays(X, Y, model=lambda: nn.Linear(4, 3))
    with pytest.raises(ArgumentError, match="dropout does not fit the task"):
        arms("none", "dropout", task=without)


def test_a_modules_own_dropout_is_off_and_its_batch_norm_learns_in_training_only():
    task = from_arrays(X, Y, model=Net)
    first, second = (TrainingRun(task, Recipe("none"), [0], seed=0) for _ in range(2))
    for run in (first, second):
        run.epoch()
    assert all(map(torch.equal, first.parameters, second.parameters))
    norm = first.model.module.norm
    assert norm.num_batches_tracked > 0
    before = norm.running_mean.clone()
    first.scores()
    assert torch.equal(norm.running_mean, before)


def test_a_metric_of_your_own_is_the_primary_one_and_knows_which_way_is_better():
    def missed(outputs, targets):
        return ((outputs.argmax(-1) != targets) & (targets == 2)).double().sum().item()

    task = from_arrays(X, Y, metrics=[Metric("missed virginicas, flowers", missed, better=-1)], **QUICK)
    results = Experiment(task, arms("none", "dropout"), seeds=8).run()
    assert results.metrics[0] == "missed virginicas, flowers"
    assert results.judged[0] == results.metrics[0]
    assert all(0 <= row["missed virginicas, flowers"] <= 13 for row in results.records())


def test_a_regression_on_arrays_is_judged_in_the_targets_unit():
    x, y = datasets.load_diabetes(return_X_y=True)
    task = from_arrays(x, y, **QUICK)
    results = Experiment(task, arms("none", "dropout"), seeds=8).run()
    errors = list(results.values(0, "test error").values())
    assert 40 < min(errors) < max(errors) < 200  # the target's deviation is 77


@pytest.mark.parametrize(
    ("x", "y", "options", "said"),
    [
        (X, Y[:5], {}, "they must be"),
        (X[:, 0], Y, {}, "they must be"),
        (X.reshape(150, 2, 2), Y, {}, "needs a model of yours"),
        (X, Y, {"test": (X, Y), "folds": 5}, "leave them or the test out"),
        (X, Y, {"width": 0}, "width = 0 is not allowed"),
        (X, Y, {"optimizer": "adagrad"}, "it must be adam or sgd or momentum"),
        (X, Y, {"learning_rate": -1.0}, "lr = -1.0 is not allowed"),
    ],
)
def test_arrays_and_options_that_do_not_fit_are_refused(x, y, options, said):
    with pytest.raises(ArgumentError, match=said):
        from_arrays(x, y, **options)


def test_metrics_by_class_are_scikit_learns():
    random = np.random.default_rng(0)
    y = random.choice(3, size=200, p=[0.8, 0.15, 0.05])
    logits = (random.normal(size=(200, 3)) + 1.5 * np.eye(3)[y]).round(1)  # with ties
    p = torch.tensor(logits).softmax(-1)
    found = metrics.by_class(p.log()[None], torch.tensor(y)[None])
    guess = p.argmax(-1).numpy()
    assert found[metrics.BALANCED].item() == pytest.approx(100 * oracle.balanced_accuracy_score(y, guess))
    assert found[metrics.F1].item() == pytest.approx(100 * oracle.f1_score(y, guess, average="macro"))
    auc = oracle.roc_auc_score(y, p.numpy(), multi_class="ovr", average="macro")
    assert found[metrics.AUC].item() == pytest.approx(100 * auc)
    assert found[metrics.BRIER].item() == pytest.approx(((p.numpy() - np.eye(3)[y]) ** 2).sum(1).mean())


def test_a_class_that_the_test_rows_lack_does_not_count():
    y = torch.tensor([[0, 1, 0, 1]])
    log_p = torch.tensor([[[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1], [0.3, 0.6, 0.1]]]).log()
    found = metrics.by_class(log_p, y)
    assert found[metrics.BALANCED].item() == pytest.approx(75)
    assert found[metrics.AUC].item() == pytest.approx(50)
