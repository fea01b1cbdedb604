"""Mixout against the paper's formula."""

import copy
import io

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from helpers import seeded
from regdemo.errors import ArgumentError, ProbabilityError
from regdemo.regularizers import Mixout, dropout, keep_mask, mixout

P = 0.3
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def pair(dtype=torch.float64):
    return torch.randn(2, 4, 3, generator=seeded(1)).to(dtype).unbind()


MASK = keep_mask((4, 3), P, generator=seeded(2))


def layer():
    with torch.random.fork_rng(devices=[]):
        return nn.Linear(3, 4)


def test_it_is_the_papers_formula():
    w, start = pair()
    m = MASK.double()
    expected = ((1 - m) * start + m * w - P * start) / (1 - P)
    torch.testing.assert_close(mixout(w, start, P, mask=MASK), expected)


def test_the_mean_over_all_masks_is_the_weight_and_the_variance_the_formula():
    w, start = torch.tensor([3.0], dtype=torch.float64), torch.tensor([1.0], dtype=torch.float64)
    kept = mixout(w, start, P, mask=torch.tensor([True]))
    back = mixout(w, start, P, mask=torch.tensor([False]))
    torch.testing.assert_close((1 - P) * kept + P * back, w)
    variance = (1 - P) * (kept - w) ** 2 + P * (back - w) ** 2
    torch.testing.assert_close(variance, P / (1 - P) * (w - start) ** 2)


def test_weights_that_have_not_moved_stay_to_the_bit():
    w, _ = pair()
    assert torch.equal(mixout(w, w.clone(), P, generator=seeded()), w)


def test_towards_0_it_is_dropout():
    w, _ = pair()
    assert torch.equal(mixout(w, torch.zeros_like(w), P, mask=MASK), dropout(w, P, mask=MASK))


def test_it_draws_one_coin_for_each_weight():
    w, start = pair()
    assert torch.equal(mixout(w, start, P, generator=seeded(2)), mixout(w, start, P, mask=MASK))


def test_outside_training_and_at_rate_0_it_is_the_weight():
    w, start = pair()
    assert mixout(w, start, P, training=False) is w
    torch.testing.assert_close(mixout(w, start, 0, generator=seeded()), w)


@pytest.mark.parametrize("dtype", DTYPES)
def test_it_keeps_the_type(dtype):
    assert mixout(*pair(dtype), P, mask=MASK).dtype == dtype


def test_the_gradient_reaches_kept_weights_alone_scaled():
    w, start = pair()
    w = w.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda w: mixout(w, start, P, mask=MASK), w)
    mixout(w, start, P, mask=MASK).sum().backward()
    torch.testing.assert_close(w.grad, MASK / torch.tensor(1 - P, dtype=torch.float64))


def test_it_runs_under_vmap_and_compile():
    w, start = pair()
    rows = torch.stack([w, 2 * w])
    mapped = torch.func.vmap(lambda w: mixout(w, start, P, mask=MASK))(rows)
    assert torch.equal(mapped[1], mixout(2 * w, start, P, mask=MASK))
    compiled = torch.compile(mixout, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(w, start, P, mask=MASK), mixout(w, start, P, mask=MASK))


@pytest.mark.parametrize("p", [-0.1, 1.0, float("nan"), "0.5"])
def test_a_bad_rate_is_refused(p):
    with pytest.raises(ProbabilityError):
        mixout(*pair(), p)
    with pytest.raises(ProbabilityError):
        Mixout(pair()[0], p)


def test_mixout_without_its_pretrained_weights_is_refused():
    with pytest.raises(ArgumentError, match=r"^pretrained = None is not a tensor: mixout needs the weights"):
        mixout(pair()[0], None)
    with pytest.raises(ArgumentError, match=r"^pretrained = None"):
        Mixout(None)


def test_other_shapes_integers_and_bad_masks_are_refused_by_name():
    w, start = pair()
    with pytest.raises(ArgumentError, match=r"^pretrained has shape \(3,\): it must be \(4, 3\)"):
        mixout(w, start[0])
    with pytest.raises(ArgumentError, match=r"^weight has dtype"):
        mixout(w.long(), start)
    with pytest.raises(ArgumentError, match=r"^pretrained has dtype"):
        mixout(w, start.long())
    with pytest.raises(ArgumentError, match=r"^mask has shape"):
        mixout(w, start, mask=MASK[:, :2])


def test_a_layer_computes_with_mixed_weights_in_training_and_its_own_in_eval():
    linear = layer()
    start = linear.weight.detach().clone()
    parametrize.register_parametrization(linear, "weight", Mixout(linear.weight, P))
    with torch.no_grad():
        linear.parametrizations.weight.original.add_(1.0)
    with torch.random.fork_rng(devices=[]):
        changed = (linear.weight - start).detach()
    assert ((changed.abs() < 1e-6) | ((changed - 1 / (1 - P)).abs() < 1e-5)).all()
    linear.eval()
    torch.testing.assert_close(linear.weight.detach(), start + 1)


def test_the_module_keeps_its_own_copy_of_the_pretrained_weights():
    w = pair()[0].clone()
    module = Mixout(w, P)
    w.zero_()
    assert module.pretrained.abs().sum() > 0


def test_the_module_survives_state_dict_deepcopy_and_save_and_shows_its_rate():
    w, start = pair()
    module, other, file = Mixout(start, P), Mixout(torch.zeros_like(start), P), io.BytesIO()
    other.load_state_dict(module.state_dict())
    torch.save(module, file)
    file.seek(0)
    for twin in (other, copy.deepcopy(module), torch.load(file, weights_only=False)):
        assert torch.equal(twin(w, generator=seeded()), module(w, generator=seeded()))
    assert repr(module) == "Mixout(p=0.3, pretrained=(4, 3))"
