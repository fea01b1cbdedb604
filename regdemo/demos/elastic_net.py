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
    true = torch.nn.functional.pad(torch.tensor(TRUE, dtype=torch.float64), (0, FEATURES - len(TRUE)))
    y = x @ true + NOISE * normal(generator, EXAMPLES)
    starts = torch.nn.functional.pad(torch.tensor([[2.5, 1.5], [1.5, 2.5]], dtype=torch.float64), (0, FEATURES - 2))
    lasso = [_fit(x, y, l1, 0.0, start, 3 * STEPS) for start in starts]
    nets = [_fit(x, y, l1, l2, start, STEPS) for start in starts]
    losses = [((y - x @ w).square().mean() / 2 + l1 * w.abs().sum()).item() for w in lasso]
    path = [nets[0]]
    for strength in SHOWN:
        path.append(_fit(x, y, l1, strength, path[-1], STEPS))
    return Measurement(
        title=f"Elastic net at l1 = {l1:g}, l2 = {l2:g}",
        claims=[
            *_optimum_claims(x, y, nets[0], l1, l2),
            _proximal_claim(l1, l2, generator),
            *_copies_claims(lasso, nets, losses),
            _grouping_claim(y, nets[0], l2, rho),
        ],
        picture=[_picture(path[1:], l1, rho)],
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


def _fit(x: Tensor, y: Tensor, l1: float, l2: float, w: Tensor, steps: int) -> Tensor:
    """Proximal gradient descent from w on half the mean squared error."""
    gram, moments = x.T @ x / len(x), x.T @ y / len(x)
    rate = 1 / torch.linalg.matrix_norm(gram, 2).item()
    for _ in range(steps):
        w = regularizers.elastic_net_prox(w - rate * (gram @ w - moments), rate * l1, rate * l2)
    return w


def _optimum_claims(x: Tensor, y: Tensor, w: Tensor, l1: float, l2: float) -> list[Claim]:
    """The conditions of the optimum, on the fit w, and the penalty there."""
    pull = x.T @ (y - x @ w) / EXAMPLES
    leaf = w.clone().requires_grad_()
    penalty = regularizers.elastic_net([leaf], l1, l2)
    (push,) = torch.autograd.grad(penalty, leaf)
    weak, zeros = int((pull.abs() < l1 * (1 - DIGITS)).sum()), int((w == 0).sum())
    return [
        Claim(
            "Where a weight is kept, the data's pull balances the penalty",
            0,
            r"$x^T r / n - (l_1 \mathrm{sign}(w) + 2 l_2 w)$",
            gap((pull - push)[w != 0]),
            *rounding(1 + gap(pull), digits=DIGITS),
        ),
        Claim("The exact zeros are where the data's pull is below $l_1$", weak, "count", zeros, *EXACT),
        Claim(
            "The penalty is $l_1 |w| + l_2 w^2$, summed",
            l1 * w.abs().sum().item() + l2 * w.square().sum().item(),
            r"$l_1 \sum |w| + l_2 \sum w^2$",
            penalty.item(),
            *rounding(10),
        ),
    ]


def _proximal_claim(l1: float, l2: float, generator: torch.Generator) -> Claim:
    far = normal(generator, 200) * 3 * l1
    near = regularizers.elastic_net_prox(far, l1, l2)
    return Claim(
        "A proximal step shrinks a weight by the penalty's slope at the result",
        0,
        r"$v + l_1 \mathrm{sign}(v) + 2 l_2 v - w$",
        gap((near * (1 + 2 * l2) + l1 * near.sign() - far)[near != 0]),
        *rounding(1 + 3 * l1),
    )


def _copies_claims(lasso: list[Tensor], nets: list[Tensor], losses: list[float]) -> list[Claim]:
    """The weights of the two copies in the fits from the two starts, and the losses of the fits under L1 alone."""
    return [
        Claim(
            "The elastic net gives two copies of a feature the same weight",
            0,
            "$w_1 - w_2$",
            gap(nets[0][0], nets[0][1]),
            *rounding(1),
        ),
        Claim(
            "From both starts the elastic net reaches the same weights", 0, r"$\max |w - w'|$", gap(*nets), *rounding(1)
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
            losses[0],
            "loss of one = loss of the other",
            losses[1],
            *rounding(losses[0]),
        ),
    ]


def _grouping_claim(y: Tensor, w: Tensor, l2: float, rho: float) -> Claim:
    return Claim(
        "The weights of the correlated features differ by no more than the bound",
        0,
        "$w_3 - w_4$",
        gap(w[2], w[3]),
        (2 * (1 - rho)) ** 0.5 * y.norm().item() / EXAMPLES**0.5 / (2 * l2) + DIGITS,
        r"$\sqrt{2 (1-\rho)} \|y\| / (2 l_2 \sqrt{n})$ is the bound",
    )


def _picture(path: list[Tensor], l1: float, rho: float) -> Curves:
    """The weights of the correlated features in the fits at the strengths SHOWN."""
    return Curves(
        title=f"Weights of two features of correlation {rho:g} and true weight 1, at l1 = {l1:g}",
        x_label="l2",
        y_label="weight",
        series=[Series(f"feature {i + 1}", list(SHOWN), [fit[i].item() for fit in path]) for i in (2, 3)],
        note=f"At the left end, with L1 alone, the two differ by {gap(path[-1][2], path[-1][3]):.3f}; at the right "
        f"end by {gap(path[0][2], path[0][3]):.3f}.",
    )


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
