"""No super init: an Optimizer that forgot to be one.

`torch.optim.Optimizer` keeps the parameter groups, the state and the hooks; its constructor makes them. A subclass that
only stores what it wraps can still step. But zero_grad, state_dict, a scheduler and other uses of an optimizer fail.
"""

import copy

import torch

from regdemo.bounds import EXACT, rounding
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Cell, Claim, Table

BREAKS = "lookahead"
CARDS = ("Q18.328", "Q18.164", "Q18.165")
SAY = (
    "A wrapper around an optimizer should call super().__init__ with the wrapped optimizer's groups and share them, so "
    "that zero_grad and schedulers reach both optimizers. Lookahead's checkpoint holds the slow weights, the step "
    "count and the wrapped optimizer's state, such as Adam's moments."
)
WRONG_ANSWER = (
    "'It trains, so it works.' It works until the first call of zero_grad(), state_dict() or a scheduler: each "
    "raises AttributeError."
)

K, ALPHA = 5, 0.5


class broken(torch.optim.Optimizer):
    def __init__(self, base, k, alpha):
        self.base, self.k, self.alpha, self.steps = base, k, alpha, 0
        self.slow = {}
        for group in base.param_groups:
            for w in group["params"]:
                self.slow[w] = w.detach().clone()

    @torch.no_grad()
    def step(self, closure=None):
        loss = self.base.step(closure)
        self.steps += 1
        if self.steps % self.k == 0:
            for w, slow in self.slow.items():
                w.copy_(slow.lerp_(w, self.alpha))
        return loss


class fixed(torch.optim.Optimizer):
    def __init__(self, base, k, alpha):
        super().__init__(base.param_groups, base.defaults)
        base.param_groups = self.param_groups
        self.base, self.k, self.alpha, self.steps = base, k, alpha, 0
        self.slow = {}
        for group in base.param_groups:
            for w in group["params"]:
                self.slow[w] = w.detach().clone()

    def state_dict(self):
        own = {"slow": list(self.slow.values()), "steps": self.steps}
        return {"base": self.base.state_dict(), **own}

    def load_state_dict(self, saved):
        self.base.load_state_dict(saved["base"])
        groups = self.base.param_groups
        self.param_groups, self.steps = groups, saved["steps"]
        for slow, old in zip(self.slow.values(), saved["slow"], strict=True):
            slow.copy_(old)

    @torch.no_grad()
    def step(self, closure=None):
        loss = self.base.step(closure)
        self.steps += 1
        if self.steps % self.k == 0:
            for w, slow in self.slow.items():
                w.copy_(slow.lerp_(w, self.alpha))
        return loss


def _schedule(optimizer) -> None:
    torch.optim.lr_scheduler.StepLR(optimizer, 1)


USES = {
    "zero_grad()": lambda optimizer: optimizer.zero_grad(),
    "state_dict()": lambda optimizer: optimizer.state_dict(),
    "a scheduler": _schedule,
    "add_param_group()": lambda optimizer: optimizer.add_param_group({"params": [torch.ones(1)]}),
    "print": repr,
}


def _resumed(snippet) -> float:
    """How far a run of Adam that was saved and loaded after 7 of 12 steps ends from the run that was not."""

    def run(optimizer, w, steps: int) -> None:
        for _ in range(steps):
            w.grad = (w.detach() - 3).clone()
            optimizer.step()

    def make(start: float):
        w = torch.full((1,), start, requires_grad=True)
        return w, snippet(torch.optim.Adam([w], lr=0.1), K, ALPHA)

    w, optimizer = make(0.0)
    run(optimizer, w, 7)
    saved = copy.deepcopy(optimizer.state_dict())
    other, resumed = make(w.item())
    resumed.load_state_dict(saved)
    run(optimizer, w, 5)
    run(resumed, other, 5)
    return abs(w.item() - other.item())


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
    w, optimizer = make(fixed)
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.1)  # it sets lr = 0.1 before the first step
    optimizer.step()
    scheduled = w.item()
    return [
        Claim(f"The weight after {K} steps of 1 from 0", ALPHA * K, r"$\alpha k$", after_k_steps(broken), *EXACT),
        Claim(f"Failing uses of an optimizer, out of {len(USES)}", len(USES), f"all = {len(USES)}", failed, *EXACT),
        fixed_claim(f"The weight after {K} steps of 1 from 0", ALPHA * K, r"$\alpha k$", after_k_steps(fixed), *EXACT),
        fixed_claim("Failing uses", 0, "none = 0", failed_fixed, *EXACT),
        fixed_claim("With lr set to 0.1 by a scheduler, a step moves by", 0.1, "lr", scheduled, *rounding(1)),
        fixed_claim(
            "With Adam, resumed between slow updates, the weight is off by", 0, "nothing = 0", _resumed(fixed), *EXACT
        ),
    ], [Table("What each use of the optimizer leads to", ["use", "broken", "fixed"], rows)]


class _OwnGroups(fixed):
    def __init__(self, base, k, alpha):
        super().__init__(base, k, alpha)
        base.param_groups = [dict(group) for group in base.param_groups]


class _NoBaseState(fixed):
    def load_state_dict(self, saved):
        super().load_state_dict({**saved, "base": self.base.state_dict()})


class _NoSlow(fixed):
    def load_state_dict(self, saved):
        super().load_state_dict({**saved, "slow": list(self.slow.values())})


class _NoStepCount(fixed):
    def load_state_dict(self, saved):
        super().load_state_dict({**saved, "steps": 0})


WRONG = [
    Wrong("groups of its own, not shared", f"{__name__}.fixed", lambda right, *a: _OwnGroups(*a)),
    Wrong("a checkpoint without the base's state", f"{__name__}.fixed", lambda right, *a: _NoBaseState(*a)),
    Wrong("a checkpoint without the step count", f"{__name__}.fixed", lambda right, *a: _NoStepCount(*a)),
    Wrong("a checkpoint without the slow weights", f"{__name__}.fixed", lambda right, *a: _NoSlow(*a)),
]
