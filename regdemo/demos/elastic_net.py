"""Elastic net: L1 selects, L2 balances copies.

Fits a linear model whose columns include two copies of one feature and two correlated ones, under L1 alone and under
an elastic net. Checks the fit against the conditions of the optimum, and the difference of two correlated columns'
weights against its bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, rounding
from regdemo.measure import Wrong, gap, normal, seeded
from regdemo.parameters import SEED, Parameter
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

if TYPE_CHECKING:
    from torch import Tensor

ACTS_ON = "weights"
SAY = (
    "An elastic net adds an L1 and an L2 penalty, $l_1 |w|_1$ and $l_2 |w|^2$. L1 can set weights to exactly 0; of "
    "nearly equal features it may keep one, and noise can settle which. The L2 part makes the optimum unique and pulls "
    r"the weights of highly correlated features together, the grouping effect. One proximal step of size $\eta$ does "
    r"both: soft threshold by $\eta l_1$, then divide by $1 + 2 \eta l_2$."
)
WRONG_ANSWER = (
    "'The lasso keeps the important one of two correlated features.' With two copies of a feature, every split of "
    "their total weight into parts of the same sign is an optimum of the lasso, and of two nearly equal features noise "
    "can settle which is kept. Close second: taking `l1_ratio` of scikit-learn for the strength. It only divides "
    "`alpha` between the two penalties."
)
CARDS = ("Q18.904", "Q18.905", "Q18.906", "Q18.907", "Q18.546")

EXAMPLES, FEATURES = 100, 15
TRUE = (2.0, 2.0, 1.0, 1.0, 2.0)  # two copies, two correlated features, one alone; the rest is not needed
NOISE, STEPS = 2.0, 400
SHOWN = (0.4, 0.2, 0.1, 0.05, 0.02, 0.01, 0.0)  # values of l2, each fitted from the one before
DIGITS = 1e-6


def elastic_net(
    *,
    l1: Annotated[float, Parameter("Strength of the L1 penalty.", 0.05, 0.5)] = 0.3,
    l2: Annotated[float, Parameter("Strength of the L2 penalty.", 0.05, 1)] = 0.1,
    rho: Annotated[float, Parameter("Correlation of the two correlated features.", 0, 0.99)] = 0.95,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Fit a linear model under an elastic net, and under L1 alone, from two starts each."""
    generator = seeded(seed)
    x = _features(rho, generator)
    true = torch.zeros(FEATURES, dtype=torch.float64)
    true[: len(TRUE)] = torch.tensor(TRUE, dtype=torch.float64)
    y = x @ true + NOISE * normal(generator, EXAMPLES)
    starts = torch.zeros(2, FEATURES, dtype=torch.float64)
    starts[:, :2] = torch.tensor([[2.5, 1.5], [1.5, 2.5]], dtype=torch.float64)
    lasso = [_fit(x, y, l1, 0.0, start, 3 * STEPS) for start in starts]
    nets = [_fit(x, y, l1, l2, start, STEPS) for start in starts]
    w = nets[0]
    pull = x.T @ (y - x @ w) / EXAMPLES
    leaf = w.clone().requires_grad_()
    (push,) = torch.autograd.grad(regularizers.elastic_net([leaf], l1, l2), leaf)
    far = normal(generator, 200) * 3 * l1
    near = regularizers.elastic_net_prox(far, l1, l2)
    bound = (2 * (1 - rho)) ** 0.5 * y.norm().item() / EXAMPLES**0.5 / (2 * l2)
    claims = [
        Claim(
            "Where a weight is kept, the data's pull balances the penalty",
            0,
            r"$x^T r / n - (l_1 \mathrm{sign}(w) + 2 l_2 w)$",
            gap((pull - push)[w != 0]),
            *rounding(1 + pull.abs().max().item(), digits=DIGITS),
        ),
        Claim(
            "The exact zeros are where the data's pull is below $l_1$",
            int((pull.abs() < l1 * (1 - DIGITS)).sum()),
            "count",
            int((w == 0).sum()),
            *EXACT,
        ),
        Claim(
            "The penalty is $l_1 |w| + l_2 w^2$, summed",
            l1 * w.abs().sum().item() + l2 * w.square().sum().item(),
            r"$l_1 \sum |w| + l_2 \sum w^2$",
            regularizers.elastic_net([w], l1, l2).item(),
            *rounding(10),
        ),
        Claim(
            "A proximal step shrinks a weight by the penalty's slope at the result",
            0,
            r"$v + l_1 \mathrm{sign}(v) + 2 l_2 v - w$",
            gap((near * (1 + 2 * l2) + l1 * near.sign() - far)[near != 0]),
            *rounding(1 + 3 * l1),
        ),
        Claim(
            "The elastic net gives two copies of a feature the same weight",
            0,
            "$w_1 - w_2$",
            gap(w[0], w[1]),
            *rounding(1),
        ),
        Claim(
            "From both starts the elastic net reaches the same weights",
            0,
            r"$\max |w - w'|$",
            gap(*nets),
            *rounding(1),
        ),
        Claim(
            "L1 alone leaves copies as unequal as they began",
            2,
            "$(w_1 - w_2) - (w_1' - w_2')$, at the start 2",
            (lasso[0][0] - lasso[0][1] - lasso[1][0] + lasso[1][1]).item(),
            *rounding(1),
        ),
        Claim(
            "Under L1 alone the fits from both starts have the same loss",
            _loss(x, y, lasso[0], l1).item(),
            "loss of one = loss of the other",
            _loss(x, y, lasso[1], l1).item(),
            *rounding(_loss(x, y, lasso[0], l1).item()),
        ),
        Claim(
            "The weights of the correlated features differ by no more than the bound",
            0,
            "$w_3 - w_4$",
            gap(w[2], w[3]),
            bound + DIGITS,
            r"$\sqrt{2 (1-\rho)} \|y\| / (2 l_2 \sqrt{n})$ is the bound",
        ),
    ]
    path, last = [], w
    for strength in SHOWN:
        last = _fit(x, y, l1, strength, last, STEPS)
        path.append(last)
    return Measurement(
        title=f"Elastic net at l1 = {l1:g}, l2 = {l2:g}",
        claims=claims,
        picture=[
            Curves(
                title=f"Weights of two features of correlation {rho:g} and true weight 1, at l1 = {l1:g}",
                x_label="l2",
                y_label="weight",
                series=[
                    Series("feature 3", list(SHOWN), [fit[2].item() for fit in path]),
                    Series("feature 4", list(SHOWN), [fit[3].item() for fit in path]),
                ],
                note=f"At the left end, with L1 alone, the two differ by {gap(last[2], last[3]):.3f}; at the right "
                f"end by {gap(path[0][2], path[0][3]):.3f}.",
            )
        ],
        blocks=[
            Text(
                f"{FEATURES} features, {EXAMPLES} examples. The first two are copies of each other, the next two have "
                f"a correlation of {rho:g}, and the fifth is alone. Their true weights are 2, 2, 1, 1 and 2; those of "
                f"the other {FEATURES - 5} features are 0."
            ),
            Table(
                title="The weights, from start 1, which favors copy 1, and from start 2, which favors copy 2",
                columns=["fit", "copy 1", "copy 2", "feature 3", "feature 4", "feature 5", "exact zeros"],
                rows=[
                    [f"{name}, start {start}", *fit[:5].tolist(), int((fit == 0).sum())]
                    for name, fits in (("L1 alone", lasso), ("elastic net", nets))
                    for start, fit in enumerate(fits, 1)
                ],
            ),
        ],
    )


