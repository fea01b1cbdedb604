"""SWA: average the weights of many steps equally.

Stochastic weight averaging takes the plain mean of weights from late in training, by torch's AveragedModel. Checks the
mean, measures the noise it takes away, and shows why batch norm's statistics must be computed anew with update_bn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from regdemo.bounds import mean_of_normal, rounding
from regdemo.parameters import SEED, count
from regdemo.report import Block, Claim, Measurement, Table, Text

if TYPE_CHECKING:
    from torch import Generator

ACTS_ON = "averaging"
PROVIDED_BY = "torch.optim.swa_utils.AveragedModel"
SAY = (
    "SWA averages the weights along the end of the training, with equal shares and a learning rate high enough to "
    "keep moving. The mean lies nearer the middle of the valley. Batch norm's running statistics belong to other "
    "weights, so one pass over the data, update_bn, must compute them anew."
)
WRONG_ANSWER = (
    "Averaging the weights and evaluating at once. With batch norm the statistics are those of the last model, so "
    "every layer behind it sees shifted inputs. Close second: averaging predictions; that is an ensemble, and costs a "
    "forward pass for each model."
)
CARDS = (
    "Q18.174",
    "Q18.175",
    "Q18.176",
    "Q18.177",
)

INPUTS, UNITS, BATCH, BATCHES = 8, 4, 64, 4
ROUNDING = rounding(10, digits=1e-12)  # float64 throughout


def swa(
    *,
    models: Annotated[int, count("How many steps' weights are averaged.", 2, 200)] = 20,
    size: Annotated[int, count("Weights, each with noise of its own.", 10_000, 50_000)] = 10_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure AveragedModel on `models` noisy sets of weights, and batch norm with and without update_bn."""

    generator = torch.Generator().manual_seed(seed)
    claims, blocks = _mean(models, size, generator)
    norm_claims, norm_blocks = _batch_norm(models, generator)
    return Measurement(
        title=f"SWA over {models} models",
        claims=[*claims, *norm_claims],
        blocks=[
            Text(
                f"The last part of the training runs at a constant or cyclic rate, and the weights of {models} moments "
                "are averaged, each with the same share. Nothing else changes; the average is evaluated."
            ),
            *blocks,
            *norm_blocks,
        ],
    )


def _mean(models: int, size: int, generator: Generator) -> tuple[list[Claim], list[Block]]:
    """Weights that jump about 0 with variance 1, averaged."""
    from torch.optim.swa_utils import AveragedModel

    path = torch.randn(models, size, generator=generator, dtype=torch.float64)
    model = torch.nn.Module()
    model.w = torch.nn.Parameter(torch.zeros(size, dtype=torch.float64))
    average = AveragedModel(model)
    for row in path:
        with torch.no_grad():
            model.w.copy_(row)
        average.update_parameters(model)
    w = next(average.parameters()).detach()
    measured = w.square().mean().item()
    claims = [
        Claim(
            "The average is the plain mean, the first model included",
            0,
            "largest difference",
            (w - path.mean(0)).abs().max().item(),
            *ROUNDING,
        ),
        Claim(
            "Of independent noise a share 1/n is left",
            1 / models,
            "1/n",
            measured,
            *mean_of_normal(2**0.5 / models, size),
        ),
    ]
    block = Table(
        title=f"Mean square distance from the middle, {size:,} weights with noise of variance 1",
        columns=["weights", "measured", "expected"],
        rows=[
            ["of the last model", path[-1].square().mean().item(), 1.0],
            [f"averaged over {models}", measured, 1 / models],
        ],
        note="Steps of one training are not independent, so there less noise goes away than 1 - 1/n.",
    )
    return claims, [block]


def _batch_norm(models: int, generator: Generator) -> tuple[list[Claim], list[Block]]:
    """A linear layer and batch norm, averaged over weights that differ: what batch norm makes of the average."""
    from torch.optim.swa_utils import AveragedModel, update_bn

    with torch.random.fork_rng(devices=[]):  # the layer's first weights, overwritten below
        linear = torch.nn.Linear(INPUTS, UNITS, bias=False, dtype=torch.float64)
    norm = torch.nn.BatchNorm1d(UNITS, affine=False, momentum=None, dtype=torch.float64)
    average = AveragedModel(torch.nn.Sequential(linear, norm))
    data = 1 + torch.randn(BATCHES, BATCH, INPUTS, generator=generator, dtype=torch.float64)
    middle = torch.randn(UNITS, INPUTS, generator=generator, dtype=torch.float64)
    model = torch.nn.Sequential(linear, norm)
    for _ in range(models):
        with torch.no_grad():
            linear.weight.copy_(middle + torch.randn(UNITS, INPUTS, generator=generator, dtype=torch.float64))
        update_bn(data, model)  # each model's own statistics, as its training would leave them
        average.update_parameters(model)

    rows = data.flatten(0, 1)
    averaged_weight, last = next(average.parameters()).detach(), linear.weight.detach()
    deviation = (rows @ last.T).view(BATCHES, BATCH, UNITS).var(1).mean(0).add(norm.eps).sqrt()
    offset = ((rows @ (averaged_weight - last).T).mean(0) / deviation).abs().max().item()

    def output() -> tuple[float, float]:
        y = average.eval()(rows).detach()
        return y.mean(0).abs().max().item(), y.std(0).mean().item()

    before = output()
    update_bn(data, average)
    after = output()
    claims = [
        Claim(
            "Without update_bn the average's output is off centre",
            offset,
            "mean of (w_avg - w_last) x, over the last deviation",
            before[0],
            *ROUNDING,
        ),
        Claim("With update_bn it is centred", 0, "largest mean of a unit", after[0], *ROUNDING),
    ]
    blocks: list[Block] = [
        Text(
            "Batch norm after a linear layer, averaged over models whose weights differ. AveragedModel copies the last "
            "model's running statistics, and they are not those of the average's own activations."
        ),
        Table(
            title="Output of batch norm in eval, on the data it should normalize",
            columns=["statistics", "largest mean of a unit", "standard deviation"],
            rows=[["of the last model", *before], ["after update_bn(data, average)", *after]],
            note="It should be 0 and 1. update_bn calls train(), so a dropout before batch norm is on meanwhile.",
        ),
    ]
    return claims, blocks
