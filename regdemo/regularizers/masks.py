"""The one place where a random mask is drawn, and the one where it is applied."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from regdemo.regularizers.checks import check_rate


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

    >>> keep_mask((2, 3), 0.0)
    tensor([[True, True, True],
            [True, True, True]])
    """
    check_rate(p)
    # float32 whatever the data's type: in float16 the uniform draw itself would be too coarse for a small p.
    return torch.rand(tuple(shape), generator=generator, device=device, dtype=torch.float32) >= p


def scale_kept(x: Tensor, mask: Tensor, p: float) -> Tensor:
    """Zero what the mask drops and scale what it keeps, so that the mean over masks is x.

        y = x * m / (1 - p)

    x: floating point.  mask: bool, True is kept.  Returns: x's dtype, and the shape that x and mask broadcast to.

    >>> scale_kept(torch.ones(3), torch.tensor([True, False, True]), 0.5)
    tensor([2., 0., 2.])
    """
    # Multiplying first by a bool mask leaves that mask, not a float copy of it, in memory for the backward pass.
    return x * mask * (1 / (1 - p))


class RateModule(nn.Module):
    """A Module whose only setting is its drop probability p: the base of the twins beside the functions."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = check_rate(p)

    def extra_repr(self) -> str:
        """The rate, shown when the module is printed."""
        return f"p={self.p}"
