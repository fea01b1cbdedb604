"""Optimizers around another optimizer: SAM, Lookahead."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from regdemo.errors import ArgumentError
from regdemo.regularizers.checks import check_amount


class OptimizerWrapper(Optimizer):
    """An optimizer that steers `base`.

    Both have the same parameter groups, defaults and state, as objects: a scheduler, a new group or a loaded state
    reaches both, and `state_dict` is an ordinary one, which hooks and torch.distributed.checkpoint understand.
    """

    def __init__(self, base: Optimizer, defaults: dict[str, Any]) -> None:
        if not isinstance(base, Optimizer):
            raise ArgumentError(f"base is a {type(base).__name__}: it must be an Optimizer, as SGD(model.parameters())")
        self.base = base
        super().__init__(base.param_groups, {**base.defaults, **defaults})
        self.state = base.state
        self.base.param_groups, self.base.defaults = self.param_groups, self.defaults

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned, for both optimizers."""
        super().load_state_dict(state_dict)
        self.base.__setstate__({"state": self.state, "param_groups": self.param_groups})

    def __getstate__(self) -> dict[str, Any]:
        """What copy and pickle keep."""
        return {**super().__getstate__(), "base": self.base}

    def _base_needs_closure(self) -> bool:
        """Whether base cannot step without a closure, as LBFGS, which evaluates the loss several times."""
        closure = inspect.signature(self.base.step).parameters.get("closure")
        return closure is not None and closure.default is inspect.Parameter.empty


class SAM(OptimizerWrapper):
    """Sharpness-aware minimization: step along the gradient found a distance rho uphill.

        w_up = w + rho g(w) / |g(w)|,    then base steps from w with g(w_up),    |g| over all parameters
        adaptive (ASAM):  w_up = w + rho w^2 g(w) / | |w| g(w) |, the same for weights of any scale

    On a quadratic loss g(w_up) is the gradient of L + rho |g|. rho = 0 is base itself. Each step takes two passes.

        sam = SAM(torch.optim.SGD(model.parameters(), lr=0.1), rho=0.05)
        sam.step(closure)    # closure: zero_grad, loss, backward; called twice

    By hand, as a GradScaler needs it, for which `ascend` takes scaled gradients as they are:

        scaler.scale(loss).backward(), sam.ascend(), scaler.scale(loss_again).backward()
        scaler.step(sam), scaler.update()    # a step that the scaler skips leaves the weights where they were
        # to clip: sam.restore(), scaler.unscale_(sam.base), clip, scaler.step(sam.base)

    `ascend` clears the gradients, so that the second pass begins with none.
    Batch norm should update its running statistics in the first pass only; the caller has to see to that.
    rho: 0.05 in the paper; ASAM's is about ten times as large.
    Raises ArgumentError unless base is an Optimizer whose step needs no closure, and rho is finite and at least 0; in
    ascend, if a gradient is sparse or the weights are already uphill; in step, if the gradient is not finite, if it is
    called without a closure and without `ascend`, or by a GradScaler whose unscale_ was called on this optimizer.
    Foret et al. 2021, https://arxiv.org/abs/2010.01412; Kwon et al. 2021 (adaptive), https://arxiv.org/abs/2102.11600

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

    # GradScaler.step asks for this name. It then calls step() even if it found an inf, and sets the attributes
    # found_inf and grad_scale meanwhile; grad_scale is None if unscale_ was called.
    _step_supports_amp_scaling = True
    found_inf: Tensor
    grad_scale: Tensor | None

    def __init__(self, base: Optimizer, rho: float = 0.05, *, adaptive: bool = False) -> None:
        super().__init__(base, {"rho": check_amount(rho, "rho"), "adaptive": adaptive})
        if self._base_needs_closure():
            raise ArgumentError(
                f"base is {type(base).__name__}, whose step evaluates the loss itself: SAM needs one that steps along "
                "a gradient, such as SGD or AdamW"
            )

    @torch.no_grad()
    def ascend(self) -> Tensor:
        """Move to w_up, clear the gradients and return their norm, |g| or | |w| g |; if it is not finite, stay."""
        if any("home" in state for state in self.state.values()):
            raise ArgumentError("the weights are uphill since the last ascend(): call step() or restore() before")
        held = [(p, group) for group in self.param_groups for p in group["params"] if p.grad is not None]
        for p, _ in held:
            if p.grad.is_sparse:
                raise ArgumentError(
                    f"the gradient of a parameter of shape {tuple(p.shape)} is sparse: SAM needs dense ones, as from "
                    "nn.Embedding(sparse=False)"
                )
        norm = get_total_norm([p.grad * p.abs() if group["adaptive"] else p.grad for p, group in held])
        moves = bool(norm.isfinite())  # asked once: a GPU waits for it
        for p, group in held:
            self.state[p]["home"] = p.clone()
            if moves:
                direction = p.grad * p.square() if group["adaptive"] else p.grad
                p.add_(direction * (group["rho"] / (norm + 1e-12)).to(p))
            p.grad = None
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
        if not self.restore() and closure is None and self._has_gradient():
            raise ArgumentError("step() has no gradient from uphill: call step(closure), or ascend() before it")
        if not hasattr(self, "found_inf") or self._unscale(self.found_inf, self.grad_scale):
            self.base.step()
        return loss

    def _has_gradient(self) -> bool:
        """Whether a gradient is other than 0; torch.distributed.checkpoint steps on zeros to make the state."""
        return any(bool(p.grad.any()) for group in self.param_groups for p in group["params"] if p.grad is not None)

    def _unscale(self, found_inf: Tensor, scale: Tensor | None) -> bool:
        """Divide the gradients by the GradScaler's scale; return whether they are finite, so that base may step."""
        if scale is None:
            del self.found_inf, self.grad_scale
            raise ArgumentError(
                "scaler.unscale_ was called on SAM, and does not say for which of the two passes: leave it out before "
                "ascend(); to clip, call sam.restore(), scaler.unscale_(sam.base), and scaler.step(sam.base)"
            )
        if found_inf:
            return False
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.grad.div_(scale.to(p.grad))
        return True


