"""DropPath: skip residual branches, one example at a time.

Also called stochastic depth. Draws masks per example and per batch, counts how many blocks run when the rates grow
with depth, compares inverted rescaling with the original paper's, and counts the work that is saved when a dropped
branch is not computed at all.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, NamedTuple

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, mean_of_bounded, proportion, rounding
from regdemo.measure import Wrong, fraction, gap, identity_in_eval, mean_square, normal, one_of_two, seeded
from regdemo.parameters import SEED, count, rate
from regdemo.report import Block, Claim, Curves, HeatMap, Measurement, Series, Table, Text

if TYPE_CHECKING:
    from torch import Generator, Tensor

ACTS_ON = "paths"
SAY = (
    "DropPath zeroes a residual branch for whole examples and divides the branch of the others by $1-p$, so that "
    "a block's mean in training is what eval computes. Each example has an independent draw, so the noise averages out "
    "over the batch; rates usually grow linearly with depth. Masking saves no work; computing the branch for the "
    "kept examples alone saves a fraction $p$ of it on average."
)
WRONG_ANSWER = (
    "'if random.random() < p: return x', without a rescale: one draw for the batch, a branch whose mean in "
    "training is $1-p$ times eval's, and a generator that torch.manual_seed does not reach. Close second: calling "
    "it DropConnect, which drops single weights."
)
CARDS = ("Q18.20", "Q18.21", "Q18.22")

PASSES_SHOWN = 16
WIDTH, BATCH, PASSES = 32, 256, 40  # of the branch whose work is counted


def drop_path(
    *,
    p: Annotated[
        float, rate("Probability that a branch is dropped (where rates grow with depth: the last block's).")
    ] = 0.2,
    examples: Annotated[int, count("Examples in a batch.", 1, 64)] = 8,
    depth: Annotated[int, count("Blocks in the network.", 1, 64)] = 12,
    draws: Annotated[int, count("Batches drawn to measure the factors and the depth.", 10, 50_000)] = 20_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure DropPath at rate p: its draws, the depth it leaves, and the work it can save."""
    generator = seeded(seed)
    drawn = _draws(p, examples, draws, generator)
    ran = _depth(p, depth, draws, generator)
    work = _work(p, generator)
    return Measurement(
        title=f"DropPath at p = {p}",
        claims=[*drawn.claims, *ran.claims, *work.claims],
        picture=drawn.picture,
        blocks=[
            Text(
                "A residual block adds a branch to its input: $y = x + f(x)$. DropPath drops the branch as a whole, "
                f"$y = x$, with probability $p$ = {p}, and otherwise adds $f(x)/(1-p)$ = {1 / (1 - p):.4g} $f(x)$."
            ),
            *drawn.blocks,
            *ran.blocks,
            *work.blocks,
        ],
    )


def _draws(p: float, examples: int, draws: int, generator: Generator) -> Measurement:
    """The factor that each example's branch is multiplied by, drawn per sample and per batch."""
    # Each column is a batch of its own: a branch output of 1 shows the factor.
    per_sample = regularizers.drop_path(torch.ones(draws * examples), p, generator=generator).view(draws, examples)
    per_batch = regularizers.drop_path(torch.ones(draws, 1), p, generator=generator).expand(draws, examples)
    together = regularizers.drop_path(torch.ones(examples, 3), p, per_sample=False, generator=generator)
    within = regularizers.drop_path(torch.ones(draws, 4), p, generator=generator)
    scale = 1 / (1 - p)
    variance = p * scale
    means = {"per sample": per_sample.double().mean(1), "per batch": per_batch.double().mean(1)}
    variances = {"per sample": variance / examples, "per batch": variance}
    claims = [
        one_of_two(per_sample, 0.0, scale, "A branch is multiplied by 0 or $1/(1-p)$"),
        Claim(
            "An example's branch is dropped as a whole",
            0,
            "largest difference in an example",
            gap(within, within[:, :1]),
            *EXACT,
        ),
        Claim(
            "Training keeps eval's mean",
            1,
            "E[factor] = 1",
            per_sample.double().mean().item(),
            *mean_of_bounded(variance, max(1.0, variance), draws * examples),
        ),
        *(_variance_claim(mode, mean, variances[mode], max(1.0, variance)) for mode, mean in means.items()),
        Claim(
            "Per batch, all examples share one draw",
            0,
            "largest difference in a batch",
            gap(together, together[0]),
            *EXACT,
        ),
        identity_in_eval(regularizers.drop_path(per_sample, p, training=False), per_sample),
    ]
    table = Table(
        title=f"The mean factor of a batch of {examples}, over {draws:,} batches",
        columns=["draws", "mean", "variance", "formula", "fraction of batches without the branch"],
        rows=[
            [mode, mean.mean().item(), mean_square(mean - 1), variances[mode], fraction(mean == 0)]
            for mode, mean in means.items()
        ],
        note="Both keep the mean. Per sample the variance of the mean over the batch is $1/B$ of that per batch.",
    )
    maps: list[Block] = [
        _map("per sample", per_sample, scale, "Each example has its own draw."),
        _map("per batch", per_batch, scale, "One draw for all in each pass, as in the original paper."),
    ]
    return Measurement("", claims, [table, _conventions(p, per_batch[:, 0] > 0)], maps)


