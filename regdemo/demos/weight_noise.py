"""Weight noise: Gaussian noise on the weights.

Measures what it does to a linear layer's outputs, and to the squared error of a linear model: on average it adds
nothing that depends on the weights. Then a network of two layers, where the weights matter: two networks that compute
the same function need not be equally sensitive to the noise.
"""

from __future__ import annotations

from typing import Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, mean_of_squares, rounding
from regdemo.measure import Wrong, identity_in_eval, mean_square, normal, seeded
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Cell, Claim, Curves, Measurement, Series, Table, Text

ACTS_ON = "weights"
SAY = (
    "Weight noise adds Gaussian noise to the weights in training, one draw for a batch, and none in eval. With squared "
    "error and near a good fit, small noise acts like a penalty on the gradient of the output with respect to the "
    "weights. For a linear model with squared error it adds on average a constant, "
    r"$\sigma^2$ mean $|x|^2$, and so does not regularize."
)
WRONG_ANSWER = (
    "'It is weight decay by other means.' That is true of input noise on a linear model with squared error: "
    r"it costs $\sigma^2 |w|^2$. In that model weight noise costs $\sigma^2 |x|^2$, whatever w is. And "
    "`w.data.add_(noise)` before each step, not taken off again, is not weight noise: the draws add up."
)
CARDS = ("Q18.230", "Q18.231", "Q18.232", "Q18.233")

FEATURES, EXAMPLES = 4, 50
SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)


