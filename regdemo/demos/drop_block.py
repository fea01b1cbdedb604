"""DropBlock: drop square blocks of a feature map.

A single dropped element can often be guessed from its neighbors; a dropped block takes the neighborhood with it. Draws
masks and checks two things against closed forms: what fraction is dropped on maps of 7, 14 and 28 positions a side, and
where on the map. Also checks the rescale by the fraction really kept.
"""

from __future__ import annotations

from typing import Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, mean_of_bounded, proportion, rounding
from regdemo.errors import ArgumentError
from regdemo.measure import Wrong, fraction, identity_in_eval, seeded
from regdemo.parameters import SEED, count, rate
from regdemo.report import Cell, Claim, HeatMap, Measurement, Table, Text

ACTS_ON = "activations"
SAY = (
    "DropBlock is dropout for convolutional features: it drops contiguous squares, because single elements can often "
    r"be guessed from their neighbors. Centers are drawn at a rate $\gamma$ that without overlaps would drop a "
    "fraction $p$ of the map, and what stays is divided by the fraction that was really kept. In the paper $p$ is "
    "raised slowly during training."
)
WRONG_ANSWER = (
    "'Draw block centers with probability p.' Each center takes $b^2$ positions with it: at $p = 0.1$ and a block of "
    "7, a position away from the border is dropped with probability $1 - 0.9^{49}$ = 0.99. Nor is $1/(1-p)$ the scale: "
    "the fraction dropped varies, so it is counted in each draw."
)
CARDS = ("Q18.80", "Q18.81", "Q18.82")

SIDES = (7, 14, 28)  # the last stages of a convolutional network on 224 x 224 images
SIDE = 14  # the map looked at position by position


