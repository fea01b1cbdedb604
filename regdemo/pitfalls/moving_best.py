"""Moving best: a "best" state_dict that goes on training.

The tensors in `model.state_dict()` share memory with the parameters. If they are kept as the best ones, they change
with every further step of the optimizer, which works in place, and what is restored at the end is the last model.
Nothing fails, but the best model is lost.
"""

import copy

import torch
from torch import nn

from regdemo.bounds import EXACT
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Claim, Curves, Series

BREAKS = "early_stopping"
CARDS = ("Q18.213", "Q18.211", "Q18.210")
SAY = (
    "Keep copy.deepcopy(model.state_dict()), or save it to a file: a state_dict refers to the live tensors. To "
    "test, compare the restored model's validation loss with the best one seen."
)
WRONG_ANSWER = "'best = model.state_dict() saves the model.' It holds references to the live tensors, not their values."

STEPS, SIZE = 40, 20


def broken(model, train, validate, steps):
    best_loss = float("inf")
    for _ in range(steps):
        train(model)
        loss = validate(model)
        if loss < best_loss:
            best_loss, best = loss, model.state_dict()
    model.load_state_dict(best)


def fixed(model, train, validate, steps):
    best_loss = float("inf")
    for _ in range(steps):
        train(model)
        loss = validate(model)
        if loss < best_loss:
            best_loss, best = loss, copy.deepcopy(model.state_dict())
    model.load_state_dict(best)


def measure() -> tuple[list[Claim], list[Block]]:
    target = torch.randn(SIZE)
    direction = target + torch.randn(SIZE)  # training goes by the target, and past it

    def run(snippet) -> tuple[list[float], float]:
        model, losses = nn.Linear(SIZE, 1, bias=False), []
        with torch.no_grad():
            model.weight.zero_()

        def train(model: nn.Linear) -> None:
            with torch.no_grad():
                model.weight += direction / 20

        def validate(model: nn.Linear) -> float:
            return (model.weight.detach() - target).square().mean().item()

        def watch(model: nn.Linear) -> float:
            losses.append(validate(model))
            return losses[-1]

        snippet(model, train, watch, STEPS)
        return losses, validate(model)

    losses, restored = run(broken)
    losses_fixed, restored_fixed = run(fixed)
    steps = [float(step) for step in range(1, STEPS + 1)]
    return [
        Claim("Loss of the restored model, the same as in the last step", losses[-1], "last", restored, *EXACT),
        fixed_claim(
            "Loss of the restored model, the best of the run", min(losses_fixed), "best", restored_fixed, *EXACT
        ),
    ], [
        Curves(
            "Validation loss, and what is restored at the end",
            "step",
            "loss",
            [
                Series("validation", steps, losses),
                Series("restored by broken", steps, [restored] * STEPS),
                Series("restored by fixed", steps, [restored_fixed] * STEPS),
            ],
        )
    ]


WRONG = [
    Wrong("dict(model.state_dict())", f"{__name__}.fixed", lambda right, *a: _keeping(dict, *a)),
    Wrong("copy.copy", f"{__name__}.fixed", lambda right, *a: _keeping(copy.copy, *a)),
    Wrong(
        ".detach() on each tensor",
        f"{__name__}.fixed",
        lambda right, *a: _keeping(lambda s: {k: v.detach() for k, v in s.items()}, *a),
    ),
    Wrong(
        ".cpu() on a model on the CPU",
        f"{__name__}.fixed",
        lambda right, *a: _keeping(lambda s: {k: v.cpu() for k, v in s.items()}, *a),
    ),
]


def _keeping(copied, model, train, validate, steps):
    best_loss = float("inf")
    for _ in range(steps):
        train(model)
        loss = validate(model)
        if loss < best_loss:
            best_loss, best = loss, copied(model.state_dict())
    model.load_state_dict(best)
