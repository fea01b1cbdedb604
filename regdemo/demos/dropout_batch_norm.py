"""Dropout and batch norm: the variance shifts in eval.

Batch norm stores the variance that it saw in training. Behind dropout, that is the variance with the noise in it, and
in eval the noise is gone. Measures the ratio of the two variances against its formula, what batch norm makes of it
in eval, and which fixes work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import torch

from regdemo import regularizers
from regdemo.bounds import mean_of_bounded, rounding
from regdemo.measure import Wrong, global_generator, mean_square, normal, seeded
from regdemo.parameters import SEED, count, rate
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

if TYPE_CHECKING:
    from torch import Generator, Tensor

ACTS_ON = "models"
SAY = (
    "Dropout directly in front of batch norm shifts the variance: in training it is $1 + p/(1-p) E[x^2]/Var[x]$ "
    "times what it is in eval. Batch norm stores the training variance and divides by its root in eval. So dropout "
    "goes behind the last batch norm, as in a classifier's head, or the statistics are computed again with dropout "
    "off. The cost in accuracy depends on the network, and may be nothing."
)
WRONG_ANSWER = (
    "'Dropout rescales by 1/(1-p), so batch norm sees the same in training and in eval.' The rescale keeps the mean. "
    "It does not keep the variance, and batch norm divides by its root. And update_bn does not fix that: it calls "
    "model.train(), which switches dropout on."
)
CARDS = (
    "Q18.200",
    "Q18.201",
    "Q18.202",
    "Q18.203",
)

MEANS = (0.0, 1.0, 3.0)
EPS = 1e-5  # in batch norm's denominator


def dropout_batch_norm(
    *,
    p: Annotated[float, rate("Probability that an activation is dropped.")] = 0.3,
    size: Annotated[int, count("Activations of the unit, one for each example.", 100, 1_000_000)] = 100_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure what dropout at rate p does to a batch norm behind it, on the ReLU of `size` normal draws."""
    generator = seeded(seed)
    x = normal(generator, size, 1).relu()
    y = regularizers.dropout(x, p, generator=generator)
    after, before, updated = (_batch_norm() for _ in range(3))
    after(y)
    before(x)
    drop = torch.nn.Dropout(p)
    with global_generator(generator):
        torch.optim.swa_utils.update_bn([x], torch.nn.Sequential(drop, updated))
    orders = {
        "dropout, batch norm": _variances(after, x),
        "dropout, batch norm, update_bn": _variances(updated, x),
    }
    updated.reset_running_stats()
    updated.train()(drop.eval()(x))
    orders |= {"dropout off for the statistics": _variances(updated, x), "batch norm, dropout": _variances(before, x)}
    variance = _variance(x)
    return Measurement(
        title=f"Dropout and batch norm at p = {p}",
        claims=_claims(p, x, _variance(y), *orders.values()),
        picture=[_over_rates(x, generator)],
        blocks=[
            Text(
                "Dropout at $p$ > 0 keeps the mean and adds noise: the variance in training is larger than in eval. "
                "A batch norm after it divides in training by a standard deviation with that noise in it. In eval the "
                f"noise is gone, but the norm still divides by the stored deviation: behind the ReLU at $p$ = {p}, by "
                f"{(orders['dropout, batch norm'].stored / variance) ** 0.5:.4g} times the standard deviation in eval."
            ),
            _means_table(p, size, generator),
            Table(
                title="Behind the ReLU: the variance of batch norm's output in eval, which should be 1",
                columns=["order", "stored / Var[x]", "variance in eval"],
                rows=[[order, seen.stored / variance, seen.in_eval] for order, seen in orders.items()],
                note="Put dropout behind the last batch norm, or compute the statistics again with dropout in eval.",
            ),
            Text("Only variances are measured here. Whether the shift costs accuracy depends on the network."),
        ],
    )


def _batch_norm() -> torch.nn.BatchNorm1d:
    """One whose running statistics are the mean over all batches."""
    return torch.nn.BatchNorm1d(1, eps=EPS, affine=False, momentum=None, dtype=torch.float64)


class _Variances(NamedTuple):
    """The variance that a batch norm stored, without its correction of n / (n - 1), and that of its output in eval."""

    stored: float
    in_eval: float


def _variances(norm: torch.nn.BatchNorm1d, x: Tensor) -> _Variances:
    n = len(x)
    return _Variances(norm.get_buffer("running_var").item() * (n - 1) / n, _variance(norm.eval()(x)))


