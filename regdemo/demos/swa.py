"""SWA: average the weights of many steps equally.

Stochastic weight averaging takes the plain mean of weights from late in training, by torch's AveragedModel. Checks the
mean, measures the noise it takes away, and shows why batch norm's statistics must be computed again with update_bn.
"""

from __future__ import annotations

from typing import Annotated

import torch

from regdemo.bounds import mean_of_normal, rounding
from regdemo.measure import Wrong, gap, global_generator, mean_square, normal, seeded
from regdemo.parameters import SEED, count
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

ACTS_ON = "averaging"
PROVIDED_BY = "torch.optim.swa_utils.AveragedModel"
SAY = (
    "SWA takes the plain mean of the weights from late in training, at a learning rate high enough that they keep "
    "moving. The mean tends to be nearer the middle of the valley than the weights of a single step. Batch norm's "
    "running statistics belong to other weights, so one pass over the data, `update_bn`, must compute them again."
)
WRONG_ANSWER = (
    "Averaging the weights and evaluating right away: with batch norm, the statistics are those of the last model, "
    "so the outputs of the norms are off. Close second: averaging predictions. That is an ensemble, and costs a "
    "forward pass per model."
)
CARDS = ("Q18.174", "Q18.175", "Q18.176", "Q18.177")

INPUTS, UNITS, BATCH, BATCHES = 8, 4, 64, 4
CLOSE = rounding(10, digits=1e-12)  # float64 throughout
CURVATURES, LR, STEPS, BURN_IN = (1.0, 0.5), 0.6, 100, 10  # of the picture


