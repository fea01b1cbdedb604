"""What a judge asserts: equality, gradients, and the distribution of what is random. Each says what it measured.

False alarms: Every assertion about randomness here fails for right code less than once in 10^9 runs (EACH), by an exact
tail or a proven bound, and a judge that makes more than 900 of them is stopped. So a whole judge is wrong about right
code less than once in a million runs. Each run has a new seed, so that code cannot be fitted to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import Any, NoReturn

import torch
from torch import Tensor

from regdemo.kata.remote import CodeError, Remote

EACH = 1e-9
MOST_ASSERTIONS = 900
MOST_PLACES = 1_000  # along a dimension, that are compared with each other
BUDGET: list[None] = []  # one for each assertion about randomness that this judge has made

__all__ = [
    "bernoulli",
    "close",
    "differs",
    "each",
    "fail",
    "follows",
    "fraction",
    "fresh",
    "gradient",
    "independent",
    "independent_along",
    "keeps_global_random_state",
    "keeps_inputs",
    "like",
    "mean",
    "normal",
    "obeys",
    "raises",
    "same",
]


def fail(measured: str) -> NoReturn:
    """Fail the test, with what was measured."""
    raise AssertionError(measured)


# Values


def like(y: Any, x: Tensor, what: str = "the result") -> None:
    """y is a tensor of x's shape and dtype."""
    if not isinstance(y, Tensor):
        fail(f"{what} is a value of type {type(y).__name__}, not a tensor")
    if y.shape != x.shape:
        fail(f"{what} has the shape {tuple(y.shape)}, where {tuple(x.shape)} is right")
    if y.dtype != x.dtype:
        fail(f"{what} is {_short(y.dtype)}, where {_short(x.dtype)} is right")


def same(y: Any, right: Any, what: str = "the result") -> None:
    """y equals the right value exactly."""
    if isinstance(right, Tensor):
        like(y, right, what)
        if not torch.equal(y, right):
            fail(_difference(y, right, what))
    elif isinstance(y, Tensor) or type(y) is not type(right) or y != right:
        fail(f"{what} is {_short(y)}, where {_short(right)} is right")


def close(y: Any, right: Any, what: str = "the result", *, rtol: float = 1e-5, atol: float = 1e-6) -> None:
    """y is within rounding of the right value: a number, a tensor, or a list of either. NaN is close to nothing."""
    if isinstance(right, list | tuple):
        if not isinstance(y, list | tuple) or len(y) != len(right):
            fail(f"{what} is {_short(y)}, where {len(right)} values are right")
        for index, (one, other) in enumerate(zip(y, right, strict=True)):
            close(one, other, f"{what}, value {index}", rtol=rtol, atol=atol)
    elif isinstance(right, Tensor):
        if isinstance(y, Tensor) and y.dtype != right.dtype and y.shape == right.shape:
            y = y.to(right.dtype) if y.dtype.is_floating_point else y
        like(y, right, what)
        if not torch.allclose(y.double(), right.double(), rtol=rtol, atol=atol):
            fail(_difference(y, right, what))
    else:
        if isinstance(y, Tensor) and y.numel() == 1:
            y = y.item()
        if isinstance(y, bool) or not isinstance(y, int | float):
            fail(f"{what} is {_short(y)}, where {right:.6g} is right")
        if not math.isclose(y, right, rel_tol=rtol, abs_tol=atol):
            fail(f"{what} is {y:.6g}, where {right:.6g} is right")


def differs(y: Tensor, other: Tensor, what: str) -> None:
    """y is not other, in at least one element."""
    like(y, other, what)
    if torch.equal(y, other):
        fail(f"{what} is the same in all {y.numel():,} elements")


