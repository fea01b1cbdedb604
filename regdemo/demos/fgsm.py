"""FGSM: a small step in the inputs to raise the loss.

Attacks a logistic model, where the worst case is known in closed form: no input within epsilon is worse than FGSM's.
Compares FGSM with random signs of the same size.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, mean_of_bounded, rounding
from regdemo.measure import Wrong, fraction, gap, mean_square, normal, seeded, signs
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

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
CARDS = ("Q18.124", "Q18.125", "Q18.126", "Q18.127")

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
    generator = seeded(seed)
    w, x, t = normal(generator, inputs), normal(generator, EXAMPLES, inputs), signs(generator, EXAMPLES)
    parameter = torch.nn.Parameter(w)
    attacked = regularizers.fgsm(x, lambda changed: _loss(changed, t, parameter), epsilon)
    corners = signs(generator, CORNERS, inputs)
    noised = x + epsilon * signs(generator, *x.shape)
    return Measurement(
        title=f"FGSM at epsilon = {epsilon}",
        claims=[
            Claim(
                "Every input moves by epsilon, none further",
                0,
                "largest | |x' - x| - epsilon |",
                gap((attacked - x).abs(), epsilon),
                *rounding(1 + epsilon),
            ),
            *_worst_case_claims(_Attack(w, x, t, epsilon, attacked), corners),
            _noise_claim(w, epsilon, corners),
            Claim("The parameters' .grad are as they were", 1, "w.grad is None", float(parameter.grad is None), *EXACT),
        ],
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
                    [name, _loss(changed, t, w).item(), fraction(t * (changed @ w) > 0)]
                    for name, changed in (("clean", x), ("random signs", noised), ("FGSM", attacked))
                ],
                note="Weights and labels are random here, so about half of the predictions are right before the "
                "attack: it is the change that counts.",
            ),
        ],
    )


def _loss(x: torch.Tensor, t: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.softplus(-t * (x @ w)).mean()


class _Attack(NamedTuple):
    """A logistic model's weights, its inputs and labels, and the inputs that FGSM made of them."""

    w: torch.Tensor
    x: torch.Tensor
    t: torch.Tensor
    epsilon: float
    attacked: torch.Tensor


def _worst_case_claims(attack: _Attack, corners: torch.Tensor) -> list[Claim]:
    """No changes of up to epsilon raise the loss further: by the formula, and in corners of one example's box."""
    w, x, t, epsilon, attacked = attack
    softplus = torch.nn.functional.softplus
    reach = w.abs().sum().item()
    tried = softplus(-t[0] * ((x[0] + epsilon * corners) @ w)).max().item()
    bound = rounding(1 + reach * (epsilon + x.abs().max().item()))
    return [
        Claim(
            "The loss after the attack is the formula's worst case",
            softplus(epsilon * reach - t * (x @ w)).mean().item(),
            r"mean softplus$(\epsilon |w|_1 - t\,w x)$",
            _loss(attacked, t, w).item(),
            *bound,
        ),
        Claim(
            f"None of {CORNERS:,} random corners of the box around one example is worse",
            0,
            "largest excess over FGSM",
            max(0.0, tried - _loss(attacked[0], t[0], w).item()),
            *bound,
        ),
    ]


def _noise_claim(w: torch.Tensor, epsilon: float, corners: torch.Tensor) -> Claim:
    reach, deviation = epsilon * w.abs().sum().item(), epsilon * w.square().sum().sqrt().item()
    return Claim(
        "The variance of the logit's move under random signs",
        deviation**2,
        r"$\epsilon^2 |w|_2^2$",
        mean_square(epsilon * (corners @ w)),
        # The fourth moment of a sum of independent signs is at most 3 times the square of its variance.
        *mean_of_bounded(2 * deviation**4, reach**2, CORNERS),
    )


def _reaches(epsilon: float, generator: torch.Generator) -> Curves:
    """What FGSM and random signs do to the logit of models with more and more random weights."""
    models = [normal(generator, size) for size in SIZES]
    at = [float(size) for size in SIZES]
    return Curves(
        title=f"How far the logit moves, at epsilon = {epsilon:g}",
        x_label="number of inputs",
        y_label="move of the logit",
        series=[
            Series(r"FGSM, $\epsilon |w|_1$", at, [epsilon * w.abs().sum().item() for w in models]),
            Series(r"random signs, $\epsilon |w|_2$", at, [epsilon * w.norm().item() for w in models]),
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
