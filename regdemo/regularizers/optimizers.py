"""Optimizers around another optimizer: SAM, Lookahead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from regdemo.errors import ArgumentError
from regdemo.regularizers.checks import check_amount


class _Around(Optimizer):
    """An optimizer that steers `base`. Both hold the same parameter groups: a scheduler or a new group reaches both."""

    def __init__(self, base: Optimizer, defaults: dict[str, Any]) -> None:
        if not isinstance(base, Optimizer):
            raise ArgumentError(f"base is a {type(base).__name__}: it must be an Optimizer, as SGD(model.parameters())")
        self.base = base
        super().__init__(base.param_groups, {**base.defaults, **defaults})
        self.base.param_groups = self.param_groups

    def state_dict(self) -> dict[str, Any]:
        """The state of this optimizer and, as "base", of the one it steers."""
        return {**super().state_dict(), "base": self.base.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned, for both optimizers."""
        self.base.load_state_dict(state_dict["base"])
        super().load_state_dict({key: value for key, value in state_dict.items() if key != "base"})
        self.base.param_groups = self.param_groups

    def __getstate__(self) -> dict[str, Any]:
        """What copy and pickle keep."""
        return {**super().__getstate__(), "base": self.base}


class SAM(_Around):
    """Sharpness-aware minimization: step along the gradient found a distance rho uphill.

        w_up = w + rho g(w) / |g(w)|,    then base steps from w with g(w_up),    |g| over all parameters

    On a quadratic loss g(w_up) is the gradient of L + rho |g|. rho = 0 is base itself. Each step takes two passes.

        sam = SAM(torch.optim.SGD(model.parameters(), lr=0.1), rho=0.05)
        sam.step(closure)           # closure: zero_grad, loss, backward; called twice
        sam.ascend(), then zero_grad, loss, backward, and sam.step()    # by hand, as a GradScaler needs it

    Batch norm should update its running statistics in the first pass only; that is the caller's to see to.
    Raises ArgumentError unless base is an Optimizer and rho is finite and at least 0; in step, if the gradient is not
    finite, or if it is called without a closure and without `ascend`.
    Foret et al. 2021, https://arxiv.org/abs/2010.01412

    >>> w = torch.tensor([3.0], requires_grad=True)
    >>> sam = SAM(torch.optim.SGD([w], lr=0.1), rho=1.0)
    >>> def closure():
    ...     sam.zero_grad()
    ...     loss = (w**2 / 2).sum()
    ...     loss.backward()
    ...     return loss
    >>> sam.step(closure), w  # the gradient at 3 + 1 is 4
    (tensor(4.5000, grad_fn=<SumBackward0>), tensor([2.6000], requires_grad=True))
    """

    def __init__(self, base: Optimizer, rho: float = 0.05) -> None:
        super().__init__(base, {"rho": check_amount(rho, "rho")})

    @torch.no_grad()
    def ascend(self) -> Tensor:
        """Move to w_up and return |g|; where that is not finite, stay."""
        self.restore()
        held = [(p, group["rho"]) for group in self.param_groups for p in group["params"] if p.grad is not None]
        norm = get_total_norm([p.grad for p, _ in held])
        for p, rho in held:
            self.state[p]["home"] = p.clone()
            if norm.isfinite():
                p.add_(p.grad * (rho / (norm + 1e-12)).to(p))
        return norm

    @torch.no_grad()
    def restore(self) -> bool:
        """Bring the weights back from w_up; return whether they were there."""
        homes = [(p, state.pop("home")) for p, state in self.state.items() if "home" in state]
        for p, home in homes:
            p.copy_(home)
        return bool(homes)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of base from w with the gradient of w_up; return the loss at w, if there is a closure."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
            if not (norm := self.ascend()).isfinite():
                self.restore()
                raise ArgumentError(f"the gradient has norm {norm.item()}: it must be finite; skip this batch")
            with torch.enable_grad():
                closure()
        if not self.restore() and closure is None:
            raise ArgumentError("step() has no gradient from uphill: call step(closure), or ascend() before it")
        self.base.step()
        return loss


class Lookahead(_Around):
    """Every k steps of base, go back to a point between where it started and where it is.

        slow <- slow + alpha (w - slow),    w <- slow,    every k steps; slow begins at the initial weights

    alpha = 1 is base itself. base keeps its own state, momentum included, across the jump.

        lookahead = Lookahead(torch.optim.AdamW(model.parameters()), k=5, alpha=0.5)

    Raises ArgumentError unless base is an Optimizer, k a whole number of at least 1 and 0 < alpha <= 1.
    Zhang et al. 2019, https://arxiv.org/abs/1907.08610

    >>> w = torch.tensor([0.0], requires_grad=True)
    >>> lookahead = Lookahead(torch.optim.SGD([w], lr=1.0), k=2, alpha=0.5)
    >>> for _ in range(2):
    ...     w.grad = torch.tensor([-1.0])
    ...     lookahead.step()
    >>> w  # halfway from 0 to 2
    tensor([1.], requires_grad=True)
    """

    def __init__(self, base: Optimizer, *, k: int = 5, alpha: float = 0.5) -> None:
        if not isinstance(k, int) or k < 1:
            raise ArgumentError(f"k = {k!r} is not allowed: it must be a whole number, at least 1")
        if check_amount(alpha, "alpha", above=0) > 1:
            raise ArgumentError(f"alpha = {alpha!r} is not allowed: it must be above 0 and at most 1")
        super().__init__(base, {"k": k, "alpha": alpha, "steps": 0})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of base, and every k-th time the move back; return the closure's loss, if there is one."""
        for group in self.param_groups:
            for p in group["params"]:
                if "slow" not in self.state[p]:
                    self.state[p]["slow"] = p.clone()
        loss = self.base.step(closure)
        for group in self.param_groups:
            group["steps"] += 1
            if group["steps"] % group["k"] == 0:
                for p in group["params"]:
                    p.copy_(self.state[p]["slow"].lerp_(p, group["alpha"]))
        return loss