def _difference(y: Tensor, right: Tensor, what: str) -> str:
    wrong = ~torch.isclose(y.double(), right.double(), rtol=1e-9, atol=0, equal_nan=False)
    gap = (y.double() - right.double()).abs().nan_to_num(math.inf)
    worst = int((gap * wrong).nan_to_num(0).reshape(-1).argmax()) if y.numel() else 0
    place = f" at {list(map(int, torch.unravel_index(torch.tensor(worst), y.shape)))}" if y.dim() else ""
    count = f" ({int(wrong.sum()):,} of {y.numel():,} differ)" if y.numel() > 1 else ""
    return f"{what}{place} is {y.reshape(-1)[worst]:.6g}, where {right.reshape(-1)[worst]:.6g} is right{count}"


# What a call does besides returning


def keeps_inputs(function: Remote, *args: Any, **kwargs: Any) -> None:
    """A call changes none of the tensors it is given."""
    if changed := function.watch(*args, **kwargs).changed:
        fail(
            f"{function.__name__} changed its argument in place (tensor number {changed[0] + 1} of those it was given)"
        )


def keeps_global_random_state(function: Remote, *args: Any, **kwargs: Any) -> None:
    """A call leaves the global generators of torch, NumPy and Python as they were."""
    if function.watch(*args, **kwargs).drew:
        fail(f"{function.__name__} moved a global random state: draw from the generator that is given")


def obeys(draw: Callable[[torch.Generator], Tensor]) -> None:
    """draw(generator) follows its generator: equal seeds give equal draws, the next draw is another."""
    one, two = torch.Generator().manual_seed(11), torch.Generator().manual_seed(11)
    first, again = draw(one), draw(two)
    if not torch.equal(first, again):
        fail("two generators with the same seed gave different results")
    if torch.equal(first, draw(one)):
        fail("the same generator gave the same result twice: it must move on")


def raises(kind: type[Exception], function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """A call raises this kind of error."""
    try:
        value = function(*args, **kwargs)
    except CodeError as error:
        if kind.__name__ not in error.kinds:
            fail(f"{error}; a {kind.__name__} is wanted")
        return
    fail(f"it returned {_short(value)}, where a {kind.__name__} is wanted")


def gradient(y: Any, x: Tensor, right: Tensor, seed: Tensor | None = None, what: str = "the gradient") -> None:
    """The gradient of sum(y * seed) in x; without a seed, of sum(y)."""
    if not isinstance(y, Tensor) or not y.requires_grad:
        fail("no gradient flows through it: it was computed without one, or detached")
    (found,) = torch.autograd.grad(
        y, x, torch.ones_like(y) if seed is None else seed, allow_unused=True, retain_graph=True
    )
    if found is None:
        fail("no gradient reaches the input")
    close(found, right, what)


# Chance


def fresh() -> torch.Generator:
    """A generator with a seed of its own, drawn from the run's seed."""
    return torch.Generator().manual_seed(int(torch.randint(2**62, ())))


def _spend(count: int = 1) -> None:
    BUDGET.extend([None] * count)
    if len(BUDGET) > MOST_ASSERTIONS:
        raise RuntimeError(
            f"the judge makes more than {MOST_ASSERTIONS:,} assertions about randomness: use fewer, on more draws each"
        )


@lru_cache(maxsize=1_000)
def binomial_range(n: int, p: float, alarm: float) -> tuple[int, int]:
    """The counts between which Binomial(n, p) falls but with probability `alarm`, by its exact tails.

    >>> binomial_range(10, 0.5, 0.01)
    (1, 9)
    """
    k = torch.arange(n + 1, dtype=torch.float64)
    choose = math.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)
    mass = (choose + torch.xlogy(k, torch.tensor(p)) + torch.xlogy(n - k, torch.tensor(1 - p))).exp()
    low = int((mass.cumsum(0) <= alarm / 2).sum())
    high = n - int((mass.flip(0).cumsum(0) <= alarm / 2).sum())
    return low, high


