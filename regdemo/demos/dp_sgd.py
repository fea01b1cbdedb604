"""DP-SGD: clip each example's gradient, add noise.

Computes every example's own gradient, clips it, sums, and adds noise. Checks the result against a loop over examples,
measures how far one outlier moves the update, how large the noise is, and how far the outlier moves a clipped batch
gradient. With the extra `privacy`, an accountant says what a whole run spends: epsilon at a delta.
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Annotated, Any

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, mean_of_normal, rounding
from regdemo.measure import Wrong, gap, mean_square, normal, seeded
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Generator, Tensor

ACTS_ON = "gradients"
SAY = (
    r"DP-SGD clips the gradient of each example to a norm $C$, sums, adds Gaussian noise of deviation $\sigma C$, "
    "and divides by the expected batch size. Clipping bounds how far one example can move the update, the noise "
    r"hides that move, and a privacy accountant computes $\epsilon$ over all steps. DP-SGD usually costs accuracy, "
    "and memory or time for the gradients of each example."
)
WRONG_ANSWER = (
    "'clip_grad_norm_ on the batch's gradient, then add noise.' The mean was taken before the clip, so one "
    r"outlier can still turn the whole update. Close second: noise of deviation $\sigma$, without $C$: it takes no "
    "account of how far one example can move the sum."
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
    noise_multiplier: Annotated[
        float, Parameter("Deviation of the noise on the sum, in units of max_norm.", 0, 10)
    ] = 1.0,
    batch: Annotated[int, count("Examples in a batch, on average.", 2, 512)] = 64,
    examples: Annotated[int, count("Examples to sample the batches from.", 1_000, 10**9)] = 60_000,
    steps: Annotated[int, count("Steps of the training.", 1, 1_000_000)] = 10_000,
    delta: Annotated[
        float, Parameter("Delta of the privacy guarantee, at which epsilon is computed.", 1e-12, 0.1)
    ] = 1e-5,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure DP-SGD's gradient on a linear regression with one outlier in the batch."""
    generator = seeded(seed)
    influence = _influence(max_norm, batch, generator)
    budget = _budget(noise_multiplier, batch / examples, steps, delta)
    deviation = noise_multiplier * max_norm / batch
    return Measurement(
        title=f"DP-SGD at max_norm = {max_norm:g}, noise {noise_multiplier:g}",
        claims=[*influence.claims, *_noise_claims(max_norm, noise_multiplier, batch, generator), *budget.claims],
        picture=influence.picture,
        blocks=[
            Text(
                f"Clipped to {max_norm:g}, one example of a batch of {batch} moves the update by at most "
                f"{max_norm / batch:.4g}. Then noise of deviation {noise_multiplier:g} times that, {deviation:.4g}, is "
                "added to each weight's update. A privacy accountant computes how well that hides an "
                "example over a whole run."
            ),
            *influence.blocks,
            *budget.blocks,
        ],
    )


def _influence(max_norm: float, batch: int, generator: Generator) -> Measurement:
    """How far the last example, an outlier, moves the gradient: clipped for each example, and for the batch."""
    parameters = {"weight": normal(generator, INPUTS), "bias": torch.zeros((), dtype=torch.float64)}
    x, y = normal(generator, batch, INPUTS), normal(generator, batch)
    x[-1] *= OUTLIER
    options: dict[str, Any] = {"max_norm": max_norm, "noise_multiplier": 0, "expected_batch": batch}
    with_it, without, private = (
        _flat(regularizers.dp_sgd(_loss, parameters, x[:n], y[:n], **options, generator=generator).values())
        for n in (batch, batch - 1, batch)
    )
    before = torch.stack([_gradient(parameters, a, b) for a, b in zip(x, y, strict=True)])
    after = torch.stack([_clipped(g, max_norm) for g in before])
    of_batch, of_rest = (_clipped(before[:n].sum(0) / batch, max_norm) for n in (batch, batch - 1))
    moved, moved_batch = (with_it - without).norm().item(), (of_batch - of_rest).norm().item()
    claims = [
        Claim(
            "The gradient is what a loop over the examples gives",
            0,
            "largest difference",
            gap(private, after.sum(0) / batch),
            *rounding(max_norm, digits=1e-9),
        ),
        Claim("The outlier moves the update by", max_norm / batch, "$C/B$", moved, *rounding(max_norm, digits=1e-9)),
    ]
    table = Table(
        title=f"How far one outlier in {batch} moves the update, noise left out",
        columns=["clipped", "moved by", "in units of C/B"],
        rows=[
            [name, value, value * batch / max_norm]
            for name, value in (
                ("each example", moved),
                ("the batch", moved_batch),
                ("not at all", before[-1].norm().item() / batch),
            )
        ],
        note="The noise is scaled to hide a change of 1 in the last column. If only the batch's gradient is clipped, "
        "one example can move it by up to 2 C.",
    )
    return Measurement("", claims, [table], [_norms(max_norm, before, after)])


