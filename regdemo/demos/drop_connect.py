"""DropConnect: drop single weights instead of activations.

Shows its mask next to dropout's, measures what both add to the loss of a linear unit, how a second unit distinguishes
them, what one mask for the batch costs, and how well a Gaussian with the same mean and variance replaces many masks at
inference.
"""

from __future__ import annotations

from math import pi, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import mean_of_bounded, rounding
from regdemo.measure import Wrong, gap, mean_square, seeded
from regdemo.parameters import SEED, count, rate
from regdemo.report import Block, Claim, Curves, HeatMap, Measurement, Series, Table, Text

if TYPE_CHECKING:
    from torch import Generator, Tensor

ACTS_ON = "weights"
SAY = (
    "DropConnect drops weights where dropout drops activations. For one linear output the two are the same noise "
    r"and, for a squared error, the same penalty $p/(1-p) \sum w^2 E[x^2]$; with several outputs they differ, since "
    "dropout takes the same input away from all of them. The paper draws a mask of the size of the weights for "
    "each example, and at inference averages over a Gaussian with the matched mean and variance."
)
WRONG_ANSWER = (
    "'DropConnect skips a layer or a residual branch.' That is DropPath, which some code does call drop_connect. "
    "Close second: 'at inference the mean weights give the mean output'. Through a nonlinearity $f$ in general "
    "they do not: for its input $u$, $f(E[u])$ and $E[f(u)]$ differ."
)
CARDS = (
    "Q18.30",
    "Q18.31",
    "Q18.32",
)

UNITS_SHOWN, INPUTS_SHOWN = 8, 16
BATCH = 8