def fraction(hits: Tensor, p: float, what: str = "elements", *, alarm: float = EACH) -> None:
    """hits are independent and each is True with probability p: their number lies in the exact binomial range."""
    _spend()
    count, n = int(hits.sum()), hits.numel()
    low, high = binomial_range(n, float(p), alarm)
    if not low <= count <= high:
        fail(f"{count:,} of {n:,} {what} ({count / n:.1%}), where {p:.1%} is right: {low:,} to {high:,} by chance")


def each(hits: Tensor, p: float, what: str = "in this place") -> None:
    """`fraction` along the first dimension, in every place of the others: no place is treated differently."""
    _spend()
    columns = hits.reshape(len(hits), -1).sum(0)
    low, high = binomial_range(len(hits), float(p), EACH / len(columns))
    wrong = (columns < low) | (columns > high)
    if wrong.any():
        place = int(wrong.nonzero()[0])
        where = list(map(int, torch.unravel_index(torch.tensor(place), hits.shape[1:]))) if hits.dim() > 1 else []
        count = int(columns[place])
        fail(f"at {where}, {count:,} of {len(hits):,} {what}, where {p:.1%} is right: {low:,} to {high:,} by chance")


def independent(one: Tensor, other: Tensor, p: float, between: str = "two calls") -> None:
    """Two tensors of hits, each with probability p, are independent: the number that agree is exactly binomial.

    P(agree) = p^2 + (1-p)^2 + 2 cov, so this bounds the covariance of two hits.
    """
    _spend()
    agree, n = int((one == other).sum()), one.numel()
    right = p * p + (1 - p) * (1 - p)
    low, high = binomial_range(n, right, EACH)
    if not low <= agree <= high:
        fail(
            f"between {between}, {agree:,} of {n:,} agree ({agree / n:.1%}), where chance alone makes it {right:.1%}: "
            f"{low:,} to {high:,}"
        )


