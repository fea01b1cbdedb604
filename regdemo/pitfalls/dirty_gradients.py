"""Dirty gradients: FGSM's backward() also fills the weights' gradients.

An attack needs the gradient for the input alone. `backward()` adds to every leaf's `.grad`, the weights' included, and
there it stays until zero_grad. In adversarial training the optimizer then steps along the sum of two gradients, of
which the loop means only the second.
"""

import torch
import torch.nn.functional as F
from torch import nn

from regdemo.bounds import EXACT, rounding
from regdemo.measure import fixed_claim
from regdemo.report import Block, Claim

BREAKS = "fgsm"
CARDS = ("Q18.126", "Q18.124")
SAY = (
    "Use torch.autograd.grad(loss, x) for an attack: it returns the gradient for the input and touches nothing else. "
    "With backward() the weights keep the clean batch's gradient, and the next backward() adds to it."
)
WRONG_ANSWER = "'x.grad is all I read, so only x is affected.' backward() writes wherever requires_grad is set."

EPSILON = 0.1


def broken(model, x, y, epsilon):
    x = x.clone().requires_grad_()
    F.cross_entropy(model(x), y).backward()
    return (x + epsilon * x.grad.sign()).detach()


def fixed(model, x, y, epsilon):
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y), x)
    return (x + epsilon * gradient.sign()).detach()


def measure() -> tuple[list[Claim], list[Block]]:
    model = nn.Linear(20, 5).double()
    x, y = torch.randn(64, 20, dtype=torch.float64), torch.randint(5, (64,))

    def gradient(inputs: torch.Tensor) -> torch.Tensor:
        return torch.autograd.grad(F.cross_entropy(model(inputs), y), model.weight)[0]

    def train_on(attack) -> torch.Tensor:
        """The gradient that the optimizer would see: attack, then backward on the attacked batch."""
        model.zero_grad()
        attacked.append(attack(model, x, y, EPSILON))
        F.cross_entropy(model(attacked[-1]), y).backward()
        return model.weight.grad.clone()

    attacked: list[torch.Tensor] = []
    by_broken, by_fixed = train_on(broken), train_on(fixed)
    meant, clean = gradient(attacked[0]), gradient(x)
    return [
        Claim(
            "The optimizer's gradient is off by the clean batch's",
            clean.norm().item(),
            "|g(x)|",
            (by_broken - meant).norm().item(),
            *rounding(1),
        ),
        Claim(
            "It is the sum of both, exactly as if the clean batch were trained on too",
            0,
            "max |g - (g(x) + g(x'))|",
            (by_broken - meant - clean).abs().max().item(),
            *rounding(1),
        ),
        fixed_claim("It is the attacked batch's", 0, "max |g - g(x')|", (by_fixed - meant).abs().max().item(), *EXACT),
        Claim(
            "The attack itself is the same", 0, "max |x' - x'|", (attacked[0] - attacked[1]).abs().max().item(), *EXACT
        ),
    ], []
