r"""Subgradient: an L1 penalty in the loss leaves weights near zero.

The penalty's gradient is $\lambda\,\mathrm{sign}(w)$, of the same size however small $w$ is. A step of $\eta \lambda$
overshoots zero and the next one comes back: with a constant learning rate the weight that L1 should remove oscillates
around zero. The proximal step, a soft threshold after the gradient step, sets it to zero, where it stays while the
data's gradient is at most $\lambda$ in size.
"""

import torch

from regdemo.bounds import EXACT, rounding
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Claim, Table

BREAKS = "l1_penalty"
CARDS = ("Q18.182", "Q18.180")
SAY = (
    r"For exact zeros, take the gradient step without the penalty and then shrink: $\mathrm{sign}(w) \max(|w| - "
    r"\eta \lambda, 0)$. With the penalty in the loss, gradient descent gives small weights, as a rule not exact "
    "zeros."
)
WRONG_ANSWER = (
    "'L1 gives sparsity, so add it to the loss.' The corner at zero gives sparsity, and a gradient step jumps "
    "over the corner."
)

FEATURES, ROWS, LARGE, LAM, LR, STEPS = 50, 200, 5, 0.3, 0.1, 300


def broken(x, y, lam, lr, steps):
    w = x.new_zeros(x.shape[1], requires_grad=True)
    for _ in range(steps):
        loss = (x @ w - y).square().mean() / 2 + lam * w.abs().sum()
        (gradient,) = torch.autograd.grad(loss, w)
        with torch.no_grad():
            w -= lr * gradient
    return w.detach()


def fixed(x, y, lam, lr, steps):
    w = x.new_zeros(x.shape[1], requires_grad=True)
    for _ in range(steps):
        loss = (x @ w - y).square().mean() / 2
        (gradient,) = torch.autograd.grad(loss, w)
        with torch.no_grad():
            w -= lr * gradient
            w.copy_(w.sign() * (w.abs() - lr * lam).clamp(min=0))
    return w.detach()


def measure() -> tuple[list[Claim], list[Block]]:
    # Orthonormal features: the minimum is known, the soft threshold of the least-squares weights.
    x = torch.linalg.qr(torch.randn(ROWS, FEATURES, dtype=torch.float64))[0] * ROWS**0.5
    least_squares = 0.2 * (2 * torch.rand(FEATURES, dtype=torch.float64) - 1)
    least_squares[:LARGE] = 1 + torch.rand(LARGE, dtype=torch.float64)
    y = x @ least_squares
    optimum = least_squares.sign() * (least_squares.abs() - LAM).clamp(min=0)
    wrong, right = broken(x, y, LAM, LR, STEPS), fixed(x, y, LAM, LR, STEPS)
    zero = optimum == 0
    return [
        Claim(f"Exact zeros, of {FEATURES} weights", 0, "none = 0", (wrong == 0).sum().item(), *EXACT),
        fixed_claim(
            "Exact zeros",
            FEATURES - LARGE,
            r"least-squares weights b in $[-\lambda, \lambda]$",
            (right == 0).sum().item(),
            *EXACT,
        ),
        fixed_claim(
            "Largest distance of a weight from the minimum",
            0,
            r"$\max |w - soft(b, \lambda)|$",
            (right - optimum).abs().max().item(),
            *rounding(1, digits=1e-9),
        ),
    ], [
        Table(
            f"{FEATURES} weights after {STEPS} steps at lr = {LR}, lam = {LAM}; {FEATURES - LARGE} should be 0",
            ["code", "exact zeros", "largest |w| that should be 0"],
            [
                ["broken", (wrong == 0).sum().item(), wrong[zero].abs().max().item()],
                ["fixed", (right == 0).sum().item(), right[zero].abs().max().item()],
            ],
            rf"Near 0 the penalty moves a weight by $\eta \lambda$ = {LR * LAM:g} per step, and the data by less: the "
            f"broken code leaves each weight that should be 0 within {2 * LR * LAM:g} of 0.",
        )
    ]


WRONG = [
    Wrong("more steps", f"{__name__}.fixed", lambda right, x, y, lam, lr, steps: broken(x, y, lam, lr, 2 * steps)),
    Wrong(
        "a smaller learning rate",
        f"{__name__}.fixed",
        lambda right, x, y, lam, lr, steps: broken(x, y, lam, lr / 3, steps),
    ),
    Wrong(
        "a threshold of lam, without lr",
        f"{__name__}.fixed",
        lambda right, x, y, lam, lr, steps: right(x, y, lam / lr, lr, steps),
    ),
]
