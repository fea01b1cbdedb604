import itertools

import pytest
import torch
from torch import nn

from helpers import seeded
from regdemo.errors import ArgumentError
from regdemo.regularizers import Dropout, mc_dropout

X = torch.randn(6, 4, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def model():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))


def test_it_returns_probabilities_for_each_pass(model):
    p = mc_dropout(model, X, samples=7, generator=seeded())
    assert p.shape == (7, 6, 3)
    assert not p.requires_grad
    torch.testing.assert_close(p.sum(-1), torch.ones(7, 6))


def test_each_pass_is_a_forward_with_the_masks_drawn(model):
    drawn = mc_dropout(model, X, samples=3, generator=seeded(4))  # whose draw from half or twice the range is another
    seed = int(torch.randint(2**31, (), generator=seeded(4)))
    generator = seeded(seed)
    model.eval()
    hidden = model[:3](X)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.set_state(generator.get_state())
        expected = torch.stack([model[4](nn.functional.dropout(hidden, 0.5)).softmax(-1) for _ in range(3)])
    torch.testing.assert_close(drawn, expected)


def test_the_mean_is_that_over_all_masks():
    # Two units: four masks, each with probability 1/4. |p - mean| <= 1, so Hoeffding's bound at 1e-7 is below 0.03.
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(2, 3))
    nn.init.normal_(model[1].weight, generator=seeded())
    nn.init.zeros_(model[1].bias)
    x = torch.tensor([[1.0, -2.0]])
    exact = sum(model[1](2 * x * torch.tensor(kept)).softmax(-1) for kept in itertools.product([0, 1], repeat=2)) / 4
    mean = mc_dropout(model, x, samples=10_000, generator=seeded()).mean(0)
    assert (mean - exact).abs().max() < 0.03


def test_batch_norms_buffers_are_left_as_they_were_whatever_the_mode(model):
    for mode in (True, False):
        before = {name: value.clone() for name, value in model.train(mode).state_dict().items()}
        mc_dropout(model, X, samples=3)
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_an_example_does_not_depend_on_the_others_of_its_batch(model):
    # With batch norm in training it would.
    alone = mc_dropout(model, X[:1], samples=2_000, generator=seeded(1)).mean(0)
    together = mc_dropout(model, torch.cat([X[:1], 100 * X[1:]]), samples=2_000, generator=seeded(2)).mean(0)[:1]
    # Probabilities lie in [0, 1]: by Hoeffding, 2,000 passes each, this distance has a chance below 1e-6.
    assert (alone - together).abs().max() < 0.13


def test_each_modules_mode_is_left_as_found(model):
    model.train()
    model[1].eval()
    before = [module.training for module in model.modules()]
    mc_dropout(model, X)
    assert [module.training for module in model.modules()] == before


def test_the_modes_are_left_as_found_when_the_model_raises(model):
    model.eval()
    with pytest.raises(RuntimeError):
        mc_dropout(model, X[:, :2])
    assert not any(module.training for module in model.modules())
    assert torch.backends.mha.get_fastpath_enabled()


def test_an_encoder_layer_in_eval_is_dropped_in_spite_of_its_fast_path():
    with torch.random.fork_rng(devices=[]):
        layer = nn.TransformerEncoderLayer(8, nhead=2, dim_feedforward=8, dropout=0.5, batch_first=True).eval()
    x = torch.randn(2, 3, 8, generator=seeded())
    assert (mc_dropout(layer, x, samples=5, generator=seeded()).std(0) > 0).all()
    assert torch.backends.mha.get_fastpath_enabled()


def test_the_attentions_float_alone_makes_the_passes_differ():
    with torch.random.fork_rng(devices=[]):
        layer = nn.TransformerEncoderLayer(8, nhead=2, dim_feedforward=8, dropout=0.0, batch_first=True).eval()
    layer.self_attn.dropout = 0.5
    x = torch.randn(2, 3, 8, generator=seeded())
    assert (mc_dropout(layer, x, samples=5, generator=seeded()).std(0) > 0).any()


def test_our_modules_are_dropped_too():
    model = nn.Sequential(Dropout(0.5), nn.Flatten()).eval()
    assert (mc_dropout(model, torch.ones(2, 9), samples=4, generator=seeded()).std(0) > 0).any()


def test_a_generator_leaves_the_global_one_alone_and_without_one_it_is_used(model):
    state = torch.get_rng_state()
    a, b = (mc_dropout(model, X, generator=seeded(3)) for _ in range(2))
    assert torch.equal(a, b)
    assert torch.equal(torch.get_rng_state(), state)
    with torch.random.fork_rng(devices=[]):
        mc_dropout(model, X)
        assert not torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_it_keeps_the_type(dtype):
    model = nn.Sequential(nn.Dropout(0.5), nn.Flatten())
    assert mc_dropout(model, torch.ones(2, 3, dtype=dtype), generator=seeded()).dtype == dtype


def test_an_empty_batch_has_no_probabilities(model):
    assert mc_dropout(model, X[:0], samples=2).shape == (2, 0, 3)


@pytest.mark.parametrize("samples", [0, -1])
def test_fewer_than_one_pass_is_refused(model, samples):
    with pytest.raises(ArgumentError, match=rf"^samples = {samples} is not allowed: there must be at least 1 pass$"):
        mc_dropout(model, X, samples)


def test_a_model_without_a_rate_is_refused():
    with pytest.raises(ArgumentError, match=r"^Linear holds no drop rate: all passes would be the same$"):
        mc_dropout(nn.Linear(4, 3), X)


def test_the_classes_are_the_last_dimension_whatever_stands_before_them():
    logits = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(mc_dropout(nn.Sequential(nn.Dropout(0.0)), logits, samples=1)[0], logits.softmax(-1))
