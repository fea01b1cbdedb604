"""No super init: an Optimizer that forgot to be one.

`torch.optim.Optimizer` keeps the parameter groups, the state and the hooks; its constructor makes them. A subclass that
only stores what it wraps can still step. Whatever else a training loop asks of an optimizer is missing: zero_grad, a
checkpoint, a scheduler.
"""

import copy

import torch

from regdemo.bounds import EXACT
from regdemo.measure import fixed_claim
from regdemo.report import Block, Cell, Claim, Table

BREAKS = "lookahead"
CARDS = ("Q18.328", "Q18.164", "Q18.165")
SAY = (
    "A wrapper around an optimizer calls super().__init__ with the wrapped one's groups, shares them, and keeps its "
    "own tensors in self.state, so that zero_grad, schedulers and checkpoints reach both."
)
WRONG_ANSWER = "'It trains, so it works.' Until the first checkpoint, which lacks the slow weights, or fails."

K, ALPHA = 5, 0.5


class broken(torch.optim.Optimizer):
    def __init__(self, base, k, alpha):
        self.base, self.k, self.alpha, self.steps = base, k, alpha, 0
        self.slow = {}
        for group in base.param_groups:
            for w in group["params"]:
                self.slow[w] = w.detach().clone()

    @torch.no_grad()
    def step(self):
        self.base.step()
        self.steps += 1
        if self.steps % self.k == 0:
            for w, slow in self.slow.items():
                w.copy_(slow.lerp_(w, self.alpha))


class fixed(torch.optim.Optimizer):
    def __init__(self, base, k, alpha):
        super().__init__(base.param_groups, base.defaults)
        self.base, base.param_groups = base, self.param_groups
        self.k, self.alpha, self.steps = k, alpha, 0
        for group in self.param_groups:
            for w in group["params"]:
                self.state[w]["slow"] = w.detach().clone()

    @torch.no_grad()
    def step(self, closure=None):
        self.base.step()
        self.steps += 1
        if self.steps % self.k == 0:
            for w, state in self.state.items():
                w.copy_(state["slow"].lerp_(w, self.alpha))


def _schedule(optimizer) -> None:
    torch.optim.lr_scheduler.StepLR(optimizer, 1)


USES = {
    "zero_grad()": lambda optimizer: optimizer.zero_grad(),
    "state_dict()": lambda optimizer: optimizer.state_dict(),
    "a scheduler": _schedule,
    "add_param_group()": lambda optimizer: optimizer.add_param_group({"params": [torch.ones(1)]}),
    "copy.deepcopy": copy.deepcopy,
    "print": repr,
}


def measure() -> tuple[list[Claim], list[Block]]:
    def make(snippet):
        w = torch.zeros(1, requires_grad=True)
        w.grad = torch.full((1,), -1.0)
        return w, snippet(torch.optim.SGD([w], lr=1.0), K, ALPHA)

    def after_k_steps(snippet) -> float:
        w, optimizer = make(snippet)
        for _ in range(K):
            optimizer.step()
        return w.item()

    def outcome(snippet, use) -> str:
        try:
            use(make(snippet)[1])
        except Exception as error:
            return type(error).__name__
        return "works"

    rows: list[list[Cell]] = [[name, outcome(broken, use), outcome(fixed, use)] for name, use in USES.items()]
    failed, failed_fixed = (sum(row[column] != "works" for row in rows) for column in (1, 2))
    kept = make(fixed)[1].state_dict()["state"][0]["slow"]
    return [
        Claim(f"It does step: after {K} steps of 1 from 0", ALPHA * K, "alpha k", after_k_steps(broken), *EXACT),
        Claim(f"Uses of an optimizer that fail, of {len(USES)}", len(USES), f"all = {len(USES)}", failed, *EXACT),
        fixed_claim(f"After {K} steps", ALPHA * K, "alpha k", after_k_steps(fixed), *EXACT),
        fixed_claim("Uses that fail", 0, "none = 0", failed_fixed, *EXACT),
        fixed_claim("A checkpoint holds the slow weights, here", 0, "the start", kept.item(), *EXACT),
    ], [Table("What a training loop asks of it", ["use", "broken", "fixed"], rows)]
