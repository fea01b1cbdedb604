"""What training code does with the regularizers: compile, export, trace, autocast, checkpoint."""

import copy
import inspect
import warnings
from dataclasses import dataclass
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from helpers import seeded
from regdemo import regularizers as r

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def global_generator_as_found():
    torch._dynamo.reset()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
    torch._dynamo.reset()


def sequence(n):
    return (torch.randn(n, 5, 8, generator=seeded(1)),)


def images(n):
    return (torch.randn(n, 3, 7, 7, generator=seeded(1)),)


def rows(n):
    return (torch.randn(n, 8, generator=seeded(1)),)


def tokens(n):
    return (torch.randint(1, 9, (n, 5), generator=seeded(1)),)


def mixout():
    layer = nn.Linear(8, 3)
    return nn.utils.parametrize.register_parametrization(layer, "weight", r.Mixout(layer.weight + 1, 0.4))


def adapter(inputs, outputs):
    module = r.LoraDropout(nn.Linear(inputs, outputs), 2, 0.4)
    nn.init.ones_(module.b)
    return module


MODULES = {
    "Dropout": (lambda: r.Dropout(0.4), sequence),
    "GaussianDropout": (lambda: r.GaussianDropout(0.4), sequence),
    "AlphaDropout": (lambda: r.AlphaDropout(0.4), sequence),
    "SpatialDropout": (lambda: r.SpatialDropout(0.4), images),
    "DropBlock": (lambda: r.DropBlock(0.4, 3), images),
    "DropBlock, coupled": (lambda: r.DropBlock(0.4, 3, couple_channels=True), images),
    "InputNoise": (r.InputNoise, sequence),
    "ActivationNoise": (r.ActivationNoise, sequence),
    "EmbeddingNoise": (r.EmbeddingNoise, sequence),
    "WordDropout": (lambda: r.WordDropout(9, 4, 0.4), tokens),
    "AttentionDropout": (lambda: r.AttentionDropout(0.4), lambda n: sequence(n) * 3),
    "DropPath": (lambda: r.DropPath(0.4), sequence),
    "DropPath, per batch": (lambda: r.DropPath(0.4, per_sample=False), sequence),
    "LayerDrop": (lambda: r.LayerDrop([nn.Linear(8, 8), nn.Linear(8, 8)], 0.4), rows),
    "DropConnect": (lambda: r.DropConnect(8, 3, 0.4), rows),
    "DropConnect, per batch": (lambda: r.DropConnect(8, 3, 0.4, per_sample=False), rows),
    "WeightNoise": (lambda: r.WeightNoise(8, 3), rows),
    "LoraDropout": (lambda: adapter(8, 3), rows),
    "Mixout": (mixout, rows),
    "LockedDropout": (lambda: r.LockedDropout(0.4), sequence),
    "Zoneout": (lambda: r.Zoneout(0.4), lambda n: rows(n) * 2),
}
FUNCTIONS = {
    "keep_mask": (lambda x: r.keep_mask(x.shape, 0.4), rows),
    "attention_weights": (lambda x: r.attention_weights(x, x, is_causal=True), sequence),
    "token_masking": (lambda ids: r.token_masking(ids, 9, 0), tokens),
    "random_deletion": (lambda ids: r.random_deletion(ids, 0.4, padding=0), tokens),
    "random_swap": (lambda ids: r.random_swap(ids, 2, padding=0), tokens),
    "mixup": (lambda x: r.mixup(x, x), rows),
    "mixup, a weight each": (lambda x: r.mixup(x, x, per_example=True), rows),
    "cutmix": (lambda x: r.cutmix(x, x.flatten(1)), images),
    "r_drop": (lambda x: r.r_drop(x, x + 1, x.argmax(-1)), rows),
    "confidence_penalty": (lambda x: r.confidence_penalty(x, 0.4), sequence),
    "drop_connect_moments": (lambda x: r.drop_connect_moments(x, torch.ones(3, 8)), rows),
    "max_norm": (lambda x: r.max_norm(x.new_ones(3, 8)) + 0 * x.sum(), rows),
    "l1_penalty": (lambda x: r.l1_penalty([x], 0.1), rows),
    "l2_penalty": (lambda x: r.l2_penalty([x], 0.1), rows),
    "elastic_net": (lambda x: r.elastic_net([x], 0.1, 0.1), rows),
    "elastic_net_prox": (lambda x: r.elastic_net_prox(x, 0.1, 0.1), rows),
    "soft_threshold": (lambda x: r.soft_threshold(x, 0.1), rows),
    "drop_path_residual": (lambda x: r.drop_path_residual(x, torch.sin, 0.4), rows),
}
BREAKS = {  # into more than one graph
    "LayerDrop": "which layers run is drawn",
    "max_norm": "it looks whether the weights are finite",
    "drop_path_residual": "how many rows the branch gets is drawn",
}
NOT_TRIED = {
    "adversarial_training": "it asks autograd for a gradient",
    "fgsm": "it asks autograd for a gradient",
    "dp_sgd": "it asks torch.func for gradients, and looks at their values",
    "mc_dropout": "it runs a whole model, in modes of its own",
    "keep_masks": "it draws from generators, which no graph holds",
}
every_module = pytest.mark.parametrize(("make", "inputs"), MODULES.values(), ids=MODULES)
every_mode = pytest.mark.parametrize("training", [True, False], ids=["training", "eval"])


