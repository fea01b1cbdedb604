"""Spatial dropout: drop whole channels instead of single elements.

In a smooth feature map neighbors resemble each other, so what element dropout removes can often be guessed from its
neighbors. Draws both masks, measures how they differ and how much of what was dropped a straight line between kept
positions restores, and shows the trap: on a batch laid out (B, T, C) spatial dropout drops whole tokens.
"""

from __future__ import annotations

from math import pi
from typing import Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, mean_of_bounded, proportion
from regdemo.measure import Wrong, fraction, identity_in_eval, keeps_mean, mean_square, seeded
from regdemo.parameters import SEED, count, rate
from regdemo.report import Block, Cell, Claim, HeatMap, Measurement, Table, Text

ACTS_ON = "activations"
SAY = (
    "Spatial dropout makes one draw for each example and channel: the feature map is dropped whole or kept. Where "
    "neighboring positions are correlated, what element dropout removes can often be guessed from the neighbors; with "
    "the channel gone the feature is gone, and the next layer must do without it."
)
WRONG_ANSWER = (
    "'nn.Dropout1d works on my (B, T, C) batch too.' It runs, but it takes the second dimension for the channels, so "
    "it drops whole tokens. Move the channels to second place, drop, and move them back."
)
CARDS = ("Q18.40", "Q18.41", "Q18.42")

PERIOD = 32  # positions in a period of the waves to be restored: smooth, as feature maps are


