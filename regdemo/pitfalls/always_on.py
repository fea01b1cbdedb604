"""Always on: F.dropout without `training` drops in eval too.

`nn.Dropout` is switched by train() and eval(). The function `F.dropout` has no module to ask: its argument `training`
is True by default, whatever mode the model is in. So predictions are random, and the validation loss is that of a model
with dropout on.
"""

import torch
import torch.nn.functional as F
from torch import nn

from regdemo.bounds import EXACT, proportion
from regdemo.measure import Wrong, fixed_claim
from regdemo.pitfalls._modules import FromFunction
from regdemo.report import Block, Claim

BREAKS = "dropout"
CARDS = ("Q18.320", "Q18.321", "Q18.1", "Q18.5")
SAY = (
    "In forward, write F.dropout(x, p, training=self.training), or use nn.Dropout. If two passes in eval "
    "differ, suspect a dropout that is still on."
)
WRONG_ANSWER = "'model.eval() turns dropout off.' It sets a flag on modules; a function must be handed that flag."

P, SHAPE = 0.5, (100, 1_000)


class broken(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, x):
        return F.dropout(x, self.p)


class fixed(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, x):
        return F.dropout(x, self.p, training=self.training)


def measure() -> tuple[list[Claim], list[Block]]:
    x = torch.ones(SHAPE)
    wrong, right = broken(P).eval(), fixed(P).eval()

    def dropped(module: nn.Module) -> float:
        return (module(x) == 0).double().mean().item()

    return [
        Claim("The fraction dropped in eval", P, "$p$", dropped(wrong), *proportion(P, x.numel())),
        Claim(
            "The fraction that differs between two passes in eval",
            2 * P * (1 - P),
            "$2 p (1-p)$",
            (wrong(x) != wrong(x)).double().mean().item(),
            *proportion(2 * P * (1 - P), x.numel()),
        ),
        fixed_claim("The fraction dropped in eval", 0, "fraction", dropped(right), *EXACT),
        fixed_claim("The fraction dropped in training", P, "$p$", dropped(right.train()), *proportion(P, x.numel())),
    ], []


WRONG = [
    Wrong(
        "switched by whether gradients are on",
        f"{__name__}.fixed",
        lambda right, p: FromFunction(lambda self, x: F.dropout(x, p, training=torch.is_grad_enabled())),
    ),
    Wrong(
        "torch.no_grad() around the call",
        f"{__name__}.fixed",
        lambda right, p: FromFunction(torch.no_grad()(lambda self, x: F.dropout(x, p))),
    ),
    Wrong(
        "training=False",
        f"{__name__}.fixed",
        lambda right, p: FromFunction(lambda self, x: F.dropout(x, p, training=False)),
    ),
]