def weight_noise(
    *,
    std: Annotated[float, Parameter("Standard deviation of the noise on each weight.", 0.001, 1)] = 0.2,
    draws: Annotated[int, count("Draws of the noise, each used with both signs.", 10, 10_000)] = 5_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure noise of size std on the weights of a linear layer, in `draws` passes over one batch."""
    generator = seeded(seed)
    x, w = normal(generator, EXAMPLES, FEATURES), normal(generator, 1, FEATURES)
    target = torch.nn.functional.linear(x, w) + normal(generator, EXAMPLES, 1)
    # As many output units of the same weights as draws: each has its own noise, the same for the batch. With both signs
    # of each draw, what is linear in the noise cancels.
    half = normal(generator, draws, FEATURES)
    noise = torch.cat([half, -half])
    linear, two_layers = _linear(x, w, target, noise, std), _two_layers(std)
    in_eval = regularizers.weight_noise(x, w, std=std, training=False)
    return Measurement(
        title=f"Weight noise of size {std:g}",
        claims=[
            *linear.claims,
            *_shared_noise_claims(x[0], x[1], noise, std),
            _drawn_claim(std, draws, generator),
            identity_in_eval(in_eval, torch.nn.functional.linear(x, w)),
            *two_layers.claims,
        ],
        picture=two_layers.picture,
        blocks=linear.blocks,
    )


def _linear(x: torch.Tensor, w: torch.Tensor, target: torch.Tensor, noise: torch.Tensor, std: float) -> Measurement:
    """What the noise adds to the squared error of a linear model, at the weights w and ten times as large."""
    moments = torch.linalg.eigvalsh(x.mT @ x / EXAMPLES).clamp(min=0) * std**2
    added = moments.sum().item()
    square, reason = mean_of_squares(moments.tolist(), len(noise) // 2)
    rows: list[list[Cell]] = []
    claims = []
    for scale, weights in ((1, "w"), (10, "10 w")):
        y = regularizers.weight_noise(x, (scale * w).expand(noise.shape), std=std, noise=noise)
        clean = mean_square(target - scale * torch.nn.functional.linear(x, w))
        noisy = mean_square(target - y)
        rows.append([weights, clean, noisy, noisy - clean, added])
        claims.append(
            Claim(
                f"A linear model of weights {weights}: the noise adds to the squared error",
                added,
                r"$\sigma^2$ mean $|x|^2$",
                noisy - clean,
                square + rounding(clean + added)[0],
                reason,
            )
        )
    text = Text(
        f"In training each weight gets noise from $N(0, {std:g}^2)$, one draw n for the batch. The output "
        r"$w \cdot x$ gets $n \cdot x$ added. The variance of $n \cdot x$ depends on the input and not on "
        f"the weights: {added:.4g} here, on average over the examples."
    )
    table = Table(
        title="The squared error of a linear model",
        columns=["weights", "without noise", "with noise", "added", r"$\sigma^2$ mean $|x|^2$"],
        rows=rows,
        note="The same is added whatever the weights: on a linear model with squared error weight noise "
        "does not regularize.",
    )
    return Measurement("", claims, [text, table])


def _shared_noise_claims(x: torch.Tensor, other: torch.Tensor, noise: torch.Tensor, std: float) -> list[Claim]:
    """Variance and covariance of the outputs of two examples under the same noise."""
    draws = len(noise) // 2
    y, y_other = (regularizers.weight_noise(row, 0 * noise, std=std, noise=noise) for row in (x, other))
    one, two = (row.square().sum().item() * std**2 for row in (x, other))
    between = (x @ other).item() * std**2
    # A product of two Gaussians is ((a + b)^2 - (a - b)^2) / 4: two chi-square bounds.
    products = [mean_of_squares([max(one + two + 2 * sign * between, 0) / 4], draws) for sign in (1, -1)]
    return [
        Claim(
            r"An output's variance is $\sigma^2 |x|^2$",
            one,
            r"$\sigma^2 |x|^2$",
            mean_square(y),
            *mean_of_squares([one], draws),
        ),
        Claim(
            "Two examples of a batch share the noise: the covariance of their outputs",
            between,
            r"$\sigma^2 x \cdot x'$",
            (y * y_other).mean().item(),
            products[0][0] + products[1][0],
            products[0][1],
        ),
    ]


def _drawn_claim(std: float, draws: int, generator: torch.Generator) -> Claim:
    # On the identity, the output is the noise of each weight; a batch shares it, so the rows add up to one draw.
    identity, zeros = torch.eye(FEATURES, dtype=torch.float64), torch.zeros(draws, FEATURES, dtype=torch.float64)
    drawn = regularizers.weight_noise(identity, zeros, std=std, generator=generator)
    bound = mean_of_squares([std**2], drawn.numel())
    return Claim("The variance of the noise that is drawn", std**2, r"$\sigma^2$", mean_square(drawn), *bound)


def _two_layers(std: float) -> Measurement:
    """How the noise changes y = b a x at x = 1 in networks with b a = 1."""
    # It makes y (b + s n)(a + s m). Over n, m = +1 and -1, of mean 0 and variance 1 like the normal distribution, the
    # mean square is exact.
    signs = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    one_input = torch.ones(1, 1, dtype=torch.float64)
    changes = []
    for a in SCALES:
        first, second = (
            regularizers.weight_noise(one_input, torch.full((2, 1), weight, dtype=torch.float64), std=std, noise=signs)
            for weight in (a, 1 / a)
        )
        changes.append(mean_square(first.mT * second - 1))
    expected = [std**2 * (a**2 + 1 / a**2) + std**4 for a in SCALES]
    claims = [
        Claim(
            "Two layers y = b a x with b a = 1: the mean square of the change of y at x = 1",
            0,
            r"$\sigma^2 (a^2 + b^2) + \sigma^4$, max difference",
            max(abs(change - square) for change, square in zip(changes, expected, strict=True)),
            *rounding(1),
        ),
        Claim(
            "Among these networks, which compute the same function, the balanced one is disturbed least",
            1,
            "a = b = 1",
            SCALES[changes.index(min(changes))],
            *EXACT,
        ),
    ]
    at = [i / 20 for i in range(5, 81)]
    curves = Curves(
        title=f"Two layers, y = b a x with b a = 1: the mean square of the change of y under noise of size {std:g}",
        x_label="a, the weight of the first layer",
        y_label="mean square of y - 1, at x = 1",
        series=[
            Series("measured", list(SCALES), changes, style="points"),
            Series(
                r"$\sigma^2 (a^2 + b^2) + \sigma^4$",
                at,
                [std**2 * ((i / 20) ** 2 + (20 / i) ** 2) + std**4 for i in range(5, 81)],
            ),
        ],
        note="Here the noise prefers some weights to others: the balanced ones, a = b.",
    )
    return Measurement("", claims, [], [curves])


NAME = "weight_noise"
WRONG = [
    Wrong("std taken for the variance", NAME, lambda right, *a, std, **kw: right(*a, std=std**0.5, **kw)),
    Wrong(
        "multiplied, not added",
        NAME,
        lambda right, x, w, *a, noise=None, **kw: (
            right(x, w, *a, noise=w * noise, **kw) if noise is not None else right(x, w, *a, **kw)
        ),
    ),
    Wrong("left on in eval", NAME, lambda right, *a, training=True, **kw: right(*a, **{"generator": seeded(1), **kw})),
    Wrong("half of the noise", NAME, lambda right, *a, std, **kw: right(*a, std=std / 2, **kw)),
]