def independent_along(hits: Tensor, dim: int, p: float, between: str) -> None:
    """Independence along one dimension, of hits that each have probability p: of every two places.

    The number of elements in which two places agree is binomial. Masks shared between places i and j show in that
    pair; masks shared at one distance (each call with the next, the halves of a batch) in all pairs of that distance,
    pooled in two sets of disjoint pairs, so that their sum is binomial too. With m comparisons in all, each has the
    alarm EACH / m by Chernoff's bound, P(K / n is as far from q as k / n, on its side) <= exp(-n KL(k / n || q)).
    """
    _spend()
    places = hits.movedim(dim, 0)[:MOST_PLACES].flatten(1) if hits.dim() > 1 else hits[:, None]
    count, n = places.shape
    if hits.dim() == 1 or count < 2:
        independent(hits[: len(hits) // 2 * 2 : 2], hits[1::2], p, f"{between} and the next")
        return
    signs = places.float() * 2 - 1
    agree = (n + signs @ signs.T).double() / 2
    first, second = torch.triu_indices(count, count, 1)
    pairs = agree[first, second]
    distance = second - first
    group = 2 * distance + first // distance % 2
    sizes = torch.zeros(2 * count, dtype=torch.float64).index_add_(0, group, torch.full_like(pairs, n))
    pooled = torch.zeros(2 * count, dtype=torch.float64).index_add_(0, group, pairs)[sizes > 0]
    groups, sizes = (sizes > 0).nonzero()[:, 0], sizes[sizes > 0]
    right = p * p + (1 - p) * (1 - p)
    allowed = math.log(2 * (len(pairs) + len(pooled)) / EACH)
    for found, trials in ((pooled, sizes), (pairs, torch.full_like(pairs, n))):
        rate = found / trials
        far = trials * (torch.xlogy(rate, rate / right) + torch.xlogy(1 - rate, (1 - rate) / (1 - right)))
        worst = int(far.argmax())
        if far[worst] > allowed:
            pair = f"{int(first[worst])} and {int(second[worst])}"
            where = f"at a distance of {int(groups[worst]) // 2}" if found is pooled else pair
            said = f"{int(found[worst]):,} of {int(trials[worst]):,} agree ({rate[worst]:.1%})"
            fail(f"of {between} {where}, {said}, where {right:.1%} is right for independent ones")


def bernoulli(hits: Tensor, p: float, what: str = "dropped", between: Sequence[str] = ()) -> None:
    """hits are independent, each with probability p: in all, in every place, and between places along each dimension.

    between: names the dimensions, the first of which counts the calls: ("calls", "rows", "elements").
    """
    fraction(hits, p, what)
    each(hits, p, what)
    for dim, name in enumerate(between):
        if hits.shape[dim] > 1:
            independent_along(hits, dim, p, name)


def mean(samples: Tensor, right: float, low: float, high: float, what: str = "the mean") -> None:
    """The mean of independent samples, each within [low, high], by Hoeffding's bound.

    P(|mean - E| >= t) <= 2 exp(-2 n t^2 / (high - low)^2).  Hoeffding 1963, theorem 2.
    """
    _spend()
    n, found = samples.numel(), float(samples.double().mean())
    if float(samples.min()) < low - 1e-6 or float(samples.max()) > high + 1e-6:
        fail(f"values from {samples.min():.6g} to {samples.max():.6g}, where {low:.6g} to {high:.6g} is right")
    allowed = (high - low) * math.sqrt(math.log(2 / EACH) / (2 * n))
    if not abs(found - right) <= allowed:
        fail(f"{what} of {n:,} is {found:.6g}, where {right:.6g} is right: off by {allowed:.2g} at most by chance")


def follows(samples: Tensor, cdf: Callable[[Tensor], Tensor], what: str = "the values") -> None:
    """Independent samples follow the distribution with this cumulative distribution function.

    By the bound of Dvoretzky, Kiefer and Wolfowitz:

    P(sup |F_n - F| > t) <= 2 exp(-2 n t^2).  Massart 1990, https://doi.org/10.1214/aop/1176990746
    """
    _spend()
    ordered = samples.detach().double().reshape(-1).sort().values
    n = len(ordered)
    right = cdf(ordered).double()
    steps = torch.arange(n + 1, dtype=torch.float64) / n
    gap = float(torch.maximum((steps[1:] - right).abs(), (steps[:-1] - right).abs()).max())
    allowed = math.sqrt(math.log(2 / EACH) / (2 * n))
    if not gap <= allowed:
        said = f"a gap of {gap:.3f} over {n:,} draws, at most {allowed:.3f} by chance"
        fail(f"{what} do not follow the distribution: {said}")


def normal(samples: Tensor, std: float, what: str = "the noise") -> None:
    """Independent samples of N(0, std^2): their mean, their standard deviation, and their shape.

    The mean is normal; n s^2 / std^2 is chi-square, bounded by Laurent and Massart 2000, lemma 1.
    """
    _spend(2)
    n, scaled = samples.numel(), samples.detach().double() / std
    allowed = NormalDist().inv_cdf(1 - EACH / 2) / math.sqrt(n)
    if not abs(float(scaled.mean())) <= allowed:
        found = float(scaled.mean()) * std
        fail(f"{what} has the mean {found:.4g} over {n:,} draws: {allowed * std:.2g} at most by chance")
    square, x = float((scaled**2).mean()), math.log(2 / EACH)
    low, high = 1 - 2 * math.sqrt(x / n), 1 + 2 * math.sqrt(x / n) + 2 * x / n
    if not low <= square <= high:
        fail(
            f"{what} has the standard deviation {math.sqrt(square) * std:.4g}, where {std:.4g} is right: "
            f"{math.sqrt(max(low, 0)) * std:.4g} to {math.sqrt(high) * std:.4g} by chance"
        )
    follows(scaled, lambda z: (1 + torch.erf(z / math.sqrt(2))) / 2, what)


def _short(value: object) -> str:
    if isinstance(value, torch.dtype):
        return str(value).removeprefix("torch.")
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}" if value.numel() > 8 else f"{value.tolist()}"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:70]} ..."
