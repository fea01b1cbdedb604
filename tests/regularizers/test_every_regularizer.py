"""What holds for every function and Module of the dropout family: types, gradients, vmap, compile, randomness."""

import copy
import inspect
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers import seeded
from regdemo import regularizers
from regdemo.errors import ArgumentError, ProbabilityError
from regdemo.regularizers import (
    attention_dropout,
    drop_block,
    drop_block_seed_rate,
    drop_connect,
    drop_connect_moments,
    drop_path,
    drop_path_residual,
    dropout,
    gaussian_dropout,
    keep_mask,
    layerwise_dropout,
    layerwise_rates,
    spatial_dropout,
)

P = 0.4
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
WEIGHT = torch.tensor([[0.5, -1.0, 2.0], [1.5, 0.25, -0.5]], dtype=torch.float64)
BIAS = torch.tensor([0.5, -2.0], dtype=torch.float64)


@pytest.fixture(autouse=True)
def global_generator_as_found():
    """Some tests draw from it on purpose, and new Modules with weights always do."""
    with torch.random.fork_rng(devices=[]):
        yield


@dataclass(frozen=True)
class Case:
    """A regularizer as a function of one tensor x, what it is without noise, and the shape of its mask."""

    call: Callable[..., Tensor]  # call(x, p, training=, generator=, mask=)
    plain: Callable[[Tensor], Tensor]
    x_shape: tuple[int, ...]
    mask_shape: tuple[int, ...]

    @property
    def mask(self):
        return keep_mask(self.mask_shape, P, generator=seeded(3))

    def x(self, dtype=torch.float64):
        return torch.randn(self.x_shape, generator=seeded(1), dtype=torch.float32).to(dtype)


def itself(x):
    return x


def _gaussian(x, p=P, *, mask=None, **arguments):
    """A mask means noise of 0.5 or 1.5."""
    return gaussian_dropout(x, p, noise=None if mask is None else 0.5 + mask.to(x.dtype), **arguments)


def _attention(x, p=P, **arguments):
    return attention_dropout(x, x.flip(-1), x.square(), p, **arguments)


def _connect(x, p=P, **arguments):
    return drop_connect(x, WEIGHT.to(x.device, x.dtype), BIAS.to(x.device, x.dtype), p, **arguments)


def _linear(x):
    return F.linear(x, WEIGHT, BIAS)


CASES = {
    "dropout": Case(dropout, itself, (4, 5), (4, 5)),
    "gaussian_dropout": Case(_gaussian, itself, (4, 5), (4, 5)),
    "spatial_dropout": Case(spatial_dropout, itself, (4, 3, 5), (4, 3, 1)),
    "drop_block": Case(
        lambda x, p=P, **arguments: drop_block(x, p, 3, **arguments), itself, (2, 3, 7, 7), (2, 3, 7, 7)
    ),
    "attention_dropout": Case(
        _attention,
        lambda x: F.scaled_dot_product_attention(x, x.flip(-1), x.square()),
        (2, 3, 5, 4),
        (2, 3, 5, 5),
    ),
    "drop_path": Case(drop_path, itself, (6, 5), (6, 1)),
    "drop_path, per batch": Case(partial(drop_path, per_sample=False), itself, (6, 5), (1, 1)),
    "drop_path_residual": Case(
        lambda x, p=P, **arguments: drop_path_residual(x, torch.sin, p, **arguments),
        lambda x: x + x.sin(),
        (6, 5),
        (6,),
    ),
    "drop_connect": Case(_connect, _linear, (5, 3), (5, 2, 3)),
    "drop_connect, per batch": Case(partial(_connect, per_sample=False), _linear, (5, 3), (2, 3)),
}
# What draws a whole tensor of mask elements, so that two draws at the same rate practically never agree.
MANY_DRAWS = [name for name in CASES if name != "drop_path, per batch"]
# What computes the kept rows alone, so that its mask cannot be another one for each element of a vmap.
SHARED_MASK = ["drop_path_residual"]
BATCHED_MASK = [name for name in CASES if name not in SHARED_MASK]

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
with_many_draws = pytest.mark.parametrize("case", [CASES[name] for name in MANY_DRAWS], ids=MANY_DRAWS)
with_a_batched_mask = pytest.mark.parametrize("case", [CASES[name] for name in BATCHED_MASK], ids=BATCHED_MASK)


