"""Input noise: a ridge penalty in disguise.

Adds noise to the inputs of a linear model and shows the identity that holds there: averaged over the noise, the squared
error is the plain one plus a penalty on the weights, and its best weights are those of ridge regression. Then adds
noise where it makes no sense: to token ids.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, mean_of_normal, proportion, rounding
from regdemo.measure import Wrong, fraction, gap, identity_in_eval, mean_square, normal, seeded
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

ACTS_ON = "inputs"
SAY = (
    "For a linear model with squared error, Gaussian noise on the inputs is, on average, exactly an L2 penalty, "
    r"$\sigma^2 |w|^2$; for a network near a good fit, small noise acts like a penalty on the gradient of the output "
    r"with respect to the input. Noise is added in training only, after inputs have been scaled, since one $\sigma$ "
    "is meant for all of them. Token ids are names, not amounts: noise goes on their embeddings."
)
WRONG_ANSWER = (
    "'For text, add small noise to the token ids.' `(ids.float() + 0.01 * randn).long()` cuts towards 0: almost "
    "half of GPT-2's tokens become the one before them in the vocabulary, and with round() none changes. Close "
    "second: leaving the noise on in eval."
)
CARDS = ("Q18.144", "Q18.145", "Q18.146", "Q18.147")

EXAMPLES, INPUTS = 40, 6
VOCABULARY, ID_NOISE = 50_257, 0.01  # GPT-2's, and the snippet's
WITHIN = 2 * NormalDist().cdf(1) - 1  # the probability that a normal draw lies within one deviation


def input_noise(
    *,
    std: Annotated[float, Parameter("Standard deviation of the noise.", 0.001, 10)] = 0.5,
    size: Annotated[int, count("Numbers drawn in each measurement.", 10, 1_000_000)] = 30_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure Gaussian input noise, its penalty on a linear model, and what it makes of token ids."""
    generator = seeded(seed)
    x = normal(generator, EXAMPLES, INPUTS)
    t = x @ torch.arange(1.0, INPUTS + 1, dtype=torch.float64) + torch.randn(EXAMPLES, generator=generator)
    noise = regularizers.input_noise(torch.zeros(size, dtype=torch.float64), std, generator=generator)
    w = normal(generator, INPUTS)
    ids = torch.randint(VOCABULARY, (size,), generator=generator)
    return Measurement(
        title=f"Input noise of standard deviation {std}",
        claims=[
            Claim("The mean of the noise is 0", 0, "E = 0", noise.mean().item(), *mean_of_normal(std, size)),
            Claim(
                "The fraction of the noise within one standard deviation",
                WITHIN,
                r"$2 \Phi(1) - 1$",
                fraction(noise.abs() <= std),
                *proportion(WITHIN, size),
            ),
            *_penalty_claims(x, t, w, std),
            identity_in_eval(regularizers.input_noise(x, std, training=False, generator=generator), x),
            *_id_claims(ids, generator),
        ],
        picture=[_weights_under_noise(x, t)],
        blocks=[
            Text(
                f"The model is linear, with {INPUTS} inputs and {EXAMPLES} examples. Noise of standard deviation "
                rf"{std} on the inputs adds on average $\sigma^2 |w|^2$ = {std**2:.4g} $|w|^2$ to the mean squared "
                r"error, or $N \sigma^2 |w|^2$ to the sum of squared errors of N examples: ridge regression."
            ),
            _ids_table(generator),
        ],
    )


def _penalty_claims(x: torch.Tensor, t: torch.Tensor, w: torch.Tensor, std: float) -> list[Claim]:
    """What the noise adds to the loss of a linear model w, and where it moves the best weights."""
    # Signs have the mean and the covariance of the noise, so that the mean over all of them is the expectation.
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * INPUTS)
    noisy = torch.stack([regularizers.input_noise(x, std, noise=sign) for sign in signs])
    ridge = _ridge(x, t, std).requires_grad_()
    (slope,) = torch.autograd.grad((t - noisy @ ridge).square().mean(), ridge)
    norm = w.square().sum().item()
    bound = rounding(1 + mean_square(t) + std**2 * (1 + norm))
    return [
        Claim(
            r"The loss averaged over the noise is the loss plus $\sigma^2 |w|^2$",
            mean_square(t - x @ w) + std**2 * norm,
            r"mean $(t - w x)^2 + \sigma^2 |w|^2$",
            mean_square(t - noisy @ w),
            *bound,
        ),
        Claim(
            "The best weights under the noise are those of ridge regression",
            0,
            r"slope at $(X^\top X + N \sigma^2 I)^{-1} X^\top t$",
            gap(slope),
            *bound,
        ),
    ]


