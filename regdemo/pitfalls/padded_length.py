r"""Padded length: NEFTune's noise scaled by the length of the longest text.

NEFTune scales noise uniform on $(-1, 1)$ by $\alpha/\sqrt{L d}$ for a text of $L$ tokens of width $d$, so that the
expected squared norm of the noise over the text is $\alpha^2/3$ whatever its length. The snippet takes $L$ from
the shape of the batch, which gives the padded length $T$: the noise of a text is $\sqrt{L/T}$ times what was asked for,
and depends on its batch.
"""

from math import sqrt

import torch

from regdemo.bounds import EXACT, mean_of_bounded
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Claim, Table

BREAKS = "embedding_noise"
CARDS = ("Q18.136", "Q18.134", "Q18.135")
SAY = (
    "Take L in NEFTune's $\\alpha/\\sqrt{L d}$ from the attention mask: L is each text's own length. The shape of the "
    "batch gives the padded length T; with that, a text of L tokens gets $\\sqrt{L/T}$ times the intended noise. "
    "Packed batches need the same care (transformers, issue 34659)."
)
WRONG_ANSWER = "'x.shape[1] is the length.' It is the batch's padded length; the formula has the text's own length."

ALPHA, LENGTHS, PADDED, WIDTH = 5.0, (16, 64, 256), 256, 256


def broken(x, mask, alpha):
    scale = alpha / (x.shape[1] * x.shape[2]) ** 0.5
    noise = 2 * torch.rand_like(x) - 1
    return x + scale * noise * mask[..., None]


def fixed(x, mask, alpha):
    length = mask.sum(1).clamp(min=1)[:, None, None]
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
        fraction = length / PADDED
        claims += [
            Claim(
                f"The squared norm of the noise on {length} tokens, padded to {PADDED}, at alpha = {ALPHA:g}",
                meant * fraction,
                r"$\alpha^2/3 \cdot L/T$",
                wrong,
                ALPHA**2 * fraction * tolerance,
                reason,
            ),
            fixed_claim(
                f"The squared norm of the noise on {length} tokens, padded to {PADDED}, at alpha = {ALPHA:g}",
                meant,
                r"$\alpha^2/3$",
                right,
                ALPHA**2 * tolerance,
                reason,
            ),
        ]
    padding = fixed(x, mask, ALPHA)[~mask].abs().max().item()
    claims.append(fixed_claim("The padding gets no noise", 0, "largest", padding, *EXACT))
    return claims, [
        Table(
            f"Norm of the noise over a text padded to {PADDED}, alpha = {ALPHA:g}, intended {sqrt(meant):.3g}",
            ["tokens", "broken", "fixed"],
            [
                [length, sqrt(wrong), sqrt(right)]
                for length, wrong, right in zip(LENGTHS, squares[broken], squares[fixed], strict=True)
            ],
        )
    ]


WRONG = [
    Wrong(
        "the mean length of the batch",
        f"{__name__}.fixed",
        lambda right, x, mask, alpha: _noisy(x, mask, alpha, mask.sum() / len(x)),
    ),
    Wrong(
        "all tokens of the batch", f"{__name__}.fixed", lambda right, x, mask, alpha: _noisy(x, mask, alpha, mask.sum())
    ),
    Wrong("no length at all", f"{__name__}.fixed", lambda right, x, mask, alpha: _noisy(x, mask, alpha, 1)),
    Wrong(
        "the noise also on the padding",
        f"{__name__}.fixed",
        lambda right, x, mask, alpha: right(x, mask, alpha) + 0.01 * ~mask[..., None],
    ),
]


def _noisy(x, mask, alpha, length):
    return x + alpha / (length * x.shape[2]) ** 0.5 * (2 * torch.rand_like(x) - 1) * mask[..., None]