def spatial_dropout(
    *,
    p: Annotated[float, rate("Probability that a channel is dropped.")] = 0.2,
    examples: Annotated[int, count("Examples in the batch.", 2, 256)] = 64,
    channels: Annotated[int, count("Channels of each example.", 1, 256)] = 32,
    length: Annotated[int, count("Positions of each channel.", 2, 64)] = 12,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Drop channels and single elements of an (examples, channels, length) batch at rate p, and compare."""
    generator = seeded(seed)
    grid = torch.ones(1, 8, 16, dtype=torch.float64)
    element_grid = regularizers.dropout(grid, p, generator=generator)[0]
    channel_grid = regularizers.spatial_dropout(grid, p, generator=generator)[0]
    x = torch.ones(examples, channels, length, dtype=torch.float64)
    y = regularizers.spatial_dropout(x, p, generator=generator)
    by_element = regularizers.dropout(x, p, generator=generator) == 0
    return Measurement(
        title=f"Spatial dropout at p = {p}",
        claims=[*_claims(p, x, y), *(trap := _trap(p, x.transpose(1, 2), generator)).claims],
        picture=[
            _picture(
                "Element dropout",
                element_grid,
                p,
                note="8 channels and 16 positions as an example, all 1: a draw for each element.",
            ),
            _picture("Spatial dropout", channel_grid, p, note="The same example: a draw for each channel."),
        ],
        blocks=[
            Text(
                "Where a feature map is smooth, the values at one position and the next are close. Drop single "
                "elements, and the layer above can often guess them from their neighbors. Spatial dropout takes the "
                "whole channel."
            ),
            _distributions_table(p, by_element, y == 0),
            _restored_table(p, channels, generator),
            *trap.blocks,
        ],
    )


def _claims(p: float, x: torch.Tensor, y: torch.Tensor) -> list[Claim]:
    dropped, variance = y == 0, p / (1 - p)
    draws, couples = dropped[..., 0].numel(), len(y) // 2
    both = dropped[0 : 2 * couples : 2, :, 0] & dropped[1::2, :, 0]
    return [
        Claim("A channel is dropped whole or kept whole", 0, "fraction in part", _in_part(dropped), *EXACT),
        Claim("The fraction of channels dropped is p", p, "$p$", fraction(dropped[..., 0]), *proportion(p, draws)),
        keeps_mean(y.mean().item(), 1, mean_of_bounded(variance, max(1, variance), draws)),
        Claim(
            "Two examples drop the same channel only by chance",
            p**2,
            "$p^2$",
            fraction(both),
            *proportion(p**2, both.numel()),
        ),
        identity_in_eval(regularizers.spatial_dropout(x, p, training=False), x),
        Claim(
            "The fraction of pairs of neighbors dropped at once is p", p, "$p$", _pairs(dropped), *proportion(p, draws)
        ),
    ]


def _in_part(dropped: torch.Tensor) -> float:
    """The fraction of channels (last dimension: positions) that are neither dropped nor kept as a whole."""
    return fraction(dropped.any(dim=-1) & ~dropped.all(dim=-1))


def _pairs(dropped: torch.Tensor) -> float:
    """The fraction of the pairs of positions (0, 1), (2, 3), ... that are both dropped; the pairs do not overlap."""
    even = dropped.shape[-1] // 2 * 2
    return fraction(dropped[..., 0:even:2] & dropped[..., 1:even:2])


def _trap(p: float, tokens: torch.Tensor, generator: torch.Generator) -> Measurement:
    """Spatial dropout on a (B, T, C) batch as it is, and with the channels moved to second place."""
    wrong = regularizers.spatial_dropout(tokens, p, generator=generator) == 0
    right = _transposed(tokens, p, generator) == 0
    grid = torch.ones(1, 8, 16, dtype=torch.float64)
    rows_lost = regularizers.spatial_dropout(grid, p, generator=generator)[0]
    columns_lost = _transposed(grid, p, generator)[0]
    blocks: list[Block] = [
        Text(
            "The trap: the second dimension counts as the channels. A transformer's batch is often (B, T, C), tokens "
            "second, so `spatial_dropout(x, p)` erases whole tokens. The fix is "
            "`spatial_dropout(x.transpose(1, 2), p).transpose(1, 2)`."
        ),
        _picture(
            "(B, T, C) as it is: the rows lost are tokens",
            rows_lost,
            p,
            "token",
            "channel",
            note="8 tokens and 16 channels as an example, all 1.",
        ),
        _picture(
            "Transposed and back: the columns lost are channels",
            columns_lost,
            p,
            "token",
            "channel",
            note="The same example.",
        ),
    ]
    return Measurement("", _trap_claims(p, wrong, right), blocks)


def _transposed(tokens: torch.Tensor, p: float, generator: torch.Generator) -> torch.Tensor:
    return regularizers.spatial_dropout(tokens.transpose(1, 2), p, generator=generator).transpose(1, 2)


def _picture(
    title: str, y: torch.Tensor, p: float, row_label: str = "channel", column_label: str = "position", note: str = ""
) -> HeatMap:
    return HeatMap(title, y.tolist(), 0.0, 1 / (1 - p), row_label, column_label, note)


def _trap_claims(p: float, wrong: torch.Tensor, right: torch.Tensor) -> list[Claim]:
    """What is dropped of a (B, T, C) batch as it is, and transposed first."""
    tokens_lost, channels_lost = wrong.all(dim=2), right.all(dim=1)
    return [
        Claim(
            "On (B, T, C) as it is, the fraction of tokens lost whole is p",
            p,
            "$p$",
            fraction(tokens_lost),
            *proportion(p, tokens_lost.numel()),
        ),
        Claim(
            "Transposed first, the fraction of channels lost whole is p",
            p,
            "$p$",
            fraction(channels_lost),
            *proportion(p, channels_lost.numel()),
        ),
        Claim(
            "Transposed first, no channel is lost in part",
            0,
            "fraction in part",
            _in_part(right.transpose(1, 2)),
            *EXACT,
        ),
    ]


def _distributions_table(p: float, by_element: torch.Tensor, by_channel: torch.Tensor) -> Table:
    """How the two kinds of dropout spread over a batch what they drop."""
    examples, channels, length = by_channel.shape
    in_part, variance = max(0.0, 1 - p**length - (1 - p) ** length), p / (1 - p)
    spread = [_variance_of_average(dropped, p) for dropped in (by_element, by_channel)]
    return Table(
        title="The same rate, another distribution",
        columns=["fraction or variance", "element", "formula", "spatial", "formula"],
        rows=[
            ["elements dropped", fraction(by_element), p, fraction(by_channel), p],
            ["two neighbors dropped at once", _pairs(by_element), p**2, _pairs(by_channel), p],
            ["channels dropped in part", _in_part(by_element), in_part, _in_part(by_channel), 0.0],
            ["variance of a channel's average", spread[0], variance / length, spread[1], variance],
        ],
        note=f"All activations are 1; (examples, channels, positions) = ({examples}, {channels}, {length}).",
    )


def _variance_of_average(dropped: torch.Tensor, p: float) -> float:
    """Mean square deviation from 1 of a channel's average, kept positions scaled by 1/(1-p)."""
    return mean_square((~dropped).double().mean(dim=-1) / (1 - p) - 1)


def _restored_table(p: float, channels: int, generator: torch.Generator) -> Table:
    """How far a straight line between the nearest kept positions restores waves after each kind of dropout."""
    waves = _waves(channels).unsqueeze(0)
    rows: list[list[Cell]] = []
    for name, drop in (("single elements", regularizers.dropout), ("whole channels", regularizers.spatial_dropout)):
        dropped = (drop(waves, p, generator=generator) == 0)[0]
        rows.append([name, fraction(dropped), _error_of_a_line(waves[0], dropped)])
    return Table(
        title="What a straight line between the nearest kept positions restores",
        columns=["dropped", "fraction lost", "error where lost"],
        rows=rows,
        note=f"Cosine waves with {PERIOD} positions in a period, one for each channel. The error is relative to the "
        "size of what was lost: at 1 nothing came back.",
    )


def _waves(channels: int) -> torch.Tensor:
    """One period of a cosine for each channel, each with its own phase, (channels, PERIOD)."""
    t = torch.arange(PERIOD, dtype=torch.float64)
    phase = torch.arange(channels, dtype=torch.float64).unsqueeze(1)
    return torch.cos(2 * pi / PERIOD * t + phase)


def _error_of_a_line(waves: torch.Tensor, dropped: torch.Tensor) -> Cell:
    """Relative error of a line between the nearest kept positions of each wave, or 0 where a wave has none."""
    import numpy as np

    if not dropped.any():
        return "nothing lost"
    t = np.arange(PERIOD)
    guess = waves.numpy().copy()
    for row, lost in zip(guess, dropped.numpy(), strict=True):
        row[lost] = 0.0 if lost.all() else np.interp(t[lost], t[~lost], row[~lost], period=PERIOD)
    lost = dropped.numpy()
    return float(np.linalg.norm((guess - waves.numpy())[lost]) / np.linalg.norm(waves.numpy()[lost]))


NAME = "spatial_dropout"
WRONG = [
    Wrong("single elements", NAME, lambda right, x, p, **kw: regularizers.dropout(x, p, **kw)),
    Wrong("whole positions", NAME, lambda right, x, p, **kw: right(x.transpose(1, 2), p, **kw).transpose(1, 2)),
    Wrong(
        "one draw per channel for the batch", NAME, lambda right, x, p, **kw: x * right(torch.ones_like(x[:1]), p, **kw)
    ),
    Wrong(
        "never rescaled",
        NAME,
        lambda right, x, p, training=True, **kw: right(x, p, training=training, **kw) * (1 - p if training else 1),
    ),
    Wrong("drops in eval", NAME, lambda right, x, p, training=True, **kw: right(x, p, **kw)),
]
