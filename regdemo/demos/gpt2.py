"""GPT-2: 124,439,808 parameters, no memory allocated.

Builds GPT-2 on torch's meta device, where tensors have a shape and no data. Counts its parameters by part, with the
head tied and untied, and the draws of one training pass at each dropout site. `--hf` compares the count with that of
transformers' own class, and sets layer-wise rates in a small GPT-2 and a small Llama, built from configurations:
nothing is downloaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, proportion
from regdemo.errors import ArgumentError
from regdemo.measure import Wrong
from regdemo.parameters import SEED, count, flag
from regdemo.report import Block, Cell, Claim, Measurement, Table, Text

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
CARDS = (
    "Q18.400",
    "Q18.401",
    "Q18.402",
    "Q18.403",
)

VOCABULARY, CONTEXT, HEAD_WIDTH = 50_257, 1_024, 64
RATE = 0.1  # of transformers' GPT2Config, at the three sites that GPT-2 has
SIZES = (("small", 12, 12), ("medium", 24, 16), ("large", 36, 20), ("XL", 48, 25))  # name, depth, heads
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

    generator = torch.Generator().manual_seed(seed)
    width = HEAD_WIDTH * heads
    model = _on_meta(depth, heads)
    total = _parameters(model)
    expected = VOCABULARY * width + CONTEXT * width + depth * (12 * width**2 + 13 * width) + 2 * width
    held = sum(p.untyped_storage().nbytes() for p in model.parameters() if not p.is_meta)
    tied = _parameters(_on_meta(depth, heads, tied=False)) - total
    calls, numbers = _one_pass(model)
    claims = [
        Claim(
            "Parameters, the head tied to the embedding",
            expected,
            "$V d + T d + L (12 d^2 + 13 d) + 2 d$",
            total,
            *EXACT,
        ),
        Claim("Bytes that the model's tensors hold", 0, "none on the meta device = 0", held, *EXACT),
        Claim("An untied head would add", VOCABULARY * width, "$V d$", tied, *EXACT),
        Claim("Dropout calls in a training pass", 1 + 3 * depth, "$1 + 3 L$", sum(calls.values()), *EXACT),
        Claim(
            f"Numbers drawn for one text of {CONTEXT:,} tokens",
            CONTEXT * width + depth * heads * CONTEXT**2 + depth * 2 * CONTEXT * width,
            "$T d + L h T^2 + 2 L T d$",
            sum(numbers.values()),
            *EXACT,
        ),
        *(
            Claim(
                f"The fraction that the {site} site drops, in a model of 2 blocks and width 64",
                RATE,
                f"p = {RATE}",
                dropped,
                *proportion(RATE, n),
            )
            for site, (dropped, n) in _fractions(generator).items()
        ),
    ]
    where = Table(
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
    blocks: list[Block] = [
        Text(
            f"Blocks: L = {depth}; width: d = {width}; heads: h = {heads}; vocabulary: V = {VOCABULARY:,}; "
            f"context: T = {CONTEXT:,}. On the meta device the model is built, and even run, without memory for "
            f"its tensors: in float32 its weights alone would take {4 * total / 1e9:.3g} GB, and with gradients and "
            "Adam's two moments four times that."
        ),
        Table(
            title=f"Dropout in one training pass over {CONTEXT:,} tokens",
            columns=["site", "calls", "numbers drawn", "fraction", "in transformers"],
            rows=[
                [site, calls[site], numbers[site], f"{numbers[site] / sum(numbers.values()):.1%}", name]
                for site, name in zip(
                    SITES, ("transformer.drop", "attn.attn_dropout", "attn.resid_dropout, mlp.dropout"), strict=True
                )
            ],
            note="GPT-2 has no dropout on the hidden layer of its feed-forward net.",
        ),
        Table(
            title="The family, each built on the meta device",
            columns=["size", "L", "h", "parameters", "in the paper"],
            rows=[
                [name, layers, heads_, _parameters(_on_meta(layers, heads_)), said]
                for (name, layers, heads_), said in zip(SIZES, ("117M", "345M", "762M", "1542M"), strict=True)
            ],
            note="The paper's counts were wrong, as the README of openai/gpt-2 says.",
        ),
    ]
    if hf:
        more_claims, more_blocks = _hugging_face(depth, heads, expected, seed)
        claims += more_claims
        blocks += more_blocks
    return Measurement(
        picture=[where],
        title=f"GPT-2 with {total:,} parameters",
        claims=claims,
        blocks=blocks,
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


def _fractions(generator: Generator) -> dict[str, tuple[float, int]]:
    """The fraction that each site of a small GPT-2 drops, of the values that were not zero, and how many those are."""

    from regdemo.lab.transformer import GPT, DropoutRates

    with torch.random.fork_rng(devices=[]):  # the weights are as they come; the global state stays as it was
        torch.default_generator.manual_seed(generator.initial_seed())
        model = GPT(50, 64, 64, 2, 2, DropoutRates(embedding=RATE, attention=RATE, residual=RATE))
    found: dict[str, list[Tensor]] = {site: [] for site in SITES}
    _watch(model, lambda site, x, y: found[site].append((y == 0)[x != 0]))
    with torch.no_grad():
        model(torch.randint(50, (8, 64), generator=generator), generator=generator)
    dropped = {site: torch.cat(parts) for site, parts in found.items()}
    return {site: (all_of.double().mean().item(), all_of.numel()) for site, all_of in dropped.items()}


def _hugging_face(depth: int, heads: int, expected: int, seed: int) -> tuple[list[Claim], list[Block]]:
    """The same count from transformers' class, and `set_dropout` on small models of two kinds."""
    from importlib.util import find_spec

    if find_spec("transformers") is None:
        raise ArgumentError("hf = True needs the package transformers: pip install 'regdemo[hf]'")
    from transformers import GPT2Config, GPT2LMHeadModel, GPT2Model, LlamaConfig, LlamaModel

    from regdemo.regularizers import layerwise_rates, set_dropout

    config = GPT2Config(n_layer=depth, n_head=heads, n_embd=HEAD_WIDTH * heads)
    with torch.device("meta"):
        real = GPT2LMHeadModel(config)
    sizes = {"vocab_size": 11, "bos_token_id": 0, "eos_token_id": 0}
    llama = {"num_hidden_layers": 4, "num_attention_heads": 2, "hidden_size": 16, "intermediate_size": 16}
    schedule = layerwise_rates(4, 0.3, convention="huang")
    rows: list[list[Cell]] = []
    spreads: list[dict[str, float]] = []
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        models = {
            "GPT-2": GPT2Model(GPT2Config(n_layer=4, n_head=2, n_embd=16, n_positions=16, **sizes)),
            "Llama": LlamaModel(LlamaConfig(**sizes, **llama)),
        }
        called: list[int] = []
        for block in models["GPT-2"].h:
            block.attn.attn_dropout.register_forward_hook(lambda *_: called.append(1))
        for name, model in models.items():
            modules = _dropout_modules(model)
            set_by_layer = set_dropout(model, schedule)
            on = _spread(model)
            for module in model.modules():  # the loop that is copied everywhere
                if isinstance(module, torch.nn.Dropout):
                    module.p = 0.0
            by_loop = _spread(model)
            set_dropout(model, 0.0)
            spreads.append({"on": on, "by_loop": by_loop, "off": _spread(model)})
            rates = " ".join(f"{p:.3g}" for p in dict.fromkeys(set_by_layer.values()))
            llama_counts = modules, len(set_by_layer)  # of the last model
            rows.append([name, modules, len(set_by_layer), rates, *spreads[-1].values()])
    guessed = sum(hasattr(block.attn, "dropout") for block in real.transformer.h)
    gpt, other = spreads
    ids = torch.zeros(1, 2, dtype=torch.long, device="meta")
    losses = [output.loss is not None for output in (real(ids), real(ids, labels=ids))]
    claims = [
        Claim("Parameters of transformers' GPT2LMHeadModel", expected, "as ours", _parameters(real), *EXACT),
        Claim(
            "torch.nn.Dropout modules in GPT2LMHeadModel", 1 + 3 * depth, "$1 + 3 L$", _dropout_modules(real), *EXACT
        ),
        Claim("Blocks with an `attn.dropout`, a name that one might guess", 0, "none = 0", guessed, *EXACT),
        Claim("Calls of a GPT-2's `attn_dropout` in training", 0, "none = 0", len(called), *EXACT),
        Claim("Losses that GPT2LMHeadModel returns for ids alone", 0, "none = 0", int(losses[0]), *EXACT),
        Claim("Losses that GPT2LMHeadModel returns for ids with labels", 1, "one = 1", int(losses[1]), *EXACT),
        Claim("Rates set in a Llama of 4 layers", 4, "one per layer, a float = 4", llama_counts[1], *EXACT),
        Claim("torch.nn.Dropout modules in the Llama", 0, "none = 0", llama_counts[0], *EXACT),
        Claim(
            "Models whose passes differ under a schedule", 2, "both = 2", (gpt["on"] > 0) + (other["on"] > 0), *EXACT
        ),
        Claim("With all rates 0, the largest std over passes", 0, "0", max(gpt["off"], other["off"]), *EXACT),
        Claim(
            "A loop over torch.nn.Dropout alone leaves Llama random", 1, "yes = 1", int(other["by_loop"] > 0), *EXACT
        ),
    ]
    blocks: list[Block] = [
        Table(
            title="Layer-wise rates set by set_dropout in Hugging Face's models, 4 layers each",
            columns=["model", "torch.nn.Dropout", "rates set", "values", "std, set", "std, loop to 0", "std, set to 0"],
            rows=rows,
            note=(
                f"Std of the output over {PASSES} passes in training: with the rates set, after a loop over "
                "torch.nn.Dropout alone has set p to 0, and after set_dropout has set all rates to 0. "
                "Outside the layers GPT-2 has one more rate, "
                "transformer.drop, which a schedule leaves alone. Built from configurations, with random weights."
            ),
        ),
        Text(
            "GPT-2's `attn_dropout` is a module that is not called under the default attention: its p is read and "
            "handed to scaled_dot_product_attention. A hook on it sees nothing; setting its p works. And a training "
            "loop that calls `model(ids).loss.backward()` fails: without `labels` the loss is None."
        ),
    ]
    return claims, blocks


def _dropout_modules(model: torch.nn.Module) -> int:

    return sum(isinstance(module, torch.nn.Dropout) for module in model.modules())


def _spread(model: Any) -> float:
    """The standard deviation of a model's output over passes in training, exactly 0 where they agree."""

    ids = torch.arange(8).view(1, 8)
    with torch.no_grad():
        passes = torch.stack([model.train()(ids).last_hidden_state for _ in range(PASSES)]).double()
    return (passes - passes[0]).var(0).mean().sqrt().item()


DROP = "regdemo.regularizers.activations.dropout"
WRONG = [
    Wrong("drops p squared", DROP, lambda right, x, p, *a, **kw: right(x, p * p, *a, **kw)),
    Wrong("drops nothing", DROP, lambda right, x, p, *a, **kw: x),
    Wrong(
        "the second block is left out",
        "find_rates",
        lambda right, model: [site for site in right(model) if not site[0].startswith("blocks.1.")],
    ),
    Wrong(
        "a head of its own",
        "regdemo.demos.gpt2._on_meta",
        lambda right, depth, heads, tied=True: right(depth, heads, tied=False),
    ),
]