def under_seed(call, *arguments):
    torch.manual_seed(3)
    return call(*arguments)


def test_each_function_that_returns_tensors_or_its_module_is_tried_here_or_it_is_said_why_not():
    tried = {name.partition(",")[0].replace("_", "").lower() for name in [*MODULES, *FUNCTIONS]}
    functions = [getattr(r, name) for name in r.__all__ if inspect.isfunction(getattr(r, name))]
    tensors = [call.__name__ for call in functions if "Tensor" in call.__annotations__["return"]]
    assert {name for name in tensors if name.replace("_", "") not in tried} == set(NOT_TRIED)


# torch.compile and torch.export, with a batch of another size than the first: such as an epoch's last


@pytest.mark.parametrize("name", [*MODULES, *FUNCTIONS])
def test_compiled_it_takes_batches_of_other_sizes_and_draws_what_it_draws_uncompiled(name):
    make, inputs = MODULES.get(name) or (lambda: FUNCTIONS[name][0], FUNCTIONS[name][1])
    call = make()
    compiled = torch.compile(call, backend="eager", fullgraph=name not in BREAKS)
    for n in (4, 3, 6):
        torch.testing.assert_close(under_seed(compiled, *inputs(n)), under_seed(call, *inputs(n)))


@pytest.mark.parametrize("name", ["Dropout", "DropPath", "DropBlock", "DropConnect", "WordDropout", "InputNoise"])
def test_compiled_by_aot_autograd_its_gradient_is_that_of_what_it_returned(name):
    make, inputs = MODULES[name]
    module = make()
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    for n in (4, 3):
        results = []
        for call in (compiled, module):
            xs = [x.clone().requires_grad_(x.is_floating_point()) for x in inputs(n)]
            y = under_seed(call, *xs)
            leaves = [*[x for x in xs if x.requires_grad], *module.parameters()]
            results.append([y, *torch.autograd.grad(y.square().sum(), leaves)])
        torch.testing.assert_close(*results)


@every_mode
@pytest.mark.parametrize("name", MODULES)
def test_exported_with_a_dynamic_batch_it_takes_batches_of_other_sizes(name, training):
    if name == "LayerDrop" and training:
        pytest.skip("which layers run is drawn")
    make, inputs = MODULES[name]
    module = make().train(training)
    batch = torch.export.Dim("batch")
    shapes = tuple({0: batch} for _ in inputs(4))
    program = torch.export.export(module, inputs(4), dynamic_shapes=shapes).module()
    for n in (4, 6, 2):
        torch.testing.assert_close(under_seed(program, *inputs(n)), under_seed(module, *inputs(n)))


