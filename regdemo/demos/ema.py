"""EMA: evaluate a running average of the weights.

Keeps an exponential moving average next to the weights in training, by torch's AveragedModel. Checks it against its
closed form, and measures how much noise it takes away and how far it lags behind.
"""

from __future__ import annotations

from typing import Annotated

import torch

from regdemo.bounds import EXACT, mean_of_normal, rounding
from regdemo.measure import Wrong, gap, mean_square, normal, seeded
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Cell, Claim, Curves, Measurement, Series, Table, Text

ACTS_ON = "averaging"
PROVIDED_BY = "torch.optim.swa_utils.AveragedModel"
SAY = (
    "An EMA of the weights with decay $d$ has a memory of about $1/(1-d)$ steps. It often evaluates better than the "
    "last weights, because it averages out part of SGD's noise: of independent noise, $(1-d)/(1+d)$ of the variance "
    "is left in the long run. The price is a second copy of the weights, and a lag that grows to $d/(1-d)$ steps "
    "behind weights that move at a constant speed."
)
WRONG_ANSWER = (
    "Averaging, and then evaluating `model`: the average is another module, AveragedModel's `.module`. Close second: "
    "starting the average at 0 without a correction, which makes it too small by a fraction $d^n$ after n updates with "
    "unchanged weights."
)
CARDS = ("Q18.170", "Q18.171", "Q18.172", "Q18.173")

DECAYS = (0.5, 0.9, 0.99)
SHOWN = 80  # steps of the picture


def ema(
    *,
    decay: Annotated[float, Parameter("What fraction of the average stays in each update.", 0, 0.9999)] = 0.9,
    steps: Annotated[int, count("Updates of the average.", 2, 500)] = 100,
    size: Annotated[int, count("Number of independently noisy weights.", 10_000, 50_000)] = 10_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure AveragedModel with get_ema_multi_avg_fn(decay) on weights that move in known ways."""
    generator = seeded(seed)
    travelled = torch.linspace(0, 3, SHOWN, dtype=torch.float64).clamp(max=2)[:, None]
    noisy = travelled + 0.4 * normal(generator, SHOWN, 1)
    path = 1 + normal(generator, steps, size)
    line = torch.arange(1, steps + 1, dtype=torch.float64)[:, None]
    lags = {d: steps - _averages(line, d)[-1].item() for d in sorted({decay, *DECAYS})}
    rows: list[list[Cell]] = [
        [f"{d:g}", 1 / (1 - d), sum(c**2 for c in _fractions(d, steps)), (1 - d) / (1 + d), lag, d / (1 - d)]
        for d, lag in lags.items()
    ]
    return Measurement(
        title=f"EMA of the weights at decay = {decay:g}",
        claims=_claims(decay, path, lags[decay]),
        picture=[_travelling(noisy, sorted({decay, 0.98}))],
        blocks=[
            Text(
                f"After each step the average keeps {decay:g} of itself and takes {1 - decay:.4g} of the new "
                "weights. The first update copies them. Training does not use the average; evaluation does."
            ),
            Table(
                title="Variance left of noise of variance 1, and the lag in steps at a constant speed, "
                f"after {steps} updates and in the long run",
                columns=["decay", "$1/(1-d)$", "variance", "variance, long run", "lag", "lag, long run"],
                rows=rows,
                note="Until a few times $1/(1-d)$ updates have been made, the first weights, which were copied, "
                "still weigh a lot. A warm-up of the decay shortens this time.",
            ),
        ],
    )


def _averages(path: torch.Tensor, decay: float) -> torch.Tensor:
    """The average that AveragedModel holds after an update with each row of the path."""
    swa_utils = torch.optim.swa_utils
    model = torch.nn.Module()
    model.w = torch.nn.Parameter(torch.zeros_like(path[0]))
    average = swa_utils.AveragedModel(model, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(decay))
    held = []
    for row in path:
        with torch.no_grad():
            model.w.copy_(row)
        average.update_parameters(model)
        held.append(next(average.parameters()).detach().clone())
    return torch.stack(held)


def _fractions(decay: float, steps: int) -> list[float]:
    """What fraction of the average each step has: the first was copied, so it keeps d^(n-1) whole."""
    return [decay ** (steps - 1), *((1 - decay) * decay ** (steps - t) for t in range(2, steps + 1))]


def _claims(decay: float, path: torch.Tensor, lag: float) -> list[Claim]:
    """path: independent draws from N(1, 1), (steps, weights).  lag: of the average of a weight that travels."""
    steps, size = path.shape
    average, fractions = _averages(path, decay)[-1], torch.tensor(_fractions(decay, steps), dtype=torch.float64)
    left = fractions.square().sum().item()
    bound = mean_of_normal(2**0.5 * left, size)
    return [
        Claim(
            "The average is its closed form",
            0,
            r"$d^{n-1} w_1 + (1-d) \sum_{t>1} d^{n-t} w_t$, largest difference",
            gap(average, fractions @ path),
            *rounding(10, digits=1e-12),
        ),
        Claim("The variance that is left", left, "sum of the squared coefficients", mean_square(average - 1), *bound),
        Claim(
            "While the weights travel 1 in each step, the average lags",
            decay / (1 - decay) * (1 - decay ** (steps - 1)),
            "$d/(1-d) (1 - d^{n-1})$ steps",
            lag,
            *rounding(steps, digits=1e-12),
        ),
        Claim("Buffers are copied, not averaged", 2, "running_mean of the last model", _buffer(decay), *EXACT),
    ]


def _buffer(decay: float) -> float:
    """A batch norm's running mean in the average, after it was 1 and then 2 in the model."""
    swa_utils = torch.optim.swa_utils
    model = torch.nn.BatchNorm1d(1)
    average = swa_utils.AveragedModel(model, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(decay))
    for value in (1.0, 2.0):
        model.get_buffer("running_mean").fill_(value)
        average.update_parameters(model)
    return average.module.get_buffer("running_mean").item()


def _travelling(weight: torch.Tensor, decays: list[float]) -> Curves:
    at = [float(step) for step in range(1, SHOWN + 1)]
    return Curves(
        title=f"An example of {SHOWN} steps: a weight that travels to 2, with noise, and its averages",
        x_label="step",
        y_label="weight",
        series=[
            Series("the weight", at, weight[:, 0].tolist(), style="points"),
            *(Series(f"EMA, d = {d:g}", at, _averages(weight, d)[:, 0].tolist()) for d in decays),
        ],
        note="The longer the memory, the less noise is left in the long run, and the longer the lag while the weight "
        "moves.",
    )


def _begun_at_zero(right, model, **options):
    average = right(model, **options)
    average.n_averaged.fill_(1)  # the first update no longer copies
    return average


MODEL = "torch.optim.swa_utils.AveragedModel"
WRONG = [
    Wrong("d and 1-d swapped", "torch.optim.swa_utils.get_ema_multi_avg_fn", lambda right, decay: right(1 - decay)),
    Wrong("begun at 0", MODEL, _begun_at_zero),
    Wrong("a plain mean", MODEL, lambda right, model, **options: right(model)),
    Wrong("the last weights", MODEL, lambda right, model, **kw: right(model, avg_fn=lambda old, new, n: new)),
    Wrong("buffers averaged too", MODEL, lambda right, model, **options: right(model, **options, use_buffers=True)),
]