def close(actual, expected, roundings=8):
    """Equal within a few roundings of the actual value's type, at the scale of the expected one."""
    atol = roundings * torch.finfo(actual.dtype).eps * expected.abs().max().item()
    torch.testing.assert_close(actual.double(), expected.double(), rtol=0, atol=atol)


# Types and gradients


@every_case
@pytest.mark.parametrize("dtype", DTYPES)
def test_it_keeps_the_type_and_agrees_with_float64(case, dtype):
    x = case.x(dtype)
    y = case.call(x, P, mask=case.mask)
    assert y.dtype == dtype
    close(y, case.call(x.double(), P, mask=case.mask))


@every_case
@pytest.mark.parametrize("dtype", DTYPES)
def test_it_draws_its_own_noise_in_every_type(case, dtype):
    y = case.call(case.x(dtype), P, generator=seeded())
    assert y.dtype == dtype
    assert y.isfinite().all()


@every_case
def test_its_gradient_is_that_of_finite_differences(case):
    assert torch.autograd.gradcheck(lambda x: case.call(x, P, mask=case.mask), case.x().requires_grad_())


@every_case
def test_its_gradient_flows_in_a_half_type(case):
    x = case.x(torch.bfloat16).requires_grad_()
    case.call(x, P, generator=seeded()).float().square().sum().backward()
    assert x.grad.dtype == torch.bfloat16
    assert x.grad.isfinite().all()


# Training, eval, and the input


@every_case
def test_outside_training_it_is_the_plain_layer(case):
    close(case.call(case.x(), P, training=False), case.plain(case.x()))


@every_case
def test_outside_training_it_draws_nothing(case):
    generator = seeded()
    case.call(case.x(), P, training=False, generator=generator)
    assert torch.equal(generator.get_state(), seeded().get_state())


@every_case
def test_at_rate_0_it_is_the_plain_layer(case):
    close(case.call(case.x(), 0, generator=seeded()), case.plain(case.x()))


@every_case
def test_it_leaves_its_input_as_it_was(case):
    x = case.x()
    case.call(x, P, generator=seeded())
    assert torch.equal(x, case.x())


@every_case
def test_it_takes_an_input_that_is_not_contiguous(case):
    x = case.x().transpose(0, -1).contiguous().transpose(0, -1)
    assert not x.is_contiguous()
    close(case.call(x, P, mask=case.mask), case.call(case.x(), P, mask=case.mask))


@every_case
def test_an_empty_batch_stays_empty(case):
    y = case.call(case.x()[:0], P, generator=seeded())
    assert y.shape == (0, *case.plain(case.x()).shape[1:])


@every_case
def test_an_empty_batch_has_a_gradient(case):
    x = case.x()[:0].requires_grad_()
    case.call(x, P, generator=seeded()).sum().backward()
    assert x.grad.shape == x.shape


@with_a_batched_mask
def test_its_noise_is_drawn_on_the_device_of_its_input(case):
    # The meta device computes shapes alone, and refuses to meet a tensor of another device.
    assert case.call(torch.empty(case.x_shape, device="meta"), P).device.type == "meta"


# Randomness


@with_many_draws
def test_the_same_seed_gives_the_same_result(case):
    assert torch.equal(case.call(case.x(), P, generator=seeded(5)), case.call(case.x(), P, generator=seeded(5)))


@with_many_draws
def test_another_call_draws_again(case):
    generator = seeded()
    first, second = (case.call(case.x(), P, generator=generator) for _ in range(2))
    assert not torch.equal(first, second)


@every_case
def test_a_generator_handed_in_leaves_the_global_one_untouched(case):
    before = torch.get_rng_state()
    case.call(case.x(), P, generator=seeded())
    assert torch.equal(torch.get_rng_state(), before)


@every_case
def test_a_mask_handed_in_draws_nothing(case):
    generator = seeded()
    case.call(case.x(), P, generator=generator, mask=case.mask)
    assert torch.equal(generator.get_state(), seeded().get_state())


# torch.func.vmap


