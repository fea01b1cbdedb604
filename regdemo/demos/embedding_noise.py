"""Embedding noise: NEFTune's uniform noise on embedded tokens.

Measures the size of the noise, number by number and for a sequence as a whole, where it does not depend on length. Then
shows what padding does to the noise when the padded length is taken for the length.
"""

from __future__ import annotations

from typing import Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, mean_of_bounded, rounding
from regdemo.measure import Wrong, gap, identity_in_eval, normal, seeded
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Cell, Claim, HeatMap, Measurement, Table, Text

ACTS_ON = "inputs"
SAY = (
    r"In fine-tuning NEFTune adds draws from Uniform(-1, 1), scaled by $\alpha/\sqrt{L d}$ for $L$ tokens of width "
    r"$d$, to the token embeddings, so that the root mean square norm of a sequence's noise is $\alpha/\sqrt 3$ "
    "whatever its length; in eval no noise is added. It is data augmentation in embedding space. The paper reports "
    "large gains on AlpacaEval, where a model judges the answers; check it on your own task."
)
WRONG_ANSWER = (
    r"'alpha is the standard deviation of the noise.' $\alpha/\sqrt 3$ is the root mean square norm for the whole "
    r"sequence; one number's deviation is $\alpha/\sqrt{3 L d}$. And $L$ is the sequence's own length: code that "
    "reads it off the shape of the batch takes the padded or packed length, so what else is in the batch changes "
    "the noise."
)
CARDS = ("Q18.134", "Q18.135", "Q18.136", "Q18.137")

SEQUENCES = 50
LENGTHS = (8, 64, 512)
FIXED = 0.05  # the size of the noise that takes no account of length