def _claims(
    p: float,
    x: Tensor,
    in_training: float,
    behind: _Variances,
    updated: _Variances,
    off: _Variances,
    before: _Variances,
) -> list[Claim]:
    size, variance = len(x), _variance(x)
    expected, tolerance, reason = _in_training(x, p)
    small = 0.02  # EPS in the denominator, and size / (size - 1) at size 100
    return [
        Claim(
            "Dropout multiplies the variance by",
            expected / variance,
            "$1 + p/(1-p) E[x^2]/Var[x]$",
            in_training / variance,
            tolerance / variance,
            reason,
        ),
        Claim(
            "Batch norm behind dropout stores the variance in training",
            in_training,
            "Var[y]",
            behind.stored,
            *rounding(in_training),
        ),
        Claim(
            "Batch norm behind dropout: the variance in eval, which should be 1",
            variance / (behind.stored * size / (size - 1) + EPS),
            "Var[x] / stored",
            behind.in_eval,
            *rounding(1 + 1 / (1 - p)),
        ),
        Claim("Batch norm before dropout: variance 1 in eval", 1, "1", before.in_eval, small, "eps"),
        Claim(
            "swa_utils.update_bn stores the shifted variance again: it calls train()",
            expected / variance,
            "$1 + p/(1-p) E[x^2]/Var[x]$",
            updated.stored / variance,
            tolerance / variance + rounding(expected / variance)[0],
            reason,
        ),
        Claim("Statistics computed again with dropout in eval: variance 1", 1, "1", off.in_eval, small, "eps"),
    ]


def _variance(x: Tensor) -> float:
    return x.var(correction=0).item()


def _in_training(x: Tensor, p: float) -> tuple[float, float, str]:
    """The variance that dropout leaves to x, with a bound: its two moments are each a mean over independent draws."""
    mean, square = x.mean().item(), mean_square(x)
    scale, largest, n = 1 / (1 - p), x.abs().max().item(), x.numel()
    furthest = scale * max(p, 1 - p)  # a factor is 0 or 1/(1-p); this far from 1 at most
    slip, reason = mean_of_bounded(p * scale * square, furthest * largest, n)
    fourth = x.pow(4).mean().item()
    slip_of_square, _ = mean_of_bounded(p * scale**3 * fourth, scale * furthest * largest**2, n)
    return square * scale - mean**2, slip_of_square + slip * (2 * mean + slip), f"{reason}, of both moments"


def _ratio(x: Tensor, p: float, generator: Generator) -> tuple[float, float, float, float]:
    """Variance in eval, in training, their ratio and its formula."""
    variance, dropped = _variance(x), _variance(regularizers.dropout(x, p, generator=generator))
    return variance, dropped, dropped / variance, 1 + p / (1 - p) * mean_square(x) / variance


def _over_rates(x: Tensor, generator: Generator) -> Curves:
    """The ratio of the variance in training to that in eval, over the rate."""
    rates = [rate_ / 10 for rate_ in range(9)]
    measured = [_ratio(x, rate_, generator)[2] for rate_ in rates]
    line = [i / 100 for i in range(81)]
    relative = mean_square(x) / _variance(x)
    formula = [1 + rate_ / (1 - rate_) * relative for rate_ in line]
    return Curves(
        title="Variance behind a ReLU and dropout, training over eval; batch norm assumes 1",
        x_label="p",
        y_label="ratio",
        series=[
            Series("measured", rates, measured, style="points"),
            Series("$1 + p/(1-p) E[x^2]/Var[x]$", line, formula),
        ],
        note=f"Measured on {x.numel():,} activations.",
    )


def _means_table(p: float, size: int, generator: Generator) -> Table:
    """The ratio at rate p for normal activations of several means."""
    x = normal(generator, size)
    return Table(
        title=f"Variance behind dropout at p = {p}: normal activations of variance 1",
        columns=["mean", "eval", "training", "ratio", "$1 + p/(1-p) E[x^2]/Var[x]$"],
        rows=[[mean, *_ratio(x + mean, p, generator)] for mean in MEANS],
        note=rf"At mean 0 the ratio is $1/(1-p)$ = {1 / (1 - p):.4g}; a mean of $\mu$ adds $p/(1-p) \mu^2$.",
    )


NAME = "dropout"
WRONG = [
    Wrong("never rescaled", NAME, lambda right, x, p, **kw: right(x, p, **kw) * (1 - p)),
    Wrong("scaled to keep the variance", NAME, lambda right, x, p, **kw: right(x, p, **kw) * (1 - p) ** 0.5),
    Wrong("drops nothing", NAME, lambda right, x, p, **kw: x),
    Wrong(
        "update_bn in eval",
        "torch.optim.swa_utils.update_bn",
        lambda right, data, model: [model[0].eval(), model[1].reset_running_stats(), model[1].train()(data[0])],
    ),
]
