"""The embedding noise demo: its claims hold at every size, and each wrong noise breaks one."""

import pytest
import torch

from helpers import broken
from regdemo import regularizers
from regdemo.demos.embedding_noise import embedding_noise

RIGHT = regularizers.embedding_noise


# Each bound is missed by chance once in 10^9.
@pytest.mark.parametrize("alpha", [0.0, 1e-6, 5.0, 100.0])
@pytest.mark.parametrize(("tokens", "width"), [(2, 1), (33, 64), (512, 256)])
def test_every_claim_holds_at_any_size(alpha, tokens, width):
    assert broken(embedding_noise(alpha=alpha, tokens=tokens, width=width, seed=3)) == []


def normal(x, alpha, *, training=True, generator=None, mask=None):
    size = alpha / (3 * x[0].numel()) ** 0.5
    return x + size * torch.randn(x.shape, generator=generator) if training else x


def positive(x, alpha, **kw):
    return x + (RIGHT(x, alpha, **kw) - x).abs()


def of_fixed_size(x, alpha, *, training=True, generator=None, mask=None):
    return x + alpha * (2 * torch.rand(x.shape, generator=generator) - 1) if training else x


@pytest.mark.parametrize(
    ("wrong", "claim"),
    [
        (normal, "No number is larger than alpha / sqrt(L d)"),
        (positive, "Its mean is 0"),
        (of_fixed_size, "The noise of a sequence has the norm alpha / sqrt(3), whatever L and d"),
        (lambda x, alpha, mask=None, **kw: RIGHT(x, alpha, **kw), "Padding then stays as it is"),
        (lambda x, alpha, training=True, **kw: RIGHT(x, alpha, **kw), "In eval nothing changes"),
    ],
)
def test_a_wrong_noise_breaks_its_claim(monkeypatch, wrong, claim):
    monkeypatch.setattr(regularizers, "embedding_noise", wrong)
    assert claim in broken(embedding_noise())


def test_the_norm_stays_while_that_of_a_fixed_size_grows_with_the_root_of_the_length():
    rows = embedding_noise().blocks[2].rows
    assert [row[2] for row in rows] == pytest.approx([5 / 3**0.5] * 3, rel=0.1)
    assert rows[2][4] / rows[0][4] == pytest.approx(8, rel=0.1)
