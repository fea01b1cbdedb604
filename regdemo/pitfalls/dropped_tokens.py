"""Dropped tokens: spatial dropout on (B, T, C) drops tokens, not channels.

F.dropout1d drops whole channels of an input (N, C, L), the layout of convolutions: it takes dimension 1 for the
channels. A transformer's activations are (B, T, C), and nothing fails: whole tokens are dropped, and channels are not.
"""

import torch
import torch.nn.functional as F

from regdemo.bounds import EXACT, proportion
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Claim

BREAKS = "spatial_dropout"
CARDS = ("Q18.41", "Q18.42")
SAY = (
    "torch's spatial dropout takes dimension 1 of a batch for the channels. On (B, T, C) transpose before and after; "
    "otherwise it is token dropout: whole positions become 0."
)
WRONG_ANSWER = (
    "'dropout1d drops channels, it says so.' It drops slices along dimension 1 of a batch, whatever that dimension "
    "means to you."
)

P, SHAPE = 0.2, (100, 64, 32)


def broken(x, p, training):
    return F.dropout1d(x, p, training)


def fixed(x, p, training):
    return F.dropout1d(x.transpose(1, 2), p, training).transpose(1, 2)


def measure() -> tuple[list[Claim], list[Block]]:
    x = torch.ones(SHAPE)
    batch, tokens, channels = SHAPE

    def gone(y: torch.Tensor, dim: int) -> float:
        """The fraction of rows along dim that are 0 from end to end."""
        return (y == 0).all(dim).double().mean().item()

    wrong, right = broken(x, P, training=True), fixed(x, P, training=True)
    in_eval = fixed(x, P, training=False)
    return [
        Claim("The fraction of tokens that become 0", P, "$p$", gone(wrong, 2), *proportion(P, batch * tokens)),
        Claim("The fraction of channels that become 0", 0, "fraction", gone(wrong, 1), *EXACT),
        fixed_claim(
            "The fraction of channels that become 0", P, "$p$", gone(right, 1), *proportion(P, batch * channels)
        ),
        fixed_claim("The fraction of tokens that become 0", 0, "fraction", gone(right, 2), *EXACT),
        fixed_claim("The fraction of values that eval changes", 0, "0", (in_eval != x).double().mean().item(), *EXACT),
    ], []


WRONG = [
    Wrong("reshape instead of transpose", f"{__name__}.fixed", lambda right, x, p, training: _reshaped(x, p, training)),
    Wrong("element dropout", f"{__name__}.fixed", lambda right, x, p, training: F.dropout(x, p, training)),
    Wrong("drops in eval", f"{__name__}.fixed", lambda right, x, p, training: right(x, p, True)),
    Wrong(
        "dropout2d with a dimension added last",
        f"{__name__}.fixed",
        lambda right, x, p, training: F.dropout2d(x[..., None], p, training)[..., 0],
    ),
]


def _reshaped(x, p, training):
    batch, tokens, channels = x.shape
    return F.dropout1d(x.reshape(batch, channels, tokens), p, training).reshape(x.shape)
