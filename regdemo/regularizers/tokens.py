"""Random edits of a token sequence, made before it is embedded: deletion and swap, from "easy data augmentation"."""

from __future__ import annotations

import torch
from torch import Tensor

from regdemo.errors import ArgumentError
from regdemo.regularizers.checks import check_broadcast, check_dim, check_ids, check_mask, check_rate
from regdemo.regularizers.draws import uniform


def random_deletion(
    ids: Tensor,
    p: float = 0.1,
    *,
    padding: int,
    special: Tensor | None = None,
    generator: torch.Generator | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Delete each word with probability p, and close the gaps; one word is always left.

        m ~ Bernoulli(1 - p) for each of n words; where all n would go, one of them, drawn evenly, stays
        E[words left] = n (1 - p) + p^n

    ids: integers (..., T); for words of a text, their places: torch.arange(T).  padding: the id that fills the end.
    special: bool, broadcastable to ids, True where a token is never deleted, such as a separator; padding isn't a word.
    mask: bool, broadcastable to ids, True is kept; drawn if not given.
    Returns: ids' shape and dtype, what is left moved to the front in its order.
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError unless ids are integers with a dimension, special and mask
    fit, and the mask leaves each sequence a word.
    Wei and Zou 2019, https://arxiv.org/abs/1901.11196

    >>> random_deletion(torch.tensor([5, 6, 7]), 0.5, padding=0, mask=torch.tensor([True, False, True]))
    tensor([5, 7, 0])
    """
    check_rate(p)
    words = _words(ids, padding, special)
    if mask is None:
        # The word with the largest draw stays at every p: where all fall, that is each of them equally often.
        draws = uniform(ids.shape, generator, ids.device).masked_fill(~words, -1.0)
        kept = draws >= p
        if ids.shape[-1]:
            kept |= draws == draws.amax(-1, keepdim=True)
    else:
        check_mask(mask, ids.shape)
        kept = mask.expand(ids.shape)
        emptied = words.any(-1) & ~(kept & words).any(-1)
        if emptied.any():
            raise ArgumentError(f"mask deletes every word of {int(emptied.sum())} sequences: it must keep one in each")
    kept = kept | ~words
    front = torch.argsort((~kept).byte(), dim=-1, stable=True)
    return torch.where(kept.gather(-1, front), ids.gather(-1, front), padding)


def random_swap(
    ids: Tensor,
    n: int = 1,
    *,
    padding: int,
    special: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Exchange two words of each sequence, drawn evenly among its pairs, n times over.

        of L words, a fraction (1 - 1/L) (1 - (1 - 2/(L-1))^n) is in another place than before, on average

    ids: integers (..., T); for words of a text, their places: torch.arange(T).
    n: the number of swaps; the paper advises 5 to 10% of the words.
    special: bool, broadcastable to ids, True where a token stays in its place; padding does so too.
    Returns: ids' shape and dtype, the same words in each sequence; a sequence of fewer than 2 words is as it was.
    Raises ArgumentError unless n is a whole number of at least 0, ids are integers with a dimension and special fits.
    Wei and Zou 2019, https://arxiv.org/abs/1901.11196

    >>> random_swap(torch.tensor([5, 6, 0]), padding=0)
    tensor([6, 5, 0])
    """
    if not isinstance(n, int) or n < 0:
        raise ArgumentError(f"n = {n!r} is not allowed: it must be a whole number of swaps, at least 0")
    words = _words(ids, padding, special)
    if ids.shape[-1] < 2:
        return ids.clone()
    enough = words.sum(-1, keepdim=True) >= 2
    for _ in range(n):
        draws = uniform(ids.shape, generator, ids.device).masked_fill(~words, -1.0)
        pair = draws.topk(2, dim=-1).indices
        swapped = ids.scatter(-1, pair, ids.gather(-1, pair.flip(-1)))
        ids = torch.where(enough, swapped, ids)
    return ids.clone() if n == 0 else ids


def _words(ids: Tensor, padding: int, special: Tensor | None) -> Tensor:
    """Where ids hold a word: neither padding nor special."""
    words = check_dim(check_ids(ids), 1, "(..., T)", "ids") != padding
    if special is None:
        return words
    if special.dtype != torch.bool:
        raise ArgumentError(f"special has dtype {special.dtype}: it must be bool, True where a token is kept")
    return words & ~check_broadcast(special, ids.shape, "special")
