"""The checks every regularizer makes of its arguments."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from regdemo.errors import ArgumentError, ProbabilityError


def check_rate(p: float, name: str = "p") -> float:
    """Return p; raise ProbabilityError unless it is a number with 0 <= p < 1 (NaN fails too)."""
    try:
        inside = 0 <= p < 1
    except TypeError:  # not a number at all
        inside = False
    if not inside:
        raise ProbabilityError(f"{name} = {p!r} is not a drop probability: choose one from 0 to below 1, such as 0.1")
    return p


def check_floating(x: Tensor, name: str = "x") -> Tensor:
    """Return x; raise ArgumentError unless its dtype is floating point."""
    if not x.is_floating_point():
        raise ArgumentError(f"{name} has dtype {x.dtype}: it must be floating point, as from {name}.float()")
    return x


def check_dim(x: Tensor, least: int, layout: str, name: str = "x") -> Tensor:
    """Return x; raise ArgumentError unless it has at least `least` dimensions, named by layout."""
    if x.dim() < least:
        raise ArgumentError(f"{name} has shape {tuple(x.shape)}: it must be {layout}, {least} dimensions or more")
    return x


def check_broadcast(x: Tensor, shape: Sequence[int], name: str) -> Tensor:
    """Return x; raise ArgumentError unless it broadcasts to shape, which it must not enlarge."""
    extra = len(shape) - x.dim()
    if extra < 0 or any(own not in (1, other) for own, other in zip(x.shape, shape[extra:], strict=True)):
        raise ArgumentError(f"{name} has shape {tuple(x.shape)}: it must be {tuple(shape)}, or broadcast to it")
    return x


def check_mask(mask: Tensor, shape: Sequence[int]) -> Tensor:
    """Return mask; raise ArgumentError unless it is bool and broadcasts to shape."""
    if mask.dtype != torch.bool:
        raise ArgumentError(
            f"mask has dtype {mask.dtype}: it must be bool, True where an element is kept, as from mask.bool()"
        )
    return check_broadcast(mask, shape, "mask")


def check_amount(value: float, name: str, *, above: float | None = None) -> float:
    """Return value; raise ArgumentError unless it is a finite number, at least 0, or above `above` if given."""
    try:
        inside = math.isfinite(value) and (value >= 0 if above is None else value > above)
    except TypeError:  # not a number at all
        inside = False
    if not inside:
        allowed = "at least 0" if above is None else f"above {above:g}"
        raise ArgumentError(f"{name} = {value!r} is not allowed: it must be a finite number, {allowed}")
    return value
