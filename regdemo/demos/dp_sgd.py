"""DP-SGD: clip each example's gradient, add noise.

Computes every example's own gradient, clips it, sums, and adds noise. Checks that against a loop over examples,
measures how far one outlier moves the update and how much noise covers it, and what clipping the batch's gradient
leaves uncovered. With the extra `privacy`, an accountant says what a whole training spends: epsilon at a delta.
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, mean_of_normal, rounding
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Block, Claim, Measurement, Table, Text

if TYPE_CHECKING:
    from torch import Generator, Tensor

ACTS_ON = "gradients"
SAY = (
    "DP-SGD clips the gradient of each example to C, sums, adds Gaussian noise of deviation sigma C, and divides by "
    "the expected batch size. Clipping bounds what one example can do, the noise covers it, and an accountant adds up "
    "epsilon over the steps. It costs accuracy, and gradients for each example."
)
WRONG_ANSWER = (
    "'clip_grad_norm_ on the batch's gradient, then add noise.' The mean was taken before the clip, so one outlier "
    "still turns the whole update. Close second: noise of deviation sigma, without C, which is no multiple of what "
    "has to be hidden."
)
CARDS = (
    "Q18.190",
    "Q18.191",
    "Q18.192",
    "Q18.193",
    "Q18.437",
)

INPUTS = 5
OUTLIER = 1e4  # what the last example's inputs are multiplied by
NOISY = 30_000  # weights whose noise is measured


def dp_sgd(
    *,
    max_norm: Annotated[float, Parameter("The norm that each example's gradient is clipped to.", 0.01, 10)] = 1.0,
    noise_multiplier: Annotated[float, Parameter("Noise, in units of max_norm.", 0, 10)] = 1.0,
    batch: Annotated[int, count("Examples in the batch, as expected.", 2, 512)] = 64,
    examples: Annotated[int, count("Examples to sample the batches from.", 1_000, 10**9)] = 60_000,
    steps: Annotated[int, count("Steps of the training.", 1, 1_000_000)] = 10_000,
    delta: Annotated[float, Parameter("The chance that the guarantee fails.", 1e-12, 0.1)] = 1e-5,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure DP-SGD's gradient on a linear regression with one outlier in the batch."""

    generator = torch.Generator().manual_seed(seed)
    claims, blocks = _influence(max_norm, batch, generator)
    noise_claims, noise_blocks = _noise(max_norm, noise_multiplier, batch, generator)
    budget_claims, budget_blocks = _budget(noise_multiplier, batch / examples, steps, delta)
    return Measurement(
        title=f"DP-SGD at max_norm = {max_norm:g}, noise {noise_multiplier:g}",
        claims=[*claims, *noise_claims, *budget_claims],
        blocks=[
            Text(
                f"Each example's gradient is clipped to a norm of {max_norm:g}, so no one of {batch} examples moves "
                f"the mean by more than {max_norm / batch:.4g}. Noise of deviation {noise_multiplier:g} times that "
                "hides who was in the batch. What it hides over a whole training is for a privacy accountant to say."
            ),
            *blocks,
            *noise_blocks,
            *budget_blocks,
        ],
    )