def _variance_claim(mode: str, mean: Tensor, variance: float, furthest: float) -> Claim:
    """Mean: the factor's mean in each batch; furthest: how far from 1 it may be."""
    # A mean's squared deviation lies in [0, furthest^2], so its own variance is at most furthest^2 times its mean.
    return Claim(
        f"The variance of the batch's mean factor, {mode}",
        variance,
        "$p/(1-p)/B$" if mode == "per sample" else "$p/(1-p)$",
        mean_square(mean - 1),
        *mean_of_bounded(variance * furthest**2, furthest**2, len(mean)),
    )


def _map(mode: str, factors: Tensor, scale: float, note: str) -> HeatMap:
    draws, examples = factors.shape
    return HeatMap(
        title=f"The factor on the branch in {min(draws, PASSES_SHOWN)} passes, drawn {mode}",
        values=factors[:PASSES_SHOWN, :8].T.tolist(),
        low=0.0,
        high=scale,
        row_label="example",
        column_label="pass",
        note=note + (f" Shown: 8 of {examples} examples." if examples > 8 else ""),
    )


def _conventions(p: float, kept: Tensor) -> Table:
    """Where the rescale may be, and what mixing the conventions does."""
    scale, mean_mask = 1 / (1 - p), kept.double().mean().item()
    rows = [
        ("inverted (timm, here)", "m/(1-p)", mean_mask * scale, "1", 1.0),
        ("original paper", "m", mean_mask, "1-p", 1 - p),
        ("mixed: no rescale", "m", mean_mask, "1", 1.0),
        ("mixed: both", "m/(1-p)", mean_mask * scale, "1-p", 1 - p),
    ]
    return Table(
        title="Where the rescale is: the factor on the branch, in training and in eval",
        columns=["convention", "training", "its mean", "eval", "its value", "training / eval"],
        rows=[[name, rule, mean, in_eval, value, mean / value] for name, rule, mean, in_eval, value in rows],
        note=f"m is 1 if the branch is kept, else 0. Measured on {len(kept):,} draws. In the first two, training "
        "agrees on average with eval.",
    )


def _depth(p: float, depth: int, draws: int, generator: Generator) -> Measurement:
    """How many blocks run when the rates grow linearly with depth."""
    rates = regularizers.layerwise_rates(depth, p)
    ran = torch.stack([regularizers.drop_path(torch.ones(draws), rate, generator=generator) > 0 for rate in rates])
    expected = sum(1 - rate for rate in rates)
    measured = ran.double().sum(0).mean().item()
    layers = [float(layer) for layer in range(1, depth + 1)]
    claim = Claim(
        f"The mean depth in training, where eval has {depth}",
        expected,
        r"$\sum (1 - p_l)$",
        measured,
        *mean_of_bounded(sum(rate * (1 - rate) for rate in rates), depth, draws),
    )
    text = Text(
        f"With the layer-wise schedule the rates go from {rates[0]:g} in the first block to {rates[-1]:g} in "
        "the last, since later blocks build on what early ones compute. The average depth in training is "
        f"{expected:.4g} ({measured:.4g} measured), and {depth} in eval."
    )
    curves = Curves(
        title="How often each block runs",
        x_label="block",
        y_label="fraction of passes",
        series=[
            Series("$1 - p_l$", layers, [1 - rate for rate in rates]),
            Series("measured", layers, ran.double().mean(1).tolist()),
        ],
    )
    return Measurement("", [claim], [text, curves])


