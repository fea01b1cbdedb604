"""Unmixed labels: mixup that mixes only the inputs.

Mixup trains on w x_i + (1-w) x_j with the loss w CE(y_i) + (1-w) CE(y_j). The snippet mixes the inputs and keeps y_i.
The target that a loss asks for can be read off its gradient at the logits, softmax minus target; beside it stands what
the mixed input really holds.
"""

import torch
import torch.nn.functional as F

from regdemo.bounds import rounding
from regdemo.measure import fixed_claim
from regdemo.report import Block, Claim, Table

BREAKS = "mixup"
CARDS = ("Q18.123", "Q18.120")
SAY = (
    "Mixup mixes inputs and labels with the same weight. With labels unmixed it is noise: each example carries a "
    "stranger's features under its own name, and the more even the mixture, the more of them."
)
WRONG_ANSWER = "'The labels are hard, so they cannot be mixed.' The loss can: w CE(y) + (1-w) CE(y[order])."

CLASSES, EXAMPLES, ALPHA = 4, 256, 1.0


def broken(model, x, y, alpha):
    weight = torch.distributions.Beta(alpha, alpha).sample()
    order = torch.randperm(len(x))
    logits = model(weight * x + (1 - weight) * x[order])
    return F.cross_entropy(logits, y)


def fixed(model, x, y, alpha):
    weight = torch.distributions.Beta(alpha, alpha).sample()
    order = torch.randperm(len(x))
    logits = model(weight * x + (1 - weight) * x[order])
    own = F.cross_entropy(logits, y)
    other = F.cross_entropy(logits, y[order])
    return weight * own + (1 - weight) * other


def measure() -> tuple[list[Claim], list[Block]]:
    y = torch.randint(CLASSES, (EXAMPLES,))
    x = F.one_hot(y, CLASSES).float()  # an input is its class, so a mixture of inputs shows its shares
    seen = []

    def model(mixture: torch.Tensor) -> torch.Tensor:
        seen.append(mixture)
        logits = torch.zeros(EXAMPLES, CLASSES, requires_grad=True)
        seen.append(logits)
        return logits

    results = []
    for snippet in (broken, fixed):
        seen.clear()
        loss = snippet(model, x, y, ALPHA)
        mixture, logits = seen
        (gradient,) = torch.autograd.grad(loss, logits)
        target = logits.detach().softmax(-1) - EXAMPLES * gradient
        foreign = 1 - mixture.gather(1, y[:, None]).mean().item()
        wrong = (target - mixture).abs().sum(-1).mean().item() / 2
        results.append((snippet.__name__, foreign, wrong))
    (_, foreign, wrong), (_, _, wrong_fixed) = results
    return [
        Claim(
            "The share of a target that names the wrong class",
            foreign,
            "what the input holds of other classes",
            wrong,
            *rounding(1, digits=1e-5),
        ),
        fixed_claim("Target and input agree", 0, "share that differs", wrong_fixed, *rounding(1, digits=1e-5)),
    ], [
        Table(
            f"A batch of {EXAMPLES}, {CLASSES} classes, alpha = {ALPHA:g}",
            ["code", "of other classes in the input", "target that differs"],
            [list(result) for result in results],
            "Each draws its own weight.",
        )
    ]
