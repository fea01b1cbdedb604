"""The Lookahead demo: its claims hold for every k and alpha, and the copy that caches too late breaks them."""

import pytest
import torch

from helpers import broken
from regdemo.demos.lookahead import lookahead


@pytest.mark.parametrize("k", [1, 5, 20])
@pytest.mark.parametrize("alpha", [0.05, 0.5, 1.0])
def test_every_claim_holds_for_any_k_and_alpha(k, alpha):
    assert broken(lookahead(k=k, alpha=alpha, size=10_000)) == []


def test_the_formula_for_the_variance_is_that_of_the_matrix_of_one_round():
    from regdemo.demos.lookahead import _variance

    # Each noise's way to the end, squared and summed.
    k, alpha, shrink, lr, rounds = 3, 0.5, 0.8, 0.1, 12
    weights = torch.zeros(0, dtype=torch.float64)
    for _ in range(rounds):
        slow, fast = weights, torch.cat([weights, torch.zeros(k, dtype=torch.float64)])
        for t in range(k):
            fast = fast * shrink
            fast[len(slow) + t] += lr
        weights = alpha * fast
        weights[: len(slow)] += (1 - alpha) * slow
    assert _variance(k, alpha) == pytest.approx(weights.square().sum().item())
