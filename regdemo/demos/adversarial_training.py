"""Adversarial training: learn on the attacked inputs too.

Trains a logistic model on clean and on FGSM's inputs, where the worst case is known in closed form: the gradient of the
adversarial loss, what it does to the accuracy under attack and without, and that random noise of the same size does not
do it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, rounding
from regdemo.parameters import SEED, Parameter
from regdemo.report import Cell, Claim, Measurement, Table, Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

ACTS_ON = "inputs"
SAY = (
    "Adversarial training minimizes the loss at the worst inputs near each example, by making them afresh with FGSM "
    "in each step: half the loss clean, half attacked, in the original recipe. It buys robustness to that attack, at "
    "a second backward pass and some clean accuracy. Several smaller steps, PGD, are the stronger version; in NLP the "
    "step is taken in the embeddings."
)
WRONG_ANSWER = (
    "'Attack the training set once, and add it to the data.' The attack belongs to the weights of the moment: it has "
    "to be made again in each step. Nor is it noise: random signs of the same size leave the loss under attack about "
    "where it was. And robustness to one-step FGSM is not robustness to every attack."
)
CARDS = (
    "Q18.432",
    "Q18.433",
    "Q18.434",
    "Q18.435",
)

EXAMPLES, WEAK = 400, 60  # two sets of as many examples; inputs that each say a little
STEPS, LR = 300, 0.5
STRONG, SHIFT = 1.0, 0.25  # means of the one input that says much, and of each weak one


def adversarial_training(
    *,
    epsilon: Annotated[float, Parameter("Largest change of an input.", 0.05, 0.5)] = 0.2,
    clean: Annotated[float, Parameter("The clean loss's share.", 0, 0.9)] = 0.5,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Train a logistic model of one strong input and many weak ones, with and without attacked inputs."""

    generator = torch.Generator().manual_seed(seed)

    def draw() -> tuple[Tensor, Tensor]:
        """Examples: a strong input, and WEAK inputs that an attack of size epsilon can turn all at once."""
        t = 2.0 * torch.randint(2, (EXAMPLES,), generator=generator, dtype=torch.float64) - 1
        means = torch.cat([torch.tensor([STRONG]), torch.full((WEAK,), SHIFT)]).double()
        x = t[:, None] * means + torch.randn(EXAMPLES, 1 + WEAK, generator=generator, dtype=torch.float64)
        return x, t

    (x, t), (test_x, test_t) = draw(), draw()
    noise = epsilon * (2.0 * torch.randint(2, x.shape, generator=generator, dtype=torch.float64) - 1)

    def plain(w: Tensor, inputs: Tensor = x) -> Tensor:
        return torch.nn.functional.softplus(-t * (inputs @ w)).mean()

    def worst(w: Tensor) -> Tensor:
        """The loss in the worst corner of each example's box, in closed form."""
        return torch.nn.functional.softplus(epsilon * w.abs().sum() - t * (x @ w)).mean()

    def adversarial(w: Tensor) -> Tensor:
        return regularizers.adversarial_training(x, lambda inputs: plain(w, inputs), epsilon, clean=clean)

    def train(loss: Callable[[Tensor], Tensor]) -> Tensor:
        w = torch.zeros(1 + WEAK, dtype=torch.float64)
        for _ in range(STEPS):
            w = w - LR * _gradient(loss, w)
        return w

    probe = torch.randn(1 + WEAK, generator=generator, dtype=torch.float64)
    by_formula = clean * _gradient(plain, probe) + (1 - clean) * _gradient(worst, probe)
    ways = {
        "clean inputs": train(plain),
        "random signs": train(lambda w: clean * plain(w) + (1 - clean) * plain(w, x + noise)),
        "FGSM's inputs": train(adversarial),
    }
    losses = {name: (plain(w).item(), worst(w).item()) for name, w in ways.items()}
    right = {name: _right(w, test_x, test_t, epsilon) for name, w in ways.items()}
    fgsms = losses["FGSM's inputs"][1]
    claims = [
        Claim(
            "The loss is the clean one and the worst case, in shares",
            (clean * plain(probe) + (1 - clean) * worst(probe)).item(),
            "clean L(x) + (1 - clean) mean softplus(eps |w|_1 - t w.x)",
            adversarial(probe).item(),
            *rounding(1 + probe.abs().sum().item(), digits=1e-12),
        ),
        Claim(
            "Its gradient is the worst case's own, though the attack is held fixed",
            0,
            "largest difference of the gradients",
            (_gradient(adversarial, probe) - by_formula).abs().max().item(),
            *rounding(1, digits=1e-9),
        ),
        Claim(
            "It lowers the loss under attack, which noise of that size does not so far",
            2,
            "of clean training and random signs, those with a higher worst case",
            sum(fgsms < losses[other][1] for other in ("clean inputs", "random signs")),
            *EXACT,
        ),
    ]
    rows: list[list[Cell]] = [
        [name, *right[name], *losses[name], (w[1:].abs().sum() / w.abs().sum()).item()] for name, w in ways.items()
    ]
    return Measurement(
        title=f"Adversarial training at epsilon = {epsilon:g}, clean share {clean:g}",
        claims=claims,
        blocks=[
            Text(
                f"One input has a mean of {STRONG:g} times the label, {WEAK} others {SHIFT:g}, all with deviation 1. "
                f"Together the weak ones say most, and an attack of {epsilon:g} on each of them turns them all at once."
            ),
            Table(
                title=f"Trained on {EXAMPLES} examples; right on {EXAMPLES} new ones, and the training losses",
                columns=["trained on", "right", "attacked", "loss", "worst loss", "on weak inputs"],
                rows=rows,
                note="The last column is the weak inputs' share of the weights' sizes: it leans on them less. What is "
                "claimed is the worst loss in training: the accuracies vary with the seed, and small attacks hardly "
                "change them.",
            ),
        ],
    )


def _gradient(loss: Callable[[Tensor], Tensor], w: Tensor) -> Tensor:

    leaf = w.clone().requires_grad_()
    return torch.autograd.grad(loss(leaf), leaf)[0]


def _right(w: Tensor, x: Tensor, t: Tensor, epsilon: float) -> tuple[float, float]:
    """The share of examples that are right as they are, and in the worst corner of their box."""
    margin = t * (x @ w)
    return (margin > 0).double().mean().item(), (margin > epsilon * w.abs().sum()).double().mean().item()
