"""What demos and pitfalls measure with: draws, the claims that many of them make, and wrong implementations.

A demo measures `regularizers.X`, or what torch provides, by looking it up when it runs. A `Wrong` replaces what is
looked up for a while, so that a test sees whether the demo's claims notice:

    WRONG = [Wrong("never rescaled", "dropout", lambda right, x, p, **kw: (1 - p) * right(x, p, **kw))]

    with WRONG[0].in_place():
        assert not dropout().holds
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch

from regdemo.bounds import EXACT, rounding
from regdemo.report import Claim


class Wrong(NamedTuple):
    """A wrong implementation, by name.

    replaces: what it is put in place of, a name in `regdemo.regularizers` or a dotted path such as "torch.optim.AdamW".
    call: is called in its place, with what was there as an additional first argument.
    """

    name: str
    replaces: str
    call: Callable[..., Any]

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the wrong implementation where the right one is looked up, for a while."""
        known = self.replaces.startswith(("torch.", "sklearn.", "regdemo."))
        path = self.replaces if known else f"regdemo.regularizers.{self.replaces}"
        owner, _, name = path.rpartition(".")
        home = pkgutil.resolve_name(owner)
        right = getattr(home, name)

        def wrong(*args: Any, **options: Any) -> Any:
            return self.call(right, *args, **options)

        setattr(home, name, wrong)
        try:
            yield
        finally:
            setattr(home, name, right)


# Draws


def seeded(seed: int) -> torch.Generator:
    """A generator that begins at the seed."""
    return torch.Generator().manual_seed(seed)


def normal(generator: torch.Generator, *shape: int) -> torch.Tensor:
    """Draws from N(0, 1), in float64."""
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def signs(generator: torch.Generator, *shape: int) -> torch.Tensor:
    """Draws of -1 and 1, in float64."""
    return 2.0 * torch.randint(2, shape, generator=generator, dtype=torch.float64) - 1


@contextmanager
def global_generator(generator: torch.Generator) -> Iterator[None]:
    """Seed torch's global generator from ours, for calls that take none; it is put back afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(torch.randint(2**31, (), generator=generator)))
        yield


# Figures


def fraction(mask: torch.Tensor) -> float:
    """The fraction of elements that are true."""
    return mask.double().mean().item()


def gap(a: torch.Tensor, b: torch.Tensor | float = 0.0) -> float:
    """The largest absolute difference, NaN if there is one."""
    return (a - b).abs().max().item() if a.numel() else 0.0


def mean_square(x: torch.Tensor) -> float:
    """The mean of the squares."""
    return x.double().square().mean().item()


# Claims that many demos make


def identity_in_eval(in_eval: torch.Tensor, x: torch.Tensor) -> Claim:
    """In eval a regularizer returns its input, bit for bit."""
    return Claim("In eval nothing changes", 0, r"$\max |y - x|$", gap(in_eval, x), *EXACT)


def keeps_mean(measured: float, expected: float, bound: tuple[float, str]) -> Claim:
    """What training adds has mean 0."""
    return Claim("The mean is kept", expected, r"$E[y] = x$", measured, *bound)


def agrees_with_torch(ours: torch.Tensor, theirs: torch.Tensor, name: str, scale: float = 1.0) -> Claim:
    """Given the same mask or the same input, ours is what torch's function of this name returns."""
    return Claim(f"The result is that of `{name}`", 0, r"$\max |y - y'|$", gap(ours, theirs), *rounding(scale))


def one_of_two(y: torch.Tensor, first: torch.Tensor | float, second: torch.Tensor | float, statement: str) -> Claim:
    """Each element is one of two values."""
    nearer = (y - first).abs().minimum((y - second).abs()).max().item()
    scale = 1 + max(torch.as_tensor(value).abs().max().item() for value in (first, second))
    return Claim(statement, 0, "distance to the nearer of the two", nearer, *rounding(scale))


def mixed_targets_claim(
    logits: torch.Tensor,
    targets: torch.Tensor,
    labels: torch.Tensor,
    others: torch.Tensor,
    weight: torch.Tensor | float,
    formula: str,
) -> Claim:
    """Cross entropy with targets mixed from two labels is the mixture, in the same proportion, of a loss for each."""
    cross_entropy = torch.nn.functional.cross_entropy
    split = weight * cross_entropy(logits, labels) + (1 - weight) * cross_entropy(logits, others)
    return Claim(
        "Cross entropy with mixed targets is the mixture of two losses",
        split.item(),
        formula,
        cross_entropy(logits, targets).item(),
        *rounding(1 + gap(logits)),
    )


def fixed_claim(statement: str, expected: float, formula: str, measured: float, tolerance: float, reason: str) -> Claim:
    """A claim about the fixed code of a pitfall; the others are about the broken one."""
    return Claim(statement, expected, formula, measured, tolerance, reason, "fixed")
