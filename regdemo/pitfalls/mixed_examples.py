"""Mixed examples: a "MixOut" that mixes the batch, not the weights.

Mixout sets weights back to their pretrained values at random while fine-tuning. The snippet of that name mixes each
example with a random one of its batch: that reduces the activations' variance in training only, leaves the labels as
they were, and lets one example influence another's prediction. The snippet uses no pretrained weight.
"""

import torch
import torch.nn.functional as F
from torch import nn

from regdemo.bounds import EXACT, mean_of_bounded
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Claim

BREAKS = "mixout"
CARDS = ("Q18.234", "Q18.187", "Q18.184")
SAY = (
    "Mixout mixes weights $W$ with their pretrained values $W_0$ and rescales the mixture to $W'$, so that "
    "$E[W'] = W$, and at $W = W_0$ the output is as without Mixout. To mix examples, use mixup, which mixes the labels "
    "too."
)
WRONG_ANSWER = (
    "'MixOut: `p * x + (1-p) * x[perm]` in the forward pass.' That gives the name of Mixout to another method."
)

P, EXAMPLES, DRAWS = 0.7, 64, 500


class broken(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, x):
        if not self.training:
            return x
        return self.p * x + (1 - self.p) * x[torch.randperm(len(x))]


class fixed(nn.Module):
    def __init__(self, pretrained, p):
        super().__init__()
        self.weight = nn.Parameter(pretrained.clone())
        self.pretrained, self.p = pretrained, p

    def forward(self, x):
        if not self.training:
            return F.linear(x, self.weight)
        kept = torch.rand_like(self.weight) >= self.p
        mixed = torch.where(kept, self.weight, self.pretrained)
        return F.linear(x, (mixed - self.p * self.pretrained) / (1 - self.p))


def measure() -> tuple[list[Claim], list[Block]]:
    x = torch.randn(EXAMPLES, dtype=torch.float64)
    mixing = broken(P)
    variance = torch.stack([mixing(x).var(correction=0) for _ in range(DRAWS)]).mean() / x.var(correction=0)
    # On the identity the output is the matrix of what each example is made of.
    into = torch.stack([mixing(torch.eye(EXAMPLES)) for _ in range(DRAWS)]).mean(0)
    foreign = (into.sum() - into.trace()).item() / EXAMPLES

    pretrained = torch.randn(5, 5, dtype=torch.float64)
    mixout = fixed(pretrained, P)
    rows = torch.randn(2, 5, dtype=torch.float64)
    unchanged = (mixout(rows) - F.linear(rows, pretrained)).abs().max().item()
    with torch.no_grad():
        mixout.weight.add_(1)
        eye = torch.eye(5, dtype=torch.float64)
        drawn = torch.stack([mixout(eye).T - pretrained for _ in range(DRAWS)]).mean().item()
    rows = torch.eye(5, dtype=torch.float64).repeat(2, 1).requires_grad_()
    (reached,) = torch.autograd.grad(mixout(rows)[0].sum(), rows)
    spread, reason = mean_of_bounded(1 / (EXAMPLES - 1), 1, DRAWS)
    return [
        Claim(
            f"The fraction of the variance that is left in training at p = {P}",
            P**2 + (1 - P) ** 2,
            "$p^2 + (1-p)^2$",
            variance.item(),
            2 * P * (1 - P) * spread,
            reason,
        ),
        Claim(
            f"The fraction of an example that comes from the other {EXAMPLES - 1} examples",
            (1 - P) * (1 - 1 / EXAMPLES),
            "$(1-p)(1 - 1/B)$",
            foreign,
            (1 - P) * mean_of_bounded(1 / EXAMPLES**2, 1, DRAWS)[0],
            reason,
        ),
        fixed_claim(
            "Gradient of an example's output with respect to the other examples",
            0,
            "max gradient",
            reached[1:].abs().max().item(),
            *EXACT,
        ),
        fixed_claim(
            "Before the first step of fine-tuning Mixout changes the output by",
            0,
            "$W = W_0$ gives $W_0 x$",
            unchanged,
            1e-12,
            "rounding in float64",
        ),
        fixed_claim(
            "Where W = W0 + 1, the mean of W' - W0 is",
            1,
            "$E[W'] = W$",
            drawn,
            *mean_of_bounded(P / (1 - P), max(1, P / (1 - P)), DRAWS * pretrained.numel()),
        ),
    ], []


WRONG = [
    Wrong("weights mixed, not rescaled", f"{__name__}.fixed", lambda right, w0, p: _Mixing(w0, lambda m: m)),
    Wrong(
        "divided by 1-p without subtracting p W0",
        f"{__name__}.fixed",
        lambda right, w0, p: _Mixing(w0, lambda m: m / (1 - P)),
    ),
    Wrong(
        "pretrained weights 0: DropConnect",
        f"{__name__}.fixed",
        lambda right, w0, p: _Mixing(w0, lambda m: m / (1 - P), torch.zeros_like(w0)),
    ),
]


class _Mixing(nn.Module):
    def __init__(self, pretrained, rescale, back_to=None):
        super().__init__()
        self.weight = nn.Parameter(pretrained.clone())
        self.back_to, self.rescale = pretrained if back_to is None else back_to, rescale

    def forward(self, x):
        kept = torch.rand_like(self.weight) >= P
        return F.linear(x, self.rescale(torch.where(kept, self.weight, self.back_to)))