def drop_connect(
    *,
    p: Annotated[float, rate("Probability that a weight is dropped.")] = 0.5,
    inputs: Annotated[int, count("Inputs of the linear unit.", 1, 256)] = 64,
    draws: Annotated[int, count("Masks drawn in each measurement.", 10, 30_000)] = 20_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure DropConnect at rate p on linear units, next to dropout and to its Gaussian approximation."""
    generator = seeded(seed)
    penalty = _penalty(p, inputs, draws, generator)
    batch = _one_mask_for_all(p, inputs, generator)
    inference = _inference(p, inputs, draws, generator)
    return Measurement(
        title=f"DropConnect at p = {p}",
        claims=[*penalty.claims, *batch.claims, *inference.claims],
        picture=_masks(p, generator),
        blocks=[
            Text(
                "Dropout zeroes inputs of a layer, which puts all weights that read a zeroed input out of use. "
                f"DropConnect zeroes each weight independently with probability p = {p}, and scales the rest by "
                f"$1/(1-p)$ = {1 / (1 - p):.4g}."
            ),
            *penalty.blocks,
            *batch.blocks,
            *inference.blocks,
        ],
    )


def _masks(p: float, generator: Generator) -> list[Block]:
    """Which weights of a layer work for one example, under dropout and under DropConnect."""
    inputs = regularizers.keep_mask((INPUTS_SHOWN,), p, generator=generator)
    weights = regularizers.keep_mask((UNITS_SHOWN, INPUTS_SHOWN), p, generator=generator)
    return [
        HeatMap(
            title=title,
            values=mask.double().tolist(),
            low=0.0,
            high=1.0,
            row_label="output unit",
            column_label="input",
            note=note,
        )
        for title, mask, note in (
            (
                "Weights in use under dropout",
                inputs.expand(UNITS_SHOWN, -1),
                f"An example of {INPUTS_SHOWN} inputs and {UNITS_SHOWN} units: a dropped input takes its whole column.",
            ),
            ("Weights in use under DropConnect", weights, "The same example: each weight is drawn independently."),
        )
    ]


def _penalty(p: float, inputs: int, draws: int, generator: Generator) -> Measurement:
    """The squared error that the noise adds for one linear unit, and what a twin of that unit sees."""
    x, weight = _uniform((draws, inputs), generator), _weights(inputs, generator)
    targets = _uniform((draws,), generator)
    twins = weight.expand(2, -1)
    dropped = {
        "dropout": torch.nn.functional.linear(regularizers.dropout(x, p, generator=generator), twins),
        "DropConnect": regularizers.drop_connect(x, twins, p=p, generator=generator),
    }
    terms, error = x * weight, torch.nn.functional.linear(x, weight).squeeze(1) - targets
    mse = mean_square(error)
    penalty = p / (1 - p) * terms.square().sum(1).mean().item()
    between = {name: mean_square(twin[:, 0] - twin[:, 1]) for name, twin in dropped.items()}
    losses = {name: mean_square(twin[:, 0] - targets) for name, twin in dropped.items()}
    claims = [
        _same_mask_claim(p, x, weight, generator),
        *(
            Claim(
                f"The expected squared error of a linear unit under {name}",
                mse + penalty,
                r"MSE + $p/(1-p) \sum w^2 E[x^2]$",
                loss,
                *_mean_square(p, terms, error),
            )
            for name, loss in losses.items()
        ),
        *_twins_claims(p, terms, penalty, between),
    ]
    table = Table(
        title=f"Noise on a linear unit and on a twin of the same weights; inputs: {inputs}",
        columns=["noise", "penalty", "expected", "$(u_1 - u_2)^2$", "expected "],
        rows=[
            [name, round(losses[name] - mse, 14), penalty, between[name], twice]  # beyond 14 decimals it is rounding
            for name, twice in (("dropout", 0.0), ("DropConnect", 2 * penalty))
        ],
        note=f"Means over {draws:,} examples, a fresh mask for each. The expected penalty, "
        r"$p/(1-p) \sum w^2 E[x^2]$, is the same for dropout and DropConnect. The outputs $u_1$ and $u_2$ of "
        "the unit and its twin show the difference: dropout drops the same inputs for both units.",
    )
    return Measurement("", claims, [table])


def _same_mask_claim(p: float, x: Tensor, weight: Tensor, generator: Generator) -> Claim:
    mask = regularizers.keep_mask(x.shape, p, generator=generator)
    by_activation = torch.nn.functional.linear(regularizers.dropout(x, p, mask=mask), weight)
    by_weight = regularizers.drop_connect(x, weight, p=p, mask=mask.unsqueeze(1))
    return Claim(
        "One output, the same mask: dropout and DropConnect agree",
        0,
        "largest difference",
        gap(by_activation, by_weight),
        *rounding(_largest(p, x * weight)),
    )


def _twins_claims(p: float, terms: Tensor, penalty: float, between: dict[str, float]) -> list[Claim]:
    """The mean squared difference of two units with the same weights, under dropout and under DropConnect."""
    return [
        Claim(
            "Two units with the same weights agree under dropout",
            0,
            "$E[(u_1 - u_2)^2]$",
            between["dropout"],
            *rounding(_largest(p, terms) ** 2),
        ),
        Claim(
            "Under DropConnect the two units' noise is uncorrelated: $E[(u_1 - u_2)^2]$ is twice the penalty",
            2 * penalty,
            r"$2 p/(1-p) \sum w^2 E[x^2]$",
            between["DropConnect"],
            *_mean_square(p, torch.cat([terms, -terms], 1), terms.new_zeros(len(terms))),
        ),
    ]


def _largest(p: float, terms: Tensor) -> float:
    """How large the sum of a row of terms can be under some mask."""
    return terms.abs().sum(1).max().item() / (1 - p)


def _one_mask_for_all(p: float, inputs: int, generator: Generator) -> Measurement:
    """BATCH copies of one example under a mask for each, and under one mask for the batch."""
    x, weight = _uniform((1, inputs), generator).expand(BATCH, -1), _weights(inputs, generator)
    each = regularizers.drop_connect(x, weight, p=p, generator=generator).squeeze(1)
    shared = regularizers.drop_connect(x, weight, p=p, per_sample=False, generator=generator).squeeze(1)
    variance = p / (1 - p) * (x[0] * weight).square().sum().item()
    claim = Claim(
        "With one mask for the batch, equal examples stay equal",
        0,
        "largest difference",
        gap(shared, shared[0]),
        *rounding(_largest(p, x * weight)),
    )
    table = Table(
        title=f"The output of a linear unit for {BATCH} copies of one example; weights: {inputs}",
        columns=["masks", "mask elements", "std within batch", "variance of the mean"],
        rows=[
            ["one for each (the paper)", BATCH * inputs, each.std().item(), variance / BATCH],
            ["one for all (WeightDrop)", inputs, shared.std().item(), variance],
        ],
        note=r"The last column is $p/(1-p) \sum w^2 x^2$, "
        f"divided by B = {BATCH} for separate masks: under one mask for the "
        "batch the mean has B times the variance. But separate masks take B times the memory of the weights; "
        "AWD-LSTM uses one mask.",
    )
    return Measurement("", [claim], [table])


def _inference(p: float, inputs: int, draws: int, generator: Generator) -> Measurement:
    """E[relu(u)] by true masks, by a Gaussian with u's moments, and by relu(E[u])."""
    x, weight = _uniform((1, inputs), generator), _weights(inputs, generator)
    terms = x * weight
    bias = -terms.sum(1)  # puts the mean at 0, where relu bends
    mean, variance = (t.item() for t in regularizers.drop_connect_moments(x, weight, bias, p))
    u = regularizers.drop_connect(x.expand(draws, -1), weight, bias, p, generator=generator).squeeze(1)
    slip, reason = mean_of_bounded(variance, max(1.0, p / (1 - p)) * terms.abs().sum().item(), draws)
    exact, lost = _mean_of_relu(p, terms[0]), 0.003 * sqrt(variance)  # what the numerical integral may lose
    claims = [
        Claim("The mean of a unit's sum u over masks", mean, "$w x + b$", u.mean().item(), slip, reason),
        Claim(
            "The variance of u over masks",
            variance,
            r"$p/(1-p) \sum w^2 x^2$",
            mean_square(u),
            *_mean_square(p, terms, torch.zeros_like(bias), draws),
        ),
        Claim(
            "At mean 0, E[relu(u)] is what the distribution of the masks says, by its characteristic function",
            exact,
            r"$\frac{1}{\pi} \int (1 - \operatorname{Re} \phi(t))/t^2 dt$",
            u.relu().mean().item(),
            lost + slip,
            reason,
        ),
    ]
    text = Text(
        "At inference a plain layer uses the mean weights: $relu(E[u])$ for a unit's sum u. But relu bends, "
        "so $E[relu(u)]$ is at least that. The paper's answer is moment matching: with many inputs, u is close to "
        r"a Gaussian with mean $w x + b$ and variance $p/(1-p) \sum w^2 x^2$; average relu over that."
    )
    return Measurement("", claims, [text, *_estimates(u, sqrt(variance), exact)])


def _estimates(u: Tensor, deviation: float, exact: float) -> list[Block]:
    """E[relu(u)] by masks, by the Gaussian and by the mean, as the mean moves; it is `exact` at mean 0."""
    standings = [i / 4 for i in range(-10, 11)]  # the mean, in standard deviations
    means = [at * deviation for at in standings]
    estimates = {
        f"{len(u):,} masks": [(u + at).relu().mean().item() for at in means],
        "matched Gaussian": [_relu_of_gaussian(at, deviation) for at in means],
        "relu(mean)": [max(at, 0.0) for at in means],
    }
    return [
        Curves(
            title="E[relu(u)] as the mean of u moves through 0",
            x_label="mean of u, in standard deviations",
            y_label="E[relu(u)]",
            series=[Series(name, standings, estimate) for name, estimate in estimates.items()],
        ),
        Table(
            title="Three estimates of E[relu(u)]",
            columns=["mean / std", f"mean of {len(u):,} masks", "Gaussian", "relu(mean)"],
            rows=[list(row) for row in zip(standings, *estimates.values(), strict=True)][2::4],
            note="By Jensen's inequality relu(mean) is at most the expectation $E[relu(u)]$; they differ most where "
            r"the mean is 0, by $std/\sqrt{2 \pi}$ if u is Gaussian. At mean 0 the Gaussian is off the exact value by "
            f"{deviation / sqrt(2 * pi) - exact:z.2g}.",
        ),
    ]


def _uniform(shape: tuple[int, ...], generator: Generator) -> Tensor:
    """Numbers from -sqrt(3) to sqrt(3): mean 0, variance 1, and bounded, as Bernstein's inequality wants them."""

    return (2 * torch.rand(shape, generator=generator, dtype=torch.float64) - 1) * sqrt(3)


def _weights(inputs: int, generator: Generator) -> Tensor:
    """One unit's weights, (1, inputs), of variance 1/inputs."""
    return _uniform((1, inputs), generator) / sqrt(inputs)


def _mean_square(p: float, terms: Tensor, rest: Tensor, draws: int = 1) -> tuple[float, str]:
    """A bound on the mean of (rest + sum_i terms_i (m_i/(1-p) - 1))^2 over rows of terms (n, d), `draws` masks each.

    With k2, k3, k4 the central moments of m/(1-p), and s2, s3, s4 the sums of the terms' powers, the noise e has
    E e^2 = k2 s2,  E e^3 = k3 s3,  E e^4 = k4 s4 + 3 k2^2 (s2^2 - s4), and (rest + e)^2 has the variance
    E e^4 + 4 rest E e^3 + 4 rest^2 E e^2 - (E e^2)^2.
    """
    odds = p / (1 - p)
    k2, k3, k4 = odds, p * (odds**2 - 1), p * (odds**3 + 1)
    s2, s3, s4 = (terms.pow(power).sum(1) for power in (2, 3, 4))
    variance = k4 * s4 + 3 * k2**2 * (s2**2 - s4) + 4 * rest * k3 * s3 + 4 * rest**2 * k2 * s2 - (k2 * s2) ** 2
    furthest = (rest.abs() + max(1.0, odds) * terms.abs().sum(1)).max().item() ** 2
    return mean_of_bounded(max(0.0, variance.mean().item()), furthest, len(terms) * draws)


def _mean_of_relu(p: float, terms: Tensor) -> float:
    """E[relu(u)] for u = sum_i terms_i (m_i/(1-p) - 1), of mean 0, from its characteristic function phi.

        E|u| = 2/pi int_0^inf (1 - Re phi(t)) / t^2 dt,    phi(t) = prod_i ((1-p) e^(i t a_i p/(1-p)) + p e^(-i t a_i))

    von Bahr 1965, https://doi.org/10.1214/aoms/1177700055
    """
    variance = p / (1 - p) * terms.square().sum().item()
    if not variance:
        return 0.0
    # t in units of 1 / deviation, to 200; beyond, phi is taken for 0, which leaves the integral of 1/t^2.
    t = (torch.arange(10_000, dtype=torch.float64) + 0.5) / 50
    turn = t[:, None] * terms / sqrt(variance)
    phi = ((1 - p) * torch.exp(1j * turn * (p / (1 - p))) + p * torch.exp(-1j * turn)).prod(1)
    return sqrt(variance) * (((1 - phi.real) / t.square()).sum().item() / 50 + 1 / 200) / pi


def _relu_of_gaussian(mean: float, deviation: float) -> float:
    """E[max(0, u)] for u ~ N(mean, deviation^2): mean Phi(mean/deviation) + deviation phi(mean/deviation)."""
    if deviation == 0:
        return max(mean, 0.0)
    standard = NormalDist()
    return mean * standard.cdf(mean / deviation) + deviation * standard.pdf(mean / deviation)


def _two_points(right, x, weight, bias=None, p=0.5, *, mask=None, per_sample=True, generator=None, **kw):
    """The right mean and variance, at two points: u is its mean plus or minus its deviation."""
    if mask is not None or not per_sample:
        return right(x, weight, bias, p, mask=mask, per_sample=per_sample, generator=generator, **kw)
    mean, variance = regularizers.drop_connect_moments(x, weight, bias, p)
    return mean + variance.sqrt() * (2.0 * torch.randint(2, mean.shape, generator=generator) - 1)


def _by_input(right, x, weight, bias=None, p=0.5, *, mask=None, generator=None, **kw):
    dropped = regularizers.dropout(x, p, generator=generator)
    return (
        right(x, weight, bias, p, mask=mask, **kw)
        if mask is not None
        else torch.nn.functional.linear(dropped, weight, bias)
    )


NAME = "drop_connect"
WRONG = [
    Wrong("drops inputs, as dropout does", NAME, _by_input),
    Wrong("moments matched by two points", NAME, _two_points),
    Wrong("never rescaled", NAME, lambda right, x, weight, *a, **kw: right(x, weight * 0.5, *a, **kw)),
    Wrong(
        "one mask for the batch",
        NAME,
        lambda right, *a, per_sample=True, mask=None, **kw: right(*a, per_sample=mask is not None, mask=mask, **kw),
    ),
    Wrong(
        "a mask for each example where one was asked for",
        NAME,
        lambda right, *a, per_sample=True, **kw: right(*a, **kw),
    ),
    Wrong(
        "the variance without 1/(1-p)",
        "drop_connect_moments",
        lambda right, x, weight, bias, p: (right(x, weight, bias, p)[0], right(x, weight, bias, p)[1] * (1 - p)),
    ),
]
