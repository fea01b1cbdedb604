"""Hand-written steps against autograd, at given masks; and whose steps they are."""

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F

from regdemo.lab import fused
from regdemo.lab.choices import fitting, recipes
from regdemo.lab.recipe import Recipe
from regdemo.lab.task import CLASSIFIER, Task
from regdemo.lab.techniques import TECHNIQUES
from regdemo.lab.training import TrainingRun

S, B = 3, 7


@pytest.mark.parametrize("sizes", [(5, 4), (5, 6, 4), (5, 6, 8, 4), (5, 6, 8, 7, 4)])
@pytest.mark.parametrize("p", [0.0, 0.3])
def test_the_gradients_are_autograds(sizes, p):
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(S, *shape, dtype=torch.float64, generator=generator)

    parameters = [normal(*shape) for n, m in pairwise(sizes) for shape in ((n, m), (1, m))]
    x, y = normal(B, sizes[0]), torch.randint(sizes[-1], (S, 1, B), generator=generator)
    masks = [torch.rand(S, B, n, generator=generator) >= p for n in sizes[1:-1]] if p else []
    leaves = [parameter.clone().requires_grad_() for parameter in parameters]
    h = x
    for layer, (weight, bias) in enumerate(zip(leaves[::2], leaves[1::2], strict=True)):
        h = h @ weight + bias
        if layer < len(sizes) - 2:
            h = h.relu() * (masks[layer].double() / (1 - p) if p else 1)
    sum(F.cross_entropy(h[k], y[k, 0]) for k in range(S)).backward()
    found = [torch.empty_like(parameter) for parameter in parameters]
    fused.backward(parameters, x, y, [mask.view(torch.uint8) for mask in masks], 1 / (1 - p), found)
    for own, leaf in zip(found, leaves, strict=True):
        torch.testing.assert_close(own, leaf.grad, rtol=0, atol=1e-12)


@pytest.fixture
def task():
    x = torch.randn(90, 5, generator=torch.Generator().manual_seed(0))
    y = (x[:, 0] > 0) + 2 * (x[:, 1] > 0).long()
    return Task("quadrants", "", x[:50], y[:50], x[50:], y[50:], classes=4, hidden=(16, 8), batch_size=12)


FAST = ["none", "dropout", "mc-dropout", "weight-decay", "swa", "early-stopping", "dropout+weight-decay"]


@pytest.mark.parametrize("words", FAST)
def test_a_training_by_hand_is_the_one_by_autograd(words, task):
    (recipe,) = recipes(words, {}, CLASSIFIER, "")
    ends = []
    for by_hand in (True, False):
        run = TrainingRun(task, recipe, [0, 4], seed=1, epochs=3)
        assert isinstance(run.optimizer, fused.Adam)
        if not by_hand:
            decay = sum(t.weight_decay for t in run.techniques if isinstance(t, TECHNIQUES["weight-decay"]))
            weights, biases = run.parameters[::2], run.parameters[1::2]
            groups = [{"params": weights, "weight_decay": decay}, {"params": biases, "weight_decay": 0}]
            run.optimizer = torch.optim.AdamW(groups, lr=task.learning_rate)
        for _ in range(3):
            run.epoch()
        ends.append((run.parameters, run.seen, run.step_count, run.optimizer))
    for own, other in zip(ends[0][0], ends[1][0], strict=True):
        torch.testing.assert_close(own, other, rtol=0, atol=2e-5)
    assert ends[0][1].tolist() == ends[1][1].tolist()
    assert ends[0][2] == ends[1][2] == run.steps
    assert {state["step"].item() for state in ends[0][3].state.values()} == {run.steps}


def test_what_needs_autograd_or_other_numbers_keeps_the_general_path(task):
    def is_fused(changed, words="none"):
        run = TrainingRun(changed, recipes(words, {}, CLASSIFIER, "")[0], [0], seed=0)
        return isinstance(run.optimizer, fused.Adam)

    assert [name for name in fitting(CLASSIFIER) if is_fused(task, name)] == [
        "dropout",
        "mc-dropout",
        "weight-decay",
        "swa",
        "early-stopping",
    ]
    assert is_fused(task)
    assert not is_fused(replace(task, optimizer="sgd"))
    assert not is_fused(replace(task, x=task.x.double(), test_x=task.test_x.double()))
    assert not is_fused(task.on("cpu", "bfloat16"))
    assert not is_fused(replace(task, y=task.y.float(), classes=0))


def test_a_member_trained_by_hand_is_what_it_is_alone(task):
    together, alone = (TrainingRun(task, Recipe("none"), members, seed=1) for members in ([0, 1, 2], [2]))
    for run in (together, alone):
        run.epoch()
    for stacked, own in zip(together.parameters, alone.parameters, strict=True):
        torch.testing.assert_close(stacked[2], own[0], rtol=0, atol=1e-6)


def test_a_training_by_hand_does_not_load_torchs_compiler():
    program = """if True:
        import sys
        from regdemo.lab.compare import compare
        compare("dropout", task="mnist1d", seeds=8, epochs=1)
        print("torch._dynamo" in sys.modules)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("False\n", "")