@with_many_draws
def test_vmap_with_the_same_randomness_gives_every_element_the_same_noise(case):
    same = case.x().expand(4, *case.x_shape)
    y = torch.func.vmap(lambda x: case.call(x, P, generator=seeded()), randomness="same")(same)
    assert all(torch.equal(y[0], other) for other in y[1:])
    assert not torch.equal(y[0], case.plain(case.x()))


@pytest.mark.parametrize("name", [name for name in MANY_DRAWS if name not in SHARED_MASK])
def test_vmap_with_different_randomness_gives_every_element_its_own_noise(name):
    case = CASES[name]
    same = case.x().expand(4, *case.x_shape)
    y = torch.func.vmap(lambda x: case.call(x, P, generator=seeded()), randomness="different")(same)
    assert all(not torch.equal(y[0], other) for other in y[1:])


def test_vmap_refuses_drop_path_residual_a_mask_for_each_element():
    case = CASES["drop_path_residual"]
    with pytest.raises(RuntimeError, match="dynamic shape"):
        torch.func.vmap(lambda x: case.call(x, P, generator=seeded()), randomness="different")(case.x().expand(4, 6, 5))


@with_a_batched_mask
def test_vmap_over_inputs_and_masks_is_a_loop(case):
    x = torch.randn(4, *case.x_shape, generator=seeded(), dtype=torch.float64)
    masks = keep_mask((4, *case.mask_shape), P, generator=seeded(2))
    together = torch.func.vmap(lambda x, mask: case.call(x, P, mask=mask))(x, masks)
    close(together, torch.stack([case.call(x, P, mask=mask) for x, mask in zip(x, masks, strict=True)]))


@every_case
def test_vmap_over_another_dimension_with_a_shared_mask_is_a_loop(case):
    x = torch.randn(4, *case.x_shape, generator=seeded(), dtype=torch.float64)
    call = partial(case.call, p=P, mask=case.mask)
    together = torch.func.vmap(call, in_dims=1, out_dims=1)(x.movedim(0, 1))
    close(together.movedim(1, 0), torch.stack([call(x) for x in x]))


@every_case
def test_vmap_of_grad_is_a_loop_of_gradients(case):
    x = torch.randn(4, *case.x_shape, generator=seeded(), dtype=torch.float64)

    call = partial(case.call, p=P, mask=case.mask)

    def gradient(x):
        return torch.func.grad(lambda x: call(x).square().sum())(x)

    close(torch.func.vmap(gradient)(x), torch.stack([gradient(x) for x in x]))


# torch.compile


@pytest.fixture
def compiled():
    torch._dynamo.reset()
    yield partial(torch.compile, backend="eager")
    torch._dynamo.reset()


@with_a_batched_mask
def test_compiled_into_one_graph_with_a_mask_it_is_the_same(case, compiled):
    call = compiled(lambda x, mask: case.call(x, P, mask=mask), fullgraph=True)
    torch.testing.assert_close(call(case.x(), case.mask), case.call(case.x(), P, mask=case.mask))


@with_a_batched_mask
def test_compiled_into_one_graph_it_draws_what_it_draws_uncompiled(case, compiled):
    call = compiled(lambda x: case.call(x, P), fullgraph=True)
    torch.manual_seed(1)
    uncompiled = case.call(case.x(), P)
    torch.manual_seed(1)
    torch.testing.assert_close(call(case.x()), uncompiled)


@every_case
def test_compiled_with_a_generator_it_is_the_same(case, compiled):
    call = compiled(lambda x, generator: case.call(x, P, generator=generator))
    torch.testing.assert_close(call(case.x(), seeded()), case.call(case.x(), P, generator=seeded()))


# Bad input

NOT_A_RATE = [-0.1, 1, 1.0, 1.5, float("nan"), float("inf"), "0.5", None]
TAKES_A_RATE = {
    **{name: lambda p, case=case: case.call(case.x(), p) for name, case in CASES.items()},
    **{f"{name} in eval": lambda p, case=case: case.call(case.x(), p, training=False) for name, case in CASES.items()},
    "keep_mask": lambda p: keep_mask((2,), p),
    "drop_block_seed_rate": lambda p: drop_block_seed_rate(p, 3, 7, 7),
    "drop_connect_moments": lambda p: drop_connect_moments(CASES["drop_connect"].x(), WEIGHT, BIAS, p),
    "layerwise_rates": lambda p: layerwise_rates(3, p),
    "layerwise_dropout": lambda p: layerwise_dropout([nn.Dropout()], p),
}