# torch.jit.trace and torch.fx


@pytest.mark.filterwarnings("ignore")  # of deprecation, in some version of torch, and of shapes that are checked
@every_mode
@pytest.mark.parametrize("name", MODULES)
def test_traced_by_jit_it_is_the_same_and_takes_batches_of_other_sizes(name, training):
    if name == "LayerDrop" and training:
        pytest.skip("a trace holds the layers that one draw has run")
    make, inputs = MODULES[name]
    module = make().train(training)
    traced = torch.jit.trace(module, inputs(4), check_trace=False)
    for n in (4, 6):
        torch.testing.assert_close(under_seed(traced, *inputs(n)), under_seed(module, *inputs(n)))


@every_mode
@every_module
def test_torch_fx_records_it_in_a_graph_that_computes_the_same(make, inputs, training):
    module = make().train(training)
    graph = torch.fx.symbolic_trace(module)
    for n in (4, 6):
        torch.testing.assert_close(under_seed(graph, *inputs(n)), under_seed(module, *inputs(n)))


def test_torch_fx_records_a_regularizer_as_one_node_between_its_layers():
    graph = torch.fx.symbolic_trace(nn.Sequential(nn.Linear(2, 3), r.Dropout(0.4), nn.ReLU()))
    targets = [node.target for node in graph.graph.nodes if node.op.startswith("call")]
    assert targets == ["0", r.dropout, "2"]


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in BREAKS])
def test_torch_fx_records_a_call_by_the_package_as_one_node(name):
    call, inputs = FUNCTIONS[name]
    graph = torch.fx.symbolic_trace(call)
    function = getattr(r, name.partition(",")[0])
    assert [node.target for node in graph.graph.nodes].count(function) == 1
    for n in (4, 6):
        torch.testing.assert_close(under_seed(graph, *inputs(n)), under_seed(call, *inputs(n)))


def test_torch_fx_records_a_call_with_the_mode_of_the_model_that_makes_it():
    class Model(nn.Module):
        def forward(self, x):
            return r.dropout(x, 0.4, self.training)

    x = torch.ones(50)
    for training in (True, False):
        graph = torch.fx.symbolic_trace(Model().train(training))
        assert [node.target for node in graph.graph.nodes if node.op == "call_function"] == [r.dropout]
        assert torch.equal(graph(x), x) is not training


def test_torch_fx_sees_the_layers_of_layer_drop_in_eval():
    graph = torch.fx.symbolic_trace(r.LayerDrop([nn.Linear(2, 2), nn.Linear(2, 2)], 0.4).eval())
    assert [node.target for node in graph.graph.nodes if node.op == "call_module"] == ["layers.0", "layers.1"]


def test_layer_drop_in_eval_draws_nothing_and_compiles_into_one_graph():
    module = r.LayerDrop([nn.Linear(2, 2), nn.Linear(2, 2)], 0.4).eval()
    x, state = torch.ones(3, 2), torch.get_rng_state()
    torch.testing.assert_close(torch.compile(module, backend="eager", fullgraph=True)(x), module(x))
    assert torch.equal(torch.get_rng_state(), state)


# Autocast


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", [name for name in MODULES if name != "LayerDrop"])  # it may run no layer at all
def test_under_autocast_training_returns_the_type_of_eval(name, dtype):
    make, inputs = MODULES[name]
    module = make()
    with torch.autocast("cpu", dtype):
        assert module(*inputs(4)).dtype == module.eval()(*inputs(4)).dtype


