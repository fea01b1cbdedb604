"""Noise in recurrent networks: one mask for all time steps (locked dropout), units that keep their state (zoneout)."""

from __future__ import annotations

import torch
from torch import Tensor

from regdemo.errors import ArgumentError
from regdemo.regularizers.checks import check_dim, check_floating, check_mask, check_rate
from regdemo.regularizers.masks import RateModule, keep_mask, scale_kept


@torch.fx.wrap
def locked_dropout(
    x: Tensor,
    p: float = 0.5,
    training: bool = True,
    *,
    time_dim: int = 1,
    generator: torch.Generator | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Dropout with one mask for all time steps of a sequence: variational, or locked, dropout.

        y[b, t, i] = x[b, t, i] * m[b, i] / (1 - p),    m ~ Bernoulli(1 - p) for each example and unit

    x: (B, T, d), or (T, B, d) with time_dim=0, floating point, of any number of dimensions from 2.
    mask: broadcastable to x with a length of 1 along time_dim, True is kept; drawn if not given.
    Returns: x's shape and dtype; x outside training.
    For a mask that also stays over the batches of truncated backpropagation, draw it once and hand it in.
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError if x has fewer than 2 dimensions, no dimension time_dim, is
    not floating point, or the mask does not fit.
    Gal and Ghahramani 2015, https://arxiv.org/abs/1512.05287; Merity et al. 2017, https://arxiv.org/abs/1708.02182

    >>> locked_dropout(torch.ones(1, 3, 2), 0.5, mask=torch.tensor([True, False]))
    tensor([[[2., 0.],
             [2., 0.],
             [2., 0.]]])
    """
    check_rate(p)
    check_dim(check_floating(x), 2, "(B, T, d)")
    if not -x.dim() <= time_dim < x.dim():
        raise ArgumentError(f"time_dim = {time_dim} is not allowed: x has the dimensions 0 to {x.dim() - 1}")
    shape = [1 if dim == time_dim % x.dim() else size for dim, size in enumerate(x.shape)]
    check_mask(mask, shape)
    if not training:
        return x
    if mask is None:
        mask = keep_mask(shape, p, generator=generator, device=x.device)
    return scale_kept(x, mask, p)


class LockedDropout(RateModule):
    """`locked_dropout` as a Module: one mask for all time steps in training; the identity in eval.

    p: the drop probability of a unit, 0 <= p < 1.  time_dim: 1 for (B, T, d), 0 for nn.LSTM's default (T, B, d).
    Input and output: (B, T, d), floating point.

    >>> LockedDropout(0.5, time_dim=0)(torch.ones(7, 2, 3)).shape
    torch.Size([7, 2, 3])
    """

    def __init__(self, p: float = 0.5, *, time_dim: int = 1) -> None:
        super().__init__(p)
        self.time_dim = time_dim

    def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Apply `locked_dropout` at rate p."""
        return locked_dropout(x, self.p, self.training, time_dim=self.time_dim, generator=generator)

    def extra_repr(self) -> str:
        """The rate and the dimension of time."""
        return f"p={self.p}, time_dim={self.time_dim}"


@torch.fx.wrap
def zoneout(
    new: Tensor,
    previous: Tensor,
    p: float = 0.1,
    training: bool = True,
    *,
    generator: torch.Generator | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Let each unit of a recurrent network keep its previous state with probability p.

        h_t = m * new + (1 - m) * previous,    m ~ Bernoulli(1 - p) for each element
        outside training its mean:  h_t = (1 - p) * new + p * previous

    Call it once for each time step and state; an LSTM's cell may have another p than its hidden state.
    new, previous: the state that the cell has computed, and the one before: of one shape, floating point.
    mask: broadcastable to it, True is updated; drawn if not given.
    Returns: the state, of their shape and of new's dtype. Unlike dropout, eval is not the identity.
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError if a tensor is not floating point, or the shapes or the
    mask do not fit.
    Krueger et al. 2016, https://arxiv.org/abs/1606.01305

    >>> new, previous = torch.tensor([1.0, 1.0]), torch.tensor([0.0, 0.0])
    >>> zoneout(new, previous, 0.25, mask=torch.tensor([True, False])), zoneout(new, previous, 0.25, training=False)
    (tensor([1., 0.]), tensor([0.7500, 0.7500]))
    """
    check_rate(p)
    check_floating(new, "new")
    check_floating(previous, "previous")
    if previous.shape != new.shape:
        raise ArgumentError(f"previous has shape {tuple(previous.shape)}: it must be {tuple(new.shape)}, that of new")
    check_mask(mask, new.shape)
    previous = previous.to(new.dtype)
    if not training:
        return torch.lerp(new, previous, p)
    if mask is None:
        mask = keep_mask(new.shape, p, generator=generator, device=new.device)
    return torch.where(mask, new, previous)


class Zoneout(RateModule):
    """`zoneout` as a Module, called on each time step's state: random in training; the mean in eval.

    p: the probability that a unit keeps its previous state, 0 <= p < 1.
    Input: the new state and the previous one, of one shape.  Output: the state.

    >>> cell, zone = torch.nn.GRUCell(3, 4), Zoneout(0.1)
    >>> state = torch.zeros(2, 4)
    >>> for x in torch.ones(5, 2, 3):  # time steps
    ...     state = zone(cell(x, state), state)
    >>> state.shape
    torch.Size([2, 4])
    """

    def __init__(self, p: float = 0.1) -> None:
        super().__init__(p)

    def forward(self, new: Tensor, previous: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Apply `zoneout` at rate p."""
        return zoneout(new, previous, self.p, self.training, generator=generator)
