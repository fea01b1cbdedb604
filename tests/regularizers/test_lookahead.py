"""Lookahead against its line written out, and skipped steps."""

from math import inf, nan

import pytest
import torch
from torch import nn

from regdemo.errors import ArgumentError
from regdemo.regularizers import Lookahead

START = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)


def step(w, optimizer):
    w.grad = 2 * w.detach()
    optimizer.step()


@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("alpha", [0.2, 0.5, 1.0])
def test_it_is_the_papers_loop_with_slow_weights_from_the_start(k, alpha):
    w = nn.Parameter(START.clone())
    lookahead = Lookahead(torch.optim.SGD([w], lr=0.1, momentum=0.9), k=k, alpha=alpha)
    slow, fast, velocity = START.clone(), START.clone(), torch.zeros(3, dtype=torch.float64)
    for t in range(1, 12):
        step(w, lookahead)
        velocity = 0.9 * velocity + 2 * fast
        fast = fast - 0.1 * velocity
        if t % k == 0:
            slow = slow + alpha * (fast - slow)
            fast = slow
        torch.testing.assert_close(w.detach(), fast, rtol=1e-12, atol=1e-12)


def test_the_first_synchronization_already_pulls_back():
    w = nn.Parameter(torch.zeros(1))
    lookahead = Lookahead(torch.optim.SGD([w], lr=1.0), k=1, alpha=0.25)
    w.grad = torch.tensor([-1.0])
    lookahead.step()
    assert w.item() == 0.25


def test_weights_loaded_after_it_was_made_are_where_slow_begins():
    w = nn.Parameter(torch.zeros(1))
    lookahead = Lookahead(torch.optim.SGD([w], lr=1.0), k=1, alpha=0.5)
    with torch.no_grad():
        w.fill_(10.0)
    w.grad = torch.tensor([-2.0])
    lookahead.step()
    assert w.item() == 11.0


def test_by_default_it_looks_5_steps_ahead_and_comes_half_back():
    w = nn.Parameter(torch.zeros(1))
    lookahead = Lookahead(torch.optim.SGD([w], lr=1.0))
    path = []
    for _ in range(5):
        w.grad = torch.tensor([-1.0])
        lookahead.step()
        path.append(w.item())
    assert path == [1, 2, 3, 4, 2.5]


def test_a_step_that_a_scaler_skips_is_not_counted():
    w = nn.Parameter(torch.zeros(1))
    lookahead = Lookahead(torch.optim.SGD([w], lr=1.0), k=2, alpha=0.5)
    scaler = torch.amp.GradScaler("cpu", init_scale=1.0, growth_interval=1000)
    path = []
    for gradient in (-1.0, inf, -1.0):
        lookahead.zero_grad()
        scaler.scale(w * gradient).sum().backward()
        scaler.step(lookahead)
        scaler.update(1.0)
        path.append(w.item())
    assert path == [1, 1, 1]  # one step, one skipped, the second step and half the way back


def test_each_group_may_have_an_alpha_of_its_own():
    a, b = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    lookahead = Lookahead(torch.optim.SGD([{"params": [a]}, {"params": [b], "alpha": 1.0}], lr=1.0), k=1, alpha=0.5)
    a.grad, b.grad = torch.tensor([-1.0]), torch.tensor([-1.0])
    lookahead.step()
    assert (a.item(), b.item()) == (0.5, 1.0)


def test_the_slow_weights_are_no_view_of_the_fast_ones():
    w = nn.Parameter(START.clone())
    lookahead = Lookahead(torch.optim.SGD([w], lr=0.1), k=3)
    step(w, lookahead)
    assert torch.equal(lookahead.state[w]["slow"], START)


def test_within_slow_weights_the_parameters_are_the_slow_ones():
    w = nn.Parameter(START.clone())
    lookahead = Lookahead(torch.optim.SGD([w], lr=0.1), k=3)
    for _ in range(2):
        step(w, lookahead)
    fast = w.detach().clone()
    with lookahead.slow_weights():
        assert torch.equal(w, START)
    assert torch.equal(w, fast)
    assert not torch.equal(fast, START)


def test_lbfgs_steps_with_a_closure_and_is_refused_without():
    w = nn.Parameter(START.clone())
    lookahead = Lookahead(torch.optim.LBFGS([w], lr=0.5), k=1, alpha=0.5)
    with pytest.raises(ArgumentError, match=r"^base is LBFGS, whose step needs a closure: call step\(closure\)$"):
        lookahead.step()

    def closure():
        lookahead.zero_grad()
        loss = w.square().sum()
        loss.backward()
        return loss.detach()  # some versions of torch warn where LBFGS makes a number of it

    for _ in range(30):
        loss = lookahead.step(closure)
    assert loss < 1e-6


def test_sparse_gradients_are_the_bases_matter():
    embedding = nn.Embedding(4, 2, sparse=True)
    before = embedding.weight.detach().clone()
    lookahead = Lookahead(torch.optim.SparseAdam(embedding.parameters(), lr=0.1), k=1, alpha=0.5)
    embedding(torch.tensor([1])).sum().backward()
    lookahead.step()
    moved = (embedding.weight.detach() - before)[1]
    torch.testing.assert_close(moved, torch.full((2,), -0.05))  # half of SparseAdam's first step, which is lr


@pytest.mark.parametrize("k", [0, -1, 2.0, None])
def test_a_k_that_is_none_is_refused_by_name(k):
    with pytest.raises(ArgumentError, match=r"^k = .* a whole number, at least 1$"):
        Lookahead(torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1), k=k)


@pytest.mark.parametrize("alpha", [0, -0.5, 1.01, nan, inf, "1"])
def test_an_alpha_that_is_none_is_refused_by_name(alpha):
    with pytest.raises(ArgumentError, match=r"^alpha = "):
        Lookahead(torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1), alpha=alpha)
