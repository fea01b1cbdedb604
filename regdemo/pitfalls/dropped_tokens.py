"""Dropped tokens: spatial dropout on (B, T, C) drops tokens, not channels.

F.dropout1d drops whole rows of its last dimension: it takes (N, C, L), the layout of convolutions. A transformer's
activations are (B, T, C), and nothing fails: whole tokens go, and no channel does.
"""

import torch
import torch.nn.functional as F

from regdemo.bounds import EXACT, proportion
from regdemo.measure import fixed_claim
from regdemo.report import Block, Claim

BREAKS = "spatial_dropout"
CARDS = ("Q18.41", "Q18.42")
SAY = (
    "torch's spatial dropout takes channels second. On (B, T, C) transpose before and after, or it is token dropout: "
    "whole positions vanish."
)
WRONG_ANSWER = "'dropout1d drops channels, it says so.' It drops dimension 1, whatever that is."

P, SHAPE = 0.2, (100, 64, 64)


def broken(x, p):
    return F.dropout1d(x, p)


def fixed(x, p):
    return F.dropout1d(x.transpose(1, 2), p).transpose(1, 2)


def measure() -> tuple[list[Claim], list[Block]]:
    x = torch.ones(SHAPE)
    batch, tokens, channels = SHAPE

    def gone(y: torch.Tensor, dim: int) -> float:
        """The share of rows along dim that are zero from end to end."""
        return (y == 0).all(dim).double().mean().item()

    wrong, right = broken(x, P), fixed(x, P)
    return [
        Claim("The share of tokens that vanish", P, "p", gone(wrong, 2), *proportion(P, batch * tokens)),
        Claim("The share of channels that vanish", 0, "share", gone(wrong, 1), *EXACT),
        fixed_claim("The share of channels that vanish", P, "p", gone(right, 1), *proportion(P, batch * channels)),
        fixed_claim("The share of tokens that vanish", 0, "share", gone(right, 2), *EXACT),
    ], []
