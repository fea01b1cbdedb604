"""Attention in eval: scaled_dot_product_attention knows no eval mode.

The function takes `dropout_p` and applies it whenever it is above 0. Handed self.p straight, the attention of a model
in eval goes on dropping, and no list of its modules shows a dropout. It has been met in well-kept code too (PyTorch's
issue 124464, timm's pull request 1978).
"""

import torch
import torch.nn.functional as F
from torch import nn

from regdemo.bounds import EXACT, proportion
from regdemo.measure import fixed_claim
from regdemo.report import Block, Claim

BREAKS = "attention_dropout"
CARDS = ("Q18.13", "Q18.10")
SAY = (
    "F.scaled_dot_product_attention drops whenever dropout_p > 0: pass self.p if self.training else 0.0. The check is "
    "two passes in eval that must agree."
)
WRONG_ANSWER = "'model.eval() has switched it off.' There is no module to switch: the rate is a number in a call."

P, SHAPE = 0.1, (40, 4, 32, 32)


class broken(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, query, key, value):
        p = self.p
        return F.scaled_dot_product_attention(query, key, value, dropout_p=p)


class fixed(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, query, key, value):
        p = self.p if self.training else 0.0
        return F.scaled_dot_product_attention(query, key, value, dropout_p=p)


def measure() -> tuple[list[Claim], list[Block]]:
    query = key = torch.zeros(SHAPE)
    value = torch.eye(SHAPE[-1]).expand(SHAPE)  # so that the output is the matrix of attention weights itself

    def dropped(module: nn.Module) -> float:
        return (module(query, key, value) == 0).double().mean().item()

    wrong, right = broken(P).eval(), fixed(P).eval()
    return [
        Claim("The share of attention weights dropped in eval", P, "p", dropped(wrong), *proportion(P, query.numel())),
        Claim(
            "Modules with a rate that eval() switches off",
            0,
            "nn.Dropout in it",
            sum(isinstance(module, nn.Dropout) for module in wrong.modules()),
            *EXACT,
        ),
        fixed_claim("None is dropped in eval", 0, "share", dropped(right), *EXACT),
        fixed_claim("In training they are", P, "p", dropped(right.train()), *proportion(P, query.numel())),
    ], []
