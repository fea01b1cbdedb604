"""GPT-2: 124,439,808 parameters, no memory allocated.

Builds GPT-2 on torch's meta device, where tensors have a shape and no data. Counts its parameters by part, with the
head tied and untied, and the draws of one training pass at each dropout site. `--hf` compares the count with that of
transformers' own class, and sets layer-wise rates in a small GPT-2 and a small Llama, built from configurations:
nothing is downloaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, proportion
from regdemo.errors import ArgumentError
from regdemo.measure import Wrong, fraction, seeded
from regdemo.parameters import SEED, count, flag
from regdemo.report import Block, Claim, Measurement, Table, Text

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from regdemo.lab.transformer import GPT

ACTS_ON = "models"
SAY = (
    "GPT-2 small has 124,439,808 parameters: over two thirds in its 12 blocks of $12 d^2 + 13 d$ at width $d = 768$, "
    "nearly a third in the token embedding, which is the head as well. GPT-2 drops at three sites: the sum of the "
    "embeddings, the attention weights, and the output of each sublayer, with 0.1 in transformers' configuration. If "
    "each head draws for all pairs of 1,024 tokens, almost nine in ten draws are attention's."
)
WRONG_ANSWER = (
    "'GPT-2 small has 117M parameters' is the paper's mistake; 163M counts the tied matrix twice. Close second: 'the "
    "FFN drops its hidden layer'. GPT-2's drops its output, and the attribute is `mlp.dropout`."
)
CARDS = ("Q18.400", "Q18.401", "Q18.402", "Q18.403")

VOCABULARY, CONTEXT, HEAD_WIDTH = 50_257, 1_024, 64
RATE = 0.1  # of transformers' GPT2Config, at the three sites that GPT-2 has
# Name, depth, heads, and the parameters by the paper.
SIZES = (("small", 12, 12, "117M"), ("medium", 24, 16, "345M"), ("large", 36, 20, "762M"), ("XL", 48, 25, "1542M"))
SITES = ("embedding", "attention", "residual")
PASSES = 4


def gpt2(
    *,
    depth: Annotated[int, count("Number of blocks.", 1, 100)] = 12,
    heads: Annotated[int, count("Attention heads of width 64.", 1, 100)] = 12,
    hf: Annotated[bool, flag("Compare with Hugging Face's own classes; needs the extra hf.")] = False,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Count the parameters and the dropout of a GPT-2 of this depth, its width 64 times its heads."""
    width = HEAD_WIDTH * heads
    model = _on_meta(depth, heads)
    total = _parameters(model)
    expected = VOCABULARY * width + CONTEXT * width + depth * (12 * width**2 + 13 * width) + 2 * width
    calls, numbers = _one_pass(model)
    real = _hugging_face(depth, heads, expected, seed) if hf else Measurement("", [], [])
    return Measurement(
        title=f"GPT-2 with {total:,} parameters",
        claims=[
            *_parameters_claims(depth, heads, expected, model),
            *_draws_claims(depth, heads, calls, numbers),
            *_dropped_claims(seeded(seed)),
            *real.claims,
        ],
        picture=[_parts_table(depth, width, total)],
        blocks=[
            Text(
                f"Blocks: L = {depth}; width: d = {width}; heads: h = {heads}; vocabulary: V = {VOCABULARY:,}; "
                f"context: T = {CONTEXT:,}. On the meta device the model is built, and even run, without memory for "
                f"its tensors: in float32 its weights alone would take {4 * total / 1e9:.3g} GB, and with gradients "
                "and Adam's two moments four times that."
            ),
            _dropout_table(calls, numbers),
            _family_table(),
            *real.blocks,
        ],
    )


