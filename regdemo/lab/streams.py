"""Random numbers of one member for one use: they depend neither on the other members nor on what else is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from zlib import crc32

import numpy as np
import torch
from torch import Generator, Tensor

from regdemo.regularizers import keep_masks

MASKS_AHEAD = 8  # masks drawn at a time: a call on a generator costs as much as the numbers of one


def stream(seed: int, member: int, use: str, device: torch.device | str = "cpu") -> Generator:
    """The random numbers that one member of each arm has for one use, such as "weights"; on a GPU, others."""
    state = np.random.SeedSequence((seed, member, crc32(use.encode()))).generate_state(1)
    return torch.Generator(device).manual_seed(int(state[0]))


class RngStreams:
    """One use's streams for several members: each draw is stacked, (S, *shape), and each part what it is alone."""

    def __init__(
        self,
        seed: int,
        members: Sequence[int],
        use: str,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
    ) -> None:
        self.generators = [stream(seed, member, use, device) for member in members]
        self.dtype, self.device = dtype, torch.device(device)
        self._masks: dict[tuple[float, ...], Iterator[Tensor]] = {}

    def keep(self, shape: Sequence[int], p: float) -> Tensor:
        """Masks, True with probability 1 - p."""
        key = (*shape, p)
        masks = self._masks.get(key)
        mask = None if masks is None else next(masks, None)
        if mask is None:
            # The first may be the only one, as where the rate changes from step to step.
            many = 1 if masks is None else MASKS_AHEAD
            drawn = keep_masks((many, *shape), p, self.generators, device=self.device)
            self._masks[key] = masks = iter(drawn.unbind(1))
            mask = next(masks)
        return mask

    def normal(self, shape: Sequence[int]) -> Tensor:
        """Standard Gaussian numbers."""
        return self._each(torch.randn, tuple(shape), dtype=self.dtype)

    def uniform(self, shape: Sequence[int]) -> Tensor:
        """Numbers from 0 to below 1."""
        return self._each(torch.rand, tuple(shape), dtype=self.dtype)

    def order(self, n: int) -> Tensor:
        """A permutation of n for each member."""
        return self._each(torch.randperm, n)

    def sample(self, n: int) -> Tensor:
        """For each member, n of n with replacement."""
        return self._each(torch.randint, n, (n,))

    def _each(self, draw: Callable[..., Tensor], *arguments: Any, **options: Any) -> Tensor:
        return torch.stack([draw(*arguments, **options, generator=g, device=self.device) for g in self.generators])
