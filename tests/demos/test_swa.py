"""The SWA demo: its claims hold for any number of models, and each wrong average breaks one."""

import pytest
from torch.optim import swa_utils

from helpers import broken
from regdemo.demos.swa import swa


@pytest.mark.parametrize("models", [2, 20, 200])
def test_every_claim_holds_for_any_number_of_models(models):
    for seed in range(3):
        assert broken(swa(models=models, seed=seed)) == []


def test_an_exponential_average_in_its_place_breaks_the_claims(monkeypatch):
    right = swa_utils.AveragedModel
    monkeypatch.setattr(
        swa_utils, "AveragedModel", lambda model: right(model, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.5))
    )
    assert {
        "The average is the plain mean, the first model included",
        "Of independent noise a share 1/n is left",
    } <= {*broken(swa())}


def test_an_average_without_update_bn_breaks_its_claim(monkeypatch):
    right = swa_utils.update_bn

    def for_models_only(data, model):
        if not isinstance(model, swa_utils.AveragedModel):
            right(data, model)

    monkeypatch.setattr(swa_utils, "update_bn", for_models_only)
    assert broken(swa()) == ["With update_bn it is centred"]


def test_the_table_shows_outputs_that_are_off_until_update_bn():
    table = swa().blocks[-1]
    (_, off, _), (_, centred, deviation) = table.rows
    assert off > 0.1
    assert centred < 1e-9
    assert deviation == pytest.approx(1, abs=0.02)
