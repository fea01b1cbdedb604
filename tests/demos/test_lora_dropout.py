"""LoRA dropout: the claims hold over the range of the parameters."""

import pytest

from helpers import broken
from regdemo.demos.lora_dropout import lora_dropout


@pytest.mark.parametrize("p", [0.0, 0.9, 0.9999])
@pytest.mark.parametrize("rank", [1, 64])
def test_every_claim_holds_at_the_ends(p, rank):
    assert broken(lora_dropout(p=p, rank=rank, draws=1_000, seed=1)) == []


def test_on_the_update_alone_the_noise_is_another_than_on_the_layer():
    update, layer = (series.y for series in lora_dropout(seed=2).picture[0].series)
    assert update[0] == layer[0] == 0
    assert update[-1] != pytest.approx(layer[-1], rel=0.01)
