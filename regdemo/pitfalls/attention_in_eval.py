"""Attention in eval: scaled_dot_product_attention knows no eval mode.

The function applies dropout whenever `dropout_p` is above 0. If a module passes self.p in both modes, its attention
weights are dropped in eval as well, and printing the module shows no dropout layer. PyTorch's issue 124464 reports the
surprise; timm's pull request 1978 fixes the same fault in timm's models, where the rate is 0 unless it is set.
"""

import torch
import torch.nn.functional as F
from torch import nn

from regdemo.bounds import EXACT, proportion
from regdemo.measure import Wrong, fixed_claim
from regdemo.pitfalls._modules import FromFunction
from regdemo.report import Block, Claim

BREAKS = "attention_dropout"
CARDS = ("Q18.13", "Q18.10")
SAY = (
    "F.scaled_dot_product_attention drops weights whenever dropout_p > 0: pass self.p if self.training else 0.0. To "
    "check, compare two passes in eval."
)
WRONG_ANSWER = (
    "'model.eval() has switched it off.' It sets a flag on modules; here the rate is an argument of a function."
)

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
        Claim(
            "The fraction of attention weights dropped in eval", P, "$p$", dropped(wrong), *proportion(P, query.numel())
        ),
        Claim(
            "The number of nn.Dropout modules, which eval() would switch off",
            0,
            "none = 0",
            sum(isinstance(module, nn.Dropout) for module in wrong.modules()),
            *EXACT,
        ),
        fixed_claim("The fraction of attention weights dropped in eval", 0, "fraction", dropped(right), *EXACT),
        fixed_claim(
            "The fraction dropped in training", P, "$p$", dropped(right.train()), *proportion(P, query.numel())
        ),
    ], []


WRONG = [
    Wrong(
        "torch.no_grad() around the call",
        f"{__name__}.fixed",
        lambda right, p: FromFunction(
            torch.no_grad()(lambda self, q, k, v: F.scaled_dot_product_attention(q, k, v, dropout_p=p))
        ),
    ),
    Wrong(
        "the rate 1-p in eval",
        f"{__name__}.fixed",
        lambda right, p: FromFunction(
            lambda self, q, k, v: F.scaled_dot_product_attention(q, k, v, dropout_p=p if self.training else 1 - p)
        ),
    ),
    Wrong(
        "a dropout on the output that eval() does switch off",
        f"{__name__}.fixed",
        lambda right, p: FromFunction(
            lambda self, q, k, v: F.dropout(F.scaled_dot_product_attention(q, k, v, dropout_p=p), p, self.training)
        ),
    ),
]