class Lookahead(OptimizerWrapper):
    """Every k steps of base, go back to a point between where it started and where it is.

        slow <- slow + alpha (w - slow),    w <- slow,    every k steps; slow begins at the initial weights

    alpha = 1 is base itself. base keeps its own state, momentum included, across the jump.

        lookahead = Lookahead(torch.optim.AdamW(model.parameters()), k=5, alpha=0.5)
        with lookahead.slow_weights():
            evaluate(model)

    Raises ArgumentError unless base is an Optimizer, k a whole number of at least 1 and 0 < alpha <= 1; in step, if
    base needs a closure and there is none.
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
        if closure is None and self._base_needs_closure():
            raise ArgumentError(f"base is {type(self.base).__name__}, whose step needs a closure: call step(closure)")
        parameters = [(p, group) for group in self.param_groups for p in group["params"] if p.requires_grad]
        before = {p: p.clone() for p, _ in parameters if "slow" not in self.state[p]}
        loss = self.base.step(closure)
        for p, slow in before.items():
            if p.grad is not None:  # or base, which takes an empty state for a new parameter, would miss its beginning
                self.state[p]["slow"] = slow
        for group in self.param_groups:
            group["steps"] += 1
        for p, group in parameters:
            if group["steps"] % group["k"] == 0 and "slow" in self.state[p]:
                p.copy_(self.state[p]["slow"].lerp_(p, group["alpha"]))
        return loss

    @contextmanager
    def slow_weights(self) -> Iterator[None]:
        """Within this context the parameters are the slow weights, to evaluate; afterwards the fast ones again."""
        fast = {p: p.detach().clone() for p, state in self.state.items() if "slow" in state}
        with torch.no_grad():
            for p in fast:
                p.copy_(self.state[p]["slow"])
        try:
            yield
        finally:
            with torch.no_grad():
                for p, weights in fast.items():
                    p.copy_(weights)
