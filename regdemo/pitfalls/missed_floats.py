"""Missed floats: a loop over nn.Dropout that misses attention.

A dropout need not be a module. nn.MultiheadAttention keeps its rate as a plain float, and so does the attention of
Llama in transformers. The loop that sets `.p` on each nn.Dropout misses such rates: with dropout "off", the model still
drops attention weights in training.
"""

import torch
from torch import nn

from regdemo.bounds import EXACT
from regdemo.measure import Wrong, fixed_claim
from regdemo.regularizers import find_rates, set_dropout
from regdemo.report import Block, Claim, Table

BREAKS = "annealed_dropout"
CARDS = ("Q18.327", "Q18.206", "Q18.53", "Q18.204")
SAY = (
    "A loop over nn.Dropout misses rates that are floats and rates passed to F.dropout. Count what you "
    "set, and check: at rate 0, on the CPU and without other noise, two passes in training must be equal to the "
    "last bit."
)
WRONG_ANSWER = "'Every dropout is an nn.Dropout.' In nn.MultiheadAttention the rate is a number, handed to a function."

LAYERS, WIDTH, P = 3, 16, 0.1


def broken(model, p):
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = p


def fixed(model, p):
    return set_dropout(model, p)  # floats too; raises if there are none


def measure() -> tuple[list[Claim], list[Block]]:
    x = torch.randn(2, 8, WIDTH)
    left, random, rows = {}, {}, []
    for snippet in (broken, fixed):
        layer = nn.TransformerEncoderLayer(WIDTH, 2, WIDTH, P, batch_first=True)
        model = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False).train()
        snippet(model, 0.0)
        rates = {name: getattr(module, attribute) for name, module, attribute in find_rates(model)}
        left[snippet] = sum(p > 0 for p in rates.values())
        passes = torch.stack([model(x).detach() for _ in range(2)])
        random[snippet] = (passes[0] != passes[1]).any().int().item()
        rows.append([snippet.__name__, left[snippet], (passes[0] - passes[1]).abs().max().item()])
    return [
        Claim(
            f"Rates still at {P} after the code has tried to set all to 0",
            LAYERS,
            f"one per layer = {LAYERS}",
            left[broken],
            *EXACT,
        ),
        Claim("Two passes in training differ (1 = yes)", 1, "yes = 1", random[broken], *EXACT),
        fixed_claim(f"Rates still at {P} after the code has tried to set all to 0", 0, "none = 0", left[fixed], *EXACT),
        fixed_claim("Two passes in training differ (0 = no)", 0, "no = 0", random[fixed], *EXACT),
    ], [
        Table(
            f"A TransformerEncoder of {LAYERS} layers: what each code leaves on",
            ["code", f"rates left at {P}", "two passes differ by up to"],
            rows,
        )
    ]


WRONG = [
    Wrong(
        "all dropout classes of torch.nn",
        f"{__name__}.fixed",
        lambda right, model, p: _each(model, p, nn.modules.dropout._DropoutNd),
    ),
    Wrong("`.p` on every module", f"{__name__}.fixed", lambda right, model, p: _each(model, p, nn.Module)),
    Wrong("the attention's float alone", f"{__name__}.fixed", lambda right, model, p: _floats(model, p)),
]


def _each(model, p, kind):
    for module in model.modules():
        if isinstance(module, kind):
            module.p = p


def _floats(model, p):
    for module in model.modules():
        if isinstance(module, nn.MultiheadAttention):
            module.dropout = p
