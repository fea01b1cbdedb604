"""Dirty gradients: FGSM's backward() also fills the weights' gradients.

An attack needs the gradient for the input alone. `backward()` adds to the `.grad` of every leaf that requires a
gradient, the weights included, and the sum stays there until zero_grad. If the loop calls zero_grad before the attack,
not after it, the optimizer uses the sum of the clean and the attacked batch's gradients.
"""

import torch
import torch.nn.functional as F
from torch import nn

from regdemo.bounds import EXACT, rounding
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Claim

BREAKS = "fgsm"
CARDS = ("Q18.126", "Q18.124")
SAY = (
    "Use torch.autograd.grad(loss, x) for an attack: it returns the gradient for the input and writes to no .grad "
    "(loss.backward(inputs=[x]) writes to x's alone). After a plain backward() the weights hold the clean batch's "
    "gradient, and without a zero_grad() in between the next backward() adds to it."
)
WRONG_ANSWER = (
    "'x.grad is all I read, so only x is affected.' backward() writes to every leaf in the loss's graph that requires "
    "a gradient."
)

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
            "Norm of the difference of the optimizer's gradient from the attacked batch's gradient",
            clean.norm().item(),
            "$|g(x)|$",
            (by_broken - meant).norm().item(),
            *rounding(1),
        ),
        Claim(
            "Largest difference of the optimizer's gradient from the sum of both batches' gradients",
            0,
            "max |g - (g(x) + g(x'))|",
            (by_broken - meant - clean).abs().max().item(),
            *rounding(1),
        ),
        fixed_claim(
            "Largest difference of the optimizer's gradient from the attacked batch's gradient",
            0,
            "max |g - g(x')|",
            (by_fixed - meant).abs().max().item(),
            *EXACT,
        ),
        Claim(
            "The attacked inputs differ from those of the fixed code by",
            0,
            "largest difference",
            (attacked[0] - attacked[1]).abs().max().item(),
            *EXACT,
        ),
    ], []


WRONG = [
    Wrong("model.eval() during the attack", f"{__name__}.fixed", lambda right, model, *a: broken(model.eval(), *a)),
    Wrong("x.grad.zero_() after the attack", f"{__name__}.fixed", lambda right, *a: _zeroes_x(*a)),
    Wrong(
        "the attack's input and output detached",
        f"{__name__}.fixed",
        lambda right, model, x, y, epsilon: broken(model, x.detach(), y, epsilon).detach(),
    ),
]


def _zeroes_x(model, x, y, epsilon):
    x = x.clone().requires_grad_()
    F.cross_entropy(model(x), y).backward()
    attacked = (x + epsilon * x.grad.sign()).detach()
    x.grad.zero_()
    return attacked
