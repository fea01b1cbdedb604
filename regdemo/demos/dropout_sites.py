"""Dropout sites: where a transformer drops, one site at a time.

Builds a small GPT, switches on embedding, attention, residual or feed-forward dropout alone, and measures what becomes
random from there on. With all four on, counts the draws of a training pass. Ends with the rates that known models were
trained with, each with its source.
"""

from __future__ import annotations

from dataclasses import fields
from math import nan
from typing import TYPE_CHECKING, Annotated

import torch

from regdemo.bounds import EXACT, mean_of_bounded
from regdemo.measure import Wrong, gap, seeded
from regdemo.parameters import SEED, count, rate
from regdemo.report import Block, Cell, Claim, HeatMap, Measurement, Table, Text

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from regdemo.lab.transformer import GPT, DropoutRates

ACTS_ON = "models"
SAY = (
    "A transformer can have four dropout sites: embeddings, attention weights, the output of each sublayer before "
    "it is added to the residual stream, and the FFN's hidden layer. Each makes what comes after it random and "
    "nothing before it. BERT and OPT used 0.1; PaLM, Pythia and OLMo were pretrained with 0, and PaLM was mostly "
    "fine-tuned with 0.1."
)
WRONG_ANSWER = (
    "'The rate follows from the size of the model.' OPT used 0.1 from 125M to 175B, PaLM 0 from 8B to 540B. Close "
    "second: setting `.p` on every nn.Dropout, which misses attention, whose rate is often a plain float "
    "(`self_attn.dropout`)."
)
CARDS = ("Q18", "Q18.60", "Q18.61", "Q18.62")

VOCABULARY, WIDTH, HEADS = 50, 32, 4
COUNTED = 32  # tokens whose draws are counted: of larger masks, eight elements come from one draw
STILL_PASSES = 8  # where nothing is random
STAGES = ("embedding", "attention", "residual", "FFN hidden", "logits")  # in the order of the first block

# What models were trained with, by the source named.
IN_USE = (
    ("Transformer", "65M / 213M", "0.1 / 0.3", "arXiv 1706.03762"),
    ("GPT-1", "117M", "0.1 (embd, attn, resid)", "Radford et al. 2018"),
    ("BERT", "110M, 340M", "0.1", "arXiv 1810.04805"),
    ("T5 1.1", "77M to 11B", "0; on in fine-tuning", "T5: released_checkpoints.md"),
    ("OPT", "125M to 175B", "0.1, embeddings 0", "arXiv 2205.01068"),
    ("PaLM", "8B to 540B", "0; 0.1 to fine-tune", "arXiv 2204.02311"),
    ("Pythia", "12B", "0", "Pythia: pythia-12b.yml"),
    ("OLMo", "7B", "0", "OLMo: official/OLMo-7B.yaml"),
    ("DeiT-B", "86M", "0; DropPath 0.1", "arXiv 2012.12877"),
)


