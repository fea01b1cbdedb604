"""Where networks are trained and in which precision, without a GPU: torch's meta device computes no values."""

from dataclasses import fields, replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from regdemo.errors import ArgumentError
from regdemo.lab import metrics, streams
from regdemo.lab.data import load
from regdemo.lab.recipe import Recipe, Technique
from regdemo.lab.task import Task, _moved
from regdemo.lab.techniques import TECHNIQUES
from regdemo.lab.text import OFFERS, TextTask
from regdemo.lab.training import GROUP_ON_GPU, TrainingRun, group_size

META = torch.device("meta")
MOVES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)


class OneDevice(TorchDispatchMode):
    """Refuses any operation on tensors of two devices, which a GPU would refuse too, or wait for."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        leaves = tree_leaves((args, kwargs or {}))
        devices = {leaf.device.type for leaf in leaves if isinstance(leaf, torch.Tensor) and leaf.dim()}
        assert len(devices) < 2 or func in MOVES, f"{func} has tensors on {devices}"
        return func(*args, **kwargs or {})


@pytest.fixture
def elsewhere(monkeypatch):
    """What lets a run work on the meta device: generators, fused optimizers and GPUs are not to be had there."""
    asked = []
    drawn = streams.stream

    def stream(seed, member, use, device="cpu"):
        asked.append((use, torch.device(device)))
        return drawn(seed, member, use)

    def plain(kind):
        return lambda groups, fused, **options: kind(groups, foreach=False, **options)

    monkeypatch.setattr(streams, "stream", stream)
    for name in ("AdamW", "SGD"):
        monkeypatch.setattr(torch.optim, name, plain(getattr(torch.optim, name)))
    return asked


def moved(task):
    return replace(task, **{f.name: _moved(getattr(task, f.name), META) for f in fields(task)})


def perceptron(dtype=torch.float32, **options):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(60, 4, dtype=dtype, generator=generator)  # 4: an image of 2 x 2
    y = torch.randint(4, (60,), generator=generator)
    return Task(
        "noise",
        "",
        x[:20],
        y[:20],
        x[40:],
        y[40:],
        classes=4,
        hidden=(12, 8),
        batch_size=10,
        metric=metrics.BALANCED,
        **options,
    )


def gpt(**options):
    ids = torch.randint(7, (40, 9), generator=torch.Generator().manual_seed(0))
    x, y = ids[:, :-1], ids[:, 1:]
    task = TextTask("noise", "", x[:10], y[:10], x[30:], y[30:], classes=8, width=8, heads=2, batch_size=5, **options)
    start = tuple(p.detach() for p in task.model([torch.Generator()]).parameters)
    return replace(task, start=start, offers=OFFERS | {"pretrained"})


def fitting(technique):
    offers = Task.offers | {"images"}
    return perceptron(offers=offers) if offers >= technique.requires else gpt()


def recipe(technique):
    return Recipe("an arm", (technique(),) if technique is not Technique else ())


ARMS = pytest.mark.parametrize("technique", [Technique, *TECHNIQUES.values()], ids=["none", *TECHNIQUES])


@ARMS
def test_training_and_judging_on_another_device_leave_nothing_on_the_cpu(technique, elsewhere):
    task = moved(fitting(technique))
    with OneDevice():
        run = TrainingRun(task, recipe(technique), range(3), seed=0, epochs=4)
        run.measures = technique().measures()
        for _ in range(2):
            run.epoch()
        parameters = run.parameters
        for own in run.techniques:
            parameters = own.evaluated(run, parameters)
        with run.swapped_parameters(parameters), torch.no_grad():
            found = list(metrics.measured(run).values())
    assert {t.device for t in [*run.parameters, *run.gradients, *parameters, *found]} == {META}


def test_noise_is_drawn_on_the_device_but_weights_and_batches_on_the_cpu_so_that_they_are_the_same(elsewhere):
    TrainingRun(moved(perceptron()), recipe(TECHNIQUES["dropout"]), [0], seed=0)
    cpu = torch.device("cpu")
    assert dict(elsewhere) == {"weights": cpu, "batches": cpu, "dropout": META}


def test_on_a_gpu_more_networks_are_trained_as_one_unless_the_task_limits_them():
    assert group_size(moved(perceptron())) == GROUP_ON_GPU
    assert group_size(moved(perceptron(together=1))) == 1


def test_a_task_is_moved_with_its_labels_to_train_on_and_what_it_starts_from():
    task = moved(gpt().with_label_noise(0.5))
    assert {t.device for t in (task.x, task.test_y, task.training_y, *task.start)} == {META}


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cpu:0", "mps", ""])
def test_a_device_that_is_unknown_is_refused(device):
    with pytest.raises(ArgumentError, match="it must be cpu or cuda"):
        perceptron().on(device)


@pytest.mark.parametrize(
    ("there", "device", "says"),
    [
        (0, "cuda", "finds no GPU here; leave it out"),
        (2, "cuda:2", "finds 2 GPUs here"),
        (1, "cuda:1", "finds 1 GPU h"),
    ],
)
def test_a_gpu_that_is_not_there_is_refused_with_those_that_are(monkeypatch, there, device, says):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there)
    with pytest.raises(ArgumentError, match=f"device = '{device}' is not there: .*{says}"):
        perceptron().on(device)


def test_an_unknown_precision_is_refused():
    with pytest.raises(ArgumentError, match="precision = 'fp8' is not allowed: it must be float32 or bfloat16"):
        perceptron().on("cpu", "fp8")


def test_a_lower_precision_is_refused_where_the_numbers_are_float64():
    with pytest.raises(ArgumentError, match="that of the diabetes data is a linear model of float64: leave it out"):
        load("diabetes").on("cpu", "bfloat16")


class Products(TorchDispatchMode):
    """Notes in which precision matrices are multiplied."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in (torch.ops.aten.bmm.default, torch.ops.aten.mm.default):
            self.seen |= {arg.dtype for arg in args}
        return func(*args, **kwargs or {})


@ARMS
def test_in_bfloat16_all_products_are_and_parameters_gradients_and_losses_are_not(technique):
    task = fitting(technique).on("cpu", "bfloat16")
    run = TrainingRun(task, recipe(technique), range(2), seed=0, epochs=4)
    with Products() as products:
        run.epoch()
    assert products.seen == {torch.bfloat16}
    assert {t.dtype for t in [*run.parameters, *run.gradients]} == {torch.float32}
    assert run.eval_forward(task.test_x.expand(2, *task.test_x.shape)).dtype == torch.float32


@pytest.mark.parametrize("make", [perceptron, gpt])
def test_the_outputs_in_bfloat16_are_those_in_float32_within_its_rounding(make):
    task = make()
    outputs = [
        TrainingRun(task.on("cpu", precision), recipe(Technique), [0], seed=0).eval_forward(task.test_x[None])
        for precision in ("float32", "bfloat16")
    ]
    assert not torch.equal(*outputs)
    torch.testing.assert_close(*outputs, rtol=0, atol=8 * 2**-8 * outputs[0].abs().max().item())