def embedding_noise(
    *,
    alpha: Annotated[float, Parameter("Size of the noise.", 0, 100)] = 5.0,
    tokens: Annotated[int, count("Tokens of a sequence, L.", 2, 512)] = 32,
    width: Annotated[int, count("Width of an embedding, d.", 1, 256)] = 64,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure NEFTune's noise of size alpha on sequences of embedded tokens."""
    generator = seeded(seed)
    x = normal(generator, SEQUENCES, tokens, width)
    noise = regularizers.embedding_noise(x, alpha, generator=generator) - x
    largest = (alpha**2 / (tokens * width)) ** 0.5
    shown = noise[0, :8, :24]
    return Measurement(
        title=f"Embedding noise of size alpha = {alpha}",
        claims=[
            *_noise_claims(alpha, noise),
            *_padding_claims(alpha, x, generator),
            identity_in_eval(regularizers.embedding_noise(x, alpha, training=False, generator=generator), x),
        ],
        picture=[
            HeatMap(
                title=f"The noise on a sequence, tokens x numbers: {shown.shape[0]} x {shown.shape[1]} are shown",
                values=shown.tolist(),
                low=-largest,
                high=largest,
                row_label="token",
                column_label="number",
                note="Each number has an independent draw.",
            ),
        ],
        blocks=[
            Text(
                rf"In training NEFTune adds a draw from Uniform(-1, 1), times $\alpha/\sqrt{{L d}}$ = {largest:.4g}, "
                f"to each of the L d = {tokens * width:,} numbers of an embedded sequence. A longer sequence gets "
                "less noise for each token, and noise of the same root mean square norm in all."
            ),
            Table(
                title=f"The norm of a sequence's noise, d = {width}",
                columns=["L", r"$\alpha/\sqrt{L d}$", "norm", r"$\alpha/\sqrt 3$", f"norm at ±{FIXED} per number"],
                rows=[_norms(length, width, alpha, generator) for length in LENGTHS],
                note=f"Last column: each number's noise is uniform from -{FIXED} to {FIXED}, and the norm grows with "
                "the root of the length.",
            ),
        ],
    )


def _noise_claims(alpha: float, noise: torch.Tensor) -> list[Claim]:
    """The noise on sequences without padding: the largest number, the mean and the norm."""
    square = alpha**2 / noise[0].numel()
    largest, n = square**0.5, noise.numel()
    return [
        Claim(
            r"No number of the noise is beyond $\pm\alpha/\sqrt{L d}$",
            0,
            "largest excess",
            max(0.0, gap(noise) - largest),
            *rounding(1 + alpha),
        ),
        Claim(
            "The mean of the noise is 0", 0, "E[u] = 0", noise.mean().item(), *mean_of_bounded(square / 3, largest, n)
        ),
        _norm_claim("The mean squared norm of a sequence's noise", alpha, noise, n),
    ]


def _norm_claim(statement: str, alpha: float, noise: torch.Tensor, numbers: int) -> Claim:
    # u^2 of a uniform u has mean 1/3 and variance 4/45, and lies no further than 2/3 from its mean.
    bound = mean_of_bounded(alpha**4 * 4 / 45, alpha**2 * 2 / 3, numbers)
    return Claim(statement, alpha**2 / 3, r"$\alpha^2 / 3$", _mean_squared_norm(noise), *bound)


def _mean_squared_norm(noise: torch.Tensor) -> float:
    return noise.square().sum((-2, -1)).mean().item()


def _padding_claims(alpha: float, x: torch.Tensor, generator: torch.Generator) -> list[Claim]:
    """The noise on sequences whose second half is padding, with a mask that says so and without it."""
    tokens = x.shape[1]
    n, part = tokens // 2, tokens // 2 / tokens
    real = torch.arange(tokens) < n
    masked = regularizers.embedding_noise(x, alpha, generator=generator, mask=real) - x
    blind = (regularizers.embedding_noise(x, alpha, generator=generator) - x)[:, real]
    return [
        _norm_claim(
            "With a mask of the real tokens, padding leaves the mean squared norm of their noise as it is",
            alpha,
            masked,
            blind.numel(),
        ),
        Claim("With the mask, padding stays as it is", 0, "largest", gap(masked[:, ~real]), *EXACT),
        Claim(
            "Without the mask the real tokens get only a part of the squared norm, padding the rest",
            alpha**2 / 3 * part,
            rf"$\alpha^2 / 3 \cdot {n}/{tokens}$",
            _mean_squared_norm(blind),
            *mean_of_bounded((alpha**2 * part) ** 2 * 4 / 45, alpha**2 * part * 2 / 3, blind.numel()),
        ),
    ]


def _norms(length: int, width: int, alpha: float, generator: torch.Generator) -> list[Cell]:
    """The noise's norm at one length, and that of noise of a fixed size."""
    zeros = torch.zeros(length, width)
    fixed = FIXED * (2 * torch.rand(length, width, generator=generator) - 1)
    norm = regularizers.embedding_noise(zeros, alpha, generator=generator).norm().item()
    return [length, alpha / (length * width) ** 0.5, norm, alpha / 3**0.5, fixed.norm().item()]


NAME = "embedding_noise"
WRONG = [
    Wrong(
        "Gaussian, of the same variance",
        NAME,
        lambda right, x, alpha, training=True, generator=None, mask=None: (
            x
            + (right(x, alpha, mask=mask, generator=generator) - x).abs().amax()
            * torch.randn(x.shape, generator=generator, dtype=x.dtype)
            / 3**0.5
            if training
            else x
        ),
    ),
    Wrong(
        "scaled by the padded length",
        NAME,
        lambda right, x, alpha, mask=None, **kw: (
            right(x, alpha, **kw) if mask is None else torch.where(mask[:, None], right(x, alpha, **kw), x)
        ),
    ),
    Wrong("alpha / sqrt(L)", NAME, lambda right, x, alpha, **kw: right(x, alpha * x.shape[-1] ** 0.5, **kw)),
    Wrong("left on in eval", NAME, lambda right, x, alpha, training=True, **kw: right(x, alpha, **kw)),
    Wrong("noise from 0 to 1", NAME, lambda right, x, alpha, **kw: x + (right(x, alpha, **kw) - x).abs()),
]
