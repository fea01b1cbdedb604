"""Training in step: pairs are fair, members are independent, a run can end early."""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from paired import PairedTraining
from regdemo.lab import metrics, training
from regdemo.lab.choices import fitting
from regdemo.lab.recipe import Recipe
from regdemo.lab.streams import MASKS_AHEAD, RngStreams, stream
from regdemo.lab.task import CLASSIFIER, Task
from regdemo.lab.techniques import TECHNIQUES
from regdemo.regularizers import keep_mask

FITTING = fitting(CLASSIFIER)
WITHOUT, WITH = Recipe("none"), Recipe("dropout 0.3", (TECHNIQUES["dropout"](p=0.3),))


@pytest.fixture
def task():
    """45 training and 30 test points in the plane, labelled by their quadrant, in float64."""
    x = torch.randn(75, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = 2 * (x[:, 0] > 0) + (x[:, 1] > 0)
    return Task("quadrants", "", x[:45], y[:45], x[45:], y[45:], classes=4, hidden=(16, 8), batch_size=10)


def trained(task, recipes, members, epochs=3):
    run = PairedTraining(task, recipes, members, seed=5, epochs=epochs)
    return run, list(run.run())


def parameters(run, arm):
    """An arm's parameters, of all its groups."""
    return [torch.cat(parts).detach() for parts in zip(*(run.parameters for run in run.arms[arm]), strict=True)]


@pytest.mark.parametrize("name", FITTING)
def test_each_member_learns_what_it_would_alone(task, name):
    recipe = Recipe(name, (TECHNIQUES[name](),))
    together, (*_, last) = trained(task, [recipe], range(3), epochs=2)
    alone, (*_, single) = trained(task, [recipe], [2], epochs=2)
    for stacked, own in zip(parameters(together, 0), parameters(alone, 0), strict=True):
        torch.testing.assert_close(stacked[2], own[0], rtol=0, atol=1e-12)
    for metric, values in single.scores[0].items():
        assert last.scores[0][metric][2] == pytest.approx(values[0], abs=1e-9)


def test_groups_of_members_learn_what_they_would_together(task, monkeypatch):
    together, whole = trained(task, [WITH], range(5), epochs=1)
    monkeypatch.setattr(training, "GROUP", 2)
    apart, parts = trained(task, [WITH], range(5), epochs=1)
    assert [len(arm) for arm in (together.arms[0], apart.arms[0])] == [1, 3]
    for one, other in zip(parameters(together, 0), parameters(apart, 0), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    assert parts[-1].scores[0][metrics.TEST_LOSS] == pytest.approx(whole[-1].scores[0][metrics.TEST_LOSS])


def test_a_member_learns_what_a_plain_loop_over_torch_modules_does(task):
    run, (*_, last) = trained(task, [WITHOUT, WITH], [3], epochs=2)
    model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4)).double()
    weights, batches = (stream(5, 3, use) for use in ("weights", "batches"))
    masks = RngStreams(5, [3], "dropout", torch.float64)
    for layer in model[::2]:
        bound = layer.in_features**-0.5
        drawn = torch.empty(layer.in_features, layer.out_features, dtype=torch.float64)
        layer.weight.data = drawn.uniform_(-bound, bound, generator=weights).T.contiguous()
        layer.bias.data.uniform_(-bound, bound, generator=weights)
    optimizer = torch.optim.Adam(model.parameters(), lr=task.learning_rate)
    for _ in range(2):
        for batch in torch.randperm(45, generator=batches).split(10):
            h = task.x[batch]
            for linear in model[:-1:2]:
                h = linear(h).relu()
                h = h * masks.keep(h.shape, 0.3)[0] / (1 - 0.3)
            optimizer.zero_grad()
            F.cross_entropy(model[-1](h), task.y[batch]).backward()
            optimizer.step()

    for layer, weight in zip(model[::2], parameters(run, 1)[::2], strict=True):
        torch.testing.assert_close(layer.weight, weight[0].T, rtol=0, atol=1e-12)
    logits = model(task.test_x)
    assert last.scores[1][metrics.TEST_LOSS] == pytest.approx([F.cross_entropy(logits, task.test_y).item()])
    right = (logits.argmax(1) == task.test_y).double().mean().item()
    assert last.scores[1][metrics.TEST_ACCURACY] == pytest.approx([100 * right], rel=1e-12)


