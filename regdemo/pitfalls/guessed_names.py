"""Guessed names: attention rates that are never set.

The snippet sets rates by names that sound right, each behind a `hasattr`. In Hugging Face's GPT-2 there is no
`attn.dropout`: a block has `attn.attn_dropout`, `attn.resid_dropout` and `mlp.dropout`. Without `hasattr` the first
assignment raises AttributeError. With it, the rates in attention stay as they were, and nothing says so. The blocks
here have GPT-2's names; `regdemo gpt2 --hf` looks at the real class.
"""

import torch
from torch import nn

from regdemo.bounds import EXACT
from regdemo.measure import Wrong, fixed_claim
from regdemo.regularizers import find_rates, set_dropout
from regdemo.report import Block, Claim, Table

BREAKS = "layerwise_dropout"
CARDS = ("Q18.326", "Q18.53", "Q18.50", "Q18.60")
SAY = (
    "Find the rates by walking over the model's modules, set them, count them, and raise an error if none was "
    "found. hasattr around a guessed name turns a crash into a silent no-op."
)
WRONG_ANSWER = "'hasattr makes it work on every model.' Where a name differs it does nothing, silently."

DEPTH = 4


def broken(blocks, rates):
    for block, p in zip(blocks, rates, strict=True):
        if hasattr(block.attn, "dropout"):
            block.attn.dropout.p = p
        if hasattr(block.mlp, "dropout"):
            block.mlp.dropout.p = p


def fixed(blocks, rates):
    for block, p in zip(blocks, rates, strict=True):
        set_dropout(block, p)  # walks, sets what it finds, raises if nothing


def _gpt2_block() -> nn.Module:
    """What drops in a block of transformers' GPT2Model, under its names."""
    block = nn.Module()
    block.attn = nn.ModuleDict({"attn_dropout": nn.Dropout(0.1), "resid_dropout": nn.Dropout(0.1)})
    block.mlp = nn.ModuleDict({"dropout": nn.Dropout(0.1)})
    return block


def measure() -> tuple[list[Claim], list[Block]]:
    rates = torch.linspace(0.2, 0.5, DEPTH, dtype=torch.float64).tolist()
    after = {}
    for snippet in (broken, fixed):
        blocks = nn.ModuleList(_gpt2_block() for _ in range(DEPTH))
        snippet(blocks, rates)
        after[snippet] = {name: getattr(module, attribute) for name, module, attribute in find_rates(blocks)}

    def as_set(snippet, part: str) -> int:
        """How many rates in this part of the blocks are what their layer should have."""
        return sum(part in name and p == rates[int(name[0])] for name, p in after[snippet].items())

    unguarded = 0
    try:
        _gpt2_block().attn.dropout.p = 0.2
    except AttributeError:
        unguarded = 1
    return [
        Claim("AttributeErrors without hasattr", 1, "errors = 1", unguarded, *EXACT),
        Claim(
            f"Rates in attention that are set with hasattr, of {2 * DEPTH}",
            0,
            "none = 0",
            as_set(broken, "attn."),
            *EXACT,
        ),
        Claim("Rates in the feed-forward layers that are set", DEPTH, f"$L$ = {DEPTH}", as_set(broken, "mlp."), *EXACT),
        fixed_claim(
            "Rates in attention that are set", 2 * DEPTH, f"$2L$ = {2 * DEPTH}", as_set(fixed, "attn."), *EXACT
        ),
        fixed_claim(
            "Rates in the feed-forward layers that are set", DEPTH, f"$L$ = {DEPTH}", as_set(fixed, "mlp."), *EXACT
        ),
    ], [
        Table(
            f"The last block, to be set to {rates[-1]:g}",
            ["rate", "broken", "fixed"],
            [[name, p, after[fixed][name]] for name, p in after[broken].items() if name.startswith(f"{DEPTH - 1}.")],
        )
    ]


WRONG = [
    Wrong(
        "a new dropout under the guessed name", f"{__name__}.fixed", lambda right, blocks, rates: _adds(blocks, rates)
    ),
    Wrong(
        "the config changed after the model was built",
        f"{__name__}.fixed",
        lambda right, blocks, rates: _config(blocks, rates),
    ),
    Wrong("one more guessed name", f"{__name__}.fixed", lambda right, blocks, rates: _one_more(blocks, rates)),
]


def _adds(blocks, rates):
    for block, p in zip(blocks, rates, strict=True):
        block.attn["dropout"], block.mlp["dropout"] = nn.Dropout(p), nn.Dropout(p)


def _config(blocks, rates):
    blocks.config = {"attn_pdrop": rates[-1], "resid_pdrop": rates[-1]}


def _one_more(blocks, rates):
    for block, p in zip(blocks, rates, strict=True):
        block.attn.attn_dropout.p = p
    broken(blocks, rates)
