"""Masks on the CPU, drawn and applied several times as fast as by `torch.rand(shape) >= p` and `x * mask / (1 - p)`.

The plain draw spends a random number and a float on each element. Here one random word of 64 bits serves eight
elements, a byte each, and a second draw corrects for what p is not in bytes:

    kept = [byte >= 256 a] and s,    a = floor(256 p) / 256,    s ~ Bernoulli(1 - r),    r = (p - a) / (1 - a)

so that P(kept) = (1 - a)(1 - r) = 1 - p. Since r < 1/256, only the elements that s drops are drawn: the gaps between
them are geometric, floor(ln u / ln(1 - r)) for a uniform u. The rate is p within float64's rounding.

`benchmarks/regularizers.py` times it against the plain draw and against F.dropout.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from regdemo.regularizers.draws import warn_in_checkpoint

SMALL = 2**13  # elements, below which the plain draw of several masks together is quicker
ALONE = 2**14  # and that of a single mask
CPU = torch.device("cpu")


def is_eager_on_cpu(device: torch.device | None) -> bool:
    """Whether torch computes on the CPU as it goes; a graph gets the plain formulas, which a compiler fuses."""
    if torch.compiler.is_compiling() or (device or torch.get_default_device()) != CPU:
        return False
    return not torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]


def reinterpret(x: Tensor, dtype: torch.dtype) -> Tensor:
    """x's memory as bytes or bools, without a copy where torch can: before torch 2.13 vmap cannot."""
    try:
        return x.view(dtype)
    except RuntimeError:
        if x.dtype == torch.int64:
            x = (x.unsqueeze(-1) >> torch.arange(0, 64, 8)).flatten(-2)  # its bytes from the lowest on
        return x.to(dtype)


def multiply(x: Tensor, mask: Tensor, scale: float) -> Tensor:
    """x * mask * scale, where the CPU would multiply by bools slowly."""
    if mask.numel() < SMALL and x.dtype == torch.get_default_dtype():
        return x * (mask * scale)  # the fewest calls, which is what a small mask costs
    kept = reinterpret(mask, torch.uint8).to(x.dtype)  # bytes are converted faster than bools
    if x.dtype in (torch.float32, torch.float64):  # a half type would round the scale
        return x * kept.mul_(scale)  # the mask is often the smaller of the two
    return x * kept * scale


def draw_masks(size: int, p: float, generators: Sequence[torch.Generator | None]) -> Tensor:
    """One mask of `size` elements from each generator: bool, (S, size), True where the element is kept."""
    sources: list[dict[str, Any]] = [{} if generator is None else {"generator": generator} for generator in generators]
    if generators[0] is not None:
        warn_in_checkpoint(generators[0])
    count = gaps_needed(size, remainder(p))
    words = [torch.randint(-(2**63), 2**63 - 1, (size // 8 + 1,), **source, device="cpu") for source in sources]
    uniforms = [torch.rand(count, **source, device="cpu", dtype=torch.float64) for source in sources]
    return combine(_rows(words), _rows(uniforms), p)[:, :size]


def _rows(tensors: list[Tensor]) -> Tensor:
    """Stack the tensors, or view a single one as a row: new memory is what large masks cost."""
    return torch.stack(tensors) if len(tensors) > 1 else tensors[0].unsqueeze(0)


def remainder(p: float) -> float:
    """r = (p - a) / (1 - a): the drop rate among what the bytes keep that makes the whole rate p."""
    return (256 * p - math.floor(256 * p)) / (256 - math.floor(256 * p))


def gaps_needed(size: int, rate: float) -> int:
    """How many gaps are drawn: more are needed with probability below e^-50 (Bernstein's inequality)."""
    return min(size, math.ceil(size * rate + 10 * (size * rate) ** 0.5 + 40)) if rate else 0


def combine(words: Tensor, uniforms: Tensor, p: float) -> Tensor:
    """The masks that the random numbers mean, one in each row; the words become the mask, in place."""
    mask, first = reinterpret(words, torch.uint8), math.floor(256 * p)  # the first byte that is kept
    # To 1 from it on and to 0 below it: three quick passes in place, by what vmap knows.
    mask = mask.clamp_min_(first - 1).clamp_max_(first).sub_(first - 1) if first else mask.fill_(1)
    if uniforms.shape[-1]:
        size = mask.shape[-1]
        gaps = uniforms.log_().div_(math.log1p(-remainder(p))).clamp_max_(size).long()
        # Those past the end fall on the last byte, which is spare.
        dropped = gaps.add_(1).cumsum(-1).sub_(1).clamp_max_(size - 1)
        rows = torch.arange(len(mask), device=mask.device).unsqueeze(1) * size
        mask.view(-1).index_fill_(0, (dropped + rows).flatten(), 0)
    return reinterpret(mask, torch.bool)