def test_the_arms_start_from_the_same_weights(task):
    assert PairedTraining(task, [WITHOUT, WITH], range(3), seed=5, epochs=1).unequal_starts() == 0


def test_members_start_from_different_weights(task):
    first, second, third = parameters(PairedTraining(task, [WITHOUT], range(3), seed=5, epochs=1), 0)[0]
    assert not torch.equal(first, second)
    assert not torch.equal(second, third)


def test_the_arms_see_the_same_batches_and_other_batches_would_be_noticed(task):
    run, _ = trained(task, [WITHOUT, WITH], range(3), epochs=2)
    assert run.unequal_batches() == 0
    run.arms[1][0].step(torch.zeros(3, 10, dtype=torch.int64))
    assert run.unequal_batches() == 3


def test_a_batch_in_another_order_counts_as_another(task):
    one, other = (PairedTraining(task, [WITHOUT], range(2), seed=5, epochs=1).arms[0][0] for _ in range(2))
    one.step(torch.tensor([[1, 2, 3], [4, 5, 6]]))
    other.step(torch.tensor([[1, 3, 2], [4, 5, 6]]))
    assert (one.seen == other.seen).tolist() == [False, True]


def test_dropout_at_rate_0_is_no_dropout_to_the_last_bit(task):
    run, _ = trained(task, [WITHOUT, Recipe("dropout 0", (TECHNIQUES["dropout"](p=0.0),))], range(3))
    assert all(map(torch.equal, parameters(run, 0), parameters(run, 1)))


@pytest.mark.parametrize("name", FITTING)
def test_a_technique_parts_its_arm_from_the_one_without(task, name):
    # Small gradients are not clipped, and steps that always help leave nothing to stop early for.
    strong = {"gradient-clipping": {"max_norm": 0.01}}.get(name, {})
    recipe = Recipe(name, (TECHNIQUES[name](**strong),))
    rough = replace(task, learning_rate=0.3)
    _, (*_, last) = trained(rough, [WITHOUT, recipe], range(2))
    judged = [scores[metrics.TEST_LOSS] for scores in last.scores]
    assert judged[0] != judged[1]


def test_the_same_seed_gives_the_same_scores_and_another_seed_others(task):
    first, second, other = (
        list(PairedTraining(task, [WITHOUT, WITH], range(3), seed=seed, epochs=3).run()) for seed in (5, 5, 6)
    )
    assert first == second != other


def test_streams_differ_by_seed_by_member_and_by_use():
    keys = [(seed, member, use) for seed in range(3) for member in range(3) for use in ("weights", "batches", "sam")]
    assert len({torch.rand(4, generator=stream(*key)).sum().item() for key in keys}) == len(keys)


@pytest.mark.parametrize("draw", ["keep", "normal", "order", "sample"])
def test_a_draw_stacks_what_each_member_draws_alone(draw):
    arguments = {"keep": ((4, 3), 0.5), "normal": ((4, 3),), "order": (12,), "sample": (12,)}[draw]
    together, alone = (RngStreams(1, members, "use", torch.float64) for members in ([0, 1, 2], [2]))
    for _ in range(2):
        assert torch.equal(getattr(together, draw)(*arguments)[2:], getattr(alone, draw)(*arguments))


