"""No update BN: averaged weights with another model's statistics.

SWA averages parameters. A batch norm's running mean and variance are buffers, measured under the weights of some step;
`AveragedModel` copies the last step's. Under the averaged weights the activations have another mean, and every layer
behind the norm sees shifted inputs, until `update_bn` has measured anew.
"""

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, update_bn

from regdemo.bounds import rounding
from regdemo.measure import fixed_claim
from regdemo.report import Block, Claim, Table

BREAKS = "swa"
CARDS = ("Q18.334", "Q18.176", "Q18.174")
SAY = (
    "After averaging the weights of a network with batch norm, run update_bn on the training data before evaluating. "
    "The statistics in the buffers belong to the last weights, not to their mean."
)
WRONG_ANSWER = (
    "'AveragedModel averages the model.' Its parameters; buffers are copied. Averaging them would not help: the "
    "variance under the mean weights is not the mean of the variances."
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
        """A model on its way: weights about the middle, statistics its own."""
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
            "The mean square by which its normalized units are off centre",
            expected,
            "mean ((w_avg - w_last) E[x] / std_last)^2",
            wrong.mean(0).square().mean().item(),
            *rounding(expected, digits=1e-3),
        ),
        fixed_claim("They are centred", 0, "mean square", right.mean(0).square().mean().item(), *rounding(1)),
        fixed_claim("Their variance", 1, "variance = 1", right.var(0).mean().item(), *rounding(1, digits=1e-3)),
    ], [
        Table(
            "Output of the batch norm in eval, on the training data",
            ["code", "largest mean of a unit", "mean variance"],
            [
                [name, y.mean(0).abs().max().item(), y.var(0).mean().item()]
                for name, y in (("broken", wrong), ("fixed", right))
            ],
            "It should be 0 and 1.",
        )
    ]