def _loss(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
    """The squared error of one example."""
    error: Tensor = x @ parameters["weight"] + parameters["bias"] - y
    return error.square()


def _gradient(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
    """Of one example."""
    leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    return _flat(torch.autograd.grad(_loss(leaves, x, y), list(leaves.values())))


def _flat(gradients: Iterable[Tensor]) -> Tensor:
    return torch.cat([g.flatten() for g in gradients])


def _clipped(g: Tensor, max_norm: float) -> Tensor:
    return torch.mul(g, min(1.0, max_norm / g.norm().item()))


def _norms(max_norm: float, before: Tensor, after: Tensor) -> Curves:
    order = before.norm(dim=1).argsort()
    at = [float(i + 1) for i in range(len(order))]
    first, then = (g[order].norm(dim=1).clamp(min=1e-9).log10().tolist() for g in (before, after))
    return Curves(
        title=f"The norm of each example's gradient, before and after the clip to {max_norm:g}",
        x_label="example, by the norm of its gradient",
        y_label="log10 of the norm",
        series=[Series("before", at, first, style="points"), Series("after", at, then)],
        note=f"The last example is an outlier, its inputs {OUTLIER:g} times as large. After the clip its gradient has "
        f"the norm {max_norm:g}.",
    )


def _noise_claims(max_norm: float, noise_multiplier: float, batch: int, generator: Generator) -> list[Claim]:
    """The noise alone, at C and at 3 C: a gradient that is 0 for every example."""
    parameters = {"weight": torch.zeros(NOISY, dtype=torch.float64)}
    claims = []
    for times in (1, 3):
        g = regularizers.dp_sgd(
            lambda held, x: (held["weight"] * x).sum(),
            parameters,
            torch.zeros(2, 1, dtype=torch.float64),
            max_norm=times * max_norm,
            noise_multiplier=noise_multiplier,
            expected_batch=batch,
            generator=generator,
        )["weight"]
        deviation = noise_multiplier * times * max_norm / batch
        bound = mean_of_normal(2**0.5 * deviation**2, NOISY)
        where, size = ("", "") if times == 1 else (f" when clipping to {times} C", f"{times} ")
        claims.append(
            Claim(
                f"The variance of the noise{where}", deviation**2, rf"$({size}\sigma C / B)^2$", mean_square(g), *bound
            )
        )
    return [*claims, Claim("The mean of the noise is 0", 0, "mean", g.mean().item(), *mean_of_normal(deviation, NOISY))]


def _budget(sigma: float, sample_rate: float, steps: int, delta: float) -> Measurement:
    """What the training spends, by the accountant, if there is one and there is noise."""
    from regdemo.lab import privacy

    if not sigma:
        text = "Without noise there is no privacy to count: epsilon is infinite from the first step."
        return Measurement("", [], [Text(text)])
    if not privacy.has_accountant():
        text = f"To compute what a run spends, epsilon at a delta, you need an accountant: {privacy.INSTALL}."
        return Measurement("", [], [Text(text)])
    after = sorted({max(1, steps // 100), max(1, steps // 10), steps})
    sampled, whole = ({n: privacy.epsilon(sigma, q, n, delta) for n in after} for q in (sample_rate, 1.0))
    exact = {n: privacy.exact_epsilon(sigma, n, delta) for n in after}
    renyi = min(steps * a / (2 * sigma**2) + log((a - 1) / a) - (log(delta) + log(a)) / (a - 1) for a in privacy.ORDERS)
    claims = [
        Claim(
            "On the whole data the accountant's epsilon is the Gaussian mechanism's",
            max(renyi, 0.0),
            r"$\min_a\; T a/(2 \sigma^2) + \ln((a-1)/a) - \ln(\delta a)/(a-1)$",
            whole[steps],
            *rounding(1 + abs(renyi), digits=1e-9),
        ),
        Claim(
            "The accountant's epsilon is an upper bound of the exact one",
            len(after),
            "numbers of steps at which exact <= accountant's",
            sum(exact[n] <= whole[n] for n in after),
            *EXACT,
        ),
        Claim(
            "Sampling the batches costs no more privacy than using all the data",
            len(after),
            "numbers of steps at which sampled <= whole",
            sum(sampled[n] <= whole[n] for n in after),
            *EXACT,
        ),
    ]
    table = Table(
        title=f"Epsilon at delta = {delta:g}, noise {sigma:g}, sampling rate {sample_rate:.4g}",
        columns=["steps", "epsilon", "without sampling", "without sampling, exact"],
        rows=[[n, sampled[n], whole[n], exact[n]] for n in after],
        note=r"With an example in the data, the probability of a set of outcomes is at most $e^\epsilon$ times that "
        r"without it, plus $\delta$, and the other way round. Computed for Poisson sampling; batches of a shuffled set "
        "are drawn differently, though the same number is often quoted for them.",
    )
    return Measurement("", claims, [table])


def _batch_clipped(right, *args, max_norm, noise_multiplier, **kw):
    g = right(*args, max_norm=1e12, noise_multiplier=noise_multiplier * max_norm / 1e12, **kw)
    norm = torch.stack([value.norm() for value in g.values()]).norm()
    return {name: value * min(1.0, max_norm / norm.item()) if norm else value for name, value in g.items()}


def _with(right, *args, noise_multiplier, factor, **kw):
    return right(*args, noise_multiplier=noise_multiplier * factor(kw["max_norm"]), **kw)


NAME = "dp_sgd"
WRONG = [
    Wrong("the batch's gradient clipped", NAME, _batch_clipped),
    Wrong("noise without C", NAME, lambda right, *a, **kw: _with(right, *a, factor=lambda c: 1 / c, **kw)),
    Wrong("noise twice as large", NAME, lambda right, *a, **kw: _with(right, *a, factor=lambda c: 2, **kw)),
    Wrong("no noise", NAME, lambda right, *a, **kw: _with(right, *a, factor=lambda c: 0, **kw)),
    Wrong("divided by the batch drawn", NAME, lambda right, *a, expected_batch, **kw: right(*a, **kw)),
    Wrong(
        "clipped at half the norm",
        NAME,
        lambda right, *a, max_norm, noise_multiplier, **kw: right(
            *a, max_norm=max_norm / 2, noise_multiplier=2 * noise_multiplier, **kw
        ),
    ),
]
