"""Dropout: zero activations at random, scale up the rest.

Draws a mask, then checks against their formulas the scale of the survivors, the share dropped, the mean and the
variance, at this rate and at the usual ones. Compares with torch's own dropout, and shows what twelve layers make of a
rescale that is forgotten, or done twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from regdemo.bounds import EXACT, mean_of_bounded, proportion, rounding
from regdemo.parameters import SEED, count, rate
from regdemo.report import Block, Cell, Claim, HeatMap, Report, Table, Text

if TYPE_CHECKING:
    from torch import Generator

ACTS_ON = "activations"

X = 2.0  # the activation dropped: not 1, or its square in the variance would not show
RATES = (0.1, 0.2, 0.5, 0.8)
LAYERS = 12


def dropout(
    *,
    p: Annotated[float, rate("Probability that an activation is dropped.")] = 0.1,
    size: Annotated[int, count("Activations dropped in each measurement.", 1, 1_000_000)] = 30_000,
    seed: Annotated[int, SEED] = 0,
) -> Report:
    """Measure dropout at rate p on `size` activations of value X."""
    import torch
    import torch.nn.functional as F

    from regdemo import regularizers

    generator = torch.Generator().manual_seed(seed)
    scale = 1 / (1 - p)
    grid = regularizers.dropout(torch.ones(8, 24, dtype=torch.float64), p, generator=generator)
    x = torch.full((size,), X, dtype=torch.float64)
    y = regularizers.dropout(x, p, generator=generator)
    with torch.random.fork_rng(devices=[]):  # F.dropout takes no generator: lend it the global one, and put it back
        torch.default_generator.manual_seed(int(torch.randint(2**31, (), generator=generator)))
        theirs = F.dropout(x, p)
    in_eval = regularizers.dropout(x, p, training=False)
    with_their_mask = regularizers.dropout(x, p, mask=theirs != 0)

    dropped = (y == 0).double().mean().item()
    dropped_by_torch = (theirs == 0).double().mean().item()
    variance = X**2 * p * scale
    # (y - x)^2 is x^2 when dropped and x^2 (p / (1 - p))^2 when kept.
    if_dropped, if_kept = X**2, X**2 * (p * scale) ** 2
    claims = [
        Claim(
            f"Every output is 0 or x/(1-p) = {X * scale:.4g}",
            0,
            "distance to the nearer of the two",
            torch.minimum(y.abs(), (y - X * scale).abs()).max().item(),
            *rounding(X * scale),
        ),
        Claim("The share dropped is p", p, "p", dropped, *proportion(p, size)),
        Claim(
            f"The mean of x = {X:g} is kept",
            X,
            "E[y] = x",
            y.mean().item(),
            *mean_of_bounded(variance, X * max(1, p * scale), size),
        ),
        Claim(
            "The variance is p/(1-p) x^2",
            variance,
            "p/(1-p) x^2",
            (y - x).square().mean().item(),
            *mean_of_bounded(p * (1 - p) * (if_dropped - if_kept) ** 2, max(if_dropped, if_kept), size),
        ),
        Claim("In eval nothing changes", 0, "max |y - x|", (in_eval - x).abs().max().item(), *EXACT),
        Claim(
            "Given the mask torch drew, we return what F.dropout returned",
            0,
            "max |y - y_torch|",
            (with_their_mask - theirs).abs().max().item(),
            *rounding(X * scale),
        ),
        Claim(
            "F.dropout drops the share that we drop",
            0,
            "difference",
            dropped_by_torch - dropped,
            *mean_of_bounded(2 * p * (1 - p), 1, size),
        ),
    ]
    deep_claims, deep_blocks = _deep_network(p, size, generator)
    return Report(
        title=f"Dropout at p = {p}",
        parameters={"p": p, "size": size, "seed": seed},
        claims=claims + deep_claims,
        blocks=[
            Text(
                f"In training each activation is zeroed with probability p = {p}, and a survivor is multiplied by "
                f"1/(1-p) = {scale:.4g}. Each draw of the mask is another thinned network."
            ),
            HeatMap(
                title=f"One mask on 8 examples of 24 units: {int((grid == 0).sum())} of {grid.numel()} dropped",
                values=grid.tolist(),
                low=0.0,
                high=scale,
                row_label="example",
                column_label="unit",
                note=f"0 is dropped, {scale:.4g} is kept and scaled. No unit and no example is favoured.",
            ),
            _rates_table(p, size, generator),
            *deep_blocks,
        ],
        say=(
            "Dropout zeroes each activation with probability p in training and divides the survivors by 1 - p. That "
            "keeps the mean, so in eval the layer is the identity and needs no correction. What it adds is noise of "
            "variance p/(1-p) x^2, which keeps units from relying on one another: much like training an ensemble of "
            "thinned networks that share their weights."
        ),
        wrong_answer=(
            "'At test time you multiply by 1 - p.' That was the paper of 2014, which did not scale in training. "
            "Today's frameworks scale in training (inverted dropout); whoever does both shrinks the signal by 1 - p "
            f"at each layer in eval: {LAYERS} layers at p = 0.1 leave {0.9**LAYERS:.0%} of it."
        ),
        cards=["Q18", "Q18.1", "Q18.2", "Q18.3", "Q18.4"],
    )


def _rates_table(p: float, size: int, generator: Generator) -> Table:
    """Scale, share dropped, mean and variance of x = X at the usual rates and at p."""
    import torch

    from regdemo import regularizers

    x = torch.full((size,), X, dtype=torch.float64)
    rows: list[list[Cell]] = []
    for rate_ in sorted({*RATES, p}):
        y = regularizers.dropout(x, rate_, generator=generator)
        rows.append(
            [
                str(rate_),
                1 / (1 - rate_),
                (y == 0).double().mean().item(),
                y.mean().item(),
                (y - x).square().mean().item(),
                X**2 * rate_ / (1 - rate_),
            ]
        )
    return Table(
        title=f"An activation of x = {X:g} at several rates",
        columns=["p", "1/(1-p)", "dropped", "mean", "variance", "p/(1-p) x^2"],
        rows=rows,
        note=f"Measured over {size:,} draws each. The mean stays; the noise grows fast beyond p = 0.5.",
    )


def _deep_network(p: float, size: int, generator: Generator) -> tuple[list[Claim], list[Block]]:
    """What becomes of the mean through LAYERS linear layers of `size` units that each average the layer below."""
    import torch

    from regdemo import regularizers

    once, never, twice_in_eval = [X], [X], [X]
    for _ in range(LAYERS):
        mask = regularizers.keep_mask((size,), p, generator=generator)
        layer = torch.full((size,), once[-1], dtype=torch.float64)
        once.append(regularizers.dropout(layer, p, mask=mask).mean().item())
        never.append(never[-1] * mask.double().mean().item())
        twice_in_eval.append(twice_in_eval[-1] * (1 - p))
    keep = (1 - p) ** LAYERS
    slip, reason = proportion(p, size)
    reason = f"{reason}, compounded over {LAYERS} layers"
    claims = [
        Claim(
            f"Rescaled once, {LAYERS} layers in training have eval's mean",
            1,
            "training / eval = 1",
            once[-1] / X,
            (1 + slip / (1 - p)) ** LAYERS - 1,
            reason,
        ),
        Claim(
            f"Never rescaled, {LAYERS} layers in training shrink it",
            keep,
            f"training / eval = (1-p)^{LAYERS}",
            never[-1] / X,
            (1 - p + slip) ** LAYERS - keep,
            reason,
        ),
        Claim(
            f"Multiplied by 1-p in eval too, {LAYERS} layers shrink eval",
            keep,
            f"eval / intended = (1-p)^{LAYERS}",
            twice_in_eval[-1] / X,
            *rounding(1),
        ),
    ]
    blocks: list[Block] = [
        Text(
            f"What goes wrong without the rescale, in {LAYERS} linear layers that each pass on the average of the "
            "layer below: a network trained without it sees a signal that fades with depth, and in eval meets one "
            "that does not. Scaling in training and multiplying by 1-p in eval as well fails the other way round."
        ),
        Table(
            title=f"The mean of x = {X:g} after so many layers",
            columns=["layers", "eval", "training", "never rescaled", "1-p in eval too"],
            rows=[[depth, X, once[depth], never[depth], twice_in_eval[depth]] for depth in (1, 2, 4, 8, LAYERS)],
            note=(
                "Training must meet eval. Never rescaled, training falls below it; with 1-p in eval too, eval falls "
                "below training."
            ),
        ),
    ]
    return claims, blocks