@pytest.mark.parametrize("call", TAKES_A_RATE.values(), ids=TAKES_A_RATE)
@pytest.mark.parametrize("p", NOT_A_RATE)
def test_a_rate_outside_its_range_is_named_with_what_is_allowed(call, p):
    with pytest.raises(ProbabilityError, match=r"^p(_max)? = .* choose one from 0 to below 1, such as 0.1$") as error:
        call(p)
    assert f" = {p!r} is not a drop probability" in str(error.value)


def test_a_bad_rate_is_a_value_error_too():
    assert issubclass(ProbabilityError, ValueError)


@every_case
@pytest.mark.parametrize("dtype", [torch.int64, torch.bool])
def test_an_integer_tensor_is_refused(case, dtype):
    with pytest.raises(ArgumentError, match=rf"^\w+ has dtype {dtype}: it must be floating point, as from \w+.float"):
        case.call(torch.ones(case.x_shape, dtype=dtype), P)


TAKES_A_MASK = [name for name in CASES if name != "gaussian_dropout"]


@pytest.mark.parametrize("name", TAKES_A_MASK)
def test_a_mask_of_numbers_is_refused(name):
    case = CASES[name]
    with pytest.raises(ArgumentError, match=r"^mask has dtype torch.float32: it must be bool, True where .* is kept"):
        case.call(case.x(), P, mask=case.mask.float())


@pytest.mark.parametrize("name", TAKES_A_MASK)
@pytest.mark.parametrize("shape", [(9,), (9, 9, 9, 9), (2, 1, 1, 1, 1)])
def test_a_mask_of_another_shape_is_refused(name, shape):
    case = CASES[name]
    with pytest.raises(ArgumentError, match=r"^mask has shape \(.*\): it must be \(.*\), or broadcast to it$") as error:
        case.call(case.x(), P, mask=torch.ones(shape, dtype=torch.bool))
    assert str(shape) in str(error.value)


@pytest.mark.parametrize("name", TAKES_A_MASK)
def test_a_mask_of_one_element_broadcasts(name):
    case = CASES[name]
    kept = torch.ones((), dtype=torch.bool)
    assert torch.equal(
        case.call(case.x(), P, mask=kept), case.call(case.x(), P, mask=kept.expand(case.mask_shape).clone())
    )


# The Modules

IMAGE = torch.randn(2, 3, 7, 7, generator=seeded(1))
POSITIONS = torch.randn(4, 5, 3, generator=seeded(1))


def with_fixed_weights(module):
    for parameter in module.parameters():
        nn.init.normal_(parameter, generator=seeded(9))
    return module


def _connect_as(module):
    return lambda x, **arguments: drop_connect(
        x, module.weight, module.bias, P, per_sample=module.per_sample, **arguments
    )


@dataclass(frozen=True)
class Twin:
    """A Module, the function that it must agree with, and their inputs."""

    make: Callable[..., nn.Module]
    function: Callable[[nn.Module], Callable[..., Tensor]]
    inputs: tuple[Tensor, ...] = (POSITIONS,)

    def new(self, p=P):
        return with_fixed_weights(self.make(p=p))


TWINS = {
    "Dropout": Twin(regularizers.Dropout, lambda m: partial(dropout, p=P)),
    "GaussianDropout": Twin(regularizers.GaussianDropout, lambda m: partial(gaussian_dropout, p=P)),
    "SpatialDropout": Twin(regularizers.SpatialDropout, lambda m: partial(spatial_dropout, p=P)),
    "DropBlock": Twin(
        partial(regularizers.DropBlock, block_size=3), lambda m: partial(drop_block, p=P, block_size=3), (IMAGE,)
    ),
    "AttentionDropout": Twin(
        regularizers.AttentionDropout, lambda m: partial(attention_dropout, p=P), (POSITIONS, POSITIONS + 1, -POSITIONS)
    ),
    "DropPath": Twin(regularizers.DropPath, lambda m: partial(drop_path, p=P)),
    "DropPath, per batch": Twin(
        partial(regularizers.DropPath, per_sample=False), lambda m: partial(drop_path, p=P, per_sample=False)
    ),
    "DropConnect": Twin(partial(regularizers.DropConnect, 3, 2), _connect_as),
    "DropConnect, per batch": Twin(partial(regularizers.DropConnect, 3, 2, per_sample=False), _connect_as),
    "DropConnect, no bias": Twin(partial(regularizers.DropConnect, 3, 2, bias=False), _connect_as),
}
every_twin = pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)