def _ridge(x: torch.Tensor, t: torch.Tensor, std: float) -> torch.Tensor:
    penalty = len(x) * std**2 * torch.eye(x.shape[1], dtype=x.dtype)
    solution: torch.Tensor = torch.linalg.solve(x.T @ x + penalty, x.T @ t)
    return solution


def _id_claims(ids: torch.Tensor, generator: torch.Generator) -> list[Claim]:
    """How many token ids the snippet changes, and into which."""
    cut = _with_noise(ids, generator).long()
    changed, expected = cut != ids, _cut_below(ids)
    return [
        Claim(
            f"The fraction of token ids that `(ids + {ID_NOISE} * randn).long()` changes",
            expected,
            "mean P(n < -half a float32 step)",
            fraction(changed),
            *proportion(expected, len(ids)),
        ),
        Claim(
            "Each id that changes becomes the id before it",
            0,
            "ids that changed otherwise",
            float((cut[changed] != ids[changed] - 1).sum()),
            *EXACT,
        ),
    ]


def _with_noise(ids: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return ids.float() + ID_NOISE * torch.randn(len(ids), generator=generator)


def _cut_below(ids: torch.Tensor) -> float:
    """The fraction of ids that are cut down by one: noise must outdo half a float32 step there; 0 is cut to 0."""
    value = ids.float()
    step = (value - torch.nextafter(value, torch.tensor(-1.0))).double()
    falls = torch.special.ndtr(-step / 2 / ID_NOISE)
    return torch.where(ids > 0, falls, 0).mean().item()


def _weights_under_noise(x: torch.Tensor, t: torch.Tensor) -> Curves:
    at = [k / 5 for k in range(21)]
    weights = torch.stack([_ridge(x, t, std) for std in at])
    return Curves(
        title="The best weights of a linear model under noise on its inputs: three of the six",
        x_label="std of the noise",
        y_label="weight",
        series=[Series(f"w{i + 1}", at, weights[:, i].tolist()) for i in range(0, INPUTS, 2)],
        note="The weights are ridge regression's: the more noise, the smaller $|w|$. At 0 they are those of "
        "least squares.",
    )


def _ids_table(generator: torch.Generator) -> Table:
    """A few token ids under the snippet's noise."""
    ids = torch.tensor([0, 1, 262, 1212, 3797, 31_373, 50_256])
    moved = _with_noise(ids, generator)
    return Table(
        title=f"Noise of standard deviation {ID_NOISE} on token ids",
        columns=["id", "with noise", ".long()", "which is"],
        rows=[
            [f"{before}", f"{value:.3f}", f"{after}", "same" if before == after else "another token"]
            for before, value, after in zip(ids.tolist(), moved.tolist(), moved.long().tolist(), strict=True)
        ],
        note="An id above 0 that the noise moves down becomes the id before it, which need not be a related word.",
    )


NAME = "input_noise"
WRONG = [
    Wrong(
        "uniform noise of the same variance",
        NAME,
        lambda right, x, std, generator=None, training=True, noise=None: (
            right(x, std, training=training, noise=noise)
            if noise is not None or not training
            else x + std * 12**0.5 * (torch.rand(x.shape, generator=generator, dtype=x.dtype) - 0.5)
        ),
    ),
    Wrong("std taken for the variance", NAME, lambda right, x, std, **kw: right(x, std**0.5, **kw)),
    Wrong(
        "multiplied, not added",
        NAME,
        lambda right, x, std, noise=None, **kw: (
            x * (1 + (0 if noise is None else std * noise)) if noise is not None else right(x, std, **kw)
        ),
    ),
    Wrong("left on in eval", NAME, lambda right, x, std, training=True, **kw: right(x, std, **kw)),
    Wrong("noise of one sign", NAME, lambda right, x, std, **kw: x + (right(x, std, **kw) - x).abs()),
]
