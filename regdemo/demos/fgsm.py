"""FGSM: a small step in the inputs to raise the loss.

Attacks a logistic model, where the worst case is known in closed form: no input within epsilon is worse than FGSM's.
Compares FGSM with random signs of the same size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, mean_of_bounded, rounding
from regdemo.measure import Wrong, normal, seeded, signs
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

if TYPE_CHECKING:
    from torch import Generator, Tensor

ACTS_ON = "inputs"
SAY = (
    r"FGSM adds $\epsilon$ times the sign of the loss's gradient in the input: the worst step in a max-norm box if "
    r"the loss is linear there. For a logistic model with labels $t = \pm 1$ no step in the box is worse: the "
    r"loss becomes softplus$(\epsilon |w|_1 - t\,w x)$. Training on such inputs is adversarial training; it buys "
    "robustness to this attack, and costs a second forward and backward pass and often some clean accuracy."
)
WRONG_ANSWER = (
    r"'It is training with noise.' Random signs times $\epsilon$ move a logit by about $\epsilon |w|_2$, FGSM by "
    r"$\epsilon |w|_1$. Nor is it L1 decay: $\epsilon |w|_1$ is inside the softplus, so its effect fades for examples "
    "that are classified with a large margin. And loss.backward() for the attack adds to the parameters' .grad: use "
    "autograd.grad."
)
CARDS = (
    "Q18.124",
    "Q18.125",
    "Q18.126",
    "Q18.127",
)

EXAMPLES = 200
CORNERS = 1_000  # random corners of the box tried on one example
SIZES = (10, 50, 100, 200, 400, 700, 1_000)


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
    with torch.no_grad():
        norm1, norm2 = w.abs().sum().item(), w.square().sum().sqrt().item()
        worst = torch.nn.functional.softplus(epsilon * norm1 - t * (x @ w)).mean().item()
        scale = 1 + norm1 * (epsilon + x.abs().max().item())
        corners = _signs((CORNERS, inputs), generator)
        tried = torch.nn.functional.softplus(-t[0] * ((x[0] + epsilon * corners) @ w)).max().item()
        bound = torch.nn.functional.softplus(-t[0] * (attacked[0] @ w)).item()
        moved = epsilon * (corners @ w)
        clean, hurt = (torch.nn.functional.softplus(-t * (inputs_ @ w)).mean().item() for inputs_ in (x, attacked))
        noised = x + epsilon * _signs(x.shape, generator)
        noisy = torch.nn.functional.softplus(-t * (noised @ w)).mean().item()
        right = [(t * (inputs_ @ w) > 0).double().mean().item() for inputs_ in (x, noised, attacked)]
    claims = [
        Claim(
            "Every input moves by epsilon, none further",
            0,
            "largest | |x' - x| - epsilon |",
            ((attacked - x).abs() - epsilon).abs().max().item(),
            *rounding(1 + epsilon),
        ),
        Claim(
            "The loss after the attack is the formula's worst case",
            worst,
            r"mean softplus$(\epsilon |w|_1 - t\,w x)$",
            hurt,
            *rounding(scale),
        ),
        Claim(
            f"None of {CORNERS:,} random corners of the box around one example is worse",
            0,
            "largest excess over FGSM",
            max(0.0, tried - bound),
            *rounding(scale),
        ),
        Claim(
            "The variance of the logit's move under random signs",
            (epsilon * norm2) ** 2,
            r"$\epsilon^2 |w|_2^2$",
            moved.square().mean().item(),
            # The fourth moment of a sum of independent signs is at most 3 times the square of its variance.
            *mean_of_bounded(2 * (epsilon * norm2) ** 4, (epsilon * norm1) ** 2, CORNERS),
        ),
        Claim("The parameters' .grad are as they were", 1, "w.grad is None", float(untouched), *EXACT),
    ]
    return Measurement(
        title=f"FGSM at epsilon = {epsilon}",
        claims=claims,
        picture=[_reaches(epsilon, generator)],
        blocks=[
            Text(
                f"FGSM changes each input by {epsilon}, in the direction in which the loss rises. For a logistic "
                r"model with weights w the logit moves by $\epsilon |w|_1$ against its label, the most that the box "
                "allows. Random signs of the same size mostly cancel if there are many inputs (here: "
                f"{inputs:,})."
            ),
            Table(
                title=f"Loss and accuracy of the random model on {EXAMPLES} examples with random labels",
                columns=["examples", "mean loss", "accuracy"],
                rows=[
                    ["clean", clean, right[0]],
                    ["random signs", noisy, right[1]],
                    ["FGSM", hurt, right[2]],
                ],
                note="Weights and labels are random here, so about half of the predictions are right before the "
                "attack: it is the change that counts.",
            ),
        ],
    )


def _signs(shape: tuple[int, ...], generator: Generator) -> Tensor:

    return 2.0 * torch.randint(2, shape, generator=generator, dtype=torch.float64) - 1


def _reaches(epsilon: float, generator: Generator) -> Curves:
    """What FGSM and random signs do to the logit of models with more and more random weights."""
    norms = {size: normal(generator, size) for size in SIZES}
    at = [float(size) for size in SIZES]
    return Curves(
        title=f"How far the logit moves, at epsilon = {epsilon:g}",
        x_label="number of inputs",
        y_label="move of the logit",
        series=[
            Series(r"FGSM, $\epsilon |w|_1$", at, [epsilon * w.abs().sum().item() for w in norms.values()]),
            Series(r"random signs, $\epsilon |w|_2$", at, [epsilon * w.norm().item() for w in norms.values()]),
        ],
        note="FGSM's changes of the inputs all move the logit the same way: for these random weights the ratio of the "
        "two moves grows like the root of the number of inputs.",
    )


WRONG = [
    Wrong("downhill", "fgsm", lambda right, x, loss, epsilon: 2 * x - right(x, loss, epsilon)),
    Wrong("random signs", "fgsm", lambda right, x, loss, epsilon: x + epsilon * signs(seeded(1), *x.shape)),
    Wrong("the gradient, not its sign", "fgsm", lambda right, x, loss, epsilon: x + epsilon * _unit(x, loss)),
    Wrong(
        "backward() fills the weights' gradients",
        "fgsm",
        lambda right, x, loss, epsilon: (loss(x).backward(), right(x, loss, epsilon))[1],
    ),
    Wrong("half the step", "fgsm", lambda right, x, loss, epsilon: right(x, loss, epsilon / 2)),
]


def _unit(x, loss):
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(leaf), leaf)
    return gradient / gradient.norm(dim=1, keepdim=True)