@every_twin
def test_a_module_in_training_is_its_function(twin):
    module = twin.new()
    expected = twin.function(module)(*twin.inputs, generator=seeded(4))
    assert torch.equal(module(*twin.inputs, generator=seeded(4)), expected)


@every_twin
def test_a_module_in_eval_is_its_function_outside_training(twin):
    module = twin.new().eval()
    assert torch.equal(module(*twin.inputs), twin.function(module)(*twin.inputs, training=False))


@every_twin
def test_a_module_without_a_generator_draws_from_the_global_one(twin):
    module = twin.new()
    torch.manual_seed(2)
    drawn = module(*twin.inputs)
    assert torch.equal(drawn, module(*twin.inputs, generator=seeded(2)))


def test_attention_dropout_as_a_module_can_be_causal():
    module = TWINS["AttentionDropout"].new()
    inputs = TWINS["AttentionDropout"].inputs
    expected = attention_dropout(*inputs, P, is_causal=True, generator=seeded())
    assert torch.equal(module(*inputs, is_causal=True, generator=seeded()), expected)


@every_twin
def test_a_module_survives_its_state_dict(twin):
    module, other = twin.new(), twin.make(p=P)
    other.load_state_dict(module.state_dict())
    assert torch.equal(other(*twin.inputs, generator=seeded()), module(*twin.inputs, generator=seeded()))


@every_twin
def test_a_module_survives_deepcopy(twin):
    module = twin.new()
    other = copy.deepcopy(module)
    assert torch.equal(other(*twin.inputs, generator=seeded()), module(*twin.inputs, generator=seeded()))


@every_twin
def test_a_module_survives_torch_save(twin):
    module, file = twin.new(), io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    other = torch.load(file, weights_only=False)
    assert torch.equal(other(*twin.inputs, generator=seeded()), module(*twin.inputs, generator=seeded()))


@every_twin
def test_a_module_shows_its_rate(twin):
    assert f"p={P}" in repr(twin.new())


@every_twin
def test_a_module_at_rate_0_is_itself_in_eval(twin):
    module = twin.new(p=0)
    assert torch.equal(module(*twin.inputs), module.eval()(*twin.inputs))


@every_twin
@pytest.mark.parametrize("p", NOT_A_RATE)
def test_a_module_refuses_a_bad_rate_when_it_is_made(twin, p):
    with pytest.raises(ProbabilityError, match="is not a drop probability"):
        twin.make(p=p)


@pytest.mark.parametrize("name", [name for name in TWINS if name != "AttentionDropout"])
def test_a_module_stands_in_a_sequence(name):
    twin = TWINS[name]
    module = twin.new()
    layers = nn.Sequential(nn.Identity(), module, nn.ReLU()).eval()
    assert torch.equal(layers(*twin.inputs), module(*twin.inputs).relu())


@every_twin
def test_a_compiled_module_is_the_same(twin, compiled):
    module = twin.new()
    torch.manual_seed(3)
    uncompiled = module(*twin.inputs)
    torch.manual_seed(3)
    torch.testing.assert_close(compiled(module, fullgraph=True)(*twin.inputs), uncompiled)


@pytest.mark.parametrize(
    ("module", "function"),
    [
        (regularizers.Dropout, dropout),
        (regularizers.GaussianDropout, gaussian_dropout),
        (regularizers.SpatialDropout, spatial_dropout),
        (regularizers.DropBlock, drop_block),
        (regularizers.AttentionDropout, attention_dropout),
        (regularizers.DropPath, drop_path),
        (regularizers.DropConnect, drop_connect),
    ],
)
def test_a_module_has_its_functions_defaults(module, function):
    ours, theirs = inspect.signature(module).parameters, inspect.signature(function).parameters
    shared = [name for name in ours if name in theirs and name != "bias"]
    assert "p" in shared
    assert {name: ours[name].default for name in shared} == {name: theirs[name].default for name in shared}
