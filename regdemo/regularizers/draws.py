"""The one place where random numbers come from, and how a draw from a generator survives gradient checkpointing."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
import torch.utils.checkpoint
from torch import Tensor


def uniform(
    shape: Sequence[int],
    generator: torch.Generator | None = None,
    device: torch.device | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Numbers from [0, 1), uniform and independent; from torch's global generator if none is handed in."""
    return torch.rand(tuple(shape), **source(generator), device=device, dtype=dtype)


def noise_within(bound: float, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Independent numbers from [-bound, bound), uniform, with the shape and device of `like`.

    In the dtype of `like` or in float32, whichever is finer: a half type's own draws are coarse.
    """
    numbers = like.new_empty(like.shape, dtype=torch.promote_types(like.dtype, torch.float32))
    return numbers.uniform_(-bound, bound, **source(generator))


def normal(shape: Sequence[int], like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Independent N(0, 1) numbers on the device of `like`, in its dtype or in float32, the finer of the two.

    A half type's own draws are coarse in the tails.
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    return torch.randn(tuple(shape), **source(generator), device=like.device, dtype=dtype)


def source(generator: torch.Generator | None) -> dict[str, Any]:
    """The keyword argument that hands a generator to torch, or no argument without one.

    Where the sizes are symbols, as in a graph compiled for every batch size, torch refuses even generator=None.
    """
    if generator is None:
        return {}
    warn_in_checkpoint(generator)
    return {"generator": generator}


def warn_in_checkpoint(generator: torch.Generator) -> None:
    """Warn if a generator is drawn from inside torch.utils.checkpoint, unless `replay_draws` replays it."""
    if not torch.compiler.is_compiling() and generator not in _replayed and _in_checkpoint():
        warnings.warn(
            "a generator is drawn from inside torch.utils.checkpoint, which replays torch's global generator only: "
            "unless the function seeds this one itself, the gradient is that of another mask; "
            "pass use_reentrant=False, context_fn=lambda: replay_draws(generator)",
            stacklevel=2,
        )


_replayed: set[torch.Generator] = set()
_CHECKPOINT = torch.utils.checkpoint.__file__


def _in_checkpoint() -> bool:
    """Whether this call comes from torch.utils.checkpoint, in the forward pass or in the recomputation."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename != _CHECKPOINT:
        frame = frame.f_back
    return frame is not None


def replay_draws(*generators: torch.Generator) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Let gradient checkpointing draw the same masks from a generator when it recomputes.

        checkpoint(block, x, use_reentrant=False, context_fn=lambda: replay_draws(generator))

    torch.utils.checkpoint runs the block a second time in the backward pass, and gives back to that second run the
    state of torch's global generators, but not of others: a mask drawn from a `generator` would be another one than in
    the forward pass, and the gradient wrong without an error. The regularizers warn of that. Within these contexts the
    second run starts from the generators' states of the first, and leaves them as it found them.
    generators: those that the block draws from.  Returns: the contexts of the first and of the second run.
    See `context_fn` in https://docs.pytorch.org/docs/stable/checkpoint.html

    >>> from torch.utils.checkpoint import checkpoint
    >>> generator, x = torch.Generator().manual_seed(0), torch.ones(100, requires_grad=True)
    >>> block = lambda x: (x * (uniform((100,), generator) < 0.5)).exp()
    >>> y = checkpoint(block, x, use_reentrant=False, context_fn=lambda: replay_draws(generator))
    >>> y.sum().backward()
    >>> bool(((x.grad != 0) == (y != 1)).all())  # the elements with a gradient are those that were kept
    True
    """
    states: list[Tensor] = []

    @contextmanager
    def first() -> Iterator[None]:
        states[:] = [generator.get_state() for generator in generators]
        with _announced(generators):
            yield

    @contextmanager
    def second() -> Iterator[None]:
        found = [generator.get_state() for generator in generators]
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)
        try:
            with _announced(generators):
                yield
        finally:
            for generator, state in zip(generators, found, strict=True):
                generator.set_state(state)

    return first(), second()


@contextmanager
def _announced(generators: Sequence[torch.Generator]) -> Iterator[None]:
    """Keep `warn_in_checkpoint` from warning of generators that are replayed."""
    added = set(generators) - _replayed
    _replayed.update(added)
    try:
        yield
    finally:
        _replayed.difference_update(added)
