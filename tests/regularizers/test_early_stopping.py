import pytest
import torch
from torch import nn

from regdemo.errors import ArgumentError
from regdemo.regularizers import EarlyStopping


@pytest.fixture
def model():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def run(losses, **options):
    """The step at which it says stop, counted from 1, or None; and the stopper."""
    stopping = EarlyStopping(nn.Linear(1, 1), **options)
    for step, loss in enumerate(losses, 1):
        if stopping.step(loss):
            return step, stopping
    return None, stopping


@pytest.mark.parametrize("patience", [1, 2, 3])
def test_it_stops_after_so_many_steps_in_a_row_without_a_better_loss(patience):
    step, stopping = run([3.0, 2.0, 1.0, 1.5, 1.4, 1.3, 1.2], patience=patience)
    assert (step, stopping.best, stopping.best_step, stopping.step_count) == (3 + patience, 1.0, 3, 3 + patience)


def test_a_better_loss_begins_the_count_anew():
    assert run([3.0, 3.5, 2.9, 3.5, 2.8, 3.5], patience=2)[0] is None


def test_an_equal_loss_is_not_better():
    step, stopping = run([1.0, 1.0, 1.0], patience=2)
    assert (step, stopping.best_step) == (3, 1)


def test_min_delta_is_what_a_loss_must_be_better_by():
    step, stopping = run([1.0, 0.95, 0.9, 0.85], patience=3, min_delta=0.2)
    assert (step, stopping.best) == (4, 1.0)
    assert run([1.0, 0.75, 0.5, 0.25], patience=1, min_delta=0.2)[0] is None
    assert run([1.0, 0.75], patience=1, min_delta=0.25)[0] == 2


def test_a_negative_loss_is_compared_as_it_is():
    step, stopping = run([-1.0, -2.0, -1.5], patience=1)
    assert (step, stopping.best) == (3, -2.0)


def test_the_restored_weights_and_buffers_are_those_of_the_best_step(model):
    stopping, states = EarlyStopping(model, patience=5), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.randn(8, 2, generator=torch.Generator().manual_seed(1))
    for loss in [2.0, 1.0, 3.0, 4.0]:
        optimizer.zero_grad()
        (model(x) - 1).square().mean().backward()
        optimizer.step()
        states.append({name: value.clone() for name, value in model.state_dict().items()})
        stopping.step(loss)
    stopping.restore()
    restored = model.state_dict()
    assert {name for name in restored if not torch.equal(restored[name], states[1][name])} == set()
    assert {name for name in restored if torch.equal(restored[name], states[3][name])} == set()


def test_training_may_go_on_after_a_restore_without_moving_the_best(model):
    stopping = EarlyStopping(model)
    stopping.step(1.0)
    best = model[0].weight.detach().clone()
    for _ in range(2):
        stopping.restore()
        assert torch.equal(model[0].weight, best)
        with torch.no_grad():
            model[0].weight.add_(1)


def test_a_loss_may_be_a_tensor_and_the_best_is_a_float():
    stopping = EarlyStopping(nn.Linear(1, 1))
    assert stopping.step(torch.tensor(0.5)) is False
    assert isinstance(stopping.best, float)


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), float("-inf")])
def test_a_loss_that_is_not_finite_is_said_and_the_best_can_still_be_restored(model, loss):
    stopping = EarlyStopping(model)
    stopping.step(1.0)
    with pytest.raises(ArgumentError, match=rf"^loss = {loss} is not finite: training has diverged"):
        stopping.step(loss)
    assert (stopping.best, stopping.step_count) == (1.0, 1)
    stopping.restore()


def test_a_restore_before_the_first_step_is_refused(model):
    with pytest.raises(ArgumentError, match=r"^there are no best weights to restore: call step"):
        EarlyStopping(model).restore()


@pytest.mark.parametrize("patience", [0, -1, float("nan")])
def test_a_patience_below_1_is_refused(model, patience):
    with pytest.raises(ArgumentError, match=rf"^patience = {patience} is not allowed: it must be at least 1 step$"):
        EarlyStopping(model, patience=patience)


@pytest.mark.parametrize("min_delta", [-0.1, float("nan"), float("inf")])
def test_a_min_delta_below_0_is_refused(model, min_delta):
    with pytest.raises(ArgumentError, match=rf"^min_delta = {min_delta} is not allowed"):
        EarlyStopping(model, min_delta=min_delta)


def test_an_interrupted_training_goes_on_from_its_state(tmp_path, model):
    first = EarlyStopping(model, patience=3)
    for loss in (3.0, 1.0, 2.0):
        first.step(loss)
        nn.init.constant_(model[0].weight, loss)
    torch.save({"model": model.state_dict(), "stopping": first.state_dict()}, tmp_path / "checkpoint.pt")
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    other = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    second = EarlyStopping(other, patience=3)
    second.load_state_dict(saved["stopping"])
    assert (second.best, second.best_step, second.step_count) == (1.0, 2, 3)
    assert [second.step(1.5), second.step(1.5)] == [False, True]
    second.restore()
    assert (other[0].weight == 3.0).all()  # what it was when the loss was 1.0


def test_a_state_does_not_move_with_the_model_nor_with_who_loaded_it(model):
    stopping = EarlyStopping(model)
    stopping.step(1.0)
    state = stopping.state_dict()
    before = state["weights"]["0.weight"].clone()
    other = EarlyStopping(model)
    other.load_state_dict(state)
    with torch.no_grad():
        for weights in (stopping._state, other._state):
            weights["0.weight"].add_(1)
    assert torch.equal(state["weights"]["0.weight"], before)
