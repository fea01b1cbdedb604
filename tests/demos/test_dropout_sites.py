"""The dropout sites demo: its claims hold at every rate, and a misplaced or wrong dropout breaks one."""

import pytest

from helpers import broken, tables
from regdemo.demos.dropout_sites import dropout_sites
from regdemo.lab import transformer
from regdemo.regularizers import Dropout, dropout


# Each bound is missed by chance once in 10^9, so the about 100 claims below are once in 10^7.
@pytest.mark.parametrize("p", [0.0, 1e-9, 0.1, 0.5, 0.99, 1 - 1e-7, 1 - 2**-53])
@pytest.mark.parametrize(
    "sizes", [{"tokens": 2, "depth": 1, "draws": 2}, {"draws": 20}, {"tokens": 64, "depth": 8, "draws": 2}]
)
def test_every_claim_holds_at_any_rate_and_size(p, sizes):
    assert broken(dropout_sites(p=p, seed=1, **sizes)) == []


def test_a_site_is_still_before_its_stage_and_random_from_there_on():
    spread = tables(dropout_sites(p=0.5, draws=20))[1]
    moves = [[cell != 0 for cell in row[1:]] for row in spread.rows]
    assert moves == [
        [True, True, True, True, True],  # embedding
        [False, True, True, True, True],  # attention
        [False, False, True, True, True],  # residual
        [False, False, False, True, True],  # FFN
        [False, False, False, False, False],  # none
    ]


def test_a_coin_is_counted_for_each_element():
    # width 32, 4 heads, FFN of 128
    where = tables(dropout_sites(tokens=10, depth=3, draws=2))[0]
    assert [row[2] for row in where.rows] == [32, 3 * 4 * 10, 3 * 2 * 32, 3 * 128]


def test_a_dropout_that_ignores_eval_breaks_its_claim(monkeypatch):
    class Always(Dropout):
        def forward(self, x, *, generator=None):
            return dropout(x, self.p, generator=generator)

    monkeypatch.setattr(transformer, "Dropout", Always)
    assert broken(dropout_sites(p=0.5, draws=50)) == ["In eval, four rates of 0.5 change nothing"]


def test_a_rate_that_reaches_another_site_breaks_the_stillness_before(monkeypatch):
    class Mixed(transformer.GPT):
        def __init__(self, *args):
            super().__init__(*args)
            self.embedding_dropout.p = args[-1].residual

    monkeypatch.setattr(transformer, "GPT", Mixed)
    assert "With residual dropout alone, nothing before it changes" in broken(dropout_sites(p=0.5, draws=5))


def test_every_rate_in_use_names_its_source():
    rates = tables(dropout_sites(draws=2))[2]
    assert rates.columns[-1] == "source"
    assert len(rates.rows) >= 6
    assert all(row[-1] for row in rates.rows)
