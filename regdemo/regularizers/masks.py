"""The one place where a random mask is drawn, and the one where it is applied."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from regdemo.errors import ArgumentError
from regdemo.regularizers.checks import check_rate
from regdemo.regularizers.draws import uniform
from regdemo.regularizers.fast_masks import ALONE, SMALL, draw_masks, is_eager_on_cpu, multiply


def keep_mask(
    shape: Sequence[int],
    p: float,
    *,
    generator: torch.Generator | None = None,
    device: torch.device | None = None,
) -> Tensor:
    """Draw independently for each element whether it is kept.

        m ~ Bernoulli(1 - p)

    shape: any.  Returns: a bool tensor of that shape, True where the element is kept.
    Raises ProbabilityError unless 0 <= p < 1.
    The rate is p within 2^-24, the step of a uniform float32; where a mask is large enough for `fast_masks`, on the CPU
    and outside of torch.compile, it is p within float64's rounding.
    Inside torch.utils.checkpoint a generator needs `replay_draws`; the same holds for every function here that takes
    one.

    >>> keep_mask((2, 3), 0.0)
    tensor([[True, True, True],
            [True, True, True]])
    """
    check_rate(p)
    if is_eager_on_cpu(device) and (size := math.prod(shape)) >= ALONE:
        return draw_masks(size, p, [generator]).view(tuple(shape))
    # float32 for all types of data: a uniform draw in float16 would be too coarse for a small p.
    return uniform(shape, generator, device) >= p


def keep_masks(
    shape: Sequence[int], p: float, generators: Sequence[torch.Generator], *, device: torch.device | None = None
) -> Tensor:
    """Draw one mask from each generator, all of them in fewer steps than one by one.

    shape: one mask's.  generators: S of them.  Returns: bool, (S, *shape), True where the element is kept.
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError if there is no generator.

    >>> keep_masks((3,), 0.0, [torch.Generator(), torch.Generator()])
    tensor([[True, True, True],
            [True, True, True]])
    """
    check_rate(p)
    if not generators:
        raise ArgumentError("generators is empty: there must be one for each mask, at least 1")
    if is_eager_on_cpu(device) and (size := math.prod(shape)) >= SMALL:
        return draw_masks(size, p, generators).contiguous().view(len(generators), *shape)
    return torch.stack([uniform(shape, generator, device) for generator in generators]) >= p


def scale_kept(x: Tensor, mask: Tensor, p: float) -> Tensor:
    """Zero what the mask drops and scale what it keeps, so that the mean over masks is x.

        y = x * m / (1 - p)

    x: floating point.  mask: bool, True is kept.  Returns: x's dtype, and the shape that x and mask broadcast to.

    >>> scale_kept(torch.ones(3), torch.tensor([True, False, True]), 0.5)
    tensor([2., 0., 2.])
    """
    scale = 1 / (1 - p)
    return multiply(x, mask, scale) if is_eager_on_cpu(x.device) else x * mask * scale


class RateModule(nn.Module):
    """A Module whose only setting is its drop probability p: the base of the twins of the functions."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = check_rate(p)

    def extra_repr(self) -> str:
        """The rate, shown when the module is printed."""
        return f"p={self.p}"
