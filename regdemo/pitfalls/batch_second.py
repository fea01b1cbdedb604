"""Batch second: examples that attend to each other.

`nn.TransformerEncoderLayer` takes (T, B, D) unless it is built with batch_first=True. Fed (B, T, D), it takes the batch
for the sequence: each position attends to the same position of every example in the batch, and to no other position of
its own text. The shapes fit, nothing fails, and a prediction depends on the other examples in the batch.
"""

import torch
from torch import nn

from regdemo.bounds import EXACT
from regdemo.measure import Wrong, fixed_claim
from regdemo.pitfalls._modules import FromFunction
from regdemo.report import Block, Claim

BREAKS = "dropout_sites"
CARDS = ("Q18.323", "Q18.61", "Q18.60")
SAY = (
    "torch's transformer layers take (T, B, D) by default: for (B, T, D) pass batch_first=True. To test, change "
    "example 1 in eval: the output for example 0 must not change."
)
WRONG_ANSWER = "'The output has the right shape, so the input had it too.' The layer accepts either layout."

BATCH, LENGTH, WIDTH = 4, 6, 16


def broken(dim, heads):
    return nn.TransformerEncoderLayer(dim, heads, 4 * dim)


def fixed(dim, heads):
    return nn.TransformerEncoderLayer(dim, heads, 4 * dim, batch_first=True)


def measure() -> tuple[list[Claim], list[Block]]:
    x = torch.randn(BATCH, LENGTH, WIDTH)
    other_example, other_token = x.clone(), x.clone()
    other_example[1] += torch.randn(LENGTH, WIDTH)
    other_token[0, 0] += torch.randn(WIDTH)

    def moved(snippet, changed: torch.Tensor) -> int:
        """How many positions of example 0, the first left out, a change alters."""
        model = snippet(WIDTH, 2).eval()
        difference = (model(changed) - model(x))[0, 1:].abs().amax(-1)
        return int((difference > 1e-6).sum())

    others = LENGTH - 1
    return [
        Claim(
            f"Positions of example 0 that change with example 1, of {others}",
            others,
            f"all = {others}",
            moved(broken, other_example),
            *EXACT,
        ),
        Claim(
            "Positions that change with another token of their own text",
            0,
            "none = 0",
            moved(broken, other_token),
            *EXACT,
        ),
        fixed_claim("Positions that change with example 1", 0, "none = 0", moved(fixed, other_example), *EXACT),
        fixed_claim(
            "Positions that change with another token of their own text",
            others,
            f"all = {others}",
            moved(fixed, other_token),
            *EXACT,
        ),
    ], []


WRONG = [
    Wrong(
        "reshape to (T, B, D) instead of transpose",
        f"{__name__}.fixed",
        lambda right, dim, heads: _reshaped(broken(dim, heads)),
    ),
    Wrong(
        "norm_first=True",
        f"{__name__}.fixed",
        lambda right, dim, heads: nn.TransformerEncoderLayer(dim, heads, 4 * dim, norm_first=True),
    ),
    Wrong(
        "heads=1",
        f"{__name__}.fixed",
        lambda right, dim, heads: broken(dim, 1),
    ),
]


def _reshaped(layer: nn.Module) -> nn.Module:
    layer.eval()
    return FromFunction(lambda self, x: layer(x.reshape(x.shape[1], x.shape[0], -1)).reshape(x.shape))
