"""FGSM: the small step in the inputs that hurts most.

Attacks a logistic model, where the worst case is known in closed form: no corner of the box is worse, random noise of
the same size is far better. And what `backward()` leaves behind when it computes the attack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, mean_of_bounded, rounding
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Cell, Claim, Measurement, Table, Text

if TYPE_CHECKING:
    from torch import Generator, Tensor

ACTS_ON = "inputs"
SAY = (
    "FGSM adds epsilon times the sign of the loss's gradient in the input: the worst step in a max-norm box if the "
    "loss is linear there. For a logistic model it is exact: the loss becomes softplus(epsilon |w|_1 - t w.x). "
    "Training on such inputs is adversarial training; it buys robustness to this attack, costs a second backward "
    "pass, and usually some clean accuracy."
)
WRONG_ANSWER = (
    "'It is training with noise.' Noise of that size moves a logit by epsilon |w|_2, FGSM by epsilon |w|_1. Nor is it "
    "L1 decay: the term sits inside the softplus, so it fades for examples classified with room to spare. And "
    "loss.backward() for the attack adds to every parameter's .grad: use autograd.grad."
)
CARDS = (
    "Q18.124",
    "Q18.125",
    "Q18.126",
    "Q18.127",
)

EXAMPLES = 200
CORNERS = 1_000  # random corners of the box tried on one example
SIZES = (10, 100, 1_000)


def fgsm(
    *,
    epsilon: Annotated[float, Parameter("Largest change of an input.", 0, 10)] = 0.1,
    inputs: Annotated[int, count("Inputs of the logistic model.", 1, 1_000)] = 50,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure FGSM at epsilon on a logistic model with random weights."""

    generator = torch.Generator().manual_seed(seed)
    w = torch.randn(inputs, generator=generator, dtype=torch.float64).requires_grad_()
    x = torch.randn(EXAMPLES, inputs, generator=generator, dtype=torch.float64)
    t = 2.0 * torch.randint(2, (EXAMPLES,), generator=generator) - 1

    def loss(x: Tensor) -> Tensor:
        return torch.nn.functional.softplus(-t * (x @ w)).mean()

    attacked = regularizers.fgsm(x, loss, epsilon)
    untouched = w.grad is None
    naive = x.clone().requires_grad_()
    loss(naive).backward()
    left_behind = torch.zeros_like(w) if w.grad is None else w.grad.clone()
    loss(x).backward()
    step = torch.zeros_like(w) if w.grad is None else w.grad

    with torch.no_grad():
        norm1, norm2 = w.abs().sum().item(), w.square().sum().sqrt().item()
        worst = torch.nn.functional.softplus(epsilon * norm1 - t * (x @ w)).mean().item()
        scale = 1 + norm1 * (epsilon + x.abs().max().item())
        corners = _signs((CORNERS, inputs), generator)
        tried = torch.nn.functional.softplus(-t[0] * ((x[0] + epsilon * corners) @ w)).max().item()
        bound = torch.nn.functional.softplus(-t[0] * (attacked[0] @ w)).item()
        moved = epsilon * (corners @ w)
        clean, hurt = (torch.nn.functional.softplus(-t * (inputs_ @ w)).mean().item() for inputs_ in (x, attacked))
        noisy = torch.nn.functional.softplus(-t * ((x + epsilon * _signs(x.shape, generator)) @ w)).mean().item()
        right = [(t * (inputs_ @ w) > 0).double().mean().item() for inputs_ in (x, attacked)]
    claims = [
        Claim(
            "Every input moves by epsilon, none further",
            0,
            "largest | |x' - x| - epsilon |",
            ((attacked - x).abs() - epsilon).abs().max().item(),
            *rounding(1 + epsilon),
        ),
        Claim(
            "The loss after it is the formula's worst case",
            worst,
            "mean softplus(epsilon |w|_1 - t w.x)",
            hurt,
            *rounding(scale),
        ),
        Claim(
            f"None of {CORNERS:,} random corners of the box is worse",
            0,
            "largest excess over FGSM",
            max(0.0, tried - bound),
            *rounding(scale),
        ),
        Claim(
            "Random signs move the logit by epsilon |w|_2 only",
            (epsilon * norm2) ** 2,
            "variance = epsilon^2 |w|_2^2",
            moved.square().mean().item(),
            # The fourth moment of a sum of independent signs is at most 3 times the square of its variance.
            *mean_of_bounded(2 * (epsilon * norm2) ** 4, (epsilon * norm1) ** 2, CORNERS),
        ),
        Claim("The parameters' .grad are as they were", 1, "w.grad is None", float(untouched), *EXACT),
        Claim(
            "With backward() a training step starts from a gradient already there",
            2,
            "|w.grad| / |gradient of a step|, no zero_grad between",
            (step.norm() / left_behind.norm()).item(),
            *rounding(2),
        ),
    ]
    return Measurement(
        title=f"FGSM at epsilon = {epsilon}",
        claims=claims,
        blocks=[
            Text(
                f"FGSM changes each of {inputs} inputs by {epsilon}, in the direction in which the loss rises. For a "
                "logistic model with weights w the logit moves by epsilon |w|_1 against its label, the most that the "
                "box allows. Random signs of the same size mostly cancel."
            ),
            Table(
                title="Loss and accuracy on the model's own random task",
                columns=["inputs", "mean loss", "right"],
                rows=[
                    ["clean", clean, right[0]],
                    ["random signs", noisy, "-"],
                    ["FGSM", hurt, right[1]],
                ],
                note="Weights and labels are random here, so half are right before: it is the change that counts.",
            ),
            Table(
                title=f"How far the logit moves, at epsilon = {epsilon}",
                columns=["inputs", "FGSM: eps |w|_1", "noise: eps |w|_2", "ratio"],
                rows=[_reach(size, epsilon, generator) for size in SIZES],
                note="The ratio grows like the root of the number of inputs: many small changes, all one way.",
            ),
        ],
    )


def _signs(shape: tuple[int, ...], generator: Generator) -> Tensor:

    return 2.0 * torch.randint(2, shape, generator=generator, dtype=torch.float64) - 1


def _reach(size: int, epsilon: float, generator: Generator) -> list[Cell]:
    """What FGSM and random signs do to the logit of a model with so many random weights."""

    w = torch.randn(size, generator=generator, dtype=torch.float64)
    norm1, norm2 = w.abs().sum().item(), w.norm().item()
    return [size, epsilon * norm1, epsilon * norm2, norm1 / norm2]
