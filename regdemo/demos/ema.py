"""EMA: evaluate a running average of the weights.

Keeps an exponential moving average beside the weights in training, by torch's AveragedModel. Checks it against its
closed form, measures how much noise it takes away and how far it lags behind, and what an average begun at 0 does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from regdemo.bounds import EXACT, mean_of_normal, rounding
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Block, Cell, Claim, Measurement, Table, Text

if TYPE_CHECKING:
    from torch import Generator, Tensor

ACTS_ON = "averaging"
PROVIDED_BY = "torch.optim.swa_utils.AveragedModel"
SAY = (
    "An EMA of the weights follows them with a memory of 1/(1-d) steps and evaluates better than the last step, "
    "because it averages the noise of SGD away: for independent noise (1-d)/(1+d) of the variance is left. The price "
    "is one more copy of the weights, and a lag of d/(1-d) steps while they still travel."
)
WRONG_ANSWER = (
    "Averaging, and then evaluating `model`: the average is another module, `ema.module`. Close second: starting the "
    "average at 0 without a correction, so that it is too small by d^n after n updates."
)
CARDS = (
    "Q18.170",
    "Q18.171",
    "Q18.172",
    "Q18.173",
)

DECAYS = (0.5, 0.9, 0.99)


def ema(
    *,
    decay: Annotated[float, Parameter("What share of the average stays in each update.", 0, 0.9999)] = 0.9,
    steps: Annotated[int, count("Updates of the average.", 2, 500)] = 100,
    size: Annotated[int, count("Weights, each with noise of its own.", 10_000, 50_000)] = 10_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure AveragedModel with get_ema_multi_avg_fn(decay) on weights that move in known ways."""

    generator = torch.Generator().manual_seed(seed)
    claims, blocks = _noise(decay, steps, size, generator)
    lag_claims, lag_blocks = _lag(decay, steps)
    return Measurement(
        title=f"EMA of the weights at decay = {decay:g}",
        claims=[*claims, *lag_claims, *_buffers(decay)],
        blocks=[
            Text(
                f"After each step the average keeps a share {decay:g} of itself and takes {1 - decay:.4g} of the new "
                f"weights: a memory of about 1/(1-d) = {1 / (1 - decay):.4g} steps. The first update copies. "
                "The training never sees the average; evaluation uses it alone."
            ),
            *blocks,
            *lag_blocks,
        ],
    )


def _average(path: Tensor, decay: float) -> Tensor:
    """The average that AveragedModel holds after updates with each row of path in turn."""
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    model = torch.nn.Module()
    model.w = torch.nn.Parameter(torch.zeros_like(path[0]))
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))
    for row in path:
        with torch.no_grad():
            model.w.copy_(row)
        average.update_parameters(model)
    return next(average.parameters()).detach()


def _shares(decay: float, steps: int) -> list[float]:
    """What share of the average each step has: the first was copied, so it keeps d^(n-1) whole."""
    return [decay ** (steps - 1), *((1 - decay) * decay ** (steps - t) for t in range(2, steps + 1))]


def _noise(decay: float, steps: int, size: int, generator: Generator) -> tuple[list[Claim], list[Block]]:
    """Weights that jump about 1 with variance 1: what the average makes of it."""

    path = 1 + torch.randn(steps, size, generator=generator, dtype=torch.float64)
    shares = torch.tensor(_shares(decay, steps), dtype=torch.float64)
    average = _average(path, decay)
    left = shares.square().sum().item()
    from_zero = torch.zeros(size, dtype=torch.float64)
    for row in path:
        from_zero = decay * from_zero + (1 - decay) * row
    claims = [
        Claim(
            "The average is its closed form",
            0,
            "d^(n-1) w_1 + (1-d) sum d^(n-t) w_t",
            (average - shares @ path).abs().max().item(),
            *rounding(10, digits=1e-12),
        ),
        Claim(
            "The variance that is left",
            left,
            "sum of squared shares",
            (average - 1).square().mean().item(),
            *mean_of_normal(2**0.5 * left, size),
        ),
        Claim(
            "The last weights keep all of it",
            1,
            "variance of a step",
            (path[-1] - 1).square().mean().item(),
            *mean_of_normal(2**0.5, size),
        ),
        Claim(
            "Begun at 0, the average is too small",
            1 - decay**steps,
            "1 - d^n",
            from_zero.mean().item(),
            *mean_of_normal(((1 - decay) / (1 + decay)) ** 0.5, size),
        ),
    ]
    rows: list[list[Cell]] = []
    for other in sorted({decay, *DECAYS}):
        measured = (_average(path, other) - 1).square().mean().item()
        formula = sum(share**2 for share in _shares(other, steps))
        rows.append([f"{other:g}", 1 / (1 - other), measured, formula, (1 - other) / (1 + other)])
    block = Table(
        title=f"Weights that jump about 1 with variance 1: the variance of their EMA after {steps} updates",
        columns=["decay", "1/(1-d)", "measured", "formula", "in the long run"],
        rows=rows,
        note="Until a few times 1/(1-d) updates are made, the copied first weights weigh too much: warm the decay up.",
    )
    return claims, [block]


def _lag(decay: float, steps: int) -> tuple[list[Claim], list[Block]]:
    """Weights that travel 1 in each step: how far behind the average is."""

    path = torch.arange(1, steps + 1, dtype=torch.float64).unsqueeze(1)
    rows: list[list[Cell]] = []
    lags = {}
    for other in sorted({decay, *DECAYS}):
        lags[other] = steps - _average(path, other).item()
        rows.append([f"{other:g}", lags[other], other / (1 - other)])
    claim = Claim(
        "While the weights travel, the average lags",
        decay / (1 - decay) * (1 - decay ** (steps - 1)),
        "d/(1-d) (1 - d^(n-1)) steps",
        lags[decay],
        *rounding(steps, digits=1e-12),
    )
    block = Table(
        title=f"Weights that travel 1 in each step: how many steps the EMA is behind after {steps}",
        columns=["decay", "lag", "in the long run"],
        rows=rows,
        note="Noise asks for a long memory, travel for a short one. Late in training there is more noise than travel.",
    )
    return [claim], [block]


def _buffers(decay: float) -> list[Claim]:
    """What becomes of buffers, such as batch norm's statistics."""
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    model = torch.nn.BatchNorm1d(1)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))
    for value in (1.0, 2.0):
        assert model.running_mean is not None
        model.running_mean.fill_(value)
        average.update_parameters(model)
    return [
        Claim(
            "Buffers are copied, not averaged",
            2,
            "running_mean of the last model",
            dict(average.module.named_buffers())["running_mean"].item(),
            *EXACT,
        )
    ]