def swa(
    *,
    models: Annotated[int, count("How many steps' weights are averaged.", 2, 200)] = 20,
    size: Annotated[int, count("Number of independently noisy weights.", 10_000, 50_000)] = 10_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure AveragedModel on `models` noisy sets of weights, and batch norm with and without update_bn."""
    generator = seeded(seed)
    picture = _path(generator)
    path = normal(generator, models, size)
    w = _average(path)
    left = mean_square(w)
    claims = [
        Claim(
            "The average is the plain mean",
            0,
            r"$\max |\bar w - \frac{1}{n} \sum_t w_t|$",
            gap(w, path.mean(0)),
            *CLOSE,
        ),
        Claim(
            "Of the variance of independent noise, 1/n is left",
            1 / models,
            "$1/n$",
            left,
            *mean_of_normal(2**0.5 / models, size),
        ),
    ]
    norm_claims, table = _batch_norm(models, generator)
    return Measurement(
        title=f"SWA over {models} models",
        claims=[*claims, *norm_claims],
        picture=[picture],
        blocks=[
            Table(
                title=f"Mean square distance from the noise-free weights, {size:,} weights with noise of variance 1",
                columns=["weights", "measured", "expected"],
                rows=[
                    ["of the last model", mean_square(path[-1]), 1.0],
                    [f"averaged over {models}", left, 1 / models],
                ],
                note="The steps of one training are usually positively correlated, so there averaging takes away "
                "less of the variance than $1 - 1/n$.",
            ),
            Text(
                f"Here a linear layer and a batch norm are averaged over {models} models whose weights differ. "
                "AveragedModel copies the last model's running statistics, which are not those of the average's "
                "own activations."
            ),
            table,
        ],
    )


def _average(path: torch.Tensor) -> torch.Tensor:
    """What AveragedModel holds after an update with each row of the path."""
    model = torch.nn.Module()
    model.w = torch.nn.Parameter(torch.zeros_like(path[0]))
    average = torch.optim.swa_utils.AveragedModel(model)
    for row in path:
        with torch.no_grad():
            model.w.copy_(row)
        average.update_parameters(model)
    return next(average.parameters()).detach()


def _path(generator: torch.Generator) -> Curves:
    """SGD with noisy gradients in a long valley, and the mean of its steps after the first ones."""
    w, curvature, path = torch.tensor([4.0, 3.0], dtype=torch.float64), torch.tensor(CURVATURES), []
    for _ in range(STEPS):
        w = w - LR * (curvature * w + normal(generator, 2))
        path.append(w)
    x, y = torch.stack(path).T.tolist()
    mean = _average(torch.stack(path[BURN_IN:])).tolist()
    return Curves(
        title=f"The path of SGD around a minimum at (0, 0), {STEPS} steps, and the mean of the last {STEPS - BURN_IN}",
        x_label="weight 1",
        y_label="weight 2",
        series=[
            Series(f"{STEPS} steps", x, y),
            Series(f"mean of the last {STEPS - BURN_IN}", mean[:1], mean[1:], style="points"),
            Series("minimum", [0.0], [0.0], style="points"),
        ],
        note=f"The last step is {path[-1].norm().item():.3g} from the minimum, the mean "
        f"{torch.tensor(mean).norm().item():.3g}.",
    )


def _batch_norm(models: int, generator: torch.Generator) -> tuple[list[Claim], Table]:
    """A linear layer and batch norm, averaged over weights that differ: what batch norm makes of the average."""
    swa_utils = torch.optim.swa_utils
    with global_generator(generator):  # the layer's first weights, overwritten below
        linear = torch.nn.Linear(INPUTS, UNITS, bias=False, dtype=torch.float64)
    norm = torch.nn.BatchNorm1d(UNITS, affine=False, momentum=None, dtype=torch.float64)
    model = torch.nn.Sequential(linear, norm)
    average = swa_utils.AveragedModel(model)
    data, middle = 1 + normal(generator, BATCHES, BATCH, INPUTS), normal(generator, UNITS, INPUTS)
    for _ in range(models):
        with torch.no_grad():
            linear.weight.copy_(middle + normal(generator, UNITS, INPUTS))
        norm.reset_running_stats()
        for batch in data:  # each model's own statistics, as its training would leave them
            model.train()(batch)
        average.update_parameters(model)

    rows = data.flatten(0, 1)
    averaged, last = next(average.parameters()).detach(), linear.weight.detach()
    deviation = (rows @ last.T).view(BATCHES, BATCH, UNITS).var(1).mean(0).add(norm.eps).sqrt()
    offset = gap((rows @ (averaged - last).T).mean(0) / deviation)
    within = (rows @ averaged.T).view(BATCHES, BATCH, UNITS).var(1).mean(0)
    spread = ((rows @ averaged.T).var(0) / (within + norm.eps)).sqrt().mean().item()

    def output() -> tuple[float, float]:
        y = average.eval()(rows).detach()
        return gap(y.mean(0)), y.std(0).mean().item()

    before = output()
    swa_utils.update_bn(data, average)
    after = output()
    claims = [
        Claim(
            "Without update_bn the average's output is off center",
            offset,
            r"$\max |(\bar w - w_{last}) E[x]| / std_{last}$",
            before[0],
            *CLOSE,
        ),
        Claim("With update_bn the average's output is centered", 0, "largest mean of a unit", after[0], *CLOSE),
        Claim(
            "With update_bn the average's own activations set the output's deviation",
            spread,
            r"activations' std / $\sqrt{v}$, v their mean variance in a batch",
            after[1],
            *CLOSE,
        ),
    ]
    table = Table(
        title="Output of the average's batch norm in eval, on the data it should normalize",
        columns=["statistics", "largest mean of a unit", "standard deviation"],
        rows=[["of the last model", *before], ["after update_bn(data, average)", *after]],
        note="The mean should be 0, the deviation about 1. update_bn calls train(), so a dropout before batch "
        "norm is on meanwhile.",
    )
    return claims, table


def _with(right, model, change):
    average = right(model)
    change(average)
    return average


MODEL = "torch.optim.swa_utils.AveragedModel"
WRONG = [
    Wrong("an exponential average", MODEL, lambda right, m: right(m, avg_fn=lambda old, new, n: 0.9 * old + 0.1 * new)),
    Wrong("the last weights only", MODEL, lambda right, m: right(m, avg_fn=lambda old, new, n: new)),
    Wrong("the initial weights are counted", MODEL, lambda right, m: _with(right, m, lambda a: a.n_averaged.fill_(1))),
    Wrong("a sum, not a mean", MODEL, lambda right, m: right(m, avg_fn=lambda old, new, n: old + new)),
    Wrong("update_bn forgotten", "torch.optim.swa_utils.update_bn", lambda right, data, model: None),
]