def dropout_sites(
    *,
    p: Annotated[float, rate("Drop probability of the site that is switched on.")] = 0.1,
    tokens: Annotated[int, count("Length of the sequence.", 2, 64)] = 16,
    depth: Annotated[int, count("Blocks in the transformer.", 1, 8)] = 2,
    draws: Annotated[int, count("Forward passes for each site.", 2, 200)] = 100,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure what each dropout site of a small GPT makes random at rate p."""
    from regdemo.lab.transformer import DropoutRates

    generator = seeded(seed)
    ids = torch.randint(VOCABULARY, (1, tokens), generator=generator)
    sites = [field.name for field in fields(DropoutRates)]
    none, everywhere, halves = (DropoutRates(**dict.fromkeys(sites, rate_)) for rate_ in (0.0, p, 0.5))
    clean = _stages(_gpt(none, tokens, depth, seed).eval(), ids, 1, generator)
    off = _stages(_gpt(none, tokens, depth, seed), ids, STILL_PASSES, generator)
    in_eval = _stages(_gpt(everywhere, tokens, depth, seed).eval(), ids, STILL_PASSES, generator)
    alone = {
        site: _stages(_gpt(DropoutRates(**{site: p}), tokens, depth, seed), ids, draws, generator) for site in sites
    }
    spreads = {site: _spread(stages) for site, stages in alone.items()}
    return Measurement(
        title=f"Dropout sites in a transformer, each alone at p = {p}",
        claims=[
            *_own_claims(p, clean, alone),
            *_still_claims(p, spreads, off, in_eval),
            _draws_claim(_gpt(halves, tokens, depth, seed), ids, depth),
        ],
        picture=[_random_stages(p, spreads)],
        blocks=[
            Text(
                f"A GPT of depth L = {depth}, width d = {WIDTH}, h = {HEADS} heads, on T = {tokens} tokens. It has "
                "four dropout sites: on the embeddings, on the attention weights, on what both sublayers add to the "
                "residual stream, and on the hidden layer of the feed-forward net (FFN)."
            ),
            _where(_draws_per_token(tokens, depth)),
            Table(
                title=f"Std over {draws} passes at each stage, one site on at p = {p}",
                columns=["site", *STAGES],
                rows=[[_words(site), *row] for site, row in [*spreads.items(), ("none", _spread(off))]],
                note="Stages in order: embeddings; in the first block the attention weights, the residual stream "
                "after attention and the FFN's hidden layer; last the logits.",
            ),
            *_in_use(),
        ],
    )


def _gpt(rates: DropoutRates, tokens: int, depth: int, seed: int) -> GPT:
    """A GPT of the same weights each time; the global state is left as it was."""
    from regdemo.lab.transformer import GPT

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return GPT(VOCABULARY, tokens, WIDTH, HEADS, depth, rates)


def _stages(model: GPT, ids: Tensor, draws: int, generator: Generator) -> list[Tensor]:
    """STAGES over many passes: tensors (draws, ...) in float64.

    One pass at a time: equal passes then agree to the last bit, which the rows of one batched product need not.
    """

    seen: dict[str, list[Tensor]] = {stage: [] for stage in STAGES}

    def keep(stage: str, x: Tensor) -> None:
        seen[stage].append(x.squeeze(0).double())

    outputs = {
        "embedding": "embedding_dropout",
        "attention": "blocks.0.attention_dropout",
        "FFN hidden": "blocks.0.feed_forward_dropout",
        "logits": "",
    }
    for stage, name in outputs.items():
        model.get_submodule(name).register_forward_hook(lambda module, args, output, stage=stage: keep(stage, output))
    model.get_submodule("blocks.0.norm2").register_forward_pre_hook(lambda module, args: keep("residual", args[0]))
    with torch.no_grad():
        for _ in range(draws):
            model(ids, generator=generator)
    return [torch.stack(seen[stage]) for stage in STAGES]


def _spread(stages: list[Tensor]) -> list[float]:
    """The standard deviation over passes, from the first one on, so that it is exactly 0 where passes agree."""
    return [(stage - stage[0]).var(0).mean().sqrt().item() for stage in stages]


def _own_claims(p: float, clean: list[Tensor], alone: dict[str, list[Tensor]]) -> list[Claim]:
    """What each site adds at its own stage in the first block."""
    # What a site multiplies by its mask: a residual site drops the branch, not the stream.
    touched = [clean[0], clean[1], clean[2] - clean[0], clean[3]]
    return [
        _own_mean(alone["embedding"][0] - clean[0], clean[0], p),
        *(_own_variance(site, alone[site][i] - clean[i], touched[i], p) for i, site in enumerate(alone)),
    ]


def _own_mean(noise: Tensor, touched: Tensor, p: float) -> Claim:
    """That the embedding site's noise (draws, ...) has mean 0, each element weighed by the one that it disturbs."""
    square = touched.square()
    bound, reason = mean_of_bounded(
        p / (1 - p) * square.square().mean().item(), square.max().item() * max(1.0, p / (1 - p)), noise.numel()
    )
    measured, scale = (noise * touched).mean().item(), square.mean().item()
    return Claim(
        "The embedding site keeps the mean",
        0,
        "E[noise t] / E[$t^2$], t the embeddings,",
        measured / scale,
        bound / scale,
        reason,
    )


def _own_variance(site: str, noise: Tensor, touched: Tensor, p: float) -> Claim:
    """The noise (draws, ...) of a site at its own stage, against the tensor (1, ...) that its mask multiplies."""
    odds = p / (1 - p)
    # For one element t: the noise is t (m/(1-p) - 1), with fourth moment t^4 p (odds^3 + 1).
    variance = touched.pow(4).mean().item() * (p * (odds**3 + 1) - odds**2)
    furthest = touched.square().max().item() * max(1.0, odds) ** 2
    return Claim(
        f"The variance that {_words(site)} dropout adds at its own stage",
        odds * touched.square().mean().item(),
        "$p/(1-p)$ mean $t^2$, t what the mask multiplies,",
        noise.square().mean().item(),
        *mean_of_bounded(max(0.0, variance), furthest, noise.numel()),
    )


def _still_claims(p: float, spreads: dict[str, list[float]], off: list[Tensor], in_eval: list[Tensor]) -> list[Claim]:
    """Where nothing is random: before a site, with every rate 0, and in eval."""
    changed = max(gap(a, b) for a, b in zip(in_eval, off, strict=True))
    return [
        *(
            Claim(
                f"With {_words(site)} dropout alone, nothing before it changes",
                0,
                "largest std at an earlier stage",
                max(spread[:i]),
                *EXACT,
            )
            for i, (site, spread) in enumerate(spreads.items())
            if i
        ),
        Claim("With every rate 0, training is deterministic", 0, "largest std", max(_spread(off)), *EXACT),
        Claim(f"In eval, four rates of {p} change nothing", 0, "largest difference", changed, *EXACT),
    ]


def _draws_claim(model: GPT, ids: Tensor, depth: int) -> Claim:
    tokens, counted = ids.numel(), min(ids.numel(), COUNTED)
    draws = counted * sum(_draws_per_token(counted, depth).values())
    return Claim(
        "A training pass draws once for each element at each site",
        draws,
        "$T (d + L (h T + 2d + 4d))$" + (f", T = {counted}" if counted < tokens else ""),
        _drawn(model, ids[:, :counted], most=2 * draws),
        *EXACT,
    )


def _draws_per_token(tokens: int, depth: int) -> dict[str, int]:
    return {
        "embedding": WIDTH,
        "attention": depth * HEADS * tokens,
        "residual": depth * 2 * WIDTH,
        "feed_forward": depth * 4 * WIDTH,
    }


def _drawn(model: GPT, ids: Tensor, *, most: int) -> float:
    """How many random numbers a training pass draws, or NaN if more than `most`.

    A second generator is wound forward, T numbers at a time, until its state is that of the one the pass used.
    """

    used, wound = torch.Generator().manual_seed(0), torch.Generator().manual_seed(0)
    model(ids, generator=used)
    for drawn in range(0, most, ids.numel()):
        if torch.equal(used.get_state(), wound.get_state()):
            return drawn
        torch.rand(ids.numel(), generator=wound)
    return nan


def _random_stages(p: float, spreads: dict[str, list[float]]) -> HeatMap:
    largest = [max(column) for column in zip(*spreads.values(), strict=True)]
    return HeatMap(
        title="What is random when one site is on: std over passes, relative to the largest at that stage",
        values=[[value / (most or 1.0) for value, most in zip(row, largest, strict=True)] for row in spreads.values()],
        low=0.0,
        high=1.0,
        row_label="site",
        column_label="stage",
        note=f"Sites from the top: {', '.join(map(_words, spreads))}. Stages from the left: "
        f"{', '.join(STAGES)}; the middle three are those of the first block. "
        "Left of its own stage a site leaves exact zeros."
        + (" From there on the pass is random." if p else " At rate 0 nothing is random."),
    )


def _where(draws: dict[str, int]) -> Table:
    """What each site acts on, what it costs, and what others call it."""
    names = {
        "embedding": ("token + position", "-", "embd_pdrop"),
        "attention": ("weights after softmax", "self_attn.dropout", "attn_pdrop"),
        "residual": ("output of both sublayers", "dropout1, dropout2", "resid_pdrop"),
        "feed_forward": ("hidden layer of the FFN", "dropout", "-"),
    }
    rows: list[list[Cell]] = [[_words(site), on, draws[site], *others] for site, (on, *others) in names.items()]
    return Table(
        title="The four sites, their draws, and their names elsewhere",
        columns=["site", "acts on", "draws/token", "in torch", "in GPT-2"],
        rows=rows,
        note="Names of nn.TransformerEncoderLayer and of transformers' GPT2Config. Draws: $d$, $L h T$, $2 L d$, "
        "$4 L d$. Only attention's grow with the sequence: GPT-2 small at T = 1,024 takes 147,456 draws "
        "per token on attention, 18,432 on the residual.",
    )


def _in_use() -> list[Block]:
    """The rates of known models with their sources, and what is only folklore."""
    return [
        Table(
            title="Rates that known models were trained with",
            columns=["model", "parameters", "rate", "source"],
            rows=[list(row) for row in IN_USE],
            note="The named files are in google-research/text-to-text-transfer-transformer, EleutherAI/pythia and "
            "allenai/OLMo. "
            "DeiT is a vision model. OPT and PaLM overlap in size and differ in rate.",
        ),
        Text(
            "The 0.1 quoted for GPT-2 is the default of Hugging Face's GPT2Config. The code that OpenAI released "
            "(openai/gpt-2, src/model.py) is for inference and has no dropout; nor has Llama's (meta-llama/llama, "
            "llama/model.py). In a controlled study, BERT and Pythia pretrained for one epoch did better without "
            "dropout (Liu, Bauer and Manning 2025, https://arxiv.org/abs/2505.24788)."
        ),
    ]


def _words(site: str) -> str:
    """A site's name as prose has it."""
    return "FFN" if site == "feed_forward" else site


NAME = "regdemo.regularizers.activations.dropout"
WRONG = [
    Wrong("never rescaled", NAME, lambda right, x, p, *a, **kw: x * (right(x, p, *a, **kw) != 0)),
    Wrong("drops in eval", NAME, lambda right, x, p, *a, **kw: right(x, p, **{**kw, "training": True})),
    Wrong(
        "one draw for all tokens",
        NAME,
        lambda right, x, p, *a, **kw: x * right(torch.ones_like(x[:1, :1]), p, *a, **kw),
    ),
    Wrong("drops nothing", NAME, lambda right, x, p, *a, **kw: x),
]
