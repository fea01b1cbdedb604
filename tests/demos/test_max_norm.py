"""The max-norm demo: its claims hold over the ranges, and each wrong bound breaks one."""

import pytest

from helpers import broken
from regdemo import regularizers
from regdemo.demos.max_norm import max_norm

RIGHT = regularizers.max_norm


@pytest.mark.parametrize("limit", [0.1, 2.0, 10.0])
@pytest.mark.parametrize(("units", "inputs"), [(1, 1), (8, 1), (1, 20), (1_000, 3)])
def test_every_claim_holds_over_the_ranges(limit, units, inputs):
    assert broken(max_norm(limit=limit, units=units, inputs=inputs)) == []


@pytest.mark.parametrize(
    ("wrong", "statement"),
    [
        (
            lambda w, limit: w.clamp(-limit / w.shape[1] ** 0.5, limit / w.shape[1] ** 0.5),
            "A unit beyond the limit keeps its direction",
        ),
        (
            lambda w, limit: limit * w / w.norm(dim=1, keepdim=True),
            "A unit within the limit is left as it was, bit for bit",
        ),
        (lambda w, limit: RIGHT(w, limit, dim=1), "The projection is that of torch.renorm"),
        (lambda w, limit: RIGHT(w, 1.01 * limit), "No unit's weight vector is longer than the limit"),
        (lambda w, limit: w, "Trained at lr = 10, no step ends beyond the limit"),
        (
            lambda w, limit: RIGHT(w, limit / 2),
            "None of 2,000 random points within the limit is nearer to a unit's old weights than their projection",
        ),
    ],
)
def test_another_bound_breaks_a_claim(monkeypatch, wrong, statement):
    monkeypatch.setattr(regularizers, "max_norm", wrong)
    assert statement in broken(max_norm(inputs=2))


def test_the_table_shows_l2_beyond_the_limit_at_a_large_rate_and_max_norm_within():
    _, bounded, by_l2, free = max_norm().blocks[1].rows[-1]
    assert bounded == pytest.approx(2.0)
    assert free > by_l2 > 2.5