def _work(p: float, generator: Generator) -> Measurement:
    """The floating-point operations of masking a branch, and of computing its kept rows only, on the same masks."""
    work, rows = _counted(p, generator), BATCH * PASSES
    done = work.skipping / work.masking
    claims = [
        Claim(
            "Computing only the kept rows gives the same output",
            0,
            "largest difference",
            work.difference,
            *rounding(1 / (1 - p)),
        ),
        Claim(
            "Computing only the kept rows takes the kept fraction of the operations",
            work.masking * work.kept // rows,
            "kept/B * masked",
            work.skipping,
            *EXACT,
        ),
        Claim("The fraction of the work that is saved is $p$", p, "$p$", 1 - done, *proportion(p, rows)),
    ]
    text = Text(
        "A mask is applied to a branch that has been computed already. `drop_path_residual` picks the kept "
        "examples first, computes the branch for them, and adds the result back to their rows."
    )
    table = Table(
        title=f"Work of a two-layer branch, width {WIDTH}, in {PASSES} passes of {BATCH} examples",
        columns=["how", "FLOPs", "fraction"],
        rows=[
            ["x + drop_path(branch(x), p)", work.masking, 1.0],
            ["drop_path_residual(x, branch, p)", work.skipping, done],
        ],
        note=f"Counted by torch.utils.flop_counter; {work.kept:,} of {rows:,} rows were kept. Same masks, same "
        "outputs.",
    )
    return Measurement("", claims, [text, table])


class _Work(NamedTuple):
    """Operations of the two ways, over all passes, rows kept, and the largest difference of the outputs."""

    masking: int
    skipping: int
    kept: int
    difference: float


def _counted(p: float, generator: Generator) -> _Work:
    from torch.utils.flop_counter import FlopCounterMode

    expand = normal(generator, 4 * WIDTH, WIDTH) / WIDTH**0.5
    branch = partial(_branch, expand, normal(generator, WIDTH, 4 * WIDTH) / (4 * WIDTH) ** 0.5)
    x = normal(generator, BATCH, WIDTH)
    work = _Work(masking=0, skipping=0, kept=0, difference=0.0)
    for _ in range(PASSES):
        mask = regularizers.keep_mask((BATCH,), p, generator=generator)
        with FlopCounterMode(display=False) as masking:
            masked = x + regularizers.drop_path(branch(x), p, mask=mask.unsqueeze(1))
        with FlopCounterMode(display=False) as skipping:
            skipped = regularizers.drop_path_residual(x, branch, p, mask=mask)
        work = _Work(
            work.masking + masking.get_total_flops(),
            work.skipping + skipping.get_total_flops(),
            work.kept + int(mask.sum()),
            max(work.difference, gap(masked, skipped)),
        )
    return work


def _branch(expand: Tensor, contract: Tensor, x: Tensor) -> Tensor:
    return torch.nn.functional.linear(torch.nn.functional.gelu(torch.nn.functional.linear(x, expand)), contract)


NAME = "drop_path"
WRONG = [
    Wrong(
        "never rescaled",
        NAME,
        lambda right, x, p, training=True, **kw: right(x, p, training=training, **kw) * (1 - p if training else 1),
    ),
    Wrong(
        "one draw for the batch",
        NAME,
        lambda right, x, p, per_sample=True, **kw: right(x, p, per_sample="mask" in kw, **kw),
    ),
    Wrong("single elements", NAME, lambda right, x, p, per_sample=True, **kw: regularizers.dropout(x, p, **kw)),
    Wrong("drops in eval", NAME, lambda right, x, p, training=True, **kw: right(x, p, **kw)),
    Wrong("keeps with probability p", NAME, lambda right, x, p, **kw: right(x, min(1 - p, 0.9), **kw)),
    Wrong(
        "kept rows not rescaled",
        "drop_path_residual",
        lambda right, x, branch, p, mask: right(x, lambda rows: (1 - p) * branch(rows), p, mask=mask),
    ),
]
