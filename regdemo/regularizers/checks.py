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
    """Return x; raise ArgumentError unless it is a tensor whose dtype is floating point."""
    if not check_tensor(x, name).is_floating_point():
        raise ArgumentError(f"{name} has dtype {x.dtype}: it must be floating point, as from {name}.float()")
    return x


def check_tensor(x: Tensor, name: str) -> Tensor:
    """Return x; raise ArgumentError unless it is a tensor."""
    if not isinstance(x, Tensor):
        raise ArgumentError(f"{name} is a {type(x).__name__}: it must be a tensor, as from torch.as_tensor({name})")
    return x


def check_dim(x: Tensor, least: int, layout: str, name: str = "x") -> Tensor:
    """Return x; raise ArgumentError unless it has at least `least` dimensions, named by layout."""
    if x.dim() < least:
        dimensions = "1 dimension" if least == 1 else f"{least} dimensions"
        raise ArgumentError(f"{name} has shape {tuple(x.shape)}: it must be {layout}, {dimensions} or more")
    return x


def check_broadcast(x: Tensor, shape: Sequence[int], name: str) -> Tensor:
    """Return x; raise ArgumentError unless it broadcasts to shape, which it must not enlarge."""
    extra = len(shape) - x.dim()
    if extra < 0 or any(own not in (1, other) for own, other in zip(x.shape, shape[extra:], strict=True)):
        raise ArgumentError(f"{name} has shape {tuple(x.shape)}: it must be {tuple(shape)}, or broadcast to it")
    return x


def check_mask(mask: Tensor | None, shape: Sequence[int], name: str = "mask") -> Tensor | None:
    """Return mask; raise ArgumentError unless it is bool and broadcasts to shape, or there is none."""
    if mask is None:
        return None
    if check_tensor(mask, name).dtype != torch.bool:
        raise ArgumentError(
            f"{name} has dtype {mask.dtype}: it must be bool, True where an element is kept, as from {name}.bool()"
        )
    return check_broadcast(mask, shape, name)


def check_noise(noise: Tensor | None, shape: Sequence[int]) -> Tensor | None:
    """Return noise; raise ArgumentError unless it is floating point and broadcasts to shape, or there is none."""
    return None if noise is None else check_broadcast(check_floating(noise, "noise"), shape, "noise")


def check_ids(ids: Tensor, name: str = "ids") -> Tensor:
    """Return ids; raise ArgumentError unless they are integers."""
    if check_tensor(ids, name).is_floating_point() or ids.is_complex() or ids.dtype == torch.bool:
        raise ArgumentError(f"{name} has dtype {ids.dtype}: it must hold integers, as from {name}.long()")
    return ids


def check_inplace(inplace: bool) -> None:
    """Raise ArgumentError if inplace is asked for."""
    if inplace:
        raise ArgumentError(
            "inplace=True is not supported: it would overwrite x, which the layer before may need for its gradient; "
            "leave it out"
        )


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
