"""Padded length: NEFTune's noise scaled by the length of the longest text.

NEFTune draws noise of alpha/sqrt(L d) for a text of L tokens, so that its norm over the text is the same for all. In a
batch, the snippet takes L from the shape, which is the padded length: a short text beside a long one gets a share
sqrt(L/T) of the noise that was asked for, and it depends on the batch it is in.
"""

from math import sqrt

import torch

from regdemo.bounds import EXACT, mean_of_bounded
from regdemo.measure import fixed_claim
from regdemo.report import Block, Claim, Table

BREAKS = "embedding_noise"
CARDS = ("Q18.136", "Q18.134", "Q18.135")
SAY = (
    "Scale NEFTune's noise by each text's own length, from the attention mask. The shape of the batch gives the "
    "padded length, and short texts then train with almost no noise. Packed batches need the same care (transformers, "
    "issue 34659)."
)
WRONG_ANSWER = "'x.shape[1] is the length.' Of the batch; the formula means the text's."

ALPHA, LENGTHS, PADDED, WIDTH = 5.0, (16, 64, 256), 256, 256


def broken(x, mask, alpha):
    scale = alpha / (x.shape[1] * x.shape[2]) ** 0.5
    noise = 2 * torch.rand_like(x) - 1
    return x + scale * noise * mask[..., None]


def fixed(x, mask, alpha):
    length = mask.sum(1)[:, None, None]
    scale = alpha / (length * x.shape[2]) ** 0.5
    noise = 2 * torch.rand_like(x) - 1
    return x + scale * noise * mask[..., None]


def measure() -> tuple[list[Claim], list[Block]]:
    x = torch.zeros(len(LENGTHS), PADDED, WIDTH)
    mask = torch.arange(PADDED) < torch.tensor(LENGTHS)[:, None]
    # The mean square of a text's noise norm, alpha^2/3 if it is scaled by the text's own length.
    squares = {snippet: snippet(x, mask, ALPHA).double().square().sum((1, 2)).tolist() for snippet in (broken, fixed)}
    meant, claims = ALPHA**2 / 3, []
    for length, wrong, right in zip(LENGTHS, squares[broken], squares[fixed], strict=True):
        # u^2 for u uniform on (-1, 1): mean 1/3, variance 4/45, at most 2/3 from its mean.
        tolerance, reason = mean_of_bounded(4 / 45, 2 / 3, length * WIDTH)
        share = length / PADDED
        claims += [
            Claim(
                f"{length} tokens of {PADDED}: the squared norm of the noise",
                meant * share,
                "alpha^2/3 L/T",
                wrong,
                ALPHA**2 * share * tolerance,
                reason,
            ),
            fixed_claim(f"Of {length} tokens", meant, "alpha^2/3", right, ALPHA**2 * tolerance, reason),
        ]
    padding = fixed(x, mask, ALPHA)[~mask].abs().max().item()
    claims.append(Claim("Neither puts noise on the padding", 0, "largest", padding, *EXACT))
    return claims, [
        Table(
            f"Norm of the noise over a text, alpha = {ALPHA:g}, meant {sqrt(meant):.3g}",
            ["tokens", "broken", "fixed"],
            [
                [length, sqrt(wrong), sqrt(right)]
                for length, wrong, right in zip(LENGTHS, squares[broken], squares[fixed], strict=True)
            ],
        )
    ]
