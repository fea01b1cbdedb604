"""Layer-wise dropout: rates that grow with depth, in two conventions.

Compares two rules for rates that grow linearly, linspace from 0 (timm) and l/L (Huang et al.): their rates, and the
depth they leave in networks drawn at random. Then sets the rates of a model, refuses a layer that has none, and shows
the rate that a loop over every nn.Dropout does not reach.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Annotated, NamedTuple

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, mean_of_bounded, rounding
from regdemo.errors import ArgumentError
from regdemo.measure import Wrong, fraction, gap, seeded
from regdemo.parameters import SEED, count, rate
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

ACTS_ON = "schedules"
SAY = (
    "Layer-wise rates grow linearly with depth, on the argument that later layers build on what early ones find. "
    "For DropPath, timm takes linspace(0, p_max, L): the first block is not dropped, and for $L \\ge 2$ an average of "
    r"$L (1 - p_{max}/2)$ blocks is left. Huang et al. take $l/L\,p_{max}$, which drops the first block too, so say "
    "which rule you mean."
)
WRONG_ANSWER = (
    "'Loop over the modules and set .p on every nn.Dropout.' That misses each rate that is not a module: calls of "
    "F.dropout, and floats such as nn.MultiheadAttention's. Where all rates are of that kind the loop changes "
    "nothing, and raises no error."
)
CARDS = ("Q18.50", "Q18.51", "Q18.925")

ROWS = 12  # a deeper network is shown by this many of its layers


def layerwise_dropout(
    *,
    p_max: Annotated[float, rate("Drop probability of the last layer.")] = 0.2,
    depth: Annotated[int, count("Layers of the network.", 1, 200)] = 12,
    networks: Annotated[int, count("Networks drawn, each layer dropped at its rate.", 1, 50_000)] = 10_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure both schedules for `depth` layers with rates up to p_max."""
    generator = seeded(seed)
    rates = (regularizers.layerwise_rates(depth, p_max), regularizers.layerwise_rates(depth, p_max, convention="huang"))
    expected = (depth * (1 - p_max / 2) if depth > 1 else 1.0, depth - (depth + 1) * p_max / 2)  # alone at rate 0
    linspace, huang = (
        _Rule(each, [fraction(regularizers.keep_mask((networks,), p, generator=generator)) for p in each], left)
        for each, left in zip(rates, expected, strict=True)
    )
    layers = [float(layer) for layer in range(1, depth + 1)]
    model = _set_rates(p_max, linspace.rates)
    return Measurement(
        title=f"Layer-wise dropout up to p = {p_max} at depth {depth}",
        claims=[*_claims(p_max, networks, linspace, huang), *model.claims],
        picture=[
            Curves(
                title="The rate of each layer",
                x_label="layer",
                y_label="drop probability",
                series=[Series("linspace", layers, linspace.rates), Series("$l/L$", layers, huang.rates)],
            ),
        ],
        blocks=[
            Text(
                "The rate, of dropout or of DropPath, grows with depth, since later layers build on the features "
                "of early ones. Two rules are in use. They differ most at the first layer: `linspace` (timm) begins "
                "at 0, $l/L$ (Huang et al.) at $p_{max}/L$. With at least two layers both end at $p_{max}$."
            ),
            _rates_table(linspace, huang, networks),
            Table(
                title=f"How many layers are left on average, of {depth}",
                columns=["rule", "p of layer l", "expected", "measured"],
                rows=[
                    ["linspace", "$p_{max} (l-1)/(L-1)$", linspace.left, sum(linspace.kept)],
                    ["l/L", r"$p_{max}\, l/L$", huang.left, sum(huang.kept)],
                ],
                note="Expected is the sum of $1 - p_l$. For L > 1, $l/L$ drops $p_{max}/2$ layers more than linspace.",
            ),
            *model.blocks,
        ],
    )


class _Rule(NamedTuple):
    """The rates of a rule, the fraction of the networks that kept each layer, and how many layers it leaves them."""

    rates: list[float]
    kept: list[float]
    left: float


def _claims(p_max: float, networks: int, linspace: _Rule, huang: _Rule) -> list[Claim]:
    depth = len(linspace.rates)
    by_torch = torch.linspace(0, p_max, depth, dtype=torch.float64)
    off = gap(torch.tensor(linspace.rates, dtype=torch.float64), by_torch)
    alone, alone_huang = (regularizers.layerwise_rates(1, p_max, convention=name)[0] for name in ("linspace", "huang"))
    return [
        Claim("linspace's rates are those of torch.linspace(0, p_max, L)", 0, "max difference", off, *rounding(1)),
        Claim(
            "With $l/L$ the first layer has the rate $p_{max}/L$",
            p_max / depth,
            "$p_{max}/L$",
            huang.rates[0],
            *rounding(1),
        ),
        Claim(
            "Layers left by linspace, on average",
            linspace.left,
            "$L (1 - p_{max}/2)$" if depth > 1 else "1",
            sum(linspace.kept),
            *_sum_of_draws(linspace.rates, networks),
        ),
        Claim(
            "Layers left by $l/L$, on average",
            huang.left,
            "$L - (L+1) p_{max}/2$",
            sum(huang.kept),
            *_sum_of_draws(huang.rates, networks),
        ),
        Claim("A layer alone, L = 1, has rate 0 in linspace", 0, "the rate", alone, *EXACT),
        Claim("A layer alone has rate $p_{max}$ in $l/L$", p_max, "$p_{max}$", alone_huang, *EXACT),
    ]


