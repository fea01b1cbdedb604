"""One draw path: DropPath by random.random(), and no rescale.

The snippet skips the branch for the whole batch on one draw of Python's random.random(), and does not rescale it when
it runs. So in training the mean contribution of a branch is $1-p$ times that in eval, every example of a batch has the
same depth, and torch.manual_seed does not make a pass repeatable.
"""

import random

import torch
from torch import nn

from regdemo.bounds import EXACT, mean_of_bounded, proportion
from regdemo.measure import Wrong, fixed_claim
from regdemo.pitfalls._modules import FromFunction
from regdemo.report import Block, Claim

BREAKS = "drop_path"
CARDS = ("Q18.22", "Q18.20")
SAY = (
    "DropPath draws independently for each example, from torch's generator, and divides the branch by "
    "$1-p$, so that its mean in training is that of eval. The original stochastic depth left the branch unscaled "
    "in training and multiplied it by $1-p$ in eval. Do one of the two."
)
WRONG_ANSWER = (
    "'A branch that is not skipped runs as usual.' Then eval adds all branches, while a training pass adds a fraction "
    "$1-p$ of them on average."
)

P, DEPTH, BATCH, DRAWS = 0.3, 12, 32, 300
PAIRS = 800


class broken(nn.Module):
    def __init__(self, branch, p):
        super().__init__()
        self.branch, self.p = branch, p

    def forward(self, x):
        if self.training and random.random() < self.p:
            return x
        return x + self.branch(x)


class fixed(nn.Module):
    def __init__(self, branch, p):
        super().__init__()
        self.branch, self.p = branch, p

    def forward(self, x):
        if not self.training:
            return x + self.branch(x)
        shape = len(x), *[1] * (x.dim() - 1)
        keep = torch.rand(shape, device=x.device) >= self.p
        return x + self.branch(x) * keep / (1 - self.p)


def measure() -> tuple[list[Claim], list[Block]]:
    depths = torch.distributions.Binomial(DEPTH, torch.tensor(1 - P, dtype=torch.float64))
    by_chance = depths.log_prob(torch.arange(DEPTH + 1.0, dtype=torch.float64)).exp().square().sum().item()
    variance = DEPTH * P * (1 - P)
    wrong, right = _passes(broken), _passes(fixed)
    in_eval = _stack(broken).eval()(torch.zeros(1, 1)).item()
    return [
        Claim(
            f"The mean sum of {DEPTH} branches that each add 1, in training",
            DEPTH * (1 - P),
            "$(1-p) L$",
            wrong.mean().item(),
            *mean_of_bounded(variance, DEPTH, DRAWS),
        ),
        Claim("The sum in eval", DEPTH, f"L = {DEPTH}", in_eval, *EXACT),
        Claim(
            "Largest standard deviation of the depth in a batch",
            0,
            "largest std in a batch",
            wrong.std(1).max().item(),
            *EXACT,
        ),
        Claim(
            "The fraction of pairs of passes under the same torch seed that agree",
            by_chance,
            "sum of squared binomial probabilities",
            _repeats(broken, PAIRS),
            *proportion(by_chance, PAIRS),
        ),
        fixed_claim(
            "The mean sum in training",
            DEPTH,
            f"L = {DEPTH}",
            right.mean().item(),
            *mean_of_bounded(variance / (1 - P) ** 2, DEPTH / (1 - P), right.numel()),
        ),
        fixed_claim(
            "The fraction of pairs of passes under the same torch seed that agree",
            1,
            "fraction that agree = 1",
            _repeats(fixed, 20),
            *EXACT,
        ),
        fixed_claim("The sum in eval", DEPTH, f"L = {DEPTH}", _stack(fixed).eval()(torch.zeros(1, 1)).item(), *EXACT),
        fixed_claim("Batches whose examples share one depth", 0, "none = 0", int((right.std(1) == 0).sum()), *EXACT),
    ], []


def _stack(snippet) -> nn.Sequential:
    return nn.Sequential(*(snippet(torch.ones_like, P) for _ in range(DEPTH)))


def _passes(snippet) -> torch.Tensor:
    model, x = _stack(snippet), torch.zeros(BATCH, 1)
    return torch.stack([model(x).squeeze(1) for _ in range(DRAWS)])


def _repeats(snippet, pairs: int) -> float:
    """The fraction of pairs of passes that are equal under the same seed of torch."""
    model, x, state = _stack(snippet), torch.zeros(1, 1), torch.get_rng_state()
    alike = 0
    for _ in range(pairs):
        torch.set_rng_state(state)
        first = model(x)
        torch.set_rng_state(state)
        alike += torch.equal(first, model(x))
    return alike / pairs


WRONG = [
    Wrong(
        "one torch draw for the batch, rescaled",
        f"{__name__}.fixed",
        lambda right, branch, p: _path(branch, lambda x: torch.rand(1) >= p, 1 - p),
    ),
    Wrong(
        "divided by p",
        f"{__name__}.fixed",
        lambda right, branch, p: _path(branch, lambda x: torch.rand(len(x), 1) >= p, p),
    ),
    Wrong(
        "not rescaled",
        f"{__name__}.fixed",
        lambda right, branch, p: _path(branch, lambda x: torch.rand(len(x), 1) >= p, 1),
    ),
    Wrong(
        "Python's random, rescaled",
        f"{__name__}.fixed",
        lambda right, branch, p: _path(branch, lambda x: random.random() >= p, 1 - p),
    ),
]


def _path(branch, keep, scale):
    return FromFunction(lambda self, x: x + branch(x) * (keep(x) / scale if self.training else 1))
