"""The embedding noise demo: its claims hold at every size, and each wrong noise breaks one."""

import pytest

from helpers import broken, tables
from regdemo import regularizers
from regdemo.demos.embedding_noise import embedding_noise

RIGHT = regularizers.embedding_noise


# Each bound is missed by chance once in 10^9.
@pytest.mark.parametrize("alpha", [0.0, 1e-6, 5.0, 100.0])
@pytest.mark.parametrize(("tokens", "width"), [(2, 1), (33, 64), (512, 256)])
def test_every_claim_holds_at_any_size(alpha, tokens, width):
    assert broken(embedding_noise(alpha=alpha, tokens=tokens, width=width, seed=3)) == []


def test_the_norm_stays_while_that_of_a_fixed_size_grows_with_the_root_of_the_length():
    (table,) = tables(embedding_noise())
    rows = table.rows
    assert [row[2] for row in rows] == pytest.approx([5 / 3**0.5] * 3, rel=0.1)
    assert rows[2][4] / rows[0][4] == pytest.approx(8, rel=0.1)
