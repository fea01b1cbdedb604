"""What holds for every optimizer around another: SAM and Lookahead in a training loop."""

import copy

import pytest
import torch
from torch import nn
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict

from regdemo.errors import ArgumentError
from regdemo.regularizers import SAM, Lookahead

AROUND = {"SAM": SAM, "Lookahead": lambda base: Lookahead(base, k=2)}
BASES = {
    "SGD": lambda params: torch.optim.SGD(params, lr=0.1, momentum=0.9),
    "AdamW": lambda params: torch.optim.AdamW(params, lr=0.1),
}
every = pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
every_base = pytest.mark.parametrize("base", BASES.values(), ids=BASES)


def weights(dtype=torch.float64):
    return [nn.Parameter(torch.tensor([1.0, -2.0], dtype=dtype)), nn.Parameter(torch.tensor([[0.5]], dtype=dtype))]


def closure_of(optimizer, params):
    def closure():
        optimizer.zero_grad()
        loss = sum((p**2).sum() + (p**4).sum() for p in params)
        loss.backward()
        return loss

    return closure


def train(optimizer, params, steps):
    for _ in range(steps):
        optimizer.step(closure_of(optimizer, params))


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@every
@every_base
def test_it_goes_on_from_its_state_dict_as_if_never_stopped(around, base):
    params = weights()
    optimizer = around(base(params))
    train(optimizer, params, 3)
    others = [nn.Parameter(p.detach().clone()) for p in params]
    other = around(base(others))
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    train(optimizer, params, 4)
    train(other, others, 4)
    assert same(params, others)


@every
@every_base
def test_a_deepcopy_goes_on_alike_and_leaves_the_original_alone(around, base):
    params = weights()
    optimizer = around(base(params))
    train(optimizer, params, 3)
    other, others = copy.deepcopy((optimizer, params))
    before = [p.detach().clone() for p in params]
    train(other, others, 4)
    assert same(params, before)
    train(optimizer, params, 4)
    assert same(params, others)


@every
def test_a_scheduler_sets_the_rate_of_the_base_also_after_a_state_dict(around):
    params = weights()
    optimizer = around(torch.optim.SGD(params, lr=0.1))
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    train(optimizer, params, 1)
    scheduler.step()
    assert optimizer.base.param_groups[0]["lr"] == 0.05


@every
@pytest.mark.parametrize("adds_to", [lambda optimizer: optimizer, lambda optimizer: optimizer.base])
def test_each_parameter_group_has_its_own_rate_and_a_new_one_gets_the_defaults(around, adds_to):
    first, second = weights()
    optimizer = around(torch.optim.SGD([{"params": [first], "lr": 0.0}], lr=0.1))
    adds_to(optimizer).add_param_group({"params": [second]})
    before = first.detach().clone(), second.detach().clone()
    train(optimizer, [first, second], 1)
    assert torch.equal(first, before[0])
    assert not torch.equal(second, before[1])
    assert optimizer.base.param_groups[1]["lr"] == 0.1


@every
@every_base
def test_a_parameter_without_a_gradient_stays_and_may_get_one_later(around, base):
    first, second = weights()
    optimizer = around(base([first, second]))
    before = second.detach().clone()
    train(optimizer, [first], 3)
    assert torch.equal(second, before)
    train(optimizer, [first, second], 1)
    assert not torch.equal(second, before)


@every
@every_base
def test_a_distributed_checkpoint_holds_the_bases_state_and_gives_it_back(around, base):
    def made():
        model = nn.Linear(3, 2).double()
        nn.init.constant_(model.weight, 0.5)
        nn.init.constant_(model.bias, 0.1)
        return model, around(base(model.parameters()))

    model, optimizer = made()
    train(optimizer, list(model.parameters()), 3)
    saved = copy.deepcopy(get_state_dict(model, optimizer))
    assert ("momentum_buffer" if base is BASES["SGD"] else "exp_avg") in saved[1]["state"]["weight"]
    other, resumed = made()
    set_state_dict(other, resumed, model_state_dict=saved[0], optim_state_dict=saved[1])
    for one, its_optimizer in ((model, optimizer), (other, resumed)):
        train(its_optimizer, list(one.parameters()), 4)
    assert same(model.parameters(), other.parameters())


@every
def test_hooks_on_the_state_dict_see_the_bases_state(around):
    params, seen = weights(), []
    optimizer = around(torch.optim.AdamW(params))
    train(optimizer, params, 1)
    optimizer.register_state_dict_post_hook(lambda _, state: seen.append(set(state["state"][0])))
    optimizer.state_dict()
    assert {"exp_avg", "exp_avg_sq", "step"} <= seen[0]


@every
def test_a_base_that_has_stepped_before_keeps_its_momentum(around):
    params = weights()
    base = torch.optim.SGD(params, lr=0.1, momentum=0.9)
    closure_of(base, params)()
    base.step()
    momentum = base.state[params[0]]["momentum_buffer"]
    assert around(base).state[params[0]]["momentum_buffer"] is momentum


@every
def test_step_returns_the_loss_where_it_began(around):
    params = weights()
    optimizer = around(torch.optim.SGD(params, lr=0.1))
    expected = sum((p**2).sum() + (p**4).sum() for p in params).item()
    assert optimizer.step(closure_of(optimizer, params)).item() == expected


@every
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_parameter_keeps_its_type(around, dtype):
    params = weights(dtype)
    optimizer = around(torch.optim.SGD(params, lr=0.01))
    train(optimizer, params, 2)
    assert [p.dtype for p in params] == [dtype, dtype]
    assert all(p.isfinite().all() for p in params)


@every
def test_what_is_no_optimizer_is_refused(around):
    with pytest.raises(ArgumentError, match=r"^base is a list: it must be an Optimizer"):
        around(weights())
