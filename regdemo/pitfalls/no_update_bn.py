"""No update BN: averaged weights with another model's statistics.

SWA averages parameters. A batch norm's running mean and variance are buffers, measured under other weights; by default
`AveragedModel` copies those of the last model. Under the averaged weights the activations have another mean and
variance, so the norm's output is off in eval, until `update_bn` has measured them again.
"""

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, update_bn

from regdemo.bounds import rounding
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Claim, Table

BREAKS = "swa"
CARDS = ("Q18.334", "Q18.176", "Q18.174")
SAY = (
    "After averaging the weights of a network with batch norm, run update_bn on the training data before evaluating. "
    "The statistics in the buffers belong to the last model, not to the averaged weights."
)
WRONG_ANSWER = (
    "'AveragedModel averages the model.' It averages parameters and, by default, copies buffers. use_buffers=True "
    "averages them, but the variance under the mean weights is in general not the mean of the variances."
)

MODELS, ROWS, INPUTS, UNITS = 10, 256, 8, 4


def broken(models, data):
    average = AveragedModel(models[0])
    for model in models:
        average.update_parameters(model)
    return average.eval()


def fixed(models, data):
    average = AveragedModel(models[0])
    for model in models:
        average.update_parameters(model)
    update_bn([data], average)
    return average.eval()


def measure() -> tuple[list[Claim], list[Block]]:
    data = 1 + torch.randn(ROWS, INPUTS, dtype=torch.float64)
    middle = torch.randn(UNITS, INPUTS, dtype=torch.float64)

    def trained() -> nn.Sequential:
        """A model of a late epoch: weights near the middle, with its own statistics."""
        linear = nn.Linear(INPUTS, UNITS, bias=False, dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(middle + torch.randn(UNITS, INPUTS, dtype=torch.float64))
        model = nn.Sequential(linear, nn.BatchNorm1d(UNITS, affine=False, momentum=None, dtype=torch.float64))
        update_bn([data], model)
        return model

    models = [trained() for _ in range(MODELS)]
    wrong, right = broken(models, data)(data).detach(), fixed(models, data)(data).detach()
    last = next(models[-1].parameters()).detach()
    mean = torch.stack([next(model.parameters()).detach() for model in models]).mean(0)
    expected = ((data @ (mean - last).T).mean(0) / (data @ last.T).std(0)).square().mean().item()
    return [
        Claim(
            "A unit's mean behind the norm, squared, averaged over the units",
            expected,
            r"mean of $((\bar w - w_{last}) E[x] / \sigma_{last})^2$",
            wrong.mean(0).square().mean().item(),
            *rounding(expected, digits=1e-3),
        ),
        fixed_claim(
            "A unit's mean behind the norm, squared, averaged over the units",
            0,
            "centered = 0",
            right.mean(0).square().mean().item(),
            *rounding(1),
        ),
        fixed_claim(
            "A unit's variance behind the norm, averaged over the units",
            1,
            "variance = 1",
            right.var(0).mean().item(),
            *rounding(1, digits=1e-3),
        ),
    ], [
        Table(
            f"Output of the batch norm in eval, on the training data: {MODELS} models averaged, {UNITS} units",
            ["code", "largest |mean| of a unit", "mean variance"],
            [
                [name, y.mean(0).abs().max().item(), y.var(0).mean().item()]
                for name, y in (("broken", wrong), ("fixed", right))
            ],
            "The means should be 0 and the variance 1.",
        )
    ]


WRONG = [
    Wrong("use_buffers=True", f"{__name__}.fixed", lambda right, models, data: _averaged(models, use_buffers=True)),
    Wrong(
        "update_bn on the last model first",
        f"{__name__}.fixed",
        lambda right, models, data: _after_update(models, data),
    ),
    Wrong("a pass in eval over the data", f"{__name__}.fixed", lambda right, models, data: _in_eval(models, data)),
]


def _averaged(models, use_buffers=False):
    average = AveragedModel(models[0], use_buffers=use_buffers)
    for model in models:
        average.update_parameters(model)
    return average.eval()


def _after_update(models, data):
    update_bn([data], models[-1])
    return _averaged(models)


def _in_eval(models, data):
    average = _averaged(models)
    average(data)
    return average