def _loss(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
    """The squared error of one example."""
    error: Tensor = x @ parameters["weight"] + parameters["bias"] - y
    return error.square()


def _influence(max_norm: float, batch: int, generator: Generator) -> tuple[list[Claim], list[Block]]:
    """How far the last example, an outlier, moves the gradient: clipped for each example, and for the batch."""

    parameters = {
        "weight": torch.randn(INPUTS, generator=generator, dtype=torch.float64),
        "bias": torch.zeros((), dtype=torch.float64),
    }
    x = torch.randn(batch, INPUTS, generator=generator, dtype=torch.float64)
    y = torch.randn(batch, generator=generator, dtype=torch.float64)
    x[-1] *= OUTLIER

    def private(rows: slice) -> Tensor:
        g = regularizers.dp_sgd(
            _loss,
            parameters,
            x[rows],
            y[rows],
            max_norm=max_norm,
            noise_multiplier=0,
            expected_batch=batch,
            generator=generator,
        )
        return torch.cat([value.flatten() for value in g.values()])

    each = []
    for a, b in zip(x, y, strict=True):
        leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
        gradients = torch.autograd.grad(_loss(leaves, a, b), list(leaves.values()))
        each.append(torch.cat([g.flatten() for g in gradients]))
    gradients_of = torch.stack(each)

    def clip(g: Tensor) -> Tensor:
        factor = min(1.0, max_norm / g.norm().item())
        return torch.mul(g, factor)

    clipped = torch.stack([clip(g) for g in each])

    moved = (private(slice(None)) - private(slice(-1))).norm().item()
    moved_batch = (clip(gradients_of.mean(0)) - clip(gradients_of[:-1].sum(0) / batch)).norm().item()
    moved_plain = (gradients_of[-1] / batch).norm().item()
    claims = [
        Claim(
            "vmap(grad) gives what a loop over examples gives",
            0,
            "largest difference",
            (private(slice(None)) - clipped.sum(0) / batch).abs().max().item(),
            *rounding(max_norm, digits=1e-9),
        ),
        Claim("The outlier moves the update by", max_norm / batch, "C / B", moved, *rounding(max_norm, digits=1e-9)),
    ]
    block = Table(
        title=f"How far one outlier in {batch} moves the update, noise left out",
        columns=["clipped", "moved by", "in units of C/B"],
        rows=[
            [name, value, value * batch / max_norm]
            for name, value in (("each example", moved), ("the batch", moved_batch), ("nothing", moved_plain))
        ],
        note="The noise is made for 1 in the last column. Clipping the batch lets one example use up the whole norm.",
    )
    return claims, [block]


def _noise(
    max_norm: float, noise_multiplier: float, batch: int, generator: Generator
) -> tuple[list[Claim], list[Block]]:
    """The noise alone: a gradient that is 0 for every example."""

    parameters = {"weight": torch.zeros(NOISY, dtype=torch.float64)}
    g = regularizers.dp_sgd(
        lambda held, x: (held["weight"] * x).sum(),
        parameters,
        torch.zeros(2, 1, dtype=torch.float64),
        max_norm=max_norm,
        noise_multiplier=noise_multiplier,
        expected_batch=batch,
        generator=generator,
    )["weight"]
    deviation = noise_multiplier * max_norm / batch
    measured = g.square().mean().item()
    claims = [
        Claim(
            "The noise has the variance",
            deviation**2,
            "(sigma C / B)^2",
            measured,
            *mean_of_normal(2**0.5 * deviation**2, NOISY),
        ),
        Claim("Its mean is 0", 0, "mean", g.mean().item(), *mean_of_normal(deviation, NOISY)),
    ]
    block = Text(
        f"The noise has a deviation of {measured**0.5:.4g} on each weight, {noise_multiplier:g} times the {max_norm:g}/"
        f"{batch} that one example can do. It does not shrink with the number of weights, so large models pay more."
    )
    return claims, [block]


def _budget(sigma: float, sample_rate: float, steps: int, delta: float) -> tuple[list[Claim], list[Block]]:
    """What the training spends, by the accountant, if there is one and there is noise."""
    from regdemo.lab import privacy

    if not sigma:
        return [], [Text("Without noise there is no privacy to count: epsilon is infinite from the first step.")]
    if not privacy.has_accountant():
        return [], [Text(f"What a training spends, epsilon at a delta, needs an accountant: {privacy.INSTALL}.")]
    after = sorted({max(1, steps // 100), max(1, steps // 10), steps})
    sampled, whole = ({n: privacy.epsilon(sigma, q, n, delta) for n in after} for q in (sample_rate, 1.0))
    exact = {n: privacy.exact_epsilon(sigma, n, delta) for n in after}
    renyi = min(steps * a / (2 * sigma**2) + log((a - 1) / a) - (log(delta) + log(a)) / (a - 1) for a in privacy.ORDERS)
    claims = [
        Claim(
            "On the whole data the accountant's epsilon is the Gaussian mechanism's",
            max(renyi, 0.0),
            "min over a of T a/(2 sigma^2) + ln((a-1)/a) - ln(delta a)/(a-1)",
            whole[steps],
            *rounding(1 + abs(renyi), digits=1e-9),
        ),
        Claim(
            "It is an upper bound of the exact one",
            len(after),
            "numbers of steps at which exact <= accountant's",
            sum(exact[n] <= whole[n] for n in after),
            *EXACT,
        ),
        Claim(
            "Sampling the batches spends no more",
            len(after),
            "numbers of steps at which sampled <= whole",
            sum(sampled[n] <= whole[n] for n in after),
            *EXACT,
        ),
    ]
    block = Table(
        title=f"Epsilon at delta = {delta:g}, noise {sigma:g}, an example in each batch with {sample_rate:.4g}",
        columns=["steps", "epsilon", "without sampling", "exact, without"],
        rows=[[n, sampled[n], whole[n], exact[n]] for n in after],
        note="e^epsilon bounds how much likelier any outcome is with one example than without it, but for a chance "
        "of delta. Counted for Poisson sampling: batches from a shuffled set are not that, though often counted so.",
    )
    return claims, [block]