def drop_block(
    *,
    p: Annotated[float, rate("Fraction of a map dropped on average, if blocks did not overlap.")] = 0.1,
    block_size: Annotated[int, count("Side of a block, an odd number.", 1, 7)] = 7,
    maps: Annotated[int, count("Maps drawn in each measurement.", 1, 5_000)] = 1_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure DropBlock at rate p on maps of SIDES positions a side; ArgumentError if block_size is even."""
    gammas = {side: regularizers.drop_block_seed_rate(p, block_size, side, side) for side in SIDES}
    generator = seeded(seed)
    grid = torch.ones(1, 1, 12, 18, dtype=torch.float64)
    elements = regularizers.dropout(grid, p, generator=generator)[0, 0]
    blocks = regularizers.drop_block(grid, p, block_size, generator=generator)[0, 0]
    dropped = {
        side: regularizers.drop_block(torch.ones(maps, 1, side, side), p, block_size, generator=generator)[:, 0] == 0
        for side in SIDES
    }
    sizes = _sizes(p, block_size, gammas, dropped)
    places = _places(p, block_size, gammas[SIDE], dropped[SIDE])
    many = torch.ones(100, 1, SIDE, SIDE)
    return Measurement(
        title=f"DropBlock at p = {p}, blocks of {block_size} x {block_size}",
        claims=[
            *sizes.claims,
            *places.claims,
            _rescale_claim(p, block_size),
            identity_in_eval(regularizers.drop_block(many, p, block_size, training=False), many),
            Claim("Blocks of side 2, 4 and 6 are refused", 3, "errors = 3", _refused((2, 4, 6), many[:1]), *EXACT),
        ],
        picture=[
            _picture("DropBlock on a 12 x 18 map", blocks),
            _picture("Dropout on a 12 x 18 map, the same p", elements),
        ],
        blocks=[
            Text(
                "DropBlock draws centers where a whole block fits and drops the block around each. Their rate is "
                r"$\gamma = p H W / b^2 / ((H-b+1)(W-b+1))$: without overlaps, blocks of area $b^2 = "
                f"{block_size**2}$ would drop a fraction p = {p} of the map on average."
            ),
            *sizes.blocks,
            *places.blocks,
        ],
    )


def _sizes(p: float, block: int, gammas: dict[int, float], dropped: dict[int, torch.Tensor]) -> Measurement:
    """The fraction dropped of maps of each size."""
    claims: list[Claim] = []
    rows: list[list[Cell]] = []
    for side, gamma in gammas.items():
        nominal, variance = _fraction_dropped(gamma, block, side)
        measured = fraction(dropped[side])
        claims.append(
            Claim(
                f"The fraction dropped of a {side} x {side} map",
                nominal,
                "mean of $1 - (1 - \\gamma)^c$",
                measured,
                *mean_of_bounded(variance, max(nominal, 1 - nominal), len(dropped[side])),
            )
        )
        rows.append([f"{side} x {side}", gamma, nominal, measured, (1 - measured) / (1 - p)])
    table = Table(
        title=f"What is really dropped at a nominal p = {p}",
        columns=["map", "gamma", "formula", "measured", "with 1/(1-p)"],
        rows=rows,
        note=f"Maps of ones drawn at each size: {len(dropped[SIDE]):,}. The formula is the mean over positions of "
        r"$1 - (1 - \gamma)^c$, c the number of centers whose block covers the position. Overlaps are not counted "
        "twice, so the fraction can fall below p; where only one block fits it is p. The last column is the mean that "
        "a scale of $1/(1-p)$ would leave instead of 1.",
    )
    return Measurement("", claims, [table])


def _fraction_dropped(gamma: float, block: int, side: int) -> tuple[float, float]:
    """Mean and variance, over masks, of the fraction of a (side, side) map that is dropped.

        P(i kept) = (1 - gamma)^c_i,    P(i and j kept) = (1 - gamma)^(c_i + c_j - c_ij)

    c_i counts the centers whose block covers position i, c_ij those that cover both i and j.
    """
    import numpy as np  # its sums do not depend on the number of threads, as torch's do

    at = np.arange(side)
    centers = np.arange(block // 2, side - block // 2)
    covers = (abs(at[:, None] - centers) <= block // 2).astype(float)
    both = covers @ covers.T  # along one axis; a center covers two positions if it does so along both
    both = np.kron(both, both)
    single = both.diagonal()
    keep = (1 - gamma) ** single
    keep_both = (1 - gamma) ** (single[:, None] + single - both)
    variance = keep_both.mean() - keep.mean() ** 2
    return float(1 - keep.mean()), max(0.0, float(variance))


def _places(p: float, block: int, gamma: float, dropped: torch.Tensor) -> Measurement:
    """Which positions of a map of SIDE positions a side are dropped, and how often."""
    maps, middle = len(dropped), SIDE // 2
    often = dropped.double().mean(dim=0)
    covering = _centers_over(block, SIDE)[middle] ** 2
    in_the_middle = 1 - (1 - gamma) ** covering
    claims = [
        Claim(
            "Whatever is dropped is part of a whole block",
            0,
            "fraction outside blocks",
            _outside_blocks(dropped[:100, None], block),
            *EXACT,
        ),
        Claim(
            "A corner is dropped if the one center within reach is drawn",
            gamma,
            r"$\gamma$",
            often[0, 0].item(),
            *proportion(gamma, maps),
        ),
        Claim(
            "The middle is dropped if a center within reach is drawn",
            in_the_middle,
            f"$1 - (1 - \\gamma)^{{{covering}}}$",
            often[middle, middle].item(),
            *proportion(in_the_middle, maps),
        ),
    ]
    picture = HeatMap(
        title=f"How often each position of a {SIDE} x {SIDE} map is dropped",
        values=often.tolist(),
        low=0.0,
        high=max(often.max().item(), p),
        row_label="row",
        column_label="column",
        note="A block must fit inside the map, so if blocks are larger than one position, fewer centers "
        "reach the border.",
    )
    return Measurement("", claims, [picture])


def _centers_over(block: int, side: int) -> list[int]:
    """For each position on a side, how many of the centers where a block fits cover it."""
    margin = block // 2
    return [min(at + margin, side - 1 - margin) - max(at - margin, margin) + 1 for at in range(side)]


def _outside_blocks(dropped: torch.Tensor, block: int) -> float:
    """The fraction of positions that are dropped though no block around them is dropped as a whole."""
    pool, pad = torch.nn.functional.max_pool2d, torch.nn.functional.pad
    whole = pool((~dropped).float(), block, stride=1) == 0
    reached = pool(pad(whole.float(), (block - 1,) * 4), block, stride=1) == 1
    return fraction(dropped & ~reached)


def _rescale_claim(p: float, block: int) -> Claim:
    mask = torch.ones(1, 1, SIDE, SIDE, dtype=torch.bool)
    mask[..., :block, :block] = False
    rescaled = regularizers.drop_block(torch.ones(mask.shape), p, block, mask=mask)
    return Claim(
        "Divided by the fraction really kept, a constant keeps its mean",
        1,
        "mean of y = mean of x",
        rescaled.double().mean().item(),
        *rounding(1),
    )


def _refused(sizes: tuple[int, ...], x: torch.Tensor) -> int:
    """How many of these block sizes raise an ArgumentError."""
    refused = 0
    for size in sizes:
        try:
            regularizers.drop_block(x, 0.1, size)
        except ArgumentError:
            refused += 1
    return refused


def _picture(title: str, y: torch.Tensor) -> HeatMap:
    dropped = fraction(y == 0)
    return HeatMap(
        title=title,
        values=y.tolist(),
        low=0.0,
        high=max(1.0, y.max().item()),
        row_label="row",
        column_label="column",
        note=f"{dropped:.1%} dropped" + (f", the rest times {y.max().item():.4g}." if dropped < 1 else "."),
    )


NAME = "drop_block"
WRONG = [
    Wrong("single elements", NAME, lambda right, x, p, block, **kw: right(x, p, 1, **kw)),
    Wrong(
        "centers drawn with probability p / b",
        NAME,
        lambda right, x, p, block, mask=None, **kw: right(x, min(0.9, p * block), block, mask=mask, **kw),
    ),
    Wrong(
        "scaled by 1/(1-p)",
        NAME,
        lambda right, x, p, block, training=True, **kw: (
            (right(x, p, block, **kw) != 0) * x / (1 - p) if training else x
        ),
    ),
    Wrong(
        "drops in eval",
        NAME,
        lambda right, x, p, block, training=True, **kw: right(
            x, p, block, generator=seeded(1), **{k: v for k, v in kw.items() if k != "generator"}
        ),
    ),
    Wrong("even blocks accepted", NAME, lambda right, x, p, block, **kw: right(x, p, block | 1, **kw)),
    Wrong(
        "blocks of side b - 2",
        NAME,
        lambda right, x, p, block, **kw: right(x, p, max(1, block - 2) if block % 2 else block, **kw),
    ),
]
