"""The one place where a random mask is drawn, and the one where it is applied."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from regdemo.errors import ArgumentError
from regdemo.regularizers.checks import check_rate

LARGE = 2**18  # elements, from which on memory costs more than the number of operations
SMALL = 8192  # elements, below which a draw for each is quicker than the operations that let eight share one


def keep_mask(
    shape: Sequence[int],
    p: float,
    *,
    generator: torch.Generator | None = None,
    device: torch.device | None = None,
) -> Tensor:
    """Draw which elements are kept, each on its own.

        m ~ Bernoulli(1 - p)

    shape: any.  Returns: a bool tensor of that shape, True where the element is kept.
    Raises ProbabilityError unless 0 <= p < 1.
    On the CPU a mask of SMALL elements or more draws a byte for each, and corrects for what p is not in bytes:

        m = [byte >= 256 a] * s,    a = floor(256 p) / 256,    s ~ Bernoulli(1 - (p - a) / (1 - a))

    s drops so few that only these are drawn, by their gaps, which are geometric. The rate is p within float64's
    rounding; elsewhere, and in what torch.compile compiles, it is p within 2^-24, the step of a uniform float32.

    >>> keep_mask((2, 3), 0.0)
    tensor([[True, True, True],
            [True, True, True]])
    """
    check_rate(p)
    (draws,) = _draw(shape, p, [generator], device)
    return _combine(draws, p, math.prod(shape)).view(tuple(shape))


def keep_masks(
    shape: Sequence[int], p: float, generators: Sequence[torch.Generator], *, device: torch.device | None = None
) -> Tensor:
    """Draw one mask from each generator: those of `keep_mask`, stacked, but combined all at once.

    shape: one mask's.  generators: S of them.  Returns: bool, (S, *shape), True where the element is kept.
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError if there is no generator.

    >>> keep_masks((3,), 0.0, [torch.Generator(), torch.Generator()])
    tensor([[True, True, True],
            [True, True, True]])
    """
    check_rate(p)
    if not generators:
        raise ArgumentError("generators is empty: there must be one for each mask, at least 1")
    draws = torch.stack(_draw(shape, p, generators, device))
    return _combine(draws, p, math.prod(shape)).contiguous().view(len(generators), *shape)


def _draw(
    shape: Sequence[int], p: float, generators: Sequence[torch.Generator | None], device: torch.device | None
) -> list[Tensor]:
    """The random numbers behind masks: a uniform for each element; or words, for its bytes and then for the gaps."""
    size = math.prod(shape)
    # Where a graph is compiled, uniforms are left to the compiler, which fuses them with what follows.
    if torch.compiler.is_compiling() or size < SMALL or (device or torch.get_default_device()).type != "cpu":
        # float32 whatever the data's type: in float16 the uniform draw itself would be too coarse for a small p.
        # Named only if there is one: where a compiler's sizes are symbols, torch takes no generator, not even None.
        sources: list[dict[str, Any]] = [
            {} if generator is None else {"generator": generator} for generator in generators
        ]
        return [torch.rand(tuple(shape), **source, device=device, dtype=torch.float32) for source in sources]
    # Words of 64 bits. `random_` would be as good, but vmap refuses it.
    words = (_words(size) + _gaps(size, _remainder(p)),)
    return [torch.randint(-(2**63), 2**63 - 1, words, generator=generator, device=device) for generator in generators]


def _words(size: int) -> int:
    """Enough for a byte an element, and one more."""
    return size // 8 + 1


def _gaps(size: int, rate: float) -> int:
    """How many gaps are drawn: more are needed with probability below e^-50 (Bernstein's inequality)."""
    return min(size, math.ceil(size * rate + 10 * (size * rate) ** 0.5 + 40)) if rate else 0


def _remainder(p: float) -> float:
    """(p - a) / (1 - a): the rate among what the bytes keep that makes the whole rate p."""
    return (256 * p - math.floor(256 * p)) / (256 - math.floor(256 * p))


def _combine(draws: Tensor, p: float, size: int) -> Tensor:
    """The masks that `_draw`'s numbers stand for, of `size` elements each, whatever dimensions lead."""
    if draws.is_floating_point():
        return draws >= p
    # A copy in float64, before the words become the mask in place: new memory costs more than the arithmetic.
    uniform = (draws[..., _words(size) :] & (2**53 - 1)).double() * 2.0**-53
    first, mask = math.floor(256 * p), draws.view(torch.uint8)  # the first byte that is kept
    # To 1 from it on and to 0 below, by what vmap knows and torch does to many bytes at once.
    mask = mask.clamp_min_(first - 1).clamp_max_(first).sub_(first - 1) if first else mask.fill_(1)
    if uniform.shape[-1]:
        steps = (torch.log1p(-uniform) / math.log1p(-_remainder(p))).clamp(max=size).long() + 1
        places = (steps.cumsum(-1) - 1).clamp(max=size)  # all those behind the end fall on the spare byte
        rows = torch.arange(math.prod(mask.shape[:-1]), device=mask.device).view(*mask.shape[:-1], 1) * mask.shape[-1]
        mask.view(-1).index_fill_(0, (places + rows).flatten(), 0)
    return mask.view(torch.bool)[..., :size]


def scale_kept(x: Tensor, mask: Tensor, p: float) -> Tensor:
    """Zero what the mask drops and scale what it keeps, so that the mean over masks is x.

        y = x * m / (1 - p)

    x: floating point.  mask: bool, True is kept.  Returns: x's dtype, and the shape that x and mask broadcast to.

    >>> scale_kept(torch.ones(3), torch.tensor([True, False, True]), 0.5)
    tensor([2., 0., 2.])
    """
    return _scale_kept(x, mask, 1 / (1 - p))


def _scale_kept(x: Tensor, mask: Tensor, scale: float) -> Tensor:
    """x * mask * scale, the shortest way."""
    alike = x.shape == mask.shape and not torch.compiler.is_compiling()
    if alike and x.numel() < LARGE and x.dtype in (torch.float32, torch.float64):  # in others the scale would be coarse
        # From bytes, which torch converts faster than bool.
        return x * mask.view(torch.uint8).to(x.dtype).mul_(scale)
    if alike and x.is_contiguous() and mask.is_contiguous():
        apply: Any = _ScaleKept.apply  # typed in some versions of torch, untyped in others
        scaled: Tensor = apply(x, mask, scale)
        return scaled
    # Multiplying first by a bool mask leaves that mask, not a float copy of it, in memory for the backward pass.
    return x * mask * scale


class _ScaleKept(torch.autograd.Function):
    """x * mask * scale for an x and a mask of one shape, with one new tensor instead of three: memory is what costs."""

    @staticmethod
    def forward(x: Tensor, mask: Tensor, scale: float) -> Tensor:
        """From bytes, which torch converts faster than bool."""
        return mask.view(torch.uint8).to(x.dtype).mul_(x).mul_(scale)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, float], output: Tensor) -> None:
        """Keep the mask as it is, without a copy in floats."""
        _, mask, ctx.scale = inputs
        ctx.save_for_backward(mask)
        ctx.save_for_forward(mask)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """The same function of the gradient."""
        (mask,) = ctx.saved_tensors
        return _scale_kept(gradient, mask, ctx.scale), None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Tensor:
        """The same function of the tangent."""
        (mask,) = ctx.saved_tensors
        return _scale_kept(tangent, mask, ctx.scale)

    @staticmethod
    def vmap(_: Any, dims: tuple[int | None, ...], x: Tensor, mask: Tensor, scale: float) -> tuple[Tensor, int]:
        """The same with the dimensions that vmap hides in front."""
        x, mask = (t if dim is None else t.movedim(dim, 0) for t, dim in zip((x, mask), dims, strict=False))
        return x * mask * scale, 0


class RateModule(nn.Module):
    """A Module whose only setting is its drop probability p: the base of the twins beside the functions."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = check_rate(p)

    def extra_repr(self) -> str:
        """The rate, shown when the module is printed."""
        return f"p={self.p}"