def _on_meta(depth: int, heads: int, *, tied: bool = True) -> GPT:
    """Our GPT at GPT-2's shape, without memory; its parts have as many parameters as GPT-2's, under other names."""
    from regdemo.lab.transformer import GPT, DropoutRates

    with torch.device("meta"):
        rates = DropoutRates(embedding=RATE, attention=RATE, residual=RATE)
        model = GPT(VOCABULARY, CONTEXT, HEAD_WIDTH * heads, heads, depth, rates)
    if tied:
        model.head.weight = model.token.weight
    return model


def _parameters(model: torch.nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())  # what is shared is counted once


def _one_pass(model: GPT) -> tuple[dict[str, int], dict[str, int]]:
    """How often each site draws in a training pass over a full context, and how many numbers."""
    calls, numbers = dict.fromkeys(SITES, 0), dict.fromkeys(SITES, 0)

    def see(site: str, x: Tensor) -> None:
        calls[site] += 1
        numbers[site] += x.numel()

    _watch(model, lambda site, x, y: see(site, x))
    with torch.no_grad():
        model.train()(torch.zeros(1, CONTEXT, dtype=torch.long, device="meta"))
    return calls, numbers


def _watch(model: GPT, see: Any) -> None:
    """Call see(site, before, after) whenever a dropout with a rate above 0 runs."""
    for name, module, attribute in regularizers.find_rates(model):
        if getattr(module, attribute) > 0:
            site = name.split(".")[-2].removesuffix("_dropout")
            module.register_forward_hook(lambda module, args, y, site=site: see(site, args[0], y))


def _parameters_claims(depth: int, heads: int, expected: int, model: GPT) -> list[Claim]:
    total = _parameters(model)
    held = sum(p.untyped_storage().nbytes() for p in model.parameters() if not p.is_meta)
    more = _parameters(_on_meta(depth, heads, tied=False)) - total
    return [
        Claim(
            "Parameters, the head tied to the embedding",
            expected,
            "$V d + T d + L (12 d^2 + 13 d) + 2 d$",
            total,
            *EXACT,
        ),
        Claim("Bytes that the model's tensors hold", 0, "none on the meta device = 0", held, *EXACT),
        Claim("An untied head would add", VOCABULARY * HEAD_WIDTH * heads, "$V d$", more, *EXACT),
    ]


def _draws_claims(depth: int, heads: int, calls: dict[str, int], numbers: dict[str, int]) -> list[Claim]:
    width = HEAD_WIDTH * heads
    return [
        Claim("Dropout calls in a training pass", 1 + 3 * depth, "$1 + 3 L$", sum(calls.values()), *EXACT),
        Claim(
            f"Numbers drawn for one text of {CONTEXT:,} tokens",
            CONTEXT * width + depth * heads * CONTEXT**2 + depth * 2 * CONTEXT * width,
            "$T d + L h T^2 + 2 L T d$",
            sum(numbers.values()),
            *EXACT,
        ),
    ]


def _dropped_claims(generator: Generator) -> list[Claim]:
    """The fraction that each site of a small GPT-2 drops, of the values that were not zero."""
    from regdemo.lab.transformer import GPT, DropoutRates

    with torch.random.fork_rng(devices=[]):  # the weights are as they come; the global state stays as it was
        torch.default_generator.manual_seed(generator.initial_seed())
        model = GPT(50, 64, 64, 2, 2, DropoutRates(embedding=RATE, attention=RATE, residual=RATE))
    found: dict[str, list[Tensor]] = {site: [] for site in SITES}
    _watch(model, lambda site, x, y: found[site].append((y == 0)[x != 0]))
    with torch.no_grad():
        model(torch.randint(50, (8, 64), generator=generator), generator=generator)
    return [
        Claim(
            f"The fraction that the {site} site drops, in a model of 2 blocks and width 64",
            RATE,
            f"p = {RATE}",
            fraction(torch.cat(dropped)),
            *proportion(RATE, sum(part.numel() for part in dropped)),
        )
        for site, dropped in found.items()
    ]