def _features(rho: float, generator: torch.Generator) -> Tensor:
    """Columns of mean square 1: two copies, two of correlation rho, and others."""
    x = normal(generator, EXAMPLES, FEATURES)
    x[:, 1] = x[:, 0]
    pair, _ = torch.linalg.qr(x[:, 2:4])
    x[:, 2], x[:, 3] = pair[:, 0], rho * pair[:, 0] + (1 - rho**2) ** 0.5 * pair[:, 1]
    return x / x.square().mean(0).sqrt()


def _fit(x: Tensor, y: Tensor, l1: float, l2: float, start: Tensor, steps: int) -> Tensor:
    """Proximal gradient descent on half the mean squared error."""
    gram, moments = x.T @ x / len(x), x.T @ y / len(x)
    rate = 1 / torch.linalg.matrix_norm(gram, 2).item()
    w = start
    for _ in range(steps):
        w = regularizers.elastic_net_prox(w - rate * (gram @ w - moments), rate * l1, rate * l2)
    return w


def _loss(x: Tensor, y: Tensor, w: Tensor, l1: float) -> Tensor:
    return (y - x @ w).square().mean() / 2 + l1 * w.abs().sum()


WRONG = [
    Wrong("L1 alone", "elastic_net_prox", lambda right, w, l1, l2: right(w, l1, 0.0)),
    Wrong("L2 alone", "elastic_net_prox", lambda right, w, l1, l2: right(w, 0.0, l2)),
    Wrong("the L2 part halved in the step", "elastic_net_prox", lambda right, w, l1, l2: right(w, l1, l2 / 2)),
    Wrong(
        "shrinks before the threshold", "elastic_net_prox", lambda right, w, l1, l2: right(w / (1 + 2 * l2), l1, 0.0)
    ),
    Wrong(
        "no square in the penalty", "elastic_net", lambda right, ws, l1, l2: right([w.abs().sqrt() for w in ws], 0, l2)
    ),
    Wrong("the L2 part halved in the penalty", "elastic_net", lambda right, ws, l1, l2: right(ws, l1, l2 / 2)),
]
