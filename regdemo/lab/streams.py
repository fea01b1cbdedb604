"""Random numbers of one member for one use: the same whoever else is trained, and whatever else is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np
import torch
from torch import Generator, Tensor

from regdemo.regularizers import keep_masks


def stream(seed: int, member: int, use: str) -> Generator:
    """The random numbers that one member of each arm has for one use, such as "weights"."""
    state = np.random.SeedSequence((seed, member, crc32(use.encode()))).generate_state(1)
    return torch.Generator().manual_seed(int(state[0]))


class Draws:
    """One use's streams for several members: each draw is stacked, (S, *shape), and each part what it is alone."""

    def __init__(self, seed: int, members: Sequence[int], use: str, dtype: torch.dtype) -> None:
        self.generators = [stream(seed, member, use) for member in members]
        self.dtype = dtype

    def keep(self, shape: Sequence[int], p: float) -> Tensor:
        """Masks, True with probability 1 - p."""
        return keep_masks(shape, p, self.generators)

    def normal(self, shape: Sequence[int]) -> Tensor:
        """Standard Gaussian numbers."""
        return torch.stack([torch.randn(tuple(shape), generator=g, dtype=self.dtype) for g in self.generators])

    def uniform(self, shape: Sequence[int]) -> Tensor:
        """Numbers from 0 to below 1."""
        return torch.stack([torch.rand(tuple(shape), generator=g, dtype=self.dtype) for g in self.generators])

    def order(self, n: int) -> Tensor:
        """A permutation of n for each member."""
        return torch.stack([torch.randperm(n, generator=generator) for generator in self.generators])

    def sample(self, n: int) -> Tensor:
        """For each member, n of n with replacement."""
        return torch.stack([torch.randint(n, (n,), generator=generator) for generator in self.generators])
