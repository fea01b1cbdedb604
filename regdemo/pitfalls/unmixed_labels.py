r"""Unmixed labels: mixup that mixes only the inputs.

Mixup trains on $w x_i + (1-w) x_j$ with the loss $w\,CE(y_i) + (1-w)\,CE(y_j)$. The snippet mixes the inputs and keeps
$y_i$. The gradient of cross entropy at the logits is softmax minus target, so the target can be read off the gradient
and compared with the fractions of the classes in the mixed input.
"""

import torch
import torch.nn.functional as F

from regdemo.bounds import rounding
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Claim, Table

BREAKS = "mixup"
CARDS = ("Q18.123", "Q18.120")
SAY = (
    "Mixup mixes inputs and labels with the same weight. With the labels unmixed, the target is wrong by "
    "the weight of the other input wherever that input has another label."
)
WRONG_ANSWER = (
    "'The labels are hard, so they cannot be mixed.' Mix the losses instead: `w * CE(y) + (1-w) * CE(y[order])`."
)

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
    x = F.one_hot(y, CLASSES).float()  # an input is its class, so a mixture of inputs shows the fraction of each
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
            "The fraction of a target that is on the wrong class",
            foreign,
            "fraction of other classes in the input",
            wrong,
            *rounding(1, digits=1e-5),
        ),
        fixed_claim(
            "The fraction of a target that differs from its mixed input",
            0,
            "fraction that differs",
            wrong_fixed,
            *rounding(1, digits=1e-5),
        ),
    ], [
        Table(
            f"Fractions in a batch of {EXAMPLES}, {CLASSES} classes, alpha = {ALPHA:g}",
            ["code", "other classes in the input", "wrong classes in the target"],
            [list(result) for result in results],
            "Each snippet draws its own weight.",
        )
    ]


WRONG = [
    Wrong("labels mixed half and half", f"{__name__}.fixed", lambda right, *a: _mixed(lambda w: 0.5, None, *a)),
    Wrong(
        "labels mixed with another draw of the weight",
        f"{__name__}.fixed",
        lambda right, *a: _mixed(lambda w: torch.rand(()), None, *a),
    ),
    Wrong(
        "labels of another order",
        f"{__name__}.fixed",
        lambda right, *a: _mixed(lambda w: w, torch.randperm(EXAMPLES), *a),
    ),
]


def _mixed(label_weight, label_order, model, x, y, alpha):
    weight, order = torch.distributions.Beta(alpha, alpha).sample(), torch.randperm(len(x))
    logits = model(weight * x + (1 - weight) * x[order])
    other, own = y[order if label_order is None else label_order], label_weight(weight)
    return own * F.cross_entropy(logits, y) + (1 - own) * F.cross_entropy(logits, other)