def _parts_table(depth: int, width: int, total: int) -> Table:
    return Table(
        title="Where the parameters are",
        columns=["part", "parameters", "fraction", "by formula"],
        rows=[
            [name, n, f"{n / total:.2%}", formula]
            for name, n, formula in (
                ("token embedding, and head", VOCABULARY * width, "$V d$"),
                ("position embedding", CONTEXT * width, "$T d$"),
                ("blocks, attention", depth * (4 * width**2 + 4 * width), "$L (4 d^2 + 4 d)$"),
                ("blocks, feed-forward", depth * (8 * width**2 + 5 * width), "$L (8 d^2 + 5 d)$"),
                ("norms", 2 * width * (2 * depth + 1), "$2 d (2 L + 1)$"),
            )
        ],
        note="The formulas include the biases; the head has none.",
    )


def _dropout_table(calls: dict[str, int], numbers: dict[str, int]) -> Table:
    names = ("transformer.drop", "attn.attn_dropout", "attn.resid_dropout, mlp.dropout")
    return Table(
        title=f"Dropout in one training pass over {CONTEXT:,} tokens",
        columns=["site", "calls", "numbers drawn", "fraction", "in transformers"],
        rows=[
            [site, calls[site], drawn, f"{drawn / sum(numbers.values()):.1%}", name]
            for (site, drawn), name in zip(numbers.items(), names, strict=True)
        ],
        note="GPT-2 has no dropout on the hidden layer of its feed-forward net.",
    )


def _family_table() -> Table:
    return Table(
        title="The family, each built on the meta device",
        columns=["size", "L", "h", "parameters", "in the paper"],
        rows=[[name, depth, heads, _parameters(_on_meta(depth, heads)), said] for name, depth, heads, said in SIZES],
        note="The paper's counts were wrong, as the README of openai/gpt-2 says.",
    )


def _hugging_face(depth: int, heads: int, expected: int, seed: int) -> Measurement:
    """The same count from transformers' class, and `set_dropout` on small models of two kinds."""
    from importlib.util import find_spec

    if find_spec("transformers") is None:
        raise ArgumentError("hf = True needs the package transformers: pip install 'regdemo[hf]'")
    from transformers import GPT2Config, GPT2LMHeadModel, GPT2Model, LlamaConfig, LlamaModel

    with torch.device("meta"):
        real = GPT2LMHeadModel(GPT2Config(n_layer=depth, n_head=heads, n_embd=HEAD_WIDTH * heads))
        ids = torch.zeros(1, 2, dtype=torch.long)
    real.loss_type = "ForCausalLM"  # the one that it takes anyway, after a warning on standard error
    guessed = sum(hasattr(block.attn, "dropout") for block in real.transformer.h)
    without, with_labels = (int(output.loss is not None) for output in (real(ids), real(ids, labels=ids)))
    sizes = {"vocab_size": 11, "bos_token_id": 0, "eos_token_id": 0}
    llama_sizes = {"num_hidden_layers": 4, "num_attention_heads": 2, "hidden_size": 16, "intermediate_size": 16}
    called: list[int] = []
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        small = GPT2Model(GPT2Config(n_layer=4, n_head=2, n_embd=16, n_positions=16, **sizes))
        small_llama = LlamaModel(LlamaConfig(**sizes, **llama_sizes))
        for block in small.h:
            block.attn.attn_dropout.register_forward_hook(lambda *_: called.append(1))
        gpt, llama = _scheduled(small), _scheduled(small_llama)
    claims = [
        Claim("Parameters of transformers' GPT2LMHeadModel", expected, "as ours", _parameters(real), *EXACT),
        Claim(
            "torch.nn.Dropout modules in GPT2LMHeadModel", 1 + 3 * depth, "$1 + 3 L$", _dropout_modules(real), *EXACT
        ),
        Claim("Blocks with an `attn.dropout`, a name that one might guess", 0, "none = 0", guessed, *EXACT),
        Claim("Calls of a GPT-2's `attn_dropout` in training", 0, "none = 0", len(called), *EXACT),
        Claim("Losses that GPT2LMHeadModel returns for ids alone", 0, "none = 0", without, *EXACT),
        Claim("Losses that GPT2LMHeadModel returns for ids with labels", 1, "one = 1", with_labels, *EXACT),
        Claim("Rates set in a Llama of 4 layers", 4, "one per layer, a float = 4", len(llama.rates), *EXACT),
        Claim("torch.nn.Dropout modules in the Llama", 0, "none = 0", llama.modules, *EXACT),
        Claim("Models whose passes differ under a schedule", 2, "both = 2", (gpt.on > 0) + (llama.on > 0), *EXACT),
        Claim("With all rates 0, the largest std over passes", 0, "0", max(gpt.off, llama.off), *EXACT),
        Claim("A loop over torch.nn.Dropout alone leaves Llama random", 1, "yes = 1", int(llama.by_loop > 0), *EXACT),
    ]
    return Measurement("", claims, _hugging_face_blocks({"GPT-2": gpt, "Llama": llama}))


