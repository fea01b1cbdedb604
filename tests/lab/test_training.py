"""Training in step: pairs are fair, members are independent, a run can end early."""

import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from regdemo.lab import training
from regdemo.lab.data import Task
from regdemo.lab.training import Arm, PairedTraining, Use, largest_difference, stream
from regdemo.regularizers import keep_mask

WITHOUT, WITH = Arm("without", None), Arm("dropout 0.3", 0.3)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(training, "HIDDEN", (16, 8))
    monkeypatch.setattr(training, "BATCH", 10)


@pytest.fixture
def task():
    """45 training and 30 test points in the plane, labelled by their quadrant, in float64."""
    x = torch.randn(75, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = 2 * (x[:, 0] > 0) + (x[:, 1] > 0)
    return Task("quadrants", "", x[:45], y[:45], x[45:], y[45:], classes=4)


def trained(task, arms, members, epochs=3):
    run = PairedTraining(task, arms, members, seed=5)
    return run, list(run.run(epochs))


def test_each_member_learns_what_it_would_alone(task):
    together, evaluations = trained(task, [WITHOUT, WITH], range(4))
    for member in range(4):
        alone, (*_, last) = trained(task, [WITHOUT, WITH], [member])
        for arm in range(2):
            for stacked, single in zip(
                together.learners[arm].ensemble.parameters, alone.learners[arm].ensemble.parameters, strict=True
            ):
                torch.testing.assert_close(stacked[member], single[0], rtol=0, atol=1e-12)
            assert evaluations[-1].scores[arm].test_loss[member] == pytest.approx(last.scores[arm].test_loss[0])


def test_a_member_learns_what_a_plain_loop_over_torch_modules_does(task):
    run, (*_, last) = trained(task, [WITHOUT, WITH], [3], epochs=2)
    model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4)).double()
    weights, batches, masks = (stream(5, 3, use) for use in Use)
    for layer in model[::2]:
        bound = layer.in_features**-0.5
        drawn = torch.empty(layer.in_features, layer.out_features, dtype=torch.float64)
        layer.weight.data = drawn.uniform_(-bound, bound, generator=weights).T.contiguous()
        layer.bias.data.uniform_(-bound, bound, generator=weights)
    optimizer = torch.optim.Adam(model.parameters(), lr=training.LEARNING_RATE)
    for _ in range(2):
        for batch in torch.randperm(45, generator=batches).split(10):
            h = task.x[batch]
            for linear in model[:-1:2]:
                h = linear(h).relu()
                h = h * keep_mask(h.shape, 0.3, generator=masks) / (1 - 0.3)
            optimizer.zero_grad()
            F.cross_entropy(model[-1](h), task.y[batch]).backward()
            optimizer.step()

    for layer, weight in zip(model[::2], run.learners[1].ensemble.parameters[::2], strict=True):
        torch.testing.assert_close(layer.weight, weight[0].T, rtol=0, atol=1e-12)
    logits = model(task.test_x)
    assert last.scores[1].test_loss == pytest.approx([F.cross_entropy(logits, task.test_y).item()])
    right = (logits.argmax(1) == task.test_y).double().mean().item()
    assert last.scores[1].test_accuracy == pytest.approx([100 * right], rel=1e-12)


def test_the_arms_start_from_the_same_weights(task):
    run = PairedTraining(task, [WITHOUT, WITH], range(3), seed=5)
    assert largest_difference(*run.learners) == 0


def test_members_start_from_different_weights(task):
    first, second, third = PairedTraining(task, [WITHOUT], range(3), seed=5).learners[0].ensemble.parameters[0]
    assert not torch.equal(first, second)
    assert not torch.equal(second, third)


def test_dropout_at_rate_0_is_no_dropout_to_the_last_bit(task):
    run, _ = trained(task, [WITHOUT, Arm("dropout 0", 0.0)], range(3))
    assert largest_difference(*run.learners) == 0


def test_dropout_parts_the_arms(task):
    run, _ = trained(task, [WITHOUT, WITH], range(3), epochs=1)
    assert largest_difference(*run.learners) > 0


def test_the_same_seed_gives_the_same_scores_and_another_seed_others(task):
    first, second = (PairedTraining(task, [WITHOUT, WITH], range(3), seed=5) for _ in range(2))
    other = PairedTraining(task, [WITHOUT, WITH], range(3), seed=6)
    assert list(first.run(3)) == list(second.run(3)) != list(other.run(3))


def test_streams_differ_by_seed_by_member_and_by_use():
    keys = [(seed, member, use) for seed in range(3) for member in range(3) for use in Use]
    assert len({torch.rand(4, generator=stream(*key)).sum().item() for key in keys}) == len(keys)


def test_the_scores_are_those_of_the_whole_data_whatever_the_chunk(task, monkeypatch):
    _, whole = trained(task, [WITH], range(2))
    monkeypatch.setattr(training, "CHUNK", 7)
    _, parts = trained(task, [WITH], range(2))
    assert parts[-1].scores[0].test_accuracy == whole[-1].scores[0].test_accuracy
    assert parts[-1].scores[0].test_loss == pytest.approx(whole[-1].scores[0].test_loss, rel=1e-12)


@pytest.mark.parametrize(("epochs", "evaluated"), [(1, [1]), (3, [1, 2, 3]), (45, [*range(3, 46, 3)]), (41, 14)])
def test_a_curve_has_at_most_20_points_and_ends_at_the_last_epoch(task, epochs, evaluated):
    _, evaluations = trained(task, [WITHOUT], [0], epochs=epochs)
    found = [evaluation.epoch for evaluation in evaluations]
    assert found[-1] == epochs
    assert evaluated in (found, len(found))


def test_progress_counts_every_epoch_up_to_the_last(task):
    calls = []
    for _ in PairedTraining(task, [WITHOUT], [0], seed=5).run(3, lambda done, total: calls.append((done, total))):
        pass
    assert calls == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_scores_do_not_depend_on_torchs_number_of_threads_which_is_left_as_found(task, threads):
    _, expected = trained(task, [WITHOUT, WITH], range(3))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        _, evaluations = trained(task, [WITHOUT, WITH], range(3))
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert evaluations == expected


def test_a_member_that_diverges_takes_no_other_with_it(task):
    run, healthy = (PairedTraining(task, [WITHOUT, WITH], range(3), seed=5) for _ in range(2))
    with torch.no_grad():
        run.learners[1].ensemble.parameters[0][1] = torch.inf
    (*_, last), (*_, expected) = run.run(2), healthy.run(2)
    assert not np.isfinite(last.scores[1].test_loss[1])
    for member in (0, 2):
        assert last.scores[1].test_loss[member] == expected.scores[1].test_loss[member]
    assert last.scores[0] == expected.scores[0]


def test_the_global_random_state_is_left_as_found(task):
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    trained(task, [WITHOUT, WITH], range(2), epochs=1)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert np.random.get_state()[1].tolist() == before[2]