def _sum_of_draws(rates: list[float], n: int) -> tuple[float, str]:
    """Bernstein's bound on the mean over n networks of the number of layers kept: L times the mean of n L draws."""
    depth = len(rates)
    tolerance, reason = mean_of_bounded(sum(p * (1 - p) for p in rates) / depth, 1, n * depth)
    return depth * tolerance, reason


def _rates_table(linspace: _Rule, huang: _Rule, networks: int) -> Table:
    last = len(linspace.rates) - 1
    shown = sorted({round(row * last / (ROWS - 1)) for row in range(ROWS)})
    return Table(
        title="Rates, and the fraction of networks that dropped the layer",
        columns=["layer", "linspace", "measured", "l/L", "measured"],
        rows=[[i + 1, linspace.rates[i], 1 - linspace.kept[i], huang.rates[i], 1 - huang.kept[i]] for i in shown],
        note=f"Networks drawn for each rule: {networks:,}.",
    )


def _set_rates(p_max: float, rates: list[float]) -> Measurement:
    """What layerwise_dropout sets in a model, where it raises, and what it cannot reach."""
    dropouts = [torch.nn.Dropout(0.5) for _ in rates]
    regularizers.layerwise_dropout([torch.nn.Sequential(torch.nn.ReLU(), dropout) for dropout in dropouts], p_max)
    off = max(abs(dropout.p - p) for dropout, p in zip(dropouts, rates, strict=True))
    untouched = torch.nn.Dropout(0.5)
    refused = ""
    try:
        regularizers.layerwise_dropout([untouched, torch.nn.ReLU()], p_max)
    except ArgumentError as error:
        refused = str(error)
    encoder = _encoder_rates(p_max)
    claims = [
        Claim("layerwise_dropout sets each layer's rate", 0, r"$\max |set - p_l|$", off, *EXACT),
        Claim("A layer without a rate raises an error", 1, "errors = 1", int(bool(refused)), *EXACT),
        Claim("The refusal left the other layers as they were", 0.5, "0.5", untouched.p, *EXACT),
        *encoder.claims,
    ]
    text = Text(
        "Setting the rates by hand, over every nn.Dropout, fails silently where a rate is not a module. "
        "`layerwise_dropout` finds the floats too, as `set_dropout` does for a whole model, and raises when a "
        f'layer has no rate at all: "{refused}". `regdemo gpt2 --hf` sets the rates of Hugging Face models.'
    )
    return Measurement("", claims, [text, *encoder.blocks])


def _encoder_rates(p_max: float) -> Measurement:
    """The four rates of torch's encoder layer, set by hand and by layerwise_dropout."""
    built = 0.1 if abs(p_max - 0.1) > 0.05 else 0.5  # a rate far enough from p_max to see which rates were set
    by_hand, set_whole = (
        # On the meta device nothing is allocated or drawn; the rates are there all the same.
        torch.nn.TransformerEncoderLayer(8, nhead=2, dim_feedforward=8, dropout=built, device="meta")
        for _ in range(2)
    )
    for module in by_hand.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = p_max
    regularizers.layerwise_dropout([set_whole], p_max, convention="huang")
    where = {
        "dropout1.p": ("attention output", "torch.nn.Dropout"),
        "dropout.p": ("inside the FFN", "torch.nn.Dropout"),
        "dropout2.p": ("FFN output", "torch.nn.Dropout"),
        "self_attn.dropout": ("attention weights", "float"),
    }
    left, now = ({name: attrgetter(name)(layer) for name in where} for layer in (by_hand, set_whole))
    claim = Claim(
        "layerwise_dropout sets all four rates of nn.TransformerEncoderLayer",
        0,
        r"$\max |set - p_{max}|$",
        max(abs(p - p_max) for p in now.values()),
        *EXACT,
    )
    table = Table(
        title=f"nn.TransformerEncoderLayer, built with {built}, then set to {p_max}",
        columns=["rate", "where", "kept as", "by hand", "layerwise_dropout"],
        rows=[[name, *place, left[name], now[name]] for name, place in where.items()],
    )
    return Measurement("", [claim], [table])


RATES = "layerwise_rates"
WRONG = [
    Wrong("falls with depth", RATES, lambda right, *a, **kw: right(*a, **kw)[::-1]),
    Wrong(
        "the conventions swapped",
        RATES,
        lambda right, depth, p, convention="linspace": right(
            depth, p, convention="linspace" if convention == "huang" else "huang"
        ),
    ),
    Wrong("one rate for all", RATES, lambda right, depth, p, convention="linspace": [p] * depth),
    Wrong(
        "only nn.Dropout is set",
        "layerwise_dropout",
        lambda right, layers, p, **kw: [
            module.__dict__.update(p=p)
            for layer in layers
            for module in layer.modules()
            if isinstance(module, torch.nn.Dropout)
        ],
    ),
    Wrong(
        "a layer without a rate is skipped",
        "layerwise_dropout",
        lambda right, layers, p, **kw: right(
            [layer for layer in layers if list(regularizers.find_rates(layer))], p, **kw
        ),
    ),
]