class _Scheduled(NamedTuple):
    """A model's dropout modules, the rates that were set by layer, and the std of its passes at three settings."""

    modules: int
    rates: dict[str, float]
    on: float
    by_loop: float
    off: float


def _scheduled(model: Any) -> _Scheduled:
    modules = _dropout_modules(model)
    rates = regularizers.set_dropout(model, regularizers.layerwise_rates(4, 0.3, convention="huang"))
    on = _spread(model)
    for module in model.modules():  # the loop that is copied everywhere
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    by_loop = _spread(model)
    regularizers.set_dropout(model, 0.0)
    return _Scheduled(modules, rates, on, by_loop, _spread(model))


def _dropout_modules(model: torch.nn.Module) -> int:
    return sum(isinstance(module, torch.nn.Dropout) for module in model.modules())


def _spread(model: Any) -> float:
    """The standard deviation of a model's output over passes in training, exactly 0 where they agree."""
    ids = torch.arange(8).view(1, 8)
    with torch.no_grad():
        passes = torch.stack([model.train()(ids).last_hidden_state for _ in range(PASSES)]).double()
    return (passes - passes[0]).var(0).mean().sqrt().item()


def _hugging_face_blocks(models: dict[str, _Scheduled]) -> list[Block]:
    return [
        Table(
            title="Layer-wise rates set by set_dropout in Hugging Face's models, 4 layers each",
            columns=["model", "torch.nn.Dropout", "rates set", "values", "std, set", "std, loop to 0", "std, set to 0"],
            rows=[
                [name, modules, len(rates), " ".join(f"{p:.3g}" for p in dict.fromkeys(rates.values())), *spreads]
                for name, (modules, rates, *spreads) in models.items()
            ],
            note=f"Std of the output over {PASSES} passes in training: with the rates set, after a loop over "
            "torch.nn.Dropout alone has set p to 0, and after set_dropout has set all rates to 0. Outside the layers "
            "GPT-2 has one more rate, transformer.drop, which a schedule leaves alone. Built from configurations, with "
            "random weights.",
        ),
        Text(
            "GPT-2's `attn_dropout` is a module that is not called under the default attention: its p is read and "
            "handed to scaled_dot_product_attention. A hook on it sees nothing; setting its p works. And a training "
            "loop that calls `model(ids).loss.backward()` fails: without `labels` the loss is None."
        ),
    ]


DROP = "regdemo.regularizers.activations.dropout"
WRONG = [
    Wrong("drops p squared", DROP, lambda right, x, p, *a, **kw: right(x, p * p, *a, **kw)),
    Wrong("drops nothing", DROP, lambda right, x, p, *a, **kw: x),
    Wrong(
        "the second block is left out",
        "find_rates",
        lambda right, model: [site for site in right(model) if not site[0].startswith("blocks.1.")],
    ),
    Wrong("a head of its own", "regdemo.demos.gpt2._on_meta", lambda right, *a, tied=True: right(*a, tied=False)),
]
