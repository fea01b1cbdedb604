"""What changes along the way: rates with depth, rates with the step of training, and when to stop."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from math import inf, isfinite
from typing import Any, Literal

from torch import nn

from regdemo.errors import ArgumentError
from regdemo.regularizers.checks import check_rate
from regdemo.regularizers.rates import RateKind, set_dropout

Convention = Literal["linspace", "huang"]


def layerwise_rates(depth: int, p_max: float, *, convention: Convention = "linspace") -> list[float]:
    """Drop rates that grow linearly with depth, from the input to the output.

        linspace:  p_l = p_max (l - 1) / (L - 1)    the first block is never dropped (timm)
        huang:     p_l = p_max l / L                the first block already is, a little (the paper)

    depth: L, at least 1.  Returns: L rates, the last one p_max; for L = 1, [0.0] under linspace.
    Raises ProbabilityError unless 0 <= p_max < 1, ArgumentError on a depth below 1 or an unknown convention.
    Huang et al. 2016, equation 4, https://arxiv.org/abs/1603.09382

    >>> [round(p, 4) for p in layerwise_rates(5, 0.2)]
    [0.0, 0.05, 0.1, 0.15, 0.2]
    >>> [round(p, 4) for p in layerwise_rates(5, 0.2, convention="huang")]
    [0.04, 0.08, 0.12, 0.16, 0.2]
    """
    check_rate(p_max, "p_max")
    if depth < 1:
        raise ArgumentError(f"depth = {depth} is not allowed: there must be at least 1 layer")
    if convention == "linspace":
        return [p_max * (layer / max(depth - 1, 1)) for layer in range(depth)]
    if convention == "huang":
        return [p_max * (layer / depth) for layer in range(1, depth + 1)]
    raise ArgumentError(f"convention = {convention!r} is unknown: choose 'linspace' or 'huang'")


def layerwise_dropout(
    layers: Iterable[nn.Module], p_max: float, *, convention: Convention = "linspace", kind: RateKind = "dropout"
) -> list[float]:
    """Set the drop rates inside each layer of a model to grow linearly with its depth, in place.

        every rate of that kind that `set_dropout` finds inside layer l becomes p_l of `layerwise_rates`

    layers: a model's blocks in order, such as `model.blocks`.  kind: "dropout", or "path" for stochastic depth.
    Returns: the rate of each layer.
    Raises ArgumentError if a layer holds no such rate: a silent no-op is the usual bug.

    >>> blocks = [nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)) for _ in range(3)]
    >>> layerwise_dropout(blocks, 0.2), [block[1].p for block in blocks]
    ([0.0, 0.1, 0.2], [0.0, 0.1, 0.2])
    """
    layers = list(layers)
    rates = layerwise_rates(len(layers), p_max, convention=convention)
    set_dropout(nn.ModuleList(layers), rates, kind=kind)
    return rates


def annealed_dropout(step: int, steps: int, p: float = 0.5) -> float:
    """The drop rate at a step of training, on its way down from p to exactly 0.

        p_t = p max(0, 1 - t/T)

    step: t, from 0.  steps: T, where the rate becomes 0 and stays: the last of T steps, t = T - 1, still has p/T.
    Hand the rate to `set_dropout` before each step.
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError on a negative step or less than 1 of steps.
    Rennie, Goel and Thomas 2014, https://research.ibm.com/publications/annealed-dropout-training-of-deep-networks

    >>> [annealed_dropout(step, 4, 0.5) for step in range(6)]
    [0.5, 0.375, 0.25, 0.125, 0.0, 0.0]
    """
    check_rate(p)
    _check_step(step, steps, "steps")
    return p * (max(0, steps - step) / steps)


def early_dropout(step: int, cutoff: int, p: float = 0.1, *, constant: bool = False) -> float:
    """The drop rate at a step of training, for dropout that only the beginning has.

        linear:    p_t = p (1 - t/T0) before the cutoff T0, then exactly 0    (`annealed_dropout`, ended early)
        constant:  p_t = p before it, then exactly 0

    step: t, from 0.  cutoff: T0, the first step without dropout.  (The authors' code has T0 - 1 in the denominator
    for T0 >= 2, as `numpy.linspace` does, so that step T0 - 1 has 0 already.)
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError on a negative step or a cutoff below 1.
    Liu et al. 2023, https://arxiv.org/abs/2303.01500

    >>> [early_dropout(step, 2, 0.2) for step in range(4)], [early_dropout(t, 2, 0.2, constant=True) for t in range(4)]
    ([0.2, 0.1, 0.0, 0.0], [0.2, 0.2, 0.0, 0.0])
    """
    linear = annealed_dropout(step, _check_step(step, cutoff, "cutoff"), p)
    return p * (step < cutoff) if constant else linear


def late_dropout(step: int, start: int, p: float = 0.1) -> float:
    """The drop rate at a step of training, for dropout that only the rest has.

        p_t = 0 before step T0, then p

    step: t, from 0.  start: T0, the first step with dropout.
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError on a negative step or a start below 1.
    Liu et al. 2023, https://arxiv.org/abs/2303.01500

    >>> [late_dropout(step, 2, 0.2) for step in range(4)]
    [0.0, 0.0, 0.2, 0.2]
    """
    check_rate(p)
    return p * (step >= _check_step(step, start, "start"))


def _check_step(step: int, end: int, name: str) -> int:
    """Return end; raise ArgumentError unless step is at least 0 and end at least 1."""
    if not step >= 0:
        raise ArgumentError(f"step = {step} is not allowed: steps are counted from 0")
    if not end >= 1:
        raise ArgumentError(f"{name} = {end} is not allowed: it must be at least 1")
    return end


class EarlyStopping:
    """Tell when validation has stopped getting better, keep a copy of the best weights, and put them back.

        better: loss < best - min_delta;    stop: `patience` steps in a row are not better

    model: whose state_dict, buffers included, is copied at each new best.
    patience: at least 1.  min_delta: at least 0.
    After training, `restore()` loads the best weights, and `best`, `best_step` and `step_count` say where it was.
    For a training that is interrupted, `state_dict()` holds all of it, the best weights included, and
    `load_state_dict` takes it back.
    Raises ArgumentError on a patience or min_delta out of range, on a loss that is NaN or infinite, and on a restore
    before the first step.
    Prechelt 1998, https://doi.org/10.1007/3-540-49430-8_3

    >>> stopping = EarlyStopping(nn.Linear(1, 1), patience=2)
    >>> [stopping.step(loss) for loss in (3.0, 2.0, 2.5, 2.0)], stopping.best_step
    ([False, False, False, True], 2)
    """

    def __init__(self, model: nn.Module, *, patience: int = 10, min_delta: float = 0.0) -> None:
        if not patience >= 1:
            raise ArgumentError(f"patience = {patience} is not allowed: it must be at least 1 step")
        if not 0 <= min_delta < inf:
            raise ArgumentError(f"min_delta = {min_delta} is not allowed: it must be a number, at least 0")
        self.model, self.patience, self.min_delta = model, patience, min_delta
        self.best, self.best_step, self.step_count = inf, 0, 0
        self._state: dict[str, Any] = {}

    def step(self, loss: float) -> bool:
        """Take in a validation loss; return whether to stop."""
        if not isfinite(loss):
            raise ArgumentError(f"loss = {loss} is not finite: training has diverged, restore() has the best weights")
        self.step_count += 1
        if loss < self.best - self.min_delta:
            self.best, self.best_step = float(loss), self.step_count
            # state_dict() hands out the weights themselves, which go on moving with training.
            self._state = deepcopy(self.model.state_dict())
        return self.step_count - self.best_step >= self.patience

    def restore(self) -> None:
        """Load the best weights into the model."""
        if not self.best_step:
            raise ArgumentError("there are no best weights to restore: call step(loss) at least once before")
        self.model.load_state_dict(self._state)

    def state_dict(self) -> dict[str, Any]:
        """Where it is and the best weights, to be saved with a checkpoint; patience and min_delta are not in it."""
        names = ("best", "best_step", "step_count")
        return {**{name: getattr(self, name) for name in names}, "weights": deepcopy(self._state)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.best, self.best_step, self.step_count = (state_dict[n] for n in ("best", "best_step", "step_count"))
        self._state = deepcopy(state_dict["weights"])
