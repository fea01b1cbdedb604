"""The SAM demo: its claims hold at every rho and size, and the wrong SAMs break them."""

import pytest
import torch

from helpers import broken
from regdemo import regularizers
from regdemo.demos.sam import sam


@pytest.mark.parametrize("rho", [0.001, 0.05, 1.0])
@pytest.mark.parametrize("size", [2, 20, 10_000])
def test_every_claim_holds_at_any_rho_and_size(rho, size):
    for seed in (0, 1):
        assert broken(sam(rho=rho, size=size, seed=seed)) == []


def test_one_gradient_used_twice_breaks_the_claims(monkeypatch):
    def step(self, closure):
        closure()
        self.ascend()
        self.restore()
        self.base.step()

    monkeypatch.setattr(regularizers.SAM, "step", step)
    assert {"A step takes two passes", "The step is the one on L + rho |g|"} <= {*broken(sam())}


def test_weights_that_are_not_restored_break_the_step(monkeypatch):
    def restore(self):
        return [state.pop("home") for state in self.state.values() if "home" in state] != []

    monkeypatch.setattr(regularizers.SAM, "restore", restore)
    assert broken(sam()) == ["The step is the one on L + rho |g|"]


def test_an_ascent_of_another_length_breaks_the_claim_of_the_distance(monkeypatch):
    right = regularizers.SAM
    monkeypatch.setattr(regularizers, "SAM", lambda base, rho: right(base, 2 * rho))
    assert "The second gradient is taken at distance rho" in broken(sam())


def test_the_copy_with_one_gradient_climbs_near_the_minimum():
    (table,) = [block for block in sam().blocks if hasattr(block, "rows")]
    assert float(table.note.split("|w| = ")[2].split()[0]) > 1
    assert torch.is_grad_enabled()