def test_masks_are_drawn_ahead_from_the_second_of_a_shape_and_rate_on():
    draws, generator = RngStreams(1, [0], "use", torch.float64), stream(1, 0, "use")
    expected = [keep_mask((1, 50), 0.3, generator=generator)[0]]
    expected += [mask for _ in range(2) for mask in keep_mask((MASKS_AHEAD, 50), 0.3, generator=generator)]
    assert torch.equal(torch.cat([draws.keep((50,), 0.3) for _ in expected]), torch.stack(expected))
    assert len({tuple(mask.tolist()) for mask in expected}) == len(expected)


def test_a_mask_of_another_shape_or_rate_is_none_of_those_drawn_ahead():
    draws = RngStreams(1, [0, 1], "use", torch.float64)
    for _ in range(3):
        assert draws.keep((40, 50), 0.3).shape == (2, 40, 50)
        assert draws.keep((50,), 0.3).shape == (2, 50)
        assert draws.keep((40, 50), 0.9).double().mean() < 0.2  # of 4,000: 45 standard deviations from 0.7


def test_a_resampled_task_gives_each_member_a_sample_of_its_own_with_repetition(task):
    run = PairedTraining(replace(task, resampled=True), [WITHOUT], range(2), seed=5, epochs=1).arms[0][0]
    x, y = run.training_examples(45)
    assert x.shape == (2, 45, 2)
    assert all(1 < len(member.unique(dim=0)) < 45 for member in x)
    assert not torch.equal(x[0], x[1])
    assert torch.equal(y, 2 * (x[..., 0] > 0) + (x[..., 1] > 0))


def test_the_scores_are_those_of_the_whole_data_whatever_the_chunk(task, monkeypatch):
    run, whole = trained(task, [WITH], range(2))
    monkeypatch.setattr(metrics, "JUDGED_AT_ONCE", 7)
    parts = run.arms[0][0].scores()
    for name in (metrics.TEST_ACCURACY, metrics.TEST_LOSS, metrics.CALIBRATION):
        assert parts[name] == pytest.approx(whole[-1].scores[0][name], rel=1e-12)


@pytest.mark.parametrize(("epochs", "evaluated"), [(1, [1]), (3, [1, 2, 3]), (45, [*range(5, 46, 5)]), (41, 9)])
def test_a_curve_has_at_most_10_points_and_ends_at_the_last_epoch(task, epochs, evaluated):
    found = [evaluation.epoch for evaluation in trained(task.first(10), [WITHOUT], [0], epochs=epochs)[1]]
    assert found[-1] == epochs
    assert evaluated in (found, len(found))


def test_progress_counts_the_steps_of_every_network_up_to_the_last(task):
    calls = []
    for _ in PairedTraining(task, [WITHOUT, WITH], [0], seed=5, epochs=2).run(lambda *call: calls.append(call)):
        pass
    assert calls == [(done, 20) for done in (5, 10, 15, 20)]  # two arms, two epochs of five steps


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


@pytest.mark.parametrize("name", FITTING)
def test_a_member_that_diverges_takes_no_other_with_it(task, name):
    recipe = Recipe(name, (TECHNIQUES[name](),))
    run, healthy = (PairedTraining(task, [recipe], range(3), seed=5, epochs=1) for _ in range(2))
    with torch.no_grad():
        run.arms[0][0].parameters[0][1] = torch.nan
    (*_, last), (*_, expected) = run.run(), healthy.run()
    for metric, values in expected.scores[0].items():
        assert [last.scores[0][metric][k] for k in (0, 2)] == [values[k] for k in (0, 2)]


def test_a_member_that_diverges_has_scores_that_are_not_finite(task):
    run = PairedTraining(task, [WITH], range(3), seed=5, epochs=1)
    with torch.no_grad():
        run.arms[0][0].parameters[0][1] = torch.inf
    (last,) = run.run()
    assert [bool(np.isfinite(loss)) for loss in last.scores[0][metrics.TEST_LOSS]] == [True, False, True]


def test_the_global_random_state_is_left_as_found(task):
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    trained(task, [WITHOUT, WITH], range(2), epochs=1)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert np.random.get_state()[1].tolist() == before[2]
