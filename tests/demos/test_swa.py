"""The SWA demo: its claims hold for any number of models, and each wrong average breaks one."""

import pytest

from helpers import broken
from regdemo.demos.swa import swa


@pytest.mark.parametrize("models", [2, 20, 200])
def test_every_claim_holds_for_any_number_of_models(models):
    for seed in range(3):
        assert broken(swa(models=models, seed=seed)) == []


def test_the_table_shows_outputs_that_are_off_until_update_bn():
    table = swa().blocks[-1]
    (_, off, _), (_, centred, deviation) = table.rows
    assert off > 0.1
    assert centred < 1e-9
    assert deviation == pytest.approx(1, abs=0.02)