@pytest.mark.parametrize("per_sample", [True, False])
def test_under_autocast_drop_connect_computes_in_a_half_type_as_a_linear_layer_does(per_sample):
    module, (x,) = r.DropConnect(8, 3, 0.4, per_sample=per_sample), rows(4)
    with torch.autocast("cpu", torch.bfloat16):
        assert module(x).dtype == nn.Linear(8, 3)(x).dtype == torch.bfloat16


# Gradient checkpointing


@dataclass
class Block:
    """Drops with a generator; what it returns and its gradient tell the mask."""

    generator: torch.Generator | None

    def __call__(self, x):
        return r.dropout(x, 0.5, generator=self.generator).exp()


def gradient_of(call, x):
    y = call(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    return y, gradient


def test_without_a_generator_checkpointing_recomputes_the_same_mask():
    x = torch.zeros(200, requires_grad=True)
    torch.manual_seed(1)
    expected = gradient_of(Block(None), x)
    torch.manual_seed(1)
    torch.testing.assert_close(gradient_of(lambda x: checkpoint(Block(None), x, use_reentrant=False), x), expected)


@pytest.mark.parametrize("size", [200, 20_000])
@pytest.mark.parametrize("reentrant", [True, False])
def test_a_generator_inside_a_checkpoint_is_warned_of(reentrant, size):
    x = torch.ones(size, requires_grad=True)
    with pytest.warns(UserWarning, match=r"^a generator is drawn from inside torch.utils.checkpoint"):
        checkpoint(Block(seeded()), x, use_reentrant=reentrant)


def test_a_replayed_generator_gives_the_gradient_of_the_mask_that_was_drawn():
    x, generator = torch.ones(200, requires_grad=True), seeded()
    expected = gradient_of(lambda x: Block(seeded())(x), x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        replayed = partial(
            checkpoint, Block(generator), use_reentrant=False, context_fn=lambda: r.replay_draws(generator)
        )
        torch.testing.assert_close(gradient_of(replayed, x), expected)


def test_a_replay_leaves_the_generator_where_it_found_it():
    x, generator = torch.ones(9, requires_grad=True), seeded()
    y = checkpoint(Block(generator), x, use_reentrant=False, context_fn=lambda: r.replay_draws(generator))
    after_forward = generator.get_state()
    torch.rand(5, generator=generator)
    later = generator.get_state()
    y.sum().backward()
    assert torch.equal(generator.get_state(), later)
    assert not torch.equal(after_forward, later)


def test_two_checkpoints_with_one_generator_each_replay_their_own_mask():
    generator = seeded()
    run = partial(checkpoint, Block(generator), use_reentrant=False, context_fn=lambda: r.replay_draws(generator))
    x = torch.ones(200, requires_grad=True)
    (gradient,) = torch.autograd.grad(run(run(x)).sum(), x)
    other = seeded()
    (expected,) = torch.autograd.grad(Block(other)(Block(other)(x)).sum(), x)
    torch.testing.assert_close(gradient, expected)


def test_a_generator_outside_of_checkpointing_is_not_warned_of():
    x = torch.ones(9, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Block(seeded())(checkpoint(torch.exp, x, use_reentrant=False)).sum().backward()


# Where it is and what it is made of


@pytest.mark.parametrize("name", ["DropConnect", "WeightNoise", "WordDropout"])
def test_parameters_are_made_on_the_device_and_in_the_type_asked_for(name):
    sizes = (9, 4)
    module = getattr(r, name)(*sizes, device="meta", dtype=torch.bfloat16)
    assert {(p.device.type, p.dtype) for p in module.parameters()} == {("meta", torch.bfloat16)}


def test_a_module_moves_like_any_other():
    module = copy.deepcopy(nn.Sequential(r.DropConnect(8, 3), r.Dropout(0.1))).to(torch.float64)
    assert module(rows(2)[0].double()).dtype == torch.float64
    assert F.linear(rows(2)[0].double(), module[0].weight).dtype == torch.float64
